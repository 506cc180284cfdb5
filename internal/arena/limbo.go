package arena

import "github.com/shmkit/shmkit/internal/fault"

// limbo holds blocks that are retired, and that somebody may have pinned before
// they were: each batch waits until no pin is older than its end.
type limbo struct {
	batches []batch // oldest first
	open    []freeBlock
	n       int // blocks in all
}

// batch may be given out when every pin is of its epoch or later.
type batch struct {
	epoch  uint64
	blocks []freeBlock
}

func (l *limbo) add(f freeBlock) {
	l.open = append(l.open, f)
	l.n++
}

// close ends the open batch. The epoch is taken after its blocks were retired: a
// pin of that epoch was set later, and its holder finds none of them.
func (l *limbo) close(a *Arena) {
	if len(l.open) == 0 {
		return
	}
	fault.Point("arena.epoch")
	l.batches = append(l.batches, batch{a.head.epoch.Add(1), l.open})
	l.open = nil
}

// ripe returns the blocks for which every pin is young enough.
func (l *limbo) ripe(oldest uint64) (blocks []freeBlock) {
	for len(l.batches) > 0 && l.batches[0].epoch <= oldest {
		blocks = append(blocks, l.batches[0].blocks...)
		l.n -= len(l.batches[0].blocks)
		l.batches = l.batches[1:]
	}
	return blocks
}

// oldest returns the epoch for which the oldest batch waits, newest that of the
// youngest closed one; 0 when there is none.
func (l *limbo) oldest() uint64 {
	if len(l.batches) == 0 {
		return 0
	}
	return l.batches[0].epoch
}

func (l *limbo) newest() uint64 {
	if len(l.batches) == 0 {
		return 0
	}
	return l.batches[len(l.batches)-1].epoch
}
