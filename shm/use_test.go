package shm_test

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

func TestCloseAgainstUse(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "x", 64, o)
	b := s.Bytes()
	if err := s.Acquire(); err != nil {
		t.Fatal(err)
	}
	var order []string
	s.OnClose(func() {
		b[1] = 1 // mapped
		order = append(order, "first")
	})
	s.OnClose(func() { order = append(order, "second") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(order) != 2 || order[0] != "first" {
		t.Fatalf("hooks run: %q", order)
	}
	b[0] = 7 // still mapped, and
	i := must(shm.Inspect(s.Path()))(t)
	if i.Body()[0] != 7 || i.Body()[1] != 1 || i.Info().Holders != 1 {
		t.Fatalf("while in use: %+v", i.Info())
	}
	i.Close()
	for range 3 {
		err := s.Acquire()
		wantError(t, "use after close", err, shm.ErrClosed, os.ErrClosed, fs.ErrClosed)
	}
	if s.Probe(1) || s.RecoverDead() != 0 {
		t.Error("a closed handle probes")
	}
	if err := s.Close(); err != nil || len(order) != 2 {
		t.Fatalf("second close: %v, hooks run: %q", err, order)
	}
	b[0] = 8
	s.Release()
	if exists(s.Path()) {
		t.Fatal("the last use's end did not leave")
	}
	wantError(t, "use after the end", s.Acquire(), shm.ErrClosed)
	late := false
	s.OnClose(func() { late = true })
	if !late {
		t.Error("a hook registered after Close did not run")
	}
	for _, where := range leaks() {
		t.Error("left behind:", where)
	}
}

func TestReleaseWithoutUse(t *testing.T) {
	s := create(t, "x", 8, &shm.Options{Dir: testDir(t)})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
		_ = s.Acquire() // what was released too much
	}()
	s.Release()
}

// Uses, probes and Close from many goroutines: the memory goes exactly once,
// after the last use.
func TestCloseRace(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	for range 30 {
		s := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				<-begin
				for {
					if err := s.Acquire(); err != nil {
						if !errors.Is(err, shm.ErrClosed) {
							t.Error(err)
						}
						return
					}
					word(s, 5).Add(1)
					s.RecoverDead()
					s.Release()
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				<-begin
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		if exists(s.Path()) {
			t.Fatal("not left")
		}
	}
}

// What opens closes: descriptors, mappings and goroutines do not add up.
func TestNoLeaks(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	for range 50 {
		a := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
		b := must(shm.OpenSpec("x", graveSpec(nil), o))(t)
		if _, err := shm.CreateSpec("x", graveSpec(nil), o); !errors.Is(err, shm.ErrExist) {
			t.Fatal(err)
		}
		if _, err := shm.OpenSpec("x", &shm.Spec{Kind: "other"}, o); !errors.Is(err, shm.ErrKind) {
			t.Fatal(err)
		}
		must(shm.Dir(o.Dir).List())(t)
		must(shm.Dir(o.Dir).Sweep())(t)
		a.Close()
		b.Close()
	}
	for _, where := range leaks() {
		t.Error("left behind:", where)
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	s := must(shm.Create("x", 8, &shm.Options{Dir: testDir(b)}))(b)
	defer s.Close()
	for b.Loop() {
		if s.Acquire() != nil {
			b.Fatal("closed")
		}
		s.Release()
	}
}

func BenchmarkProbeLive(b *testing.B) {
	o := &shm.Options{Dir: testDir(b)}
	s := must(shm.Create("x", 8, o))(b)
	defer s.Close()
	h := must(shm.Open("x", o))(b)
	defer h.Close()
	for b.Loop() {
		if s.Probe(1) {
			b.Fatal("recovered the living")
		}
	}
}

func BenchmarkCreateClose(b *testing.B) {
	o := &shm.Options{Dir: testDir(b)}
	for b.Loop() {
		must(shm.Create("x", 1<<16, o))(b).Close()
	}
}

func BenchmarkOpenClose(b *testing.B) {
	o := &shm.Options{Dir: testDir(b)}
	s := must(shm.Create("x", 1<<16, o))(b)
	defer s.Close()
	for b.Loop() {
		must(shm.Open("x", o))(b).Close()
	}
}
