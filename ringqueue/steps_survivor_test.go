//go:build unix && faultpoints

package ringqueue_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// mostTime is what a survivor's whole script may take. A second is what is
// promised, and the tests print what it took; on a machine that is busy with
// other things ten must do.
const mostTime = 10 * time.Second

// A survivor is a handle of this process that was not there when the others
// died: it recovers, goes on with the queue and checks what it finds.
type survivor struct {
	*scene
	h   numbers
	ctx context.Context
	ledger
	flag int // as in outcome
	got  []found
}

// survive does a survivor's script, and returns how long it took.
func (s *scene) survive() (took time.Duration, err error) {
	start := time.Now()
	v := &survivor{scene: s, ledger: s.ledger()}
	for _, p := range s.dead {
		v.flag = max(v.flag, p.outcome().flag)
	}
	if s.shut {
		v.flag = max(v.flag, 1)
	}
	ctx, cancel := context.WithDeadline(bg, start.Add(mostTime))
	defer cancel()
	v.ctx = ctx
	if v.h, err = attachNumbers(s.handle, s.text, &ringqueue.Options{Wait: blockWait}); err != nil {
		return 0, err
	}
	defer v.h.Close()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"the one asleep", v.wakeSleeper},
		{"length", v.checkLen},
		{"drain", v.drain},
		{"accounts", func() error { return v.checkItems() }},
		{"blocking put and get", v.goOn},
		{"capacity", v.fillUp},
		{"join", v.finish},
		{"slots", v.checkSlots},
		{"memory", v.checkMemory},
	} {
		if err := step.do(); err != nil {
			return 0, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return time.Since(start), nil
}

// wakeSleeper sees to it that the process asleep gets what it waits for.
func (v *survivor) wakeSleeper() error {
	p := v.wait
	if p == nil {
		return nil
	}
	err := p.cmd.Process.Signal(syscall.SIGCONT)
	if err != nil {
		return err
	}
	switch {
	case v.asleep == "get" && v.flag == 0 && v.count() == 0:
		v.items[survivorsFirst] = 1
		err = v.h.put(v.ctx, survivorsFirst)
	case v.asleep == "put" && v.flag == 0:
		err = v.take(1)
	case v.asleep == "join" && v.flag < 2:
		err = v.take(v.count())
	}
	if err != nil {
		return err
	}
	if err := p.out.SetReadDeadline(time.Now().Add(mostTime)); err != nil {
		return err
	}
	p.end()
	if p.result != "ok" && (p.result != "shutdown" || v.flag == 0) {
		return fmt.Errorf("%s ended with %q", v.asleep, p.result)
	}
	v.dead = append(v.dead, p)
	v.ledger = v.scene.ledger()
	return nil
}

// left returns how many items there must be.
func (v *survivor) left() int {
	if v.flag == 2 {
		return 0
	}
	return v.count() - len(v.got)
}

func (v *survivor) checkLen() error {
	if n, want := v.h.Len(), v.left(); n != want {
		return fmt.Errorf("%d, want %d", n, want)
	}
	return nil
}

// take consumes the next k items, waiting for each.
func (v *survivor) take(k int) error {
	for range k {
		l, err := v.h.Ring().Borrow(v.ctx)
		if err != nil {
			return err
		}
		n, err := numberOf(l.Bytes())
		if err != nil {
			return err
		}
		v.got = append(v.got, found{n, l.Attempt()})
		l.Release()
	}
	return nil
}

// drain takes what is left.
func (v *survivor) drain() error {
	if err := v.take(v.left()); err != nil {
		return fmt.Errorf("after %v: %w", v.got, err)
	}
	want := ringqueue.ErrEmpty
	if v.flag > 0 {
		want = ringqueue.ErrShutdown
	}
	if l, err := v.h.Ring().TryBorrow(); !errors.Is(err, want) {
		return fmt.Errorf("%v: then %v %v, want %v", v.got, err, l.Bytes(), want)
	}
	return nil
}

func (v *survivor) checkItems() error {
	if v.flag == 2 {
		return nil // they were dropped
	}
	if err := v.check(v.got); err != nil {
		return fmt.Errorf("%w: %v of %v", err, v.got, v.ledger.String())
	}
	return nil
}

// goOn has one goroutine wait for an item and another one put it.
func (v *survivor) goOn() error {
	const n = survivorsFirst + 1
	if v.flag > 0 {
		if err := v.h.put(v.ctx, n); !errors.Is(err, ringqueue.ErrShutdown) {
			return err
		}
		return nil
	}
	got := make(chan error, 1)
	go func() {
		number, err := v.h.get(v.ctx)
		if err == nil && number != n {
			err = fmt.Errorf("got item %d", number)
		}
		got <- err
	}()
	v.untilArmed(v.h.Ring(), notEmptyWord)
	return errors.Join(v.h.put(v.ctx, n), <-got, v.h.TaskDone())
}

// room returns how many of the smallest records there is room for.
func (v *survivor) room() int {
	if v.options.MaxItems > 0 {
		return v.options.MaxItems
	}
	return ringSize / 64
}

// fillUp fills the ring with the smallest records and drains it while a
// goroutine waits for room.
func (v *survivor) fillUp() error {
	if v.flag > 0 {
		return nil
	}
	room := v.room()
	const first = survivorsFirst + 2
	last := uint64(first + room)
	for n := uint64(first); n < last; n++ {
		r, err := v.h.Ring().TryReserve(8)
		if err != nil {
			return fmt.Errorf("%d of %d: %w", n-first, room, err)
		}
		copy(r.Bytes(), payload(n, 8))
		if err := r.Commit(8); err != nil {
			return err
		}
	}
	if n := v.h.Len(); n != room || !v.h.Full() {
		return fmt.Errorf("length %d of %d, full: %v", n, room, v.h.Full())
	}
	put := make(chan error, 1)
	go func() { put <- v.h.put(v.ctx, last) }()
	v.untilArmed(v.h.Ring(), notFullWord)
	v.got = nil
	if err := errors.Join(v.take(room+1), <-put); err != nil {
		return err
	}
	for i, f := range v.got {
		if f != (found{first + uint64(i), 1}) {
			return fmt.Errorf("item %d is %v", i, f)
		}
	}
	return nil
}

func (v *survivor) finish() error { return v.h.Join(v.ctx) }

// checkSlots sees to it that nothing is left of anybody else.
func (v *survivor) checkSlots() error {
	seg := v.h.Ring().Segment()
	seg.RecoverDead()
	for i := range seg.Slots() {
		if info := seg.SlotInfo(i); info.State != shm.SlotFree && i != seg.Slot() {
			return fmt.Errorf("left: %+v", info)
		}
	}
	i, err := shm.Inspect(seg.Path())
	if err != nil {
		return err
	}
	defer i.Close()
	r, err := ringqueue.Inspect(i)
	if err != nil {
		return err
	}
	if r.Ready+r.Reserved+r.Borrowed > 0 && v.flag < 2 {
		return fmt.Errorf("left: %+v", r)
	}
	return nil
}

// checkMemory sees to it that no block is lost.
func (v *survivor) checkMemory() error {
	live, used, err := v.h.Ring().CheckLarge()
	if err == nil && v.flag < 2 && live > 0 {
		err = fmt.Errorf("%d blocks are live", live)
	}
	if err != nil || v.flag > 0 || v.text != largeItemSize {
		return err
	}
	// All of it can be had.
	for n := uint64(survivorsFirst + 2); ; n++ {
		err := v.h.tryPut(n)
		if k := int(n - survivorsFirst - 2); errors.Is(err, ringqueue.ErrFull) && k == min(inMemory, v.room()) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%d large records: %w (%d chunks were in use)", k, err, used)
		}
	}
}
