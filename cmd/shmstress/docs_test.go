//go:build unix && !faultpoints

package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
)

// number is what differs from run to run, with the padding around it.
var number = regexp.MustCompile(` *\b[0-9][0-9,.]*(s| ms)?`)

// canonical returns the form of an output. An outcome that nobody had is not
// shown, and all but the rarest are had in a second.
func canonical(text string) string { return number.ReplaceAllString(text, " N$1") }

// TestDocs runs the commands in docs/shmstress.md, and compares what they print.
func TestDocs(t *testing.T) {
	useDir(t)
	const path = "../../docs/shmstress.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	inside, ran := false, 0
	for line := range strings.Lines(string(b)) {
		command, isCommand := strings.CutPrefix(line, "$ shmstress")
		switch {
		case line == "```console\n":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside && isCommand:
			ran++
			var both bytes.Buffer // as a terminal has it
			run(context.Background(), strings.Fields(command), &both, &both)
			out.WriteString(line + both.String())
			continue
		case inside:
			continue // an earlier output
		}
		out.WriteString(line)
	}
	if ran < 4 {
		t.Errorf("only %d commands in %s", ran, path)
	}
	if *update {
		compare(t, path, []byte(out.String()))
		return
	}
	is, should := strings.Split(canonical(string(b)), "\n"), strings.Split(canonical(out.String()), "\n")
	for i := range max(len(is), len(should)) {
		if i >= len(is) || i >= len(should) || is[i] != should[i] {
			t.Fatalf("%s differs from line %d on (go test ./cmd/shmstress -run Docs -update writes it anew); the program says\n%s",
				path, i+1, strings.Join(should[min(i, len(should)):min(i+8, len(should))], "\n"))
		}
	}
}
