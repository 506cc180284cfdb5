//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
)

func TestUsage(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	for line, want := range map[string]string{
		"frob":                           `shmctl: command line: no command "frob" (see shmctl --help)`,
		"stats x":                        `shmctl: command line: no command "stats": did you mean stat? (see shmctl --help)`,
		"--frob":                         "shmctl: command line: unknown flag: --frob (see shmctl --help)",
		"ls x":                           "shmctl: ls: it takes no arguments, not 1 argument (see shmctl ls --help)",
		"ls -o yaml":                     `neither table nor json (see shmctl ls --help)`,
		"info":                           "shmctl: info: it takes the name of one segment, not 0 arguments (see shmctl info --help)",
		"info a b":                       "not 2 arguments",
		"stat":                           "shmctl: stat: it takes",
		"stat a --interval 0s":           "shmctl: stat: --interval 0s is not positive (",
		"stat a --interval soon":         "shmctl: stat: invalid argument",
		"stat a --count -1":              "shmctl: stat: --count -1 is negative (",
		"rm":                             "shmctl: rm: it takes the names of segments (see shmctl rm --help)",
		"gc x":                           "shmctl: gc: it takes no arguments",
		"dict frob":                      `shmctl: dict: no command "frob" (see shmctl dict --help)`,
		"dict gett a/b c":                `shmctl: dict: no command "gett": did you mean get or set? (see shmctl dict --help)`,
		"dict get":                       "shmctl: dict get: it takes MANAGER/DICT and a key, not 0 arguments (see shmctl dict get --help)",
		"dict get app key":               `shmctl: dict get: "app" is not MANAGER/DICT (`,
		"dict get /hits key":             "is not MANAGER/DICT",
		"dict get app/ key":              "is not MANAGER/DICT",
		"dict set a/b c":                 "shmctl: dict set: it takes MANAGER/DICT, a key and a value, not 2 arguments (",
		"dict set a/b c d --ttl -1s":     "--ttl -1s is negative",
		"dict set a/b c d --timeout 0s":  "--timeout 0s is not positive",
		"dict del a/b c --timeout 0s":    "--timeout 0s is not positive",
		"dict incr a/b c --timeout 0s":   "--timeout 0s is not positive",
		"dict incr a/b c -1":             "unknown shorthand flag",
		"dict ls a/b --limit -1":         "--limit -1 is negative",
		"dict ls a/b c":                  "it takes MANAGER/DICT, not 2 arguments",
		"dict watch a/b c --interval 0s": "--interval 0s is not positive",
		"dict watch a/b c --count -1":    "--count -1 is negative",
		"fsck":                           "shmctl: fsck: it takes the name of one segment",
		"fsck a --interval 0s":           "--interval 0s is not positive",
		"locks a b":                      "shmctl: locks: it takes the name of one manager or none, not 2 arguments (",
		"ps x":                           "shmctl: ps: it takes no arguments",
		"ps --watch --interval 0s":       "--interval 0s is not positive",
		"ps --watch --count -1":          "--count -1 is negative",
		"version x":                      "shmctl: version: it takes no arguments",
	} {
		if r := fails(t, cli.Usage, want, strings.Fields(line)...); r.out != "" {
			t.Errorf("%s: output %q", line, r.out)
		}
	}
}

// TestHelp looks for what each command's help must have.
func TestHelp(t *testing.T) {
	var names []string
	for _, c := range newRoot(nil, nil).Commands() {
		names = append(names, c.Name())
		text := ok(t, c.Name(), "--help")
		for _, want := range []string{"Examples:\n  shmctl " + c.Name(), "Usage:\n  shmctl " + c.Name(), "--dir", "--no-headers", "--output"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in the help of %s", want, c.Name())
			}
		}
		if c.Name() != "version" && !strings.Contains(text, "Exit status: ") {
			t.Errorf("%s: no exit status in its help", c.Name())
		}
	}
	if got := strings.Join(names, " "); got != "dict fsck gc info locks ls ps rm stat version" {
		t.Errorf("commands: %s", got)
	}
	root := ok(t)
	if !strings.Contains(root, "Exit status: 0 all went well, 1 something\nfailed, 2 the command line") || root != ok(t, "--help") {
		t.Errorf("%s", root)
	}
	for _, c := range newRoot(nil, nil).Commands() {
		for _, sub := range c.Commands() {
			text := ok(t, c.Name(), sub.Name(), "--help")
			for _, want := range []string{"Examples:\n  shmctl " + c.Name() + " " + sub.Name(), "Exit status: "} {
				if !strings.Contains(strings.ReplaceAll(text, "Exit\nstatus", "Exit status"), want) {
					t.Errorf("%q is not in the help of %s %s", want, c.Name(), sub.Name())
				}
			}
		}
	}
	var lines func(c *cobra.Command)
	lines = func(c *cobra.Command) {
		for _, line := range strings.Split(c.Long+"\n"+c.Example, "\n") {
			if len(line) > 88 {
				t.Errorf("%s: a line of %d bytes: %s", c.Name(), len(line), line)
			}
		}
		for _, sub := range c.Commands() {
			lines(sub)
		}
	}
	lines(newRoot(nil, nil))
}

func TestDir(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "keeper")
	c.do("block pixels 100")
	t.Setenv("SHMKIT_DIR", filepath.Join(dir, "none"))
	if got := ok(t, "ls", "--no-headers"); got != "" {
		t.Errorf("in a default directory that is not there yet: %q", got)
	}
	if got := ok(t, "ls", "--no-headers", "--dir", dir); !strings.HasPrefix(got, "pixels  block  100 B") {
		t.Errorf("got %q", got)
	}
	if l := decode[listing](t, "ls", "--dir", dir); l.Dir != dir || len(l.Segments) != 1 || l.Segments[0].Path != filepath.Join(dir, "pixels") {
		t.Errorf("%+v", l)
	}
	missing := filepath.Join(dir, "none")
	for _, command := range []string{"ls", "info x", "stat x", "gc", "rm x"} {
		args := append(strings.Fields(command), "--dir", missing)
		fails(t, cli.Failure, "no such file or directory", args...)
	}
	fails(t, cli.Failure, "not a directory", "ls", "--dir", filepath.Join(dir, "pixels"))
}

func TestNames(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	for _, name := range []string{"", ".", "..", ".hidden", "a/b", "/etc/passwd", "nul\x00"} {
		fails(t, cli.Failure, "invalid name", "info", name)
		fails(t, cli.Failure, "invalid name", "stat", name)
		fails(t, cli.Failure, "invalid name", "rm", name)
	}
}

func TestVersion(t *testing.T) {
	b := decode[build](t, "version")
	if !strings.HasPrefix(b.Go, "go1") && !strings.HasPrefix(b.Go, "devel") || !strings.Contains(b.Platform, "/") || b.Version == "" {
		t.Errorf("%+v", b)
	}
	if text := ok(t, "version"); !strings.HasPrefix(text, "shmctl "+b.Version) || !strings.HasSuffix(text, b.Platform+"\n") {
		t.Errorf("%q", text)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 400 * time.Millisecond: "0s", 59 * time.Second: "59s", time.Minute: "1m", 61 * time.Second: "1m1s",
		3599 * time.Second: "59m59s", time.Hour: "1h", 25*time.Hour + time.Minute: "1d1h", 48 * time.Hour: "2d", 3*time.Hour + 7*time.Minute: "3h7m",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
