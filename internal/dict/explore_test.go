//go:build faultpoints

package dict_test

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/explore"
	"github.com/shmkit/shmkit/internal/fault"
)

// The explorer (package explore) runs the dict's own code, not a model of it, through every
// interleaving of a few processes on a small table, with death as one of the things
// that may happen next. Here is what it has to know about dicts: the memory, the operations,
// and what must be true.

// An exploration is a world with processes that have scripts of these operations:
//
//	set:KEY=VALUE   del:KEY   get:KEY   glance:KEY   view:KEY   all
//	tx:KEY=VALUE,KEY=VALUE      a transaction
type exploration struct {
	*world
	run   *explore.Run
	procs []*proc
	now   contents // by what a reader sees
	keys  []string
}

// contents are the values of all keys that there are.
type contents map[string]string

// A proc is a process, with what it has been able to see since its operation began.
type proc struct {
	*explore.Actor
	x     *exploration
	store *dict.Store
	table *dict.Table
	seen  []contents
	op    operation
	slept bool // while it waited for the lock that it is about to get
	draft bool // it has not come to its first lock yet
}

// An operation is what a script names.
type operation struct {
	kind string
	sets contents // what it makes of the keys; "": removed
	key  string   // that it reads
}

func parseOperation(text string) (op operation) {
	kind, rest, _ := strings.Cut(text, ":")
	op = operation{kind: kind, key: rest, sets: contents{}}
	switch kind {
	case "set", "tx":
		for part := range strings.SplitSeq(rest, ",") {
			k, v, _ := strings.Cut(part, "=")
			op.sets[k] = v
		}
	case "del":
		op.sets[rest] = ""
	}
	return op
}

// auditor is the slot of the handle that looks at things from outside.
const auditor = slots - 1

// peek returns what a reader sees now.
func (x *exploration) peek() contents {
	c := contents{}
	for _, k := range x.keys {
		if v, ok := x.get(x.tables[auditor], k); ok {
			c[k] = v
		}
	}
	return c
}

func (x *exploration) reset(r *explore.Run) {
	x.run, x.procs = r, x.procs[:0]
	x.now = x.peek()
}

func (x *exploration) start(a *explore.Actor) *proc {
	s := x.openStore(a.Slot)
	p := &proc{Actor: a, x: x, store: s}
	s.SetWait(func(lock *atomic.Uint32, held uint32) {
		p.slept = true
		a.Await("a lock", func() bool { return lock.Load() != held })
	})
	var err error
	if p.table, err = s.Table(x.refs[0], x.heat); err != nil {
		a.Failf("%v", err)
	}
	x.procs = append(x.procs, p)
	return p
}

func (x *exploration) begin(p *proc, name string) {
	p.op = parseOperation(name)
	p.seen = append(p.seen[:0], x.now)
	p.draft = p.writes()
}

func (p *proc) writes() bool { return len(p.op.sets) > 0 }

// held lets those who change something make their drafts one after the other: that they don't
// get in each other's way there is for the arena's tests. Who reads comes in between.
func (x *exploration) held(p *proc) bool {
	return p.Dead == nil && p.writes() && slices.ContainsFunc(x.procs, func(q *proc) bool {
		return q.draft && !q.Ended() && q.Slot < p.Slot
	})
}

// changed looks whether a step may have changed what readers see.
func (x *exploration) changed(p *proc, _ []explore.Change) {
	next := x.peek()
	if maps.Equal(next, x.now) {
		return
	}
	op := p.op
	if p.Dead != nil {
		for _, q := range x.procs {
			if q.Actor == p.Dead {
				op = q.op
			}
		}
	}
	for _, k := range x.keys {
		if want, mine := op.sets[k]; next[k] != x.now[k] && (!mine || next[k] != want) {
			p.Failf("%s, in %q, makes %q of %q, which was %q", p.Name, op.kind, next[k], k, x.now[k])
		}
	}
	x.now = next
	for _, q := range x.procs {
		if !q.Ended() {
			q.seen = append(q.seen, next)
		}
	}
}

