//go:build faultpoints

package ringqueue

import "fmt"

// A snapshot is all of the shared memory at one moment.
type snapshot struct {
	words              [8]word
	data               [8]byte // the first of each block that a record starts at
	tail, consume      cursor
	reclaim            uint64
	redeliver, dropped uint64
	shutdown           uint32
}

func (w *world) snapshot() (s snapshot) {
	for i := range w.m.words {
		s.words[i] = word(w.m.words[i].Load())
	}
	s.tail, s.consume, s.reclaim = cursor(w.m.tail.Load()), cursor(w.m.consume.Load()), w.m.reclaim.Load()
	s.redeliver, s.dropped = w.m.redeliver.Load(), w.m.dropped.Load()
	s.shutdown = w.m.shutdown.Load()
	for i := range w.blocks {
		s.data[i] = w.m.data[i*blockSize]
	}
	return s
}

func (w word) String() string {
	names := [...]string{"-", "RES", "RESB", "COM", "BOR", "REL", "DISC", "DISCB", "PAD", "INNER"}
	return fmt.Sprintf("%s/lap%d/owner%d/attempt%d/len%d", names[min(int(w.state()), len(names)-1)], w.tag(), w.owner(), w.attempt(), w.length())
}

// A record is what a walk over the words finds.
type record struct {
	pos  uint64
	word word
}

// An event is a change of a record's state that an actor has brought about.
type event struct {
	pos  uint64
	to   state
	id   byte
	late bool // a consumer had been told that there will be no more
}

// records walks from reclaim to the frontier. Where there is a sole producer,
// reclaim may have passed a tail that it is about to move; then from there.
func records(w *world, s *snapshot) (rs []record) {
	g := &w.m.g
	first := s.reclaim
	if w.soleProducer && after(s.reclaim, s.tail.pos()) > 0 {
		first = s.tail.pos()
	}
	for p := first; uint64(after(p, first)) < g.blocks; {
		x := s.words[p&g.mask]
		if g.age(x, p) != same {
			return rs
		}
		rs = append(rs, record{p, x})
		p += x.blocks()
	}
	return rs
}

// frontier returns the position behind the last record.
func (s *snapshot) frontier(rs []record) uint64 {
	if len(rs) == 0 {
		return s.reclaim
	}
	last := rs[len(rs)-1]
	return last.pos + last.word.blocks()
}
