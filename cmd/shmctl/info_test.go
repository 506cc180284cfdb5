//go:build unix

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/shm"
)

// TestStuckQueue is the three-in-the-morning case: a consumer stands still in
// the middle of a record, the queue is full, and one command names it.
func TestStuckQueue(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	producer := startChild(t, "producer", "--queue", "jobs")
	producer.do("queue jobs 4096")
	producer.do("fill")
	consumer := startChild(t, "consumer", "--queue", "jobs")
	consumer.do("open jobs")
	consumer.do("borrow")
	consumer.do("borrow")
	consumer.stop()
	producer.do("wait")
	clitest.Until(t, "the producer waits", func() bool { return total(t, dir, "jobs", shm.FullWaits) > 0 })

	d := decode[details](t, "info", "jobs")
	if d.Kind != "queue" || d.Processes != 2 || d.Queue == nil || d.Pool != nil || d.Error != nil {
		t.Fatalf("%+v", d)
	}
	if q := d.Queue; q.Ready != 30 || q.Borrowed != 2 || len(q.Held) != 2 || q.Reserved != 0 || q.Used != 4096 || q.Capacity != 4096 || d.Depth == nil || *d.Depth != 30 {
		t.Errorf("%+v", q)
	}
	want := held{State: "borrowed", Bytes: 128, Attempt: 1, Behind: 31}
	got := d.Queue.OldestBorrowed
	if got == nil || d.Queue.OldestReserved != nil {
		t.Fatalf("%+v", d.Queue)
	}
	o := got.Owner
	if got.Owner = (owner{}); *got != want {
		t.Errorf("%+v, want %+v", *got, want)
	}
	if o.PID != consumer.pid() || o.State != stopped() || o.Command != "consumer --queue jobs" {
		t.Errorf("held by %+v", o)
	}
	if s := slotOfPID(t, d, producer.pid()); s.State != stateAlive || s.Command != "producer --queue jobs" || s.Generation != 1 || s.Joined == nil {
		t.Errorf("%+v", s)
	}
	if d.Counters["puts"] != 32 || d.Counters["bytes-in"] != 32*128 || d.Counters["full-waits"] == 0 {
		t.Errorf("%v", d.Counters)
	}

	culprit := fmt.Sprintf("pid %d (%s, consumer --queue jobs) reads a record of 128 B, with 31 records behind it", consumer.pid(), stopped())
	if text := ok(t, "info", "jobs"); !strings.Contains(text, culprit) {
		t.Errorf("%q is not in\n%s", culprit, text)
	}
	consumer.kill()
	// The producer, which waits, notices that and gives the records back.
	clitest.Until(t, "the records are given back", func() bool { return decode[details](t, "info", "jobs").Queue.Borrowed == 0 })
	q := decode[details](t, "info", "jobs").Queue
	if q.Ready != 32 || q.Again != 2 || len(q.Held) != 0 || q.OldestBorrowed != nil {
		t.Errorf("%+v", q)
	}
	if text := ok(t, "info", "jobs"); !strings.Contains(text, "nobody: no record is being written or read") {
		t.Errorf("somebody is blamed in\n%s", text)
	}
}

// TestReserved shows a producer in the middle of a record, which consumers
// can't pass.
func TestReserved(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "writer", "-x")
	c.do("queue jobs 4096")
	c.do("reserve - 100")
	c.do("put - 2")
	d := decode[details](t, "info", "jobs")
	h := d.Queue.OldestReserved
	if h == nil || h.Owner.PID != c.pid() || h.Owner.State != stateAlive || h.Bytes != 100 || h.Behind != 2 || d.Queue.Reserved != 1 || d.Queue.OldestBorrowed != nil {
		t.Errorf("%+v", d.Queue)
	}
	want := fmt.Sprintf("pid %d (alive, writer -x) writes a record of 100 B, with 2 records behind it:\n      consumers can't pass", c.pid())
	if text := ok(t, "info", "jobs"); !strings.Contains(text, want) {
		t.Errorf("%q is not in\n%s", want, text)
	}
}

