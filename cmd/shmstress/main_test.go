package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/process"
)

func TestMain(m *testing.M) {
	process.Main() // members
	if os.Getenv(programEnv) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// programEnv makes a process of the test binary the program.
const programEnv = "SHMSTRESS_TEST_PROGRAM"

// A result is what a command line came to.
type result struct {
	status   int
	out, err string
}

// shmstress runs a command line in this process.
func shmstress(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	status := run(ctx, args, &out, &errs)
	return result{status, out.String(), errs.String()}
}

// decode decodes a summary.
func decode(t testing.TB, text string) summary {
	t.Helper()
	var s summary
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return s
}
