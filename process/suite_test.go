//go:build unix

package process_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/process"
)

type row struct {
	name string
	run  func(*testing.T)
}

// TestConformance runs the rows in this process, in a child, and in a process
// that is no child of this package's but was started as any program is.
func TestConformance(t *testing.T) {
	t.Run("here", func(t *testing.T) {
		for _, row := range rows() {
			t.Run(row.name, row.run)
		}
	})
	t.Run("child", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		p := mustStart(t, suite, struct{}{}, &process.Options{Name: suiteName, Stdout: &out, Stderr: &out})
		report(t, p.Wait(context.Background()), &out)
	})
	t.Run("unrelated", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		cmd := exec.Command(os.Args[0], suiteArgs...)
		cmd.Stdout, cmd.Stderr = &out, &out
		report(t, cmd.Run(), &out)
	})
}

const suiteName = "suite of rows"

var suiteArgs = []string{"-test.run=^TestConformance$/^here$", "-test.v", "-test.parallel=4"}

// tests is this program's tests.
var tests *testing.M

// suite runs the rows in a child.
var suite = process.Register("suite", func(context.Context, struct{}) error {
	os.Args = append(os.Args[:1:1], suiteArgs...)
	if code := tests.Run(); code != 0 {
		return errors.New("a test has failed")
	}
	return nil
})

// report makes subtests of what another process printed.
func report(t *testing.T, err error, out *bytes.Buffer) {
	for _, row := range rows() {
		t.Run(row.name, func(t *testing.T) {
			if passed := "--- PASS: TestConformance/here/" + row.name + " ("; !strings.Contains(out.String(), passed) {
				t.Errorf("has not passed in %s", out)
			}
		})
	}
	if err != nil {
		t.Errorf("%v; %s", err, out)
	}
}
