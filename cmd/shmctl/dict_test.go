//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/manager"
)

// withManager starts a process that has the manager "app", with n entries in each dict.
func withManager(t testing.TB, n int) (dir string, c *child) {
	t.Helper()
	dir = clitest.UseDir(t, "shmctl-test-")
	c = startChild(t, "web")
	c.do("manager app %d", n)
	return dir, c
}

func TestDictGet(t *testing.T) {
	_, c := withManager(t, 20)
	c.do("soon later")
	for line, want := range map[string]string{
		"app/hits /page/0007":                   "7\n",
		"app/hits /page/0007 --hex":             "0x0700000000000000\n",
		"app/hits 2f --hex-key":                 "",
		"app/points -- -10":                     `{"X":0,"Y":0.5}` + "\n",
		"app/points 0300000000000000 --hex-key": `{"X":13,"Y":0.5}` + "\n",
		"app/users user0003":                    `{"Name":"User 0003","Tags":["new"]}` + "\n",
		"app/links 0001":                        "#6\n",
		"app/#6 ready":                          "true\n",
		"app/hits nope":                         "",
	} {
		if want == "" {
			fails(t, cli.Failure, "dict get app/hits: no such key (shmctl dict ls", append([]string{"dict", "get"}, strings.Fields(line)...)...)
			continue
		}
		if got := ok(t, append([]string{"dict", "get"}, strings.Fields(line)...)...); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	e := decode[foundEntry](t, "dict", "get", "app/hits", "later")
	if string(e.Key) != `"later"` || e.KeyEncoding != "text" || string(e.Value) != "1" || e.ValueEncoding != "json" || e.TTL == nil || *e.TTL > 3600 || *e.TTL < 3000 || e.Manager != "app" || e.Dict != "hits" {
		t.Errorf("%+v", e)
	}
	if e := decode[foundEntry](t, "dict", "get", "app/hits", "/page/0001"); e.TTL != nil {
		t.Errorf("%+v", e)
	}
	if e := decode[foundEntry](t, "dict", "get", "app/links", "0001"); string(e.Value) != `"#6"` || e.ValueEncoding != "reference" {
		t.Errorf("%+v", e)
	}
	if e := decode[foundEntry](t, "dict", "get", "app/hits", "/page/0001", "--hex", "--hex-key=false"); string(e.Value) != `"0100000000000000"` || e.ValueEncoding != "hex" {
		t.Errorf("%+v", e)
	}
}

// TestDictNamed refuses what names no dict, each in its way.
func TestDictNamed(t *testing.T) {
	_, c := withManager(t, 1)
	c.do("queue jobs 4096")
	for name, want := range map[string]string{
		"app/nope": "no such dict (shmctl info shows", "app/#99": "no such dict", "app/#0": "no such dict",
		"nope/hits": "no such segment (", "jobs/hits": "wrong kind", "../hits": "invalid name",
	} {
		for _, command := range []string{"get %s x", "ls %s", "stat %s", "watch %s x", "set %s x 1", "del %s x", "incr %s x"} {
			args := append([]string{"dict"}, strings.Fields(fmt.Sprintf(command, name))...)
			fails(t, cli.Failure, want, args...)
		}
	}
}

// TestDictChanges changes entries under a process that has them, and sees its changes.
func TestDictChanges(t *testing.T) {
	_, c := withManager(t, 20)
	run := func(want string, args ...string) {
		t.Helper()
		if got := ok(t, append([]string{"dict"}, args...)...); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	run("set x\n", "set", "app/hits", "x", "5")
	c.do("hits x 5")
	run("12\n", "incr", "app/hits", "x", "7")
	run("13\n", "incr", "app/hits", "x")
	run("-7\n", "incr", "app/hits", "x", "--", "-20")
	c.do("hits x -7")
	run("1\n", "incr", "app/hits", "fresh")
	run("set x\n", "set", "app/hits", "x", "--", "-9")
	run("set x\n", "set", "app/hits", "x", "ffffffffffffff7f", "--hex")
	c.do("hits x 9223372036854775807")
	fails(t, cli.Failure, "9223372036854775807 + 1 is beyond int64", "dict", "incr", "app/hits", "x")
	fails(t, cli.Failure, `dict set app/hits: value: "y" is no JSON`, "dict", "set", "app/hits", "x", "y")
	fails(t, cli.Failure, "has 8 bytes, not 1", "dict", "set", "app/hits", "x", "00", "--hex")
	fails(t, cli.Failure, `key: "zero" is no JSON`, "dict", "set", "app/points", "zero", "{}")
	fails(t, cli.Failure, "is no number", "dict", "incr", "app/points", "0")
	fails(t, cli.Failure, "is no number", "dict", "incr", "app/users", "user0000")
	fails(t, cli.Failure, "a reference to an object can't be written", "dict", "set", "app/links", "x", "#6")
	c.do("hits x 9223372036854775807")

	run("set x\n", "set", "app/hits", "x", "1", "--ttl", "1h")
	if e := decode[foundEntry](t, "dict", "incr", "app/hits", "x"); string(e.Value) != "2" || e.TTL == nil || *e.TTL < 3000 {
		t.Errorf("%+v", e)
	}
	if e := decode[foundEntry](t, "dict", "get", "app/hits", "x"); e.TTL == nil || *e.TTL < 3000 {
		t.Errorf("incr has changed the time to live: %+v", e)
	}
	if e := decode[foundEntry](t, "dict", "set", "app/hits", "x", "3", "--ttl", "90s"); string(e.Value) != "3" || *e.TTL != 90 {
		t.Errorf("%+v", e)
	}

	run("removed x\n", "del", "app/hits", "x")
	fails(t, cli.Failure, "dict del app/hits: no such key (", "dict", "del", "app/hits", "x")
	if e := decode[foundEntry](t, "dict", "del", "app/hits", "fresh"); string(e.Key) != `"fresh"` || string(e.Value) != "null" || e.ValueEncoding != "" {
		t.Errorf("%+v", e)
	}
	run("set ann\n", "set", "app/users", "ann", `{"Name":"Ann","Tags":null}`)
	run(`{"Name":"Ann","Tags":null}`+"\n", "get", "app/users", "ann")
	run("set -3\n", "set", "app/points", "--", "-3", `{"X":-1}`)
	run(`{"X":-1,"Y":0}`+"\n", "get", "app/points", "--", "-3")
	run("removed 0001\n", "del", "app/links", "0001")
	ok(t, "fsck", "app")
}

// TestDictChangeRecovers: who changes something cleans up after the dead, as programs do.
func TestDictChangeRecovers(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "victim")
	c.do("manager app 5 persistent")
	c.kill()
	if s := decode[listing](t, "ls").Segments[0]; s.Dead != 1 || *s.Entries != 21 {
		t.Errorf("%+v", s)
	}
	ok(t, "dict", "set", "app/hits", "x", "5")
	if s := decode[listing](t, "ls").Segments[0]; s.Dead != 0 || s.Processes != 0 || *s.Entries != 22 {
		t.Errorf("%+v", s)
	}
	ok(t, "fsck", "app")
}

func TestDictLs(t *testing.T) {
	_, c := withManager(t, 30)
	c.do("soon /page/9999")
	l := decode[dictListing](t, "dict", "ls", "app/points")
	if l.Manager != "app" || l.Dict != "points" || l.Type != "plain int (8 bytes) to plain struct main.Point{X int32; Y float64} (16 bytes)" || l.Entries != 30 || l.More || len(l.Items) != 30 {
		t.Errorf("%+v", l)
	}
	for i, e := range l.Items { // by their numbers, not their texts
		var key int
		var value Point
		if err := json.Unmarshal(e.Key, &key); err != nil || key != i-15 {
			t.Errorf("%s, %v", e.Key, err)
		}
		if err := json.Unmarshal(e.Value, &value); err != nil || value != (Point{int32(i), 0.5}) {
			t.Errorf("%s, %v", e.Value, err)
		}
	}
	got := ok(t, "dict", "ls", "app/hits", "--prefix", "/page/002")
	want := "KEY         TTL  VALUE\n"
	for i := 20; i < 30; i++ {
		want += fmt.Sprintf("/page/%04d    -  %d\n", i, i)
	}
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := ok(t, "dict", "ls", "app/hits", "--prefix", "/page/9", "--no-headers"); got != "/page/9999  1h  1\n" && got != "/page/9999  59m59s  1\n" {
		t.Errorf("%q", got)
	}
	got = ok(t, "dict", "ls", "app/hits", "--limit", "3", "--no-headers")
	if lines := strings.Split(got, "\n"); len(lines) != 5 || lines[3] != "… and more: the dict has 31 entries (--limit 0 lists all)" || !slices.IsSorted(lines[:3]) {
		t.Errorf("%q", got)
	}
	if l := decode[dictListing](t, "dict", "ls", "app/hits", "--limit", "3"); !l.More || len(l.Items) != 3 || l.Entries != 31 {
		t.Errorf("%+v", l)
	}
	if l := decode[dictListing](t, "dict", "ls", "app/hits", "--limit", "31"); l.More || len(l.Items) != 31 {
		t.Errorf("%+v", l)
	}
	long := strings.Repeat("ü", 200)
	ok(t, "dict", "set", "app/users", "long", `{"Name":"`+long+`"}`)
	if got := ok(t, "dict", "ls", "app/users", "--prefix", "long", "--no-headers"); !strings.HasSuffix(got, "üü…\n") || strings.Count(got, "ü") != 91 {
		t.Errorf("%q", got)
	}
	if l := decode[dictListing](t, "dict", "ls", "app/users", "--prefix", "long"); !strings.Contains(string(l.Items[0].Value), long) {
		t.Errorf("%+v", l)
	}
}

func TestDictStat(t *testing.T) {
	_, _ = withManager(t, 300)
	s := decode[dictStat](t, "dict", "stat", "app/hits")
	if s.Manager != "app" || s.Name != "hits" || s.Kind != "dict" || s.Entries != 300 || s.Bytes < 300*32 || s.Table < 4096 || s.Handles != 1 || s.Evicted != 0 {
		t.Errorf("%+v", s)
	}
	if by := decode[dictStat](t, "dict", "stat", fmt.Sprintf("app/#%d", s.ID)); by.Name != "" || by.Entries != 300 {
		t.Errorf("%+v", by)
	}
	text := ok(t, "dict", "stat", "app/#6")
	for _, want := range []string{"dict     app/#6\n", "entries  1\n", "handles  1\n", "string to plain bool"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestInfoOfManager shows a manager's objects.
func TestInfoOfManager(t *testing.T) {
	_, _ = withManager(t, 10)
	d := decode[details](t, "info", "app")
	m := d.Manager
	if m == nil || d.Pool != nil || d.Error != nil || m.MaxBytes != 4<<20 || m.Evict || m.Entries != 41 || *d.Entries != 41 || *d.Used != m.Used || m.Used < 4096 {
		t.Fatalf("%+v, %+v", d, m)
	}
	var names []string
	for _, o := range m.Objects {
		names = append(names, o.label())
	}
	if got := strings.Join(names, " "); got != "hits links points users #6" {
		t.Errorf("objects: %s", got)
	}
	end := int64(0)
	for _, r := range d.Map {
		if r.Offset != end && end != headerSize+256*slotSize { // where the slots end, a page may
			t.Errorf("%+v does not follow %d", r, end)
		}
		end = r.Offset + r.Size
	}
	if end != d.FileSize {
		t.Errorf("the map ends at %d of %d", end, d.FileSize)
	}
	text := ok(t, "info", "app")
	for _, want := range []string{"\nMANAGER\n", "entries    41\n", "\nOBJECTS\n", "new entries are refused", "string to cbor *manager.Ref"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	s := decode[sample](t, "stat", "app", "--count", "1", "--interval", "1ms")
	if s.Manager == nil || s.Manager.Entries != 41 || s.Manager.Objects != 5 || s.Manager.Used != m.Used {
		t.Errorf("%+v", s.Manager)
	}
	if lines := strings.Split(ok(t, "stat", "app", "--count", "1", "--interval", "1ms"), "\n"); !strings.Contains(lines[0], "ENTRIES") || len(lines[0]) != len(lines[1]) {
		t.Errorf("%q", lines)
	}
}

// watching runs dict watch, and returns its lines as they come.
func watching(t *testing.T, args ...string) (next func() string, end func() (status int, errs string)) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	var errs strings.Builder
	done := make(chan int, 1)
	go func() {
		status := run(ctx, append([]string{"dict", "watch"}, args...), w, &errs)
		w.Close()
		done <- status
	}()
	lines := bufio.NewReader(r)
	t.Cleanup(func() { cancel(); r.Close() })
	next = func() string {
		late := time.AfterFunc(30*time.Second, func() { r.CloseWithError(fmt.Errorf("no line in 30 s")) })
		defer late.Stop()
		line, err := lines.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return line
	}
	return next, func() (int, string) {
		cancel()
		return <-done, errs.String()
	}
}

func TestDictWatch(t *testing.T) {
	_, c := withManager(t, 3)
	next, end := watching(t, "app/hits", "x", "--interval", "1ms", "-o", "json")
	sees := func(present bool, value string) {
		t.Helper()
		var s sighting
		line := next()
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Present != present || string(s.Value) != value || string(s.Key) != `"x"` || s.Time.IsZero() {
			t.Errorf("%q, %v; want %v, %s", line, err, present, value)
		}
	}
	sees(false, "null")
	c.do("hit x 1")
	sees(true, "1")
	c.do("hit other 1")
	c.do("hit x 2")
	sees(true, "2")
	c.do("unhit x")
	sees(false, "null")
	if status, errs := end(); status != cli.OK || errs != "" {
		t.Errorf("interrupted: %d, %q", status, errs)
	}
	if got := ok(t, "dict", "watch", "app/hits", "x", "--count", "1"); !strings.HasSuffix(got, "  (no value)\n") {
		t.Errorf("%q", got)
	}
}

// TestDictWatchEnds when the dict or the segment goes away, or another takes its name.
func TestDictWatchEnds(t *testing.T) {
	_, c := withManager(t, 3)
	next, end := watching(t, "app/hits", "x", "--interval", "1ms")
	next()
	c.do("unname hits")
	next()
	if status, errs := end(); status != cli.Failure || !strings.Contains(errs, "dict watch app/hits: no such dict") {
		t.Errorf("%d, %q", status, errs)
	}
	next, end = watching(t, "app/users", "x", "--interval", "1ms")
	next()
	ok(t, "rm", "app")
	next()
	if status, errs := end(); status != cli.Failure || !strings.Contains(errs, "the segment has been removed") {
		t.Errorf("%d, %q", status, errs)
	}
}

// TestDictWatchEmpty tells an empty value from none.
func TestDictWatchEmpty(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	m, err := manager.Create("app", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d, err := manager.NewDict[string, string](m, "texts")
	if err != nil {
		t.Fatal(err)
	}
	next, end := watching(t, "app/texts", "x", "--interval", "1ms")
	if line := next(); !strings.HasSuffix(line, "  (no value)\n") {
		t.Errorf("%q", line)
	}
	if err := d.Set("x", ""); err != nil {
		t.Fatal(err)
	}
	if line := next(); !strings.HasSuffix(line, "  \n") {
		t.Errorf("%q", line)
	}
	if status, errs := end(); status != cli.OK || errs != "" {
		t.Errorf("%d, %q", status, errs)
	}
}
