//go:build faultpoints && unix

package ringqueue_test

import (
	"bytes"
	"runtime"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/ringqueue"
)

// TestRoleOfADeadProcessThatIsBeingRecovered puts while another goroutine, as the
// janitor does, recovers the dead process that had the role: when that is done
// the role is free, and the put must not say that it is taken.
func TestRoleOfADeadProcessThatIsBeingRecovered(t *testing.T) {
	dir := tempDir(t)
	q := create[int](t, dir, &ringqueue.Options{SingleProducer: true})
	p := modes[1].start(t, q, dir)
	p.want("ok", "put 1")
	recovering, goOn := make(chan struct{}), make(chan struct{})
	var first sync.Once
	fault.SetHook(func(step string) {
		if step == "shm.recover.hook" {
			first.Do(func() { close(recovering); <-goOn })
		}
	})
	defer fault.SetHook(nil)
	p.child.kill()
	recovered := make(chan int)
	go func() { recovered <- q.Ring().Segment().RecoverDead() }()
	<-recovering
	put := make(chan error)
	go func() { put <- q.Put(bg, 2) }()
	until(t, "the put waits for the recovery", func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return bytes.Count(stacks, []byte("shm.(*Segment).Probe(")) >= 2
	})
	close(goOn)
	wantNil(t, "Put", <-put)
	<-recovered
	wantItem(t, q, 1)
	wantItem(t, q, 2)
}
