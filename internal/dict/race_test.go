package dict_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/internal/dict"
)

// TestTogether has three processes, of two goroutines each, work on the same few keys
// of two tables at once: by changes, transactions in any order of the keys (F11 of the
// protocol's counterexamples), views, iteration and eviction. No
// value is torn. With -race it shows the algorithm to the race detector.
func TestTogether(t *testing.T) {
	w := newWorld(t, 200, 2)
	rounds := 30000
	if testing.Short() {
		rounds = 500
	}
	whole := func(key, value string) bool {
		return value == strings.Repeat(key+".", len(value)/(len(key)+1))
	}
	var wg sync.WaitGroup
	for by := range 3 {
		for g := range 2 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(by), uint64(g)))
				tables := []*dict.Table{w.tables[by], w.others[by]}
				for n := range rounds {
					tab, key := tables[rng.IntN(2)], number(rng.IntN(6))
					value := strings.Repeat(key+".", 1+rng.IntN(10)*rng.IntN(10))
					switch rng.IntN(12) {
					case 0, 1, 2:
						if _, err := w.set(tab, key, value, dict.Always); err != nil {
							t.Errorf("set: %v", err)
						}
					case 3:
						w.remove(tab, key)
					case 4:
						a, b := rng.IntN(6), rng.IntN(29)
						if b >= a {
							b++
						}
						if err := w.swap(by, tables[rng.IntN(2)], tables[rng.IntN(2)], number(a), number(b)); err != nil {
							t.Errorf("tx: %v", err)
						}
					case 5:
						if n%20 == 0 {
							for key, v := range w.all(tab) {
								if !whole(key, v) {
									t.Errorf("iteration: %q is torn: %q", key, v)
								}
							}
						}
					case 6:
						if _, err := tab.Evict(rng.IntN(2), 1, dict.Cold); err != nil {
							t.Error(err)
						}
					case 7:
						ok, err := tab.View(hash(key), []byte(key), func(b []byte) error {
							if !whole(key, plain(b)) {
								return fmt.Errorf("view: %q is torn", key)
							}
							return nil
						})
						if ok && err != nil && err != dict.ErrExpired {
							t.Error(err)
						}
					default:
						v, ok := w.get(tab, key)
						if ok && !whole(key, v) {
							t.Errorf("%q is torn: %q", key, v)
						}
						if v, ok := w.glance(tab, key, len(v)); ok && !whole(key, v) {
							t.Errorf("at a glance: %q is torn: %q", key, v)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	w.sound(3)
}

// swap makes a transaction that sets two keys, and gives up when others are faster.
func (w *world) swap(by int, ta, tb *dict.Table, a, b string) error {
	s := w.stores[by]
	var list []dict.Step
	for i, tab := range []*dict.Table{ta, tb} {
		key := []string{a, b}[i]
		st := dict.Step{Table: tab, Hash: hash(key), Key: []byte(key), Write: true}
		var e dict.Entry
		ok, err := tab.Seek(st.Hash, st.Key, &e)
		if ok && err == nil && s.Still(&e) {
			st.Same = &e
		}
		if err == nil {
			st.New, err = s.Draft(st.Key, len(key)+1, 0, 0)
		}
		if err != nil {
			for i := range list {
				list[i].New.Discard()
			}
			return err
		}
		fill(st.New.Value(), key+".")
		list = append(list, st)
	}
	ok, err := s.Commit(list)
	if !ok && err == nil {
		for i := range list {
			list[i].New.Discard()
		}
	}
	return err
}
