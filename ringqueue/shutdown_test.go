//go:build unix

package ringqueue_test

import (
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// fullQueue makes a queue in which there is no room.
func fullQueue(t *testing.T, o ringqueue.Options) *ringqueue.Queue[int] {
	t.Helper()
	o.Capacity = 4096
	q := create[int](t, tempDir(t), &o)
	for !q.Full() {
		wantNil(t, "TryPut", q.TryPut(1))
	}
	return q
}

// Room may never come, so a put that waits for it must hear of the shutdown, and
// one that comes later must not begin to wait.
func TestShutdownEndsPutsThatFindNoRoom(t *testing.T) {
	for name, o := range map[string]ringqueue.Options{"shared": {}, "sole": {SingleProducer: true}, "max items": {MaxItems: 2}} {
		t.Run(name, func(t *testing.T) {
			q := fullQueue(t, o)
			puts := map[string]func() error{
				"Put":     func() error { return q.Put(within(30*time.Second), 2) },
				"PutMany": func() error { _, err := q.PutMany(within(30*time.Second), []int{2, 3}); return err },
				"Reserve": func() error { _, err := q.Ring().Reserve(within(30*time.Second), 8); return err },
				"TryPut":  func() error { return q.TryPut(2) },
			}
			waiting := make(chan error)
			go func() { waiting <- puts["Put"]() }()
			until(t, "Put waits", func() bool { return q.Ring().Segment().Total(shm.FullWaits) > 0 })
			wantNil(t, "Shutdown", q.Shutdown(false))
			wantErr(t, "Put that waits", <-waiting, ringqueue.ErrShutdown)
			for name, put := range puts {
				wantErr(t, name, put(), ringqueue.ErrShutdown)
			}
		})
	}
}

// The last items of a queue that is shut down come without an error, on an
// exclusive side too.
func TestGetManyOfTheLastItemsIsNoError(t *testing.T) {
	for _, sole := range []bool{false, true} {
		q := create[int](t, tempDir(t), &ringqueue.Options{SingleConsumer: sole})
		wantNil(t, "Put", q.Put(bg, 7))
		wantNil(t, "Shutdown", q.Shutdown(false))
		dst := make([]int, 3)
		n, err := q.GetMany(bg, dst)
		if n != 1 || dst[0] != 7 || err != nil {
			t.Errorf("sole %v: %d items of %v, %v", sole, n, dst, err)
		}
		_, err = q.GetMany(bg, dst)
		wantErr(t, "GetMany of nothing", err, ringqueue.ErrShutdown)
	}
}
