// Package clitest helps to test the module's commands. Only tests import it.
package clitest

import (
	"os"
	"strings"
	"testing"
)

// Page runs the commands in a page of documentation, in their order: the lines of
// its console blocks that begin with "$ " and the program's name. It returns the
// page with what they print now. At least so many commands must stand in it.
func Page(t testing.TB, path, program string, least int, run func(args []string) (output string)) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	inside, ran := false, 0
	for line := range strings.Lines(string(b)) {
		command, isCommand := strings.CutPrefix(line, "$ "+program)
		switch {
		case line == "```console\n":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside && isCommand:
			ran++
			out.WriteString(line + run(strings.Fields(command)))
			continue
		case inside:
			continue // an earlier output
		}
		out.WriteString(line)
	}
	if ran < least {
		t.Errorf("only %d commands in %s", ran, path)
	}
	return out.String()
}