// TestDeadOwner kills the only process of a queue while it holds two records.
func TestDeadOwner(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "victim")
	c.do("queue jobs 4096")
	c.do("put - 3")
	c.do("borrow")
	c.do("reserve - 10")
	c.kill()
	d := decode[details](t, "info", "jobs")
	if d.Processes != 0 || d.Dead != 1 || d.Queue.Ready != 2 {
		t.Errorf("%+v", d)
	}
	for _, h := range []*held{d.Queue.OldestBorrowed, d.Queue.OldestReserved} {
		if h == nil || h.Owner.PID != c.pid() || h.Owner.State != stateDead || h.Owner.Command != "victim" {
			t.Errorf("%+v", h)
		}
	}
	if s := slotOfPID(t, d, c.pid()); s.State != stateDead {
		t.Errorf("%+v", s)
	}
	text := ok(t, "info", "jobs")
	for _, want := range []string{"(dead, victim) reads", "(dead, victim) writes", "is delivered again as soon as", "is dropped as soon as", "0+1 dead, in 256 slots"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestRoles(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	producer := startChild(t, "producer")
	producer.do("exclusive jobs 4096")
	if s := slotOfPID(t, decode[details](t, "info", "jobs"), producer.pid()); len(s.Roles) != 0 {
		t.Errorf("before any put: %v", s.Roles)
	}
	producer.do("put - 1")
	consumer := startChild(t, "consumer")
	consumer.do("open jobs")
	consumer.do("get - 1")
	d := decode[details](t, "info", "jobs")
	if got := slotOfPID(t, d, producer.pid()).Roles; !slices.Equal(got, []string{"producer"}) {
		t.Errorf("the producer's: %v", got)
	}
	if got := slotOfPID(t, d, consumer.pid()).Roles; !slices.Equal(got, []string{"consumer"}) {
		t.Errorf("the consumer's: %v", got)
	}
	if !d.Queue.SingleProducer || !d.Queue.SingleConsumer {
		t.Errorf("%+v", d.Queue)
	}
}

// TestLayoutMap finds what the map says is there in the file's own bytes.
func TestLayoutMap(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "x")
	c.do("queue jobs 65536")
	c.do("block pixels 10000")
	for _, name := range []string{"jobs", "pixels"} {
		d := decode[details](t, "info", name)
		file, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(file)) != d.FileSize {
			t.Errorf("%s: %d bytes in a file of %d", name, d.FileSize, len(file))
		}
		end := int64(0)
		for _, r := range d.Map {
			if r.Offset < end || r.Size <= 0 {
				t.Errorf("%s: %+v overlaps what is before it", name, r)
			}
			end = r.Offset + r.Size
		}
		at := func(what string) region {
			i := slices.IndexFunc(d.Map, func(r region) bool { return strings.HasPrefix(r.What, what) })
			if i < 0 {
				t.Fatalf("%s: no %s in %+v", name, what, d.Map)
			}
			return d.Map[i]
		}
		if pid := binary.NativeEndian.Uint64(file[at("slot table").Offset+16:]); pid != uint64(c.pid()) {
			t.Errorf("%s: process %d in the first slot, want %d", name, pid, c.pid())
		}
		if name == "pixels" {
			if r := at("body"); r.Offset+r.Size != d.FileSize || r.Size < d.Size || d.Size != 10000 {
				t.Errorf("%s: %+v of %d bytes", name, r, d.Size)
			}
			continue
		}
		if capacity := binary.NativeEndian.Uint64(file[at("queue header").Offset:]); capacity != 65536 {
			t.Errorf("a capacity of %d in the queue's header", capacity)
		}
		if r := at("data"); r.Size != 65536 || r.Offset+r.Size != d.FileSize {
			t.Errorf("data: %+v in a file of %d bytes", r, d.FileSize)
		}
		if r := at("descriptors"); r.Size != 1024*8 {
			t.Errorf("descriptors: %+v", r)
		}
		if d.Mirrored && at("in memory only").Size != 65536 {
			t.Errorf("mirror: %+v", at("in memory only"))
		}
	}
}

func TestInfoOfPool(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "coordinator")
	c.do("pool frames")
	clitest.Until(t, "both workers run", func() bool { return decode[details](t, "info", "frames").Pool.Running == 2 })
	p := decode[details](t, "info", "frames").Pool
	if p.Queued != 1 || p.Submitted != 3 || len(p.Workers) != 2 || len(p.Tasks) != 3 || !slices.Contains(p.Functions, "render") {
		t.Errorf("%+v", p)
	}
	for _, w := range p.Workers {
		if w.Func != "render" || w.State != "running" || w.PID == 0 || w.Since == nil {
			t.Errorf("%+v", w)
		}
	}
	text := ok(t, "info", "frames")
	for _, want := range []string{"2 running, 1 queued", fmt.Sprint(p.Workers[0].PID), "WORKERS", "UNFINISHED TASKS"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	l := decode[listing](t, "ls")
	if len(l.Segments) != 3 || l.Segments[0].Kind != "pool" || l.Segments[0].Depth != nil || l.Segments[2].Name != "frames.tasks" {
		t.Errorf("%+v", l)
	}
}

// TestSteady: what was read between two looks at the slots is put down to
// nobody who came or went meanwhile.
func TestSteady(t *testing.T) {
	before := []shm.SlotInfo{{Slot: 0, Generation: 1, PID: 10}, {Slot: 1, Generation: 1, PID: 11}, {Slot: 2, Generation: 1, PID: 12}}
	after := []shm.SlotInfo{{Slot: 0, Generation: 1, PID: 10}, {Slot: 1, Generation: 2, PID: 11}, {Slot: 2, Generation: 1, PID: 13}, {Slot: 3, Generation: 1, PID: 14}}
	if got := steady(before, after); len(got) != 1 || got[0].Slot != 0 {
		t.Errorf("%+v", got)
	}
	if got := (ownerTable{}).of(3); got.State != stateUnknown || got.Slot != 3 || got.PID != 0 {
		t.Errorf("the owner of a slot that was left out: %+v", got)
	}
}