// do does an operation, and judges what it has returned.
func (x *exploration) do(p *proc, name string) func() {
	op := p.op
	switch op.kind {
	case "set":
		for k, v := range op.sets {
			d, err := p.store.Draft([]byte(k), len(v), 0, 0)
			if err == nil {
				fill(d.Value(), v)
				_, _, err = p.table.Change(hash(k), []byte(k), &dict.Change{New: d})
			}
			p.wants(err)
		}
	case "del":
		_, _, err := p.table.Change(hash(op.key), []byte(op.key), &dict.Change{})
		p.wants(err)
	case "tx":
		p.commit()
	case "get":
		v, ok := p.read(op.key)
		return func() {
			if !slices.ContainsFunc(p.seen, func(c contents) bool { w, there := c[op.key]; return there == ok && w == v }) {
				p.Failf("%s reads %q of %q, %v; there were %v", p.Name, v, op.key, ok, p.seen)
			}
		}
	case "glance":
		for _, size := range []int{1, 2} {
			s, ok := p.table.Glance(hash(op.key), []byte(op.key), size)
			if !ok {
				continue
			}
			if v := plain(s.Value); s.Still() {
				return func() {
					if !slices.ContainsFunc(p.seen, func(c contents) bool { return c[op.key] == v }) {
						p.Failf("%s glances at %q of %q; there were %v", p.Name, v, op.key, p.seen)
					}
				}
			}
		}
	case "view":
		// Others may come in between two looks at the value.
		_, err := p.table.View(hash(op.key), []byte(op.key), func(value []byte) error {
			before := plain(value)
			for range 3 {
				fault.Look(&x.memory.Words[0])
				if after := plain(value); after != before {
					return fmt.Errorf("was %q, is %q", before, after)
				}
			}
			return nil
		})
		if !errors.Is(err, dict.ErrExpired) {
			p.wants(err)
		}
	case "all":
		got := contents{}
		err := p.table.Snapshot(func() { clear(got) }, func(key, value []byte) error {
			got[string(key)] = plain(value)
			return nil
		})
		p.wants(err)
		return func() {
			for _, q := range x.procs {
				if q.op.kind == "tx" && q.op.partOf(got) {
					p.Failf("%s sees a part of a transaction: %v", p.Name, got)
				}
			}
		}
	default:
		panic(name)
	}
	return nil
}

// partOf tells whether some of what a transaction sets is there, and some is not.
func (op *operation) partOf(c contents) bool {
	some, all := false, true
	for k, v := range op.sets {
		if c[k] == v {
			some = true
		} else {
			all = false
		}
	}
	return some && !all
}

func (p *proc) wants(err error) {
	if err != nil {
		p.Failf("%s, in %q: %v", p.Name, p.op.kind, err)
	}
}

// read is a reader's loop.
func (p *proc) read(key string) (string, bool) {
	for {
		var e dict.Entry
		ok, err := p.table.Seek(hash(key), []byte(key), &e)
		if p.wants(err); !ok || err != nil {
			return "", false
		}
		if v := plain(e.Value); p.store.Still(&e) {
			return v, true
		}
	}
}

// commit is a transaction that reads what it changes, and begins again if others were
// faster.
func (p *proc) commit() {
	for {
		var steps []dict.Step
		for _, k := range slices.Sorted(maps.Keys(p.op.sets)) {
			st := dict.Step{Table: p.table, Hash: hash(k), Key: []byte(k), Write: true}
			var e dict.Entry
			ok, err := p.table.Seek(st.Hash, st.Key, &e)
			p.wants(err)
			if ok {
				st.Same = &e
			}
			v := p.op.sets[k]
			st.New, err = p.store.Draft(st.Key, len(v), 0, 0)
			p.wants(err)
			fill(st.New.Value(), v)
			steps = append(steps, st)
		}
		ok, err := p.store.Commit(steps)
		p.wants(err)
		if ok {
			return
		}
		for i := range steps {
			steps[i].New.Discard()
		}
	}
}

