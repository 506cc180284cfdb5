package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
)

// joinWait bounds how long a join waits for somebody who holds all slots to
// remove the segment, or passes over them in the same moment.
const joinWait = 5 * time.Second

// join takes a slot. When that fails, nothing of the attempt remains: its
// locks may have made the last leaver believe that somebody is left.
func (s *Segment) join() error {
	err := s.enter()
	if err != nil && !s.Persistent() {
		_, removeErr := s.live.ifAbandoned(s.unlink)
		err = errors.Join(err, removeErr)
	}
	return err
}

// enter takes a slot: a free one, else a dead one, after recovering it. A
// segment that nobody holds and that is not persistent is no more: it is
// removed, and the error is [ErrNotExist]. So a segment lives exactly as long
// as somebody holds a slot, from its creation on.
func (s *Segment) enter() error {
	if !s.Persistent() {
		gone, err := s.live.ifAbandoned(s.unlink)
		if err != nil {
			return err
		}
		if gone {
			return ErrNotExist
		}
	}
	const tries = 3 // at least, for locks that are held for a moment only
	deadline := time.Now().Add(joinWait)
	for try := 1; ; try++ {
		ok, err := s.tryJoin()
		if err != nil {
			return err
		}
		if !isAt(s.id, s.path) {
			if ok {
				s.vacate()
			}
			return ErrNotExist
		}
		if ok {
			return nil
		}
		_, removing := s.live.held(0)
		switch {
		case !removing && try >= tries:
			return fmt.Errorf("%w: %d", ErrNoSlots, len(s.table))
		case removing && time.Now().After(deadline):
			return fmt.Errorf("%w: it is removing the segment", ErrBusy)
		}
		time.Sleep(time.Millisecond)
	}
}

// tryJoin looks for a slot once: free ones first, which need no recovery.
func (s *Segment) tryJoin() (bool, error) {
	var failed error
	for _, dead := range []bool{false, true} {
		for i := range s.table {
			if (s.table[i].state.Load() != slotFree) != dead {
				continue
			}
			ok, err := s.live.tryJoin(i)
			if err != nil {
				return false, err
			}
			if !ok {
				continue
			}
			s.slot = i // its lock is ours, so its counters are
			if err := s.recoverLocked(i); err != nil {
				failed = fmt.Errorf("recover slot %d: %w", i, err)
				s.slot = -1
				s.live.unlock(i)
				continue
			}
			s.occupy(i)
			return true, nil
		}
	}
	return false, failed
}

// occupy marks a slot, which is free and whose lock is held, as this process's.
func (s *Segment) occupy(i int) {
	s.slot = i
	t := &s.table[i]
	fault.Point("shm.join.generation")
	t.generation.Add(1)
	t.identify(identity{
		pid:     uint64(os.Getpid()),
		start:   startTime(),
		pidNS:   pidNamespace(),
		joined:  uint64(time.Now().UnixNano()),
		command: filepath.Base(os.Args[0]) + " " + strings.Join(os.Args[1:], " "),
	})
	fault.Point("shm.join.live")
	t.state.Store(slotLive)
}

// An identity is what a slot says of its process, to people.
type identity struct {
	pid, start, pidNS, joined uint64
	command                   string
}

// identify stores the identity, the command as words, zero-padded.
func (t *slot) identify(id identity) {
	fault.Point("shm.identity.pid")
	t.pid.Store(id.pid)
	fault.Point("shm.identity.start")
	t.start.Store(id.start)
	fault.Point("shm.identity.namespace")
	t.pidNS.Store(id.pidNS)
	fault.Point("shm.identity.joined")
	t.joined.Store(id.joined)
	var b [8 * len(t.command)]byte
	copy(b[:], cut(strings.TrimSpace(id.command), len(b)))
	for i := range t.command {
		var w uint64
		for j := range 8 {
			w |= uint64(b[8*i+j]) << (8 * j)
		}
		fault.Point("shm.identity.command")
		t.command[i].Store(w)
	}
}

func (t *slot) commandText() string {
	b := make([]byte, 0, 8*len(t.command))
	for i := range t.command {
		w := t.command[i].Load()
		for j := range 8 {
			if c := byte(w >> (8 * j)); c != 0 {
				b = append(b, c)
			}
		}
	}
	return printable(b)
}

// clear marks a slot, whose lock is held, as free.
func (t *slot) clear() {
	fault.Point("shm.leave.free")
	t.state.Store(slotFree)
	t.identify(identity{})
}

// vacate gives this handle's slot back.
func (s *Segment) vacate() {
	s.table[s.slot].clear()
	fault.Point("shm.leave.unlock")
	s.live.unlock(s.slot)
}

// leave ends a handle that joined. The slot is given back before trying for
// all slots: of several that leave at once, whoever comes last then finds
// nobody else.
func (s *Segment) leave() error {
	if s.spec.Leave != nil {
		s.spec.Leave(s)
	}
	s.vacate()
	err := s.unmap()
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	if !s.Persistent() {
		_, removeErr := s.live.ifAbandoned(s.unlink)
		err = errors.Join(err, removeErr)
	}
	s.live.close()
	return err
}

// unlink removes the segment's name if it still is this segment's. The caller
// holds the directory's lock, without which nobody removes a name: so it
// can't become another's in between.
func (s *Segment) unlink() error { return unlinkFile(s.id, s.path) }

func unlinkFile(id fs.FileInfo, path string) error {
	if !isAt(id, path) {
		return nil
	}
	fault.Point("shm.remove.unlink")
	return os.Remove(path)
}
