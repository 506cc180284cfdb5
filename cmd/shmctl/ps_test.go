//go:build linux && !portable

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
)

// procOf returns the entry of a process.
func procOf(t testing.TB, l processList, pid int) proc {
	t.Helper()
	i := slices.IndexFunc(l.Processes, func(p proc) bool { return p.PID == pid })
	if i < 0 {
		t.Fatalf("no process %d in %+v", pid, l.Processes)
	}
	return l.Processes[i]
}

// held returns what a process holds of a segment.
func (p *proc) held(segment string) holding {
	for _, h := range p.Holds {
		if h.Segment == segment {
			return h
		}
	}
	return holding{}
}

func TestPsStage(t *testing.T) {
	stage(t)
	by := make(map[string]proc)
	var workers []proc
	for _, p := range decode[processList](t, "ps").Processes {
		if strings.HasPrefix(p.Name, "worker-") {
			workers = append(workers, p)
			continue
		}
		by[p.Command] = p
	}
	consumer, victim, gallery := by["consumer --queue jobs"], by["import rows.csv"], by["gallery --serve"]
	if h := consumer.held("jobs"); consumer.State != "stopped" || h.Borrowed != 1 || h.Reserved != 0 {
		t.Errorf("consumer: %+v", consumer)
	}
	if h := victim.held("rows"); victim.State != "dead" || h.Reserved != 1 || h.Borrowed != 0 || victim.Memory != 0 || victim.Started != nil {
		t.Errorf("victim: %+v", victim)
	}
	clitest.Until(t, "the producer sleeps", func() bool {
		producer := procOf(t, decode[processList](t, "ps"), by["producer --queue jobs"].PID)
		return producer.State == "blocked" && slices.Equal(producer.Waits, []wait{{"jobs", "room", 1}})
	})
	if len(workers) != 2 || gallery.Depth != 0 || len(gallery.Uses) != 4 {
		t.Errorf("gallery: %+v, workers %+v", gallery, workers)
	}
	for _, w := range workers {
		if w.Parent != gallery.PID || w.Depth != 1 || w.Orphan || w.held("thumbnails").Task != "render" || len(w.Uses) != 3 {
			t.Errorf("worker: %+v", w)
		}
		if w.Memory < 1<<20 || w.Memory > 1<<34 || w.Threads < 1 || w.CPUSeconds < 0 || w.CPUSeconds > 60 || w.Started.Before(*gallery.Started) {
			t.Errorf("worker: %+v", w)
		}
	}
	table := ok(t, "ps", "--no-headers")
	for _, want := range []string{
		"gallery --serve", "└─ worker-1", "└─ worker-2", "jobs: reads 1 record", "rows: writes 1 record", "thumbnails: runs render",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
}

func TestPsWaits(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	owner, reader, writer := startChild(t, "owner"), startChild(t, "reader"), startChild(t, "writer")
	waits := func(c *child, want wait) {
		t.Helper()
		clitest.Until(t, want.For, func() bool {
			return slices.Equal(procOf(t, decode[processList](t, "ps"), c.pid()).Waits, []wait{want})
		})
	}
	owner.do("exclusive jobs 4096")
	owner.do("put - 1")
	owner.do("get - 1")
	owner.do("take") // waits for what nobody puts
	waits(owner, wait{"jobs", "record", 1})
	p := procOf(t, decode[processList](t, "ps"), owner.pid())
	if h := p.held("jobs"); !slices.Equal(h.Roles, []string{"producer", "consumer"}) {
		t.Errorf("roles: %+v", h)
	}
	if table := ok(t, "ps"); !strings.Contains(table, "jobs: record") || !strings.Contains(table, "jobs: sole producer + sole consumer") {
		t.Errorf("%s", table)
	}
	reader.do("queue steps 4096")
	reader.do("put - 1")
	reader.do("drain") // waits for what nobody does
	waits(reader, wait{"steps", "idle", 1})
	reader.do("manager app 5")
	writer.do("join app")
	lockAll(t, dir, "app") // as if the reader had them all
	p = procOf(t, decode[processList](t, "ps"), reader.pid())
	if h := p.held("app"); h.DictLocks != 128 {
		t.Errorf("holds %+v", h)
	}
	if table := ok(t, "ps"); !strings.Contains(table, "app: 128 dict locks") {
		t.Errorf("%s", table)
	}
	writer.do("change") // and says so before that is done
	waits(writer, wait{"app", "dict lock", 1})
	p = procOf(t, decode[processList](t, "ps"), reader.pid())
	if h := p.held("app"); h.DictLocks != 128 {
		t.Errorf("holds %+v, when somebody waits for one", h)
	}
	if p := procOf(t, decode[processList](t, "ps"), writer.pid()); len(p.Holds) > 0 {
		t.Errorf("holds %+v", p.Holds)
	}
}

// sleepy is a child without segments.
var sleepy = process.Register("sleepy", func(ctx context.Context, _ struct{}) error {
	<-ctx.Done()
	return ctx.Err()
})

// parentOf starts a sleepy orphan, and waits for ever.
var parentOf = process.Register("parent of", func(ctx context.Context, _ struct{}) error {
	if _, err := sleepy.Start(ctx, struct{}{}, &process.Options{Name: "left alone", Orphan: true, Stdin: os.Stdin}); err != nil {
		return err
	}
	os.Stdout.WriteString("started\n")
	<-ctx.Done()
	return ctx.Err()
})

// Children are listed with their parents, though neither has a segment.
func TestPsTree(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	if l := decode[processList](t, "ps", "--all"); slices.ContainsFunc(l.Processes, func(p proc) bool { return p.PID == os.Getpid() }) {
		t.Errorf("a process without children: %+v", l.Processes)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := parentOf.Start(t.Context(), struct{}{}, &process.Options{Name: "a name of many bytes", Stdout: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(r).ReadString('\n'); line != "started\n" {
		t.Fatal(line, err)
	}
	mine := func(l processList) (all []proc) {
		for _, e := range l.Processes {
			if e.PID == os.Getpid() || e.PID == p.PID() || e.Name == "left alone" {
				all = append(all, e)
			}
		}
		return all
	}
	tree := mine(decode[processList](t, "ps", "--all"))
	if len(tree) != 3 {
		t.Fatalf("%+v", tree)
	}
	for i, want := range []proc{{PID: os.Getpid()}, {PID: p.PID(), Parent: os.Getpid(), Depth: 1, Name: "a name of many "}, {PID: tree[2].PID, Parent: p.PID(), Depth: 2, Name: "left alone"}} {
		if got := tree[i]; got.PID != want.PID || got.Parent != want.Parent || got.Depth != want.Depth || got.Name != want.Name || got.Orphan || len(got.Uses) > 0 {
			t.Errorf("%d: %+v, want %+v", i, got, want)
		}
	}
	if table := ok(t, "ps", "--all"); !strings.Contains(table, "└─ a name of many \n") && !strings.Contains(table, "└─ a name of many  ") || !strings.Contains(table, "   └─ left alone") {
		t.Errorf("%s", table)
	}
	if l := decode[processList](t, "ps"); len(l.Processes) > 0 {
		t.Errorf("without --all, and without a segment: %+v", l.Processes)
	}
	block, err := shm.Create("pixels", 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	if related := decode[processList](t, "ps"); len(related.Processes) != 3 || !slices.Equal(related.Processes[0].Uses, []string{"pixels"}) {
		t.Errorf("with a segment of the oldest's: %+v", related.Processes)
	}
	block.Close()
	p.Kill()
	<-p.Done()
	left := mine(decode[processList](t, "ps", "--all"))
	if len(left) != 1 || !left[0].Orphan || left[0].Parent != 0 || !strings.Contains(ok(t, "ps", "--all"), "left alone (orphan)") {
		t.Errorf("after the parent's death: %+v", left)
	}
	syscall.Kill(tree[2].PID, syscall.SIGKILL)
	clitest.Until(t, "the orphan's end", func() bool { return len(mine(decode[processList](t, "ps", "--all"))) == 0 || zombieOf(tree[2].PID) })
}

// zombieOf tells whether a process has ended: whoever adopts orphans may be slow to notice.
func zombieOf(pid int) bool {
	s, _ := process.StateOf(pid)
	return s == process.Zombie
}

func TestPsWatch(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "worker")
	c.do("block pixels 100")
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	status := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		status <- run(ctx, []string{"ps", "--watch", "--interval", "1ms", "-o", "json"}, w, &errs)
		w.Close()
	}()
	lines := json.NewDecoder(r)
	next := func() (l processList) {
		t.Helper()
		if err := lines.Decode(&l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	first := next()
	if p := procOf(t, first, c.pid()); !slices.Equal(p.Uses, []string{"pixels"}) || p.Command != "worker" {
		t.Errorf("%+v", p)
	}
	c.do("spin") // computes until it is stopped
	for l := next(); ; l = next() {
		if p := procOf(t, l, c.pid()); p.State == "running" && p.CPUPercent > 50 {
			break
		}
	}
	c.stop()
	for l := next(); ; l = next() {
		if p := procOf(t, l, c.pid()); p.State == "stopped" && p.CPUPercent == 0 {
			break
		}
	}
	cancel()
	for lines.Decode(new(processList)) == nil {
	}
	if s := <-status; s != cli.OK || errs.Len() > 0 {
		t.Errorf("status %d, %q", s, errs.String())
	}
	if got := ok(t, "ps", "--watch", "--interval", "1ms", "--count", "3"); strings.Count(got, "HOLDS\n") != 3 || strings.Count(got, "\n\n") != 2 {
		t.Errorf("%q", got)
	}
	if got := ok(t, "ps", "--count", "3", "--no-headers"); strings.Contains(got, "HOLDS") || strings.Count(got, " worker ") != 1 {
		t.Errorf("%q", got)
	}
}

// Segments that are damaged, and files that are none, don't keep the others from being shown.
func TestPsDamaged(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "worker")
	c.do("queue jobs 4096")
	c.do("block pixels 100")
	if err := os.WriteFile(dir+"/notes.txt", []byte("buy milk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	queue, err := os.OpenFile(dir+"/jobs", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	at := decode[details](t, "info", "jobs").Map[2].Offset
	c.stop() // it must not meet this
	if _, err := queue.WriteAt(bytes.Repeat([]byte{0xff}, 4096), at); err != nil {
		t.Fatal(err)
	}
	if p := procOf(t, decode[processList](t, "ps"), c.pid()); !slices.Contains(p.Uses, "pixels") || p.State != "stopped" {
		t.Errorf("%+v", p)
	}
	c.kill()
	fails(t, cli.Failure, "no such file or directory", "ps", "--dir", dir+"/none")
}

// What a stranger's environment says is not believed.
func TestPsStrangers(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	start := func(marker string) int {
		t.Helper()
		cmd := exec.Command("sleep", "1000000")
		cmd.Env = append(os.Environ(), "SHMKIT_PROCESS="+marker)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		return cmd.Process.Pid
	}
	nonsense := start("nonsense:depth=1x:parent=-7")
	orphan := start(fmt.Sprint("v2:depth=1:crash=4:parent=", nonsense)) // which lives, and is not its parent
	l := decode[processList](t, "ps", "--all")
	if slices.ContainsFunc(l.Processes, func(p proc) bool { return p.PID == nonsense }) {
		t.Errorf("no child of ours is listed: %+v", l.Processes)
	}
	if p := procOf(t, l, orphan); !p.Orphan || p.Parent != 0 || p.Name != "sleep" {
		t.Errorf("%+v", p)
	}
}
