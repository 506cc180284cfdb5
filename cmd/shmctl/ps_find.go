package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// processes lists the processes of a directory of segments, and their relatives;
// with all, everybody's children.
func processes(dir shm.Dir, all bool) (*processList, error) {
	uses, err := survey(dir)
	if err != nil {
		return nil, err
	}
	known := knownToSystem()
	f := finder{known: known, found: make(map[identity]*proc)}
	for _, u := range uses {
		for _, s := range u.slots {
			p := f.holder(s)
			if !slices.Contains(p.Uses, u.name) {
				p.Uses = append(p.Uses, u.name)
			}
			p.hold(u.holdings[s.Slot])
		}
	}
	f.addRelatives(all)
	lookForWaits(f.found, uses)
	l := &processList{Dir: absolute(dir), Time: time.Now().UTC()}
	for _, p := range f.found {
		l.Processes = append(l.Processes, *p)
	}
	l.arrange()
	return l, nil
}

// An identity tells processes apart.
type identity struct {
	namespace uint64 // 0: shmctl's own
	pid       int
	started   uint64 // clock ticks after boot
}

// A finder gathers the processes that are to be listed.
type finder struct {
	known map[int]*proc // by PID: what the system tells
	found map[identity]*proc
}

func (f *finder) add(p *proc) { f.found[identity{0, p.PID, p.started}] = p }

// addRelatives lists the parents and the children of those that are listed, and
// their parents and children, and so on.
func (f *finder) addRelatives(all bool) {
	has := func(p *proc) bool { return f.found[identity{0, p.PID, p.started}] != nil }
	for again := true; again; {
		again = false
		for _, child := range f.known {
			parent := f.known[child.Parent]
			switch {
			case child.Depth == 0:
			case !has(child) && (all || parent != nil && has(parent)):
				f.add(child)
				again = true
			case parent != nil && has(child) && !has(parent):
				f.add(parent)
				again = true
			}
		}
	}
}

// holder returns the process of a slot, and lists it.
func (f *finder) holder(s shm.SlotInfo) *proc {
	o := ownerOf(s)
	if p := f.known[s.PID]; p != nil && o.SamePIDs && p.started == s.StartTime && s.Alive {
		f.add(p)
		return p
	}
	id := identity{s.PIDNamespace, s.PID, s.StartTime}
	p := f.found[id]
	if p == nil {
		p = &proc{
			PID: s.PID, State: o.State, Command: s.Command, SamePIDs: o.SamePIDs, started: s.StartTime,
			Uses: []string{}, Waits: []wait{}, Holds: []holding{},
		}
		f.found[id] = p
	}
	return p
}

// hold adds what a process holds of a segment, by one of its slots.
func (p *proc) hold(h *holding) {
	if h == nil || h.none() {
		return
	}
	i := slices.IndexFunc(p.Holds, func(o holding) bool { return o.Segment == h.Segment })
	if i < 0 {
		p.Holds = append(p.Holds, *h)
		return
	}
	o := &p.Holds[i]
	o.Roles = append(slices.Clip(o.Roles), h.Roles...)
	o.Reserved += h.Reserved
	o.Borrowed += h.Borrowed
	o.DictLocks += h.DictLocks
	o.Task = cmp.Or(o.Task, h.Task)
}

// arrange orders the list as a tree: each process after its parent, those of
// one parent by their age.
func (l *processList) arrange() {
	slices.SortFunc(l.Processes, func(a, b proc) int {
		return cmp.Or(cmp.Compare(a.started, b.started), cmp.Compare(a.PID, b.PID))
	})
	listed := make(map[int]bool)
	for _, p := range l.Processes {
		if p.Started != nil {
			listed[p.PID] = true
		}
	}
	below := make(map[int][]proc)
	for _, p := range l.Processes {
		p.Orphan = p.Depth > 0 && !listed[p.Parent]
		if !listed[p.Parent] {
			p.Parent = 0
		}
		below[p.Parent] = append(below[p.Parent], p)
	}
	tree := []proc{}
	var grow func(parent int)
	grow = func(parent int) {
		for _, p := range below[parent] {
			tree = append(tree, p)
			if p.Started != nil {
				grow(p.PID)
			}
		}
	}
	grow(0)
	l.Processes = tree
}
