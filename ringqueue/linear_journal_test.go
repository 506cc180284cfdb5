//go:build unix

package ringqueue_test

import (
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// An opKind is an operation that a member of a history calls.
type opKind uint32

const (
	opTryPut opKind = iota
	opPut
	opPutPatient // Put without a deadline; only a shutdown ends it on a full queue
	opPutMany
	opReserve
	opCommit
	opAbort
	opTryGet
	opGet
	opGetPatient // Get without a deadline; only a shutdown ends it on an empty queue
	opGetMany
	opReceive
	opAck
	opNack
	opLen
	opShutdown
	opClose
)

var opNames = [...]string{"TryPut", "Put", "PutPatient", "PutMany", "Reserve", "Commit", "Abort", "TryGet", "Get", "GetPatient",
	"GetMany", "Receive", "Ack", "Nack", "Len", "Shutdown", "Close"}

func (k opKind) String() string { return opNames[k] }

// A verdict is what an operation's error says.
type verdict uint32

const (
	saidOK verdict = iota
	saidFull
	saidEmpty
	saidShutdown
	saidRoleTaken
	saidTorn  // an item that nobody wrote
	saidOther // an error that no operation of a history may return
)

var verdictNames = [...]string{"ok", "full", "empty", "shutdown", "role taken", "torn item", "unexpected error"}

func (v verdict) String() string { return verdictNames[v] }

func verdictOf(err error) verdict {
	for i, e := range []error{ringqueue.ErrFull, ringqueue.ErrEmpty, ringqueue.ErrShutdown, ringqueue.ErrRoleTaken} {
		if errors.Is(err, e) {
			return saidFull + verdict(i)
		}
	}
	if err != nil {
		return saidOther
	}
	return saidOK
}

// A history has at most linearMembers processes, of at most linearOps operations
// each, of at most linearBatch items.
const (
	linearMembers = 6
	linearOps     = 48
	linearBatch   = 4
)

// A journal is what a member leaves behind, however it ends: it stands in a
// plain block of shared memory, and the kernel keeps what was stored there
// before a SIGKILL.
type journal struct {
	entries [linearOps]entry
}

// An entry is one operation. The member writes it from top to bottom: what is
// called before the call, what came of it before ret. One with a call and no ret
// was being carried out when the member died.
type entry struct {
	kind    opKind
	items   [linearBatch]uint16 // put, or taken
	asked   uint32              // how many were to be put or taken
	call    atomic.Int64        // stamp of the moment before the call; 0: not called
	said    verdict
	got     uint32 // how many were put or taken, or what Len said
	attempt uint32 // of a received item
	ret     atomic.Int64
}

// A board is the block that the members of a history share beside the queue.
type board struct {
	round    atomic.Uint32 // the round that has started
	gone     atomic.Uint32 // how many members closed or died: a role may be free
	_        [120]byte
	journals [linearMembers]journal
}

const boardName = "board"

func boardOf(seg *shm.Segment, err error) (*board, error) {
	if err != nil {
		return nil, err
	}
	return mem.At[board](seg.Bytes(), 0)
}

// stamp is the clock of the histories: nanoseconds since some moment, the same in
// each process of the machine.
func stamp() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// An event is an entry out of the shared memory.
type event struct {
	kind      opKind
	said      verdict
	asked     int
	items     []uint16 // put (asked) or taken (got)
	got       int
	attempt   int
	call, ret int64 // ret 0: pending
}

// events returns what the journal holds.
func (j *journal) events() (list []event) {
	for i := range j.entries {
		e := &j.entries[i]
		if e.call.Load() == 0 {
			break
		}
		ev := event{kind: e.kind, asked: int(e.asked), call: e.call.Load(), ret: e.ret.Load()}
		n := e.asked // the items of a put are known before it returns
		if ev.ret != 0 {
			ev.said, ev.got, ev.attempt = e.said, int(e.got), int(e.attempt)
			if e.kind.takes() {
				n = e.got
			}
		} else if e.kind.takes() {
			n = 0
		}
		ev.items = append(ev.items, e.items[:n]...)
		list = append(list, ev)
	}
	return list
}

// called returns how many operations have been called.
func (b *board) called() (n int) {
	for i := range b.journals {
		for k := range b.journals[i].entries {
			if b.journals[i].entries[k].call.Load() == 0 {
				break
			}
			n++
		}
	}
	return n
}

// reached tells whether the member is in the middle of its operation at, or of a
// later one, or past the last that it was to be killed in.
func (j *journal) reached(at int) bool {
	for i := at; i < linearOps; i++ {
		e := &j.entries[i]
		switch {
		case e.call.Load() == 0:
			return false
		case e.ret.Load() == 0 || i == at+4 || e.kind == opClose:
			return true
		}
	}
	return true
}

func (k opKind) puts() bool  { return k <= opReserve }
func (k opKind) takes() bool { return k >= opTryGet && k <= opReceive }

func (e event) String() string {
	out := fmt.Sprintf("%v", e.said)
	switch {
	case e.ret == 0:
		out = "killed"
	case e.kind == opLen || e.kind == opPutMany:
		out = fmt.Sprintf("%d %v", e.got, e.said)
	}
	return fmt.Sprintf("%v%v: %s", e.kind, e.items, out)
}