// audit asks what there is when all processes die now, and somebody recovers them: nothing
// is lost or leaked, what readers saw is still there, and transactions are whole.
func (x *exploration) audit(r *explore.Run) {
	for slot := range slots {
		if slot != auditor {
			if err := x.stores[auditor].Recover(slot); err != nil {
				r.Failf("recovery of slot %d: %v", slot, err)
				return
			}
		}
	}
	for _, p := range x.tables[auditor].Check() {
		r.Failf("after the death of all: %s", p)
	}
	rep := x.stores[auditor].Arena.Fsck(x.reach(auditor))
	for _, p := range rep.Problems {
		r.Failf("after the death of all: %s", p)
	}
	if rep.Free+rep.Live+rep.Retired != rep.Blocks {
		r.Failf("after the death of all: %+v", rep)
	}
	after := x.peek()
	for _, p := range x.procs {
		if p.op.kind == "tx" && p.op.partOf(after) && !p.Ended() {
			r.Failf("after the death of all there is a part of a transaction: %v", after)
		}
	}
	for _, k := range x.keys {
		if after[k] != x.now[k] && !slices.ContainsFunc(x.procs, func(p *proc) bool { return p.op.kind == "tx" && p.op.sets[k] == after[k] }) {
			r.Failf("%q was %q, and is %q after the death of all", k, x.now[k], after[k])
		}
	}
}

var exploreSeed = maphash.MakeSeed()

// noted is what later judgements of an operation go by.
func (x *exploration) noted(p *proc) uint64 {
	var h maphash.Hash
	h.SetSeed(exploreSeed)
	for _, c := range p.seen {
		for _, k := range x.keys {
			v, ok := c[k]
			fmt.Fprintf(&h, "%s=%s %v,", k, v, ok)
		}
	}
	return h.Sum64()
}

// milestone tells after which steps a single change goes by nothing that it has seen before:
// when it has the block that it is going to fill, and each time that it has or has not got the
// lock, but for whether it has slept.
func milestone(p *proc, step string, changed bool) uint64 {
	if step == "dict.lock" {
		p.slept, p.draft = false, false
	}
	if p.op.kind != "set" && p.op.kind != "del" || p.Dead != nil {
		return 0
	}
	n := uint64(1)
	if changed {
		n |= 2
	}
	if p.slept {
		n |= 4
	}
	switch step {
	case "arena.alloc.head":
		return n | 8
	case "dict.lock", "dict.lock.slow":
		return n | 16
	case "dict.lock.wait":
		return n | 32
	}
	return 0
}

// explored describes the world to the explorer.
func (x *exploration) explored() explore.World[*proc] {
	return explore.World[*proc]{
		Memory:    []explore.Region{{Name: "body", Bytes: x.memory.Bytes}},
		Reset:     x.reset,
		Start:     x.start,
		Begin:     x.begin,
		Do:        x.do,
		Recover:   func(p *proc) { p.wants(p.store.Recover(p.Dead.Slot)) },
		Plain:     func(explore.Change) bool { return true }, // keys and values of blocks that are being filled
		Changed:   x.changed,
		Audit:     x.audit,
		Noted:     x.noted,
		Milestone: milestone,
		Held:      x.held,
		Handle:    func(p *proc) uint64 { return p.store.Arena.Private() },
	}
}

// explorations are the worlds that are gone through.
var explorations = []struct {
	name    string
	entries contents // at first
	stripes int      // 0: 1
	split   bool     // the insertion of SPLIT splits the segment in which FIRST and SECOND are
	scripts []string
	deaths  int
}{
	{name: "overwrite, get", entries: contents{"a": "0"}, scripts: []string{"set:a=1", "get:a"}, deaths: 1},
	{name: "overwrite twice, get", entries: contents{"a": "0"}, scripts: []string{"set:a=1 set:a=2", "get:a"}},
	{name: "overwrite twice, glance", entries: contents{"a": "0"}, scripts: []string{"set:a=1 set:a=2", "glance:a"}},
	{name: "replace by another key, get", entries: contents{"a": "0", "b": ""}, scripts: []string{"del:a set:b=1 del:b set:a=2", "get:a"}},
	{name: "insert, get", entries: contents{"a": ""}, scripts: []string{"set:a=1", "get:a"}, deaths: 1},
	{name: "two overwrite", entries: contents{"a": "0"}, scripts: []string{"set:a=1", "set:a=2"}},
	{name: "two overwrite, one dies", entries: contents{"a": "0"}, scripts: []string{"set:a=1", "set:a=2"}, deaths: 1},
	{name: "overwrite, remove", entries: contents{"a": "0"}, scripts: []string{"set:a=1", "del:a"}, deaths: 1},
	{name: "two insert", entries: contents{"a": "", "b": ""}, scripts: []string{"set:a=1", "set:b=1"}},
	{name: "overwrite twice, view", entries: contents{"a": "0"}, scripts: []string{"set:a=1 set:a=2", "view:a"}},
	{name: "split, get", entries: contents{"a": "0", "b": "0"}, split: true, scripts: []string{"set:SPLIT=1", "get:FIRST"}},
	{name: "split, get, one dies", entries: contents{"a": "0", "b": "0"}, split: true, scripts: []string{"set:SPLIT=1", "get:SECOND"}, deaths: 1},
	{name: "split, overwrite", entries: contents{"a": "0"}, split: true, scripts: []string{"set:SPLIT=1", "set:SECOND=1"}},
	{name: "transaction, snapshot", entries: contents{"a": "0", "b": "0"}, stripes: 2, scripts: []string{"tx:a=1,b=1", "all"}},
	{name: "transaction, get, one dies", entries: contents{"a": "0", "b": "0"}, stripes: 2, scripts: []string{"tx:a=1,b=1", "get:b"}, deaths: 1},
	{name: "transaction, overwrite", entries: contents{"a": "0", "b": "0"}, stripes: 2, scripts: []string{"tx:a=1,b=1", "set:b=2"}},
	{name: "two overwrite, get", entries: contents{"a": "0"}, scripts: []string{"set:a=1", "set:a=2", "get:a"}},
	{name: "overwrite and die twice", entries: contents{"a": "0"}, scripts: []string{"set:a=1", "set:a=2"}, deaths: 2},
}

