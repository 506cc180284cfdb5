package main

import (
	"encoding/binary"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// A segmentUse is who has a segment open, and what they hold of it.
type segmentUse struct {
	name, file, kind string // file: see fileID
	body             int64  // offset in the file
	slots            []shm.SlotInfo
	holdings         map[int]*holding // by slot
}

// survey reads the segments of the directory. Those that can't be read, or whose
// contents are damaged, tell what they can.
func survey(dir shm.Dir) ([]segmentUse, error) {
	l, err := list(dir)
	if err != nil {
		return nil, err
	}
	var uses []segmentUse
	for _, s := range l.Segments {
		if s.bad() {
			continue
		}
		u := segmentUse{name: s.Name, file: fileID(s.Path), kind: s.Kind, holdings: make(map[int]*holding)}
		err := guarded(func() error {
			i, err := shm.Inspect(s.Path)
			if err != nil {
				return err
			}
			defer i.Close()
			u.read(i)
			return nil
		})
		if err == nil {
			uses = append(uses, u)
		}
	}
	return uses, nil
}

func (u *segmentUse) read(i *shm.Inspection) {
	info := i.Info()
	body := int64(len(i.Body()))
	if info.Mirrored {
		body = info.Size
	}
	u.body = info.FileSize - body
	u.slots = i.Slots()
	switch u.kind {
	case ringqueue.Kind:
		r, slots, err := surveyQueue(i)
		u.slots = slots
		if err == nil {
			u.queue(r)
		}
	case pool.Kind:
		if r, err := pool.Inspect(i); err == nil {
			u.pool(r)
		}
	case manager.Kind:
		if _, err := manager.Inspect(i); err == nil {
			u.dictLocks(i.Body())
		}
	}
}

func (u *segmentUse) of(slot int) *holding {
	h := u.holdings[slot]
	if h == nil {
		h = &holding{Segment: u.name, Roles: []string{}}
		u.holdings[slot] = h
	}
	return h
}

func (u *segmentUse) queue(r *ringqueue.Report) {
	q := queueOf(r, nil)
	for _, s := range u.slots {
		u.of(s.Slot).Roles = q.rolesOf(s.Slot)
	}
	for _, held := range r.Oldest {
		if held.State == "reserved" {
			u.of(held.Slot).Reserved++
		} else {
			u.of(held.Slot).Borrowed++
		}
	}
}

func (u *segmentUse) pool(r *pool.Report) {
	for _, w := range r.Workers {
		if w.State != "running" {
			continue
		}
		for _, s := range u.slots {
			if s.PID == w.PID {
				u.of(s.Slot).Task = w.Func
			}
		}
	}
}

// dictLocks counts the locks of a manager's dicts by their holders: the first word of each
// stripe is the holder's slot + 1, and a bit of its waiters.
func (u *segmentUse) dictLocks(body []byte) {
	const stripe, waiters = 256, 1 << 31
	for at := managerHead; at < managerHead+managerStripes && at+4 <= len(body); at += stripe {
		if w := binary.NativeEndian.Uint32(body[at:]) &^ waiters; w != 0 {
			u.of(int(w)-1).DictLocks++
		}
	}
}
