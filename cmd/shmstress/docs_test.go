//go:build unix && !faultpoints

package main

import (
	"bytes"
	"context"
	"regexp"
	"testing"

	"github.com/shmkit/shmkit/internal/cli/clitest"
)

// number is what differs from run to run, with the padding around it.
var number = regexp.MustCompile(` *\b[0-9][0-9,.]*(s| ms)?`)

// canonical returns the form of an output. An outcome that nobody had is not
// shown, and all but the rarest are had in a second.
func canonical(text string) string { return number.ReplaceAllString(text, " N$1") }

// TestDocs runs the commands in docs/shmstress.md, and compares what they print.
func TestDocs(t *testing.T) {
	clitest.UseDir(t, "shmstress-test-")
	const path = "../../docs/shmstress.md"
	now := clitest.Page(t, path, "shmstress", 6, func(args []string) string {
		var both bytes.Buffer // as a terminal has it
		run(context.Background(), args, &both, &both)
		return both.String()
	})
	clitest.Compare(t, path, now, canonical)
}