// statesEach is after how many states a search stops when it is not to go through all.
const statesEach = 3500

// Each of these breaks is found: a reader that does not look at the slot again, or whose Still
// is always true, the same at a glance; an old entry retired before the slot is stored, an
// intent written after the new entry is live or ended before the counts; recovery that does not
// retire the new entry, or does not finish; a lock that is none; a split that clears the old
// half first; and, with SHMKIT_EXPLORE=all, a miss that does not look at the segment's header.

// TestExplore goes through all of them: through every state with SHMKIT_EXPLORE=all, through the
// first ones of each without.
func TestExplore(t *testing.T) {
	limit := statesEach
	if os.Getenv("SHMKIT_EXPLORE") == "all" {
		limit = 10_000_000
	}
	for _, e := range explorations {
		t.Run(e.name, func(t *testing.T) {
			x := newExploration(t, e.entries, max(1, e.stripes))
			scripts := slices.Clone(e.scripts)
			if e.split {
				names := strings.NewReplacer("SPLIT", x.nearlySplit(), "FIRST", number(0), "SECOND", number(1))
				for i := range scripts {
					scripts[i] = names.Replace(scripts[i])
				}
			}
			for i := range slots {
				x.stores[i].Arena.Close() // nobody owns a page
			}
			report, err := explore.Search(x.explored(), explore.Scenario{Scripts: scripts, Deaths: e.deaths, States: limit})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%v", report)
		})
	}
}

const chunks = 16

func newExploration(t testing.TB, entries contents, stripes int) *exploration {
	x := &exploration{world: newWorld(t, chunks, stripes), keys: slices.Sorted(maps.Keys(entries))}
	x.prepare(entries)
	x.now = x.peek()
	return x
}

// prepare makes the entries, and others, so that there are pages for each process.
func (w *world) prepare(entries contents) {
	for _, k := range slices.Sorted(maps.Keys(entries)) {
		if v := entries[k]; v != "" {
			w.mustSet(w.tables[auditor], k, v)
		}
	}
	for i := range slots {
		w.mustSet(w.tables[i], fmt.Sprint("filler ", i), "x")
		if w.tables[i].Stripes() > 1 {
			if err := w.swap(i, w.tables[i], w.tables[i], fmt.Sprint("f", i), fmt.Sprint("g", i)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// nearlySplit makes entries until the next one splits a segment, and returns the key of that.
func (x *exploration) nearlySplit() string {
	twin := newWorld(x.t, chunks, x.tables[auditor].Stripes()) // where it is tried
	twin.prepare(x.now)
	for i := 0; ; i++ {
		key := number(i)
		twin.mustSet(twin.tables[auditor], key, "x")
		if twin.tables[auditor].Stats().Segments > twin.tables[auditor].Stripes() {
			x.keys = append(x.keys, key, number(0), number(1))
			return key
		}
		x.mustSet(x.tables[auditor], key, "x")
	}
}
