//go:build unix

package ringqueue_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// FuzzOpenBytes damages the file of a queue that nobody has open: its header,
// with a checksum that is right or not, its length, its slots, its geometry. Who
// opens it then gets an error, or a queue on which every operation ends.
func FuzzOpenBytes(f *testing.F) {
	for _, b := range openScripts() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { attackFile(t, b) })
}

// openScripts returns scripts that damage each part of a file.
func openScripts() [][]byte {
	rng := rand.New(rand.NewPCG(11, 13))
	var all [][]byte
	for how := range 8 {
		for range 8 {
			b := []byte{byte(rng.Uint32()), byte(rng.Uint32())}
			for range 1 + rng.IntN(3) {
				b = append(b, byte(how))
				for range 10 {
					b = append(b, byte(rng.Uint32()))
				}
			}
			all = append(all, b)
		}
	}
	return all
}

func attackFile(t *testing.T, b []byte) {
	s := script(b)
	o := hostileOptions(tempDir(t))
	modes := s.byte()
	o.SingleProducer = modes&1 != 0
	o.SingleConsumer = modes&2 != 0
	q, err := ringqueue.Create[[]byte]("q", o)
	wantNil(t, "Create", err)
	path, handle := q.Ring().Segment().Path(), q.Handle()
	for n := range s.int() % 16 {
		q.TryPut(make([]byte, n*200))
	}
	if modes&4 != 0 {
		q.TryGet()
	}
	wantNil(t, "Close", q.Close())
	v := newVandal(t, path)
	const mostDamages = 20
	for n := 0; s.more() && n < mostDamages; n++ {
		v.damageFile(&s)
	}
	useDamaged(t, o, handle, bytesValue)
	useDamaged(t, o, handle, plainValue) // of that type if the sum was cleared
	if err := shm.Dir(o.Dir).Remove("q"); err != nil && !errors.Is(err, shm.ErrNotExist) {
		t.Errorf("Remove: %v", err)
	}
}

// damageFile changes one thing in the file.
func (v *vandal) damageFile(s *script) {
	v.t.Helper()
	fi, err := v.file.Stat()
	wantNil(v.t, "stat", err)
	size := fi.Size()
	// Numbers at which something may go over: small, large, a bit from either.
	number := func() uint64 {
		switch x := s.uint64(); x % 4 {
		case 0:
			return x >> 56
		case 1:
			return -(x >> 58)
		case 2:
			return 1<<(x>>8%64) + x>>16%3 - 1
		default:
			return x
		}
	}
	switch s.int() % 8 {
	case 0: // a field of the header, and the checksum to go with it
		if size < headerBytes {
			return
		}
		v.set(int64(s.int()%64)*8, number())
		v.reseal()
	case 1: // a field, unsealed
		v.set(int64(s.int()%64)*8, number())
	case 2: // shorter, which nobody who has it mapped would survive
		wantNil(v.t, "truncate", v.file.Truncate(int64(s.uint64()%uint64(size+1))))
	case 3: // longer
		wantNil(v.t, "truncate", v.file.Truncate(size+int64(s.byte())*256))
	case 4, 5: // the geometry
		v.set(v.body+int64(s.int()%7)*8, number())
	case 6: // the slots
		v.set(offTable+int64(s.int()%4)*slotBytes+int64(s.int()%64)*8, number())
	case 7: // the rest of the body's first pages
		v.set(v.body+int64(s.uint64()%((offWords+hostileBlocks*8)/8))*8, number())
	}
}

// useDamaged opens the queue in every way there is and uses it.
func useDamaged[T any](t *testing.T, o *ringqueue.Options, handle string, value func(int) T) {
	t.Helper()
	for _, open := range []func() (*ringqueue.Queue[T], error){
		func() (*ringqueue.Queue[T], error) { return ringqueue.Open[T]("q", o) },
		func() (*ringqueue.Queue[T], error) { return ringqueue.OpenOrCreate[T]("q", o) },
		func() (*ringqueue.Queue[T], error) { return ringqueue.Attach[T](handle, o) },
	} {
		q, err := open()
		if err != nil {
			var e *ringqueue.Error
			if !errors.As(err, &e) {
				t.Errorf("error %v (%T)", err, err)
			}
			continue
		}
		if b := q.Ring().Segment().Body(); len(b) > 0 {
			_ = b[0] + b[len(b)-1]
		}
		g := newTarget(t, q, o, value)
		for i, op := range hostileOps[T]() {
			for _, arg := range []int{i * 11, 200 - i, 21} {
				g.do(over, op, arg)
			}
		}
		g.end(true)
	}
	if i, err := shm.Inspect(filepath.Join(o.Dir, "q")); err == nil {
		i.Info()
		ringqueue.Inspect(i)
		i.Close()
	}
	if _, err := shm.Dir(o.Dir).List(); err != nil {
		t.Errorf("List: %v", err)
	}
	if _, err := shm.Open("q", &shm.Options{Dir: o.Dir}); !errors.Is(err, shm.ErrKind) {
		var e *shm.Error
		if !errors.As(err, &e) {
			t.Errorf("opened as a block: %v", err)
		}
	}
}
