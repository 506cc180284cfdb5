//go:build !portable

package ringqueue_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/ringqueue"
)

// TestLargeWithoutSpace has the file system full before large records have any space,
// and when they have some.
func TestLargeWithoutSpace(t *testing.T) {
	for _, before := range []string{"0", "1", "3"} {
		t.Run(before, func(t *testing.T) {
			wantOK(t, startChild(t, "noSpace", tempDir(t), before))
		})
	}
}

// childNoSpace puts some large records, after which no space can be had any more.
func childNoSpace(args []string) {
	var before int
	_, err := fmt.Sscan(args[1], &before)
	must(err)
	o := largeOptions()
	o.Dir, o.MaxRecord = args[0], 1<<20
	q, err := ringqueue.Create[[]byte]("q", o)
	must(err)
	big := make([]byte, 70000) // two chunks
	for range before {
		must(q.TryPut(big))
	}
	must(faulttest.Refuse(unix.SYS_FALLOCATE, uint32(unix.ENOSPC)))

	if before > 0 {
		// Those that are there can make room: it is as with a full ring.
		err = q.TryPut(big)
		check(errors.Is(err, ringqueue.ErrFull), "TryPut, %d before: %v", before, err)
		put := make(chan error, 1)
		go func() { put <- q.Put(bg, big) }()
		for range before + 1 {
			got, err := q.Get(bg)
			check(len(got) == len(big) && err == nil, "Get: %d bytes, %v", len(got), err)
		}
		must(<-put)
	}
	// Nothing is there: there may be memory that was used before, but no more.
	fits := before * 2 * ringqueue.ChunkSize
	for _, n := range []int{70000, fits - 64, fits - 63} {
		if n < 1100 {
			continue
		}
		err := q.Put(bg, make([]byte, n))
		if n > fits-64 {
			check(errors.Is(err, ringqueue.ErrNoSpace), "Put of %d bytes, %d before: %v", n, before, err)
			continue
		}
		must(err)
		_, err = q.Get(bg)
		must(err)
	}
	must(q.TryPut(big[:1000])) // as ever
	_, err = q.TryGet()
	must(err)
	live, _, err := q.Ring().CheckLarge()
	check(live == 0 && err == nil, "%d live, %v", live, err)
	must(q.Close())
	fmt.Println("ok")
}
