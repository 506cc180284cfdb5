package manager_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

var bg = context.Background()

// TestTransfers moves money between accounts of two dicts, from several goroutines
// with handles of their own, while others add all of it up.
func TestTransfers(t *testing.T) {
	dir := tempDir(t)
	const accounts, each, rounds = 20, 100, 2000
	type bank struct{ a, b *manager.Dict[int, int] }
	handle := func() (*manager.Manager, bank) {
		m := open(t, &manager.Options{Dir: dir})
		return m, bank{newDict[int, int](t, m, "a"), newDict[int, int](t, m, "b")}
	}
	m, first := handle()
	for i := range accounts {
		must(t, first.a.Set(i, each))
		must(t, first.b.Set(i, each))
	}
	var wg sync.WaitGroup
	for g := range 3 {
		m, bk := handle()
		wg.Go(func() {
			for i := range rounds {
				from, to := (i*7+g)%accounts, (i*13+g*5)%accounts
				err := m.Tx(bg, func(tx *manager.Tx) error {
					a, b := bk.a.In(tx), bk.b.In(tx)
					x, _, err := a.Get(from)
					if err != nil {
						return err
					}
					y, _, err := b.Get(to)
					if err != nil {
						return err
					}
					n := 1 + i%5
					return errors.Join(a.Set(from, x-n), b.Set(to, y+n))
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	sum := func(m *manager.Manager, bk bank) (total int, err error) {
		err = m.Tx(bg, func(tx *manager.Tx) error {
			total = 0
			a, b := bk.a.In(tx), bk.b.In(tx)
			for i := range accounts {
				x, _, err := a.Get(i)
				if err != nil {
					return err
				}
				y, _, err := b.Get(i)
				if err != nil {
					return err
				}
				total += x + y
			}
			return nil
		})
		return total, err
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	checks := 0
	for running := true; running; checks++ {
		select {
		case <-done:
			running = false
		default:
		}
		total, err := sum(m, first)
		if err != nil && !errors.Is(err, manager.ErrConflict) {
			t.Fatal(err)
		}
		if err == nil && total != 2*accounts*each {
			t.Fatalf("total %d", total)
		}
	}
	t.Logf("%d checks", checks)
	clean(t, m)
}

func TestTxSemantics(t *testing.T) {
	m := open(t, nil)
	d := newDict[string, string](t, m, "d")
	must(t, d.Set("a", "1"))
	boom := errors.New("boom")
	err := m.Tx(bg, func(tx *manager.Tx) error {
		x := d.In(tx)
		must(t, x.Set("a", "2"))
		must(t, x.Set("b", "2"))
		if v, ok, err := x.Get("b"); v != "2" || !ok || err != nil {
			t.Errorf("own write: %q, %v, %v", v, ok, err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("error of the function: %v", err)
	}
	if v, _, _ := d.Get("a"); v != "1" || d.Len() != 1 {
		t.Errorf("after an error: %q, %d entries", v, d.Len())
	}
	calls := 0
	must(t, m.Tx(bg, func(tx *manager.Tx) error {
		calls++
		x := d.In(tx)
		v, _, err := x.Get("a")
		if err != nil {
			return err
		}
		if calls == 1 {
			must(t, d.Set("a", "other")) // somebody else
		}
		if ok, err := x.Delete("a"); !ok || err != nil {
			return errors.Join(err, fmt.Errorf("delete: %v", ok))
		}
		if _, ok, _ := x.Get("a"); ok {
			t.Error("deleted, and there")
		}
		return x.Set("was", v)
	}))
	if v, _, _ := d.Get("was"); v != "other" || calls != 2 || d.Len() != 1 {
		t.Errorf("%q after %d calls, %d entries", v, calls, d.Len())
	}
	// Many keys at once, so that segments must be split on the way.
	for round := range 5 {
		must(t, m.Tx(bg, func(tx *manager.Tx) error {
			for i := range 1000 {
				if err := d.In(tx).Set(fmt.Sprint(round, " ", i), "x"); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if d.Len() != 5001 {
		t.Errorf("%d entries", d.Len())
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if err := m.Tx(ctx, func(*manager.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	err = m.Tx(bg, func(tx *manager.Tx) error {
		if _, _, err := d.In(tx).Get("was"); err != nil {
			return err
		}
		return d.Set("was", fmt.Sprint(calls))
	})
	if !errors.Is(err, manager.ErrConflict) {
		t.Errorf("never undisturbed: %v", err)
	}
	clean(t, m)
}
