//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// mainEnv makes the test binary, and its children, be the program itself.
const mainEnv = "FIRST_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestFirst(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), mainEnv+"=1", "SHMKIT_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if want := "Hello, world! This is greet-1.\n"; err != nil || string(out) != want {
		t.Errorf("printed %q, not %q: %v", out, want, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestReadme compares the program that the README shows with this one.
func TestReadme(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(source), "\npackage main\n")
	if want := "```go\npackage main\n" + program + "```\n"; !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not have this program:\n%s", want)
	}
}
