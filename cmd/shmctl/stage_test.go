//go:build linux && !portable

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/shm"
)

// stage sets the scene that the golden files and the documentation show, and
// returns its directory:
//
//   - the queue jobs is full, its producer waits, its consumer is stopped in
//     the middle of a record;
//   - the block pixels and the pool thumbnails are in use;
//   - the queue rows was left by a process killed in the middle of a record;
//   - notes.txt is no segment.
func stage(t *testing.T) string {
	t.Helper()
	if os.Getpagesize() != 4096 {
		t.Skip("sizes are those of pages of 4096 bytes")
	}
	dir := clitest.UseDir(t, "shmctl-test-")
	coordinator := startChild(t, "gallery", "--serve")
	coordinator.do("block pixels 1048576 persistent")
	coordinator.do("pool thumbnails")
	clitest.Until(t, "both workers run", func() bool { return decode[details](t, "info", "thumbnails").Pool.Running == 2 })
	producer := startChild(t, "producer", "--queue", "jobs")
	producer.do("queue jobs 65536")
	producer.do("fill")
	consumer := startChild(t, "consumer", "--queue", "jobs")
	consumer.do("open jobs")
	consumer.do("borrow")
	consumer.stop()
	producer.do("wait")
	clitest.Until(t, "the producer waits", func() bool { return total(t, dir, "jobs", shm.FullWaits) > 0 })
	victim := startChild(t, "import", "rows.csv")
	victim.do("queue rows 65536")
	victim.do("put - 3")
	victim.do("reserve - 1000")
	victim.kill()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("buy milk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// volatile is what differs from run to run, with what stands for it. Numbers of
// workers are among it: which of the two has which task is not settled.
var volatile = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "ID"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\.\d{3}\b`), "TIME"},
	{regexp.MustCompile(`(pid |"(?:pid|pid_namespace|worker|full-waits)": ?|full-waits +)\d+`), "${1}N"},
	{regexp.MustCompile(`\b\d+ +\d+ +(idle|running)\b`), "W N $1"},
	{regexp.MustCompile(`\b\d+ +(alive|stopped|dead)\b`), "N $1"},
	{regexp.MustCompile(`^( +render +1 +1 +)\S+`), "${1}W"},
	{regexp.MustCompile(`"seconds": ?[0-9.]+`), `"seconds":S`},
	{regexp.MustCompile(`\b\d+[smhd](\d+[smh])?\b`), "AGE"},
	{regexp.MustCompile(`\bgo1\.[0-9A-Za-z.:-]+`), "GO"},
	{regexp.MustCompile(`\blinux/\w+`), "PLATFORM"},
	{regexp.MustCompile(` +`), " "},
}

// canonical returns text without what differs from run to run.
func canonical(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		for _, v := range volatile {
			line = v.is.ReplaceAllString(line, v.as)
		}
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}

// shownDir is the directory that outputs show in place of the test's.
const shownDir = "/dev/shm/shmkit-1000"

// TestGolden pins the JSON, which is a contract.
func TestGolden(t *testing.T) {
	dir := stage(t)
	for _, g := range []struct{ file, command string }{
		{"ls", "ls"},
		{"info-queue", "info jobs"},
		{"info-dead", "info rows"},
		{"info-block", "info pixels"},
		{"info-pool", "info thumbnails"},
		{"stat-queue", "stat jobs --interval 1ms --count 2"},
		{"stat-pool", "stat thumbnails --interval 1ms --count 1"},
		{"gc-dry-run", "gc --dry-run"},
		{"gc", "gc"},
		{"rm", "rm jobs pixels notes.txt"},
		{"ls-empty", "ls --dir " + t.TempDir()},
	} {
		out := ok(t, append(strings.Fields(g.command), "-o", "json")...)
		if g.file == "ls-empty" {
			out = regexp.MustCompile(`"dir": .*,`).ReplaceAllString(out, `"dir": "`+shownDir+`",`)
		}
		clitest.Compare(t, filepath.Join("testdata", g.file+".json"), strings.ReplaceAll(out, dir, shownDir), canonical)
	}
}

// TestDocs runs the commands in docs/shmctl.md, in their order, and compares
// what they print.
func TestDocs(t *testing.T) {
	dir := stage(t)
	const path = "../../docs/shmctl.md"
	now := clitest.Page(t, path, "shmctl", 12, func(args []string) string {
		var both bytes.Buffer // as a terminal has it
		run(context.Background(), args, &both, &both)
		return strings.ReplaceAll(both.String(), dir, shownDir)
	})
	clitest.Compare(t, path, now, canonical)
}
