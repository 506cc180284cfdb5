//go:build unix && faultpoints

package ringqueue_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/ringqueue"
)

var _ = addChild("steps", childSteps)

// A victim is a process of the step killer: it does one operation on a queue,
// and dies, in the middle of it or behind it, without closing anything.
type victim struct {
	victimArgs
	numbers

	room  ringqueue.Reservation
	lease ringqueue.Lease
	open  delivery
}

// victimArgs are a victim's arguments: all but the operation's name as text.
type victimArgs struct {
	op       string
	queue    string // handle, or the directory for operations that make the queue
	text     int
	dieAt    int           // the crash point of the operation; 0: behind it
	from     string        // the step at which counting begins
	first    uint64        // the number of its first own item
	patience time.Duration // of an operation that waits
}

func (a victimArgs) strings() []string {
	return []string{a.op, a.queue, fmt.Sprint(a.text), fmt.Sprint(a.dieAt), "^" + a.from, a.patience.String(), fmt.Sprint(a.first)}
}

func parseVictim(args []string) (a victimArgs) {
	_, err := fmt.Sscan(args[2]+" "+args[3]+" "+args[6], &a.text, &a.dieAt, &a.first)
	must(err)
	a.op, a.queue, a.from = args[0], args[1], args[4][1:]
	a.patience, err = time.ParseDuration(args[5])
	must(err)
	return a
}

// An operation is what a victim does. The preparation is over before its crash
// points count; both print the items that the victim takes or holds, as
// mention does.
type operation struct {
	name       string
	attaches   bool // opening the queue is part of the operation
	makesQueue bool // there is none before
	prepare    func(v *victim) error
	do         func(v *victim) error
}

var operations = []operation{
	{name: "create", makesQueue: true, attaches: true, do: func(v *victim) (err error) {
		v.numbers, err = createNumbers("q", v.text, &ringqueue.Options{Dir: v.queue, Capacity: ringSize})
		return err
	}},
	{name: "create_unnamed", makesQueue: true, attaches: true, do: func(v *victim) (err error) {
		v.numbers, err = createNumbers("", v.text, &ringqueue.Options{Dir: v.queue, Capacity: ringSize})
		return err
	}},
	{name: "close_last", makesQueue: true, attaches: true, prepare: func(v *victim) (err error) {
		v.numbers, err = createNumbers("q", v.text, &ringqueue.Options{Dir: v.queue, Capacity: ringSize})
		return err
	}, do: func(v *victim) error { return v.Close() }},
	{name: "open", attaches: true, do: func(v *victim) error { return v.attach() }},
	{name: "close", do: func(v *victim) error { return v.Close() }},
	{name: "close_in_role", prepare: func(v *victim) error {
		if v.mention(v.tryGet()) != nil {
			return nil // nothing there: it has the role all the same
		}
		return v.TaskDone()
	}, do: func(v *victim) error { return v.Close() }},

	{name: "put", do: func(v *victim) error { return v.put(v.ctx(), v.first) }},
	{name: "try_put", do: func(v *victim) error { return v.tryPut(v.first) }},
	{name: "put_many", do: func(v *victim) error {
		return v.putMany(v.ctx(), v.first, v.first+1, v.first+2, v.first+3, v.first+4)
	}},
	{name: "reserve", do: (*victim).reserve},
	{name: "commit", prepare: (*victim).reserve, do: func(v *victim) error { return v.room.Commit(v.size()) }},
	{name: "commit_less", prepare: (*victim).reserve, do: func(v *victim) error { return v.room.Commit(v.size() / 5) }},
	{name: "abort", prepare: (*victim).reserve, do: func(v *victim) error { v.room.Abort(); return nil }},

	{name: "get", do: func(v *victim) error { return v.mention(v.get(v.ctx())) }},
	{name: "try_get", do: func(v *victim) error { return v.mention(v.tryGet()) }},
	{name: "get_many", do: func(v *victim) error {
		ns, err := v.getMany(v.ctx(), 3)
		for _, n := range ns {
			v.mention(n, nil)
		}
		return err
	}},
	{name: "receive", do: (*victim).deliver},
	{name: "ack", prepare: (*victim).deliver, do: func(v *victim) error { return v.open.Ack() }},
	{name: "nack", prepare: (*victim).deliver, do: func(v *victim) error { return v.open.Nack() }},
	{name: "borrow", do: (*victim).borrow},
	{name: "release", prepare: (*victim).borrow, do: func(v *victim) error { v.lease.Release(); return nil }},
	{name: "requeue", prepare: (*victim).borrow, do: func(v *victim) error { v.lease.Requeue(); return nil }},

	{name: "task_done", prepare: func(v *victim) error { return v.mention(v.get(v.ctx())) }, do: func(v *victim) error { return v.TaskDone() }},
	{name: "join", do: func(v *victim) error { return v.Join(v.ctx()) }},
	{name: "len", do: func(v *victim) error { v.Len(); return nil }},
	{name: "full", do: func(v *victim) error { v.Full(); return nil }},
	{name: "shutdown", do: func(v *victim) error { return v.Shutdown(false) }},
	{name: "shutdown_now", do: func(v *victim) error { return v.Shutdown(true) }},
	{name: "recover", do: func(v *victim) error { v.Ring().Segment().RecoverDead(); return nil }},
}

func operationOf(name string) *operation {
	for i := range operations {
		if operations[i].name == name {
			return &operations[i]
		}
	}
	panic("no operation " + name)
}

// childSteps is a victim's life. It prints a line for each crash point that it
// comes to, "item N" for each item it takes, "ready" before the operation and
// "= RESULT" behind it; before the operation it waits for a line.
func childSteps(args []string) {
	v := &victim{victimArgs: parseVictim(args)}
	op := operationOf(v.op)
	if !op.attaches {
		must(v.attach())
	}
	if op.prepare != nil {
		must(op.prepare(v))
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return // the tester has gone
	}
	faulttest.DieAt(v.dieAt, v.from, os.Stdout)
	result := "ok"
	if err := op.do(v); err != nil {
		result = errorName(err)
	}
	fmt.Println("=", strings.ReplaceAll(result, "\n", " "))
	faulttest.Die()
}

func (v *victim) attach() (err error) {
	v.numbers, err = attachNumbers(v.queue, v.text, &ringqueue.Options{Wait: blockWait})
	return err
}

// ctx bounds how long an operation waits. The timer is gone with the process.
func (v *victim) ctx() context.Context { return within(v.patience) }

// mention tells the tester that this process has the item.
func (v *victim) mention(n uint64, err error) error {
	if err == nil {
		fmt.Println("item", n)
	}
	return err
}

func (v *victim) reserve() (err error) {
	if v.room, err = v.Ring().Reserve(v.ctx(), v.size()); err == nil {
		copy(v.room.Bytes(), payload(v.first, v.size()))
	}
	return err
}

// size returns how large a record is that the victim fills in place.
func (v *victim) size() int {
	if v.text == largeItemSize {
		return largeItemSize
	}
	return itemSize
}

func (v *victim) borrow() (err error) {
	if v.lease, err = v.Ring().Borrow(v.ctx()); err != nil {
		return err
	}
	return v.mention(numberOf(v.lease.Bytes()))
}

func (v *victim) deliver() error {
	d, n, err := v.receive(v.ctx())
	v.open = d
	return v.mention(n, err)
}
