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
//   - the manager app has four dicts, and one without a name, which the entries of
//     links refer to;
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
	web := startChild(t, "web", "--port", "8080")
	web.do("manager app 2000") // so many that each of a table's parts is in use
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
	// Of ps: who is awake, and at what moment.
	{regexp.MustCompile(`^\d+ +(running|blocked) +\d+ % +\S+ +[0-9.]+ \wiB +\w+ +(\d+)`), "N AWAKE $2"},
	{regexp.MustCompile(`^\d+ +stopped +\d+ % +\S+ +[0-9.]+ \wiB +\w+ +(\d+)`), "N stopped $1"},
	{regexp.MustCompile(` +(thumbnails\.results: record|jobs: room) +`), " - "},
	{regexp.MustCompile(`\bworker-[12]\b`), "worker-W"},
	{regexp.MustCompile(`"(parent|cpu_seconds|cpu_percent|memory|threads)": ?[0-9.e-]*[1-9][0-9.e-]*`), `"$1":N`},
	{regexp.MustCompile(`"(cpu_seconds|cpu_percent)": ?0\b`), `"$1":N`},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "ID"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\.\d{3}\b`), "TIME"},
	{regexp.MustCompile(`(pid |"(?:pid|pid_namespace|worker|full-waits)": ?|full-waits +)\d+`), "${1}N"},
	{regexp.MustCompile(`\b\d+ +\d+ +(idle|running)\b`), "W N $1"},
	{regexp.MustCompile(`\b\d+ +(alive|stopped|dead)\b`), "N $1"},
	{regexp.MustCompile(`^( +render +1 +1 +)\S+`), "${1}W"},
	{regexp.MustCompile(`"seconds": ?[0-9.]+`), `"seconds":S`},
	{regexp.MustCompile(`"ttl": ?[0-9.]+`), `"ttl":S`},
	{regexp.MustCompile(`"(chunks|unused|live|free|retired)": ?\d+`), `"$1":N`},
	{regexp.MustCompile(`(thumbnails\.\w+ +queue +\S+ MiB +)\d+ B`), `${1}N B`}, // when its ring is swept
	{regexp.MustCompile(`"used": ?\d{1,3}\b`), `"used":N`},                      // is not settled
	{regexp.MustCompile(`"bytes": ?\d{7,}`), `"bytes":N`},                       // of all blocks
	{regexp.MustCompile(`[0-9,]+ live \([^)]*\), [0-9,]+ free, [0-9,]+ retired`), `N live, N free, N retired`},
	{regexp.MustCompile(`chunks +[0-9,]+, [0-9,]+ of`), `chunks N, N of`},
	{regexp.MustCompile(`\b\d+[smhd](\d+[smh])?\b`), "AGE"},
	{regexp.MustCompile(`\bgo1\.[0-9A-Za-z.:-]+`), "GO"},
	{regexp.MustCompile(`\blinux/\w+`), "PLATFORM"},
	{regexp.MustCompile(` +`), " "},
}

// awake and waits are what ps says of a moment, on several lines.
var (
	awake = regexp.MustCompile(`"state": "(running|blocked)",\s+"name"`)
	waits = regexp.MustCompile(`"waits": \[[^\]]*\]`)
)

// canonical returns text without what differs from run to run.
func canonical(text string) string {
	text = awake.ReplaceAllString(text, `"state": "AWAKE", "name"`)
	text = waits.ReplaceAllString(text, `"waits": []`)
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
		{"ps", "ps"},
		{"info-queue", "info jobs"},
		{"info-dead", "info rows"},
		{"info-block", "info pixels"},
		{"info-pool", "info thumbnails"},
		{"stat-queue", "stat jobs --interval 1ms --count 2"},
		{"stat-pool", "stat thumbnails --interval 1ms --count 1"},
		{"info-manager", "info app"},
		{"stat-manager", "stat app --interval 1ms --count 1"},
		{"fsck-manager", "fsck app"},
		{"fsck-queue", "fsck jobs"},
		{"dict-get", "dict get app/users user0007"},
		{"dict-ls", "dict ls app/points --prefix 99 --limit 20"},
		{"dict-ls-references", "dict ls app/links --prefix 0x3030303 --limit 0 --hex-key"},
		{"dict-stat", "dict stat app/hits"},
		{"dict-set", "dict set app/hits /new 5 --ttl 1h"},
		{"dict-incr", "dict incr app/hits /new"},
		{"dict-watch", "dict watch app/hits /new --count 1"},
		{"dict-del", "dict del app/hits /new"},
		{"dict-watch-absent", "dict watch app/hits /new --count 1"},
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
	now := clitest.Page(t, path, "shmctl", 25, func(args []string) string {
		var both bytes.Buffer // as a terminal has it
		run(context.Background(), args, &both, &both)
		return strings.ReplaceAll(both.String(), dir, shownDir)
	})
	clitest.Compare(t, path, now, canonical)
}
