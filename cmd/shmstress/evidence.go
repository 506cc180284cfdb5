package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// gather keeps as evidence how things are: the segments, what stands in them in
// words, and, when something hangs, where the members are.
func (r *queueRun) gather() {
	// Members stand still so that the parts belong together. They may hold
	// locks meanwhile: nothing is opened but by the system's calls.
	for _, s := range r.seats {
		s.heed(s.signal(sigStop))
	}
	queue := r.copySegment(r.queue.Ring().Segment())
	r.copySegment(r.ledger.seg)
	r.dump("ledger.txt", []byte(r.ledger.text(r.cfg.Producers)))
	for _, s := range r.seats {
		s.heed(s.signal(sigCont))
	}
	r.dump("queue.txt", []byte(queueText(queue)))
	if r.hanging.Load() {
		r.interrogate()
	}
	r.dumpVerdict()
}

// interrogate ends all members so that they print their goroutines. It returns
// when they have ended.
func (r *queueRun) interrogate() {
	var all sync.WaitGroup
	for _, s := range r.seats {
		s.mu.Lock()
		p := s.proc
		s.mu.Unlock()
		if p == nil {
			continue
		}
		s.heed(s.signal(sigQuit))
		all.Go(func() { <-p.Done() })
	}
	all.Wait()
}

// queueText is what shmctl info would show of the queue in a file.
func queueText(path string) string {
	i, err := shm.Inspect(path)
	if err != nil {
		return err.Error() + "\n"
	}
	defer i.Close()
	var b strings.Builder
	rep, err := ringqueue.Inspect(i)
	if err != nil {
		fmt.Fprintln(&b, err)
	} else if text, err := json.MarshalIndent(rep, "", "  "); err == nil {
		fmt.Fprintf(&b, "%s\n\n", text)
	}
	for _, s := range i.Slots() {
		fmt.Fprintf(&b, "slot %d: pid %d, %s\n", s.Slot, s.PID, s.Command)
	}
	b.WriteByte('\n')
	for _, c := range shm.Counters() {
		fmt.Fprintf(&b, "%v %d\n", c, i.Total(c))
	}
	return b.String()
}

// text shows the ledger: what each seat does, and the last that it has noted.
func (l *ledger) text(producers int) string {
	const last = 32
	var b strings.Builder
	for i := range l.lines {
		s := &l.lines[i]
		k, n, ending := s.doing()
		role := "producer"
		if i >= producers {
			role = "consumer"
		}
		fmt.Fprintf(&b, "seat %d, %s, life %d: ready %d, beat %d, in %v of %d", i, role, s.life.Load(), s.ready.Load(), s.beat.Load(), k, n)
		if k == opAck || k == opNack {
			fmt.Fprintf(&b, " (%v, attempt %d)", ending.id(), ending.attempt())
		}
		if i < producers {
			fmt.Fprintf(&b, ", put %d for sure, %d perhaps\n", s.ended.Load(), s.begun.Load())
			continue
		}
		head := s.head.Load()
		fmt.Fprintf(&b, ", slot %d, notes %d, read %d\n", s.slot.Load(), head, s.tail.Load())
		for at := head - min(head, last); at < head; at++ {
			note := l.notes[i-producers][at%notesPerSeat]
			fmt.Fprintf(&b, "    %v %v attempt %d\n", note.kind(), note.id(), note.attempt())
		}
	}
	return b.String()
}
