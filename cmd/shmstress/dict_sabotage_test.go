//go:build unix

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
)

// TestDictSabotage does to a run's dicts from outside what a broken library would do,
// and expects to be found out.
func TestDictSabotage(t *testing.T) {
	m := mint{seed: 7, sizes: sizes{{16, 256}}}
	key := ownKey{1, 3}
	// present returns the first version of the key, from v on, that is a value.
	present := func(v uint64) []byte {
		for ; m.absent(key, v); v++ {
		}
		id := recordOf(key, v)
		b := make([]byte, m.sizeOf(id))
		m.fill(b, id, plainRecord)
		return b
	}
	for name, tt := range map[string]struct {
		sabotage func(h *hoard) error
		want     []string // kinds, of which one is the violation
	}{
		"remove a value": {func(h *hoard) error { return h.values.Clear() }, []string{lost, wrong}},
		"damage a value": {func(h *hoard) error {
			b := present(1)
			b[len(b)-1] ^= 1
			return again(h, key, b)
		}, []string{torn, wrong}},
		"bring back a value": {func(h *hoard) error { return again(h, key, present(1)) }, []string{stale, wrong}},
		"forge a value":      {func(h *hoard) error { return again(h, key, present(1<<40)) }, []string{invented, stale, wrong}},
		"exchange values":    {func(h *hoard) error { return again(h, ownKey{2, 2}, present(1)) }, []string{invented, wrong}},
		"count": {func(h *hoard) error {
			_, err := manager.Add(h.totals, 3, 1000)
			return err
		}, []string{miscounted}},
		"forget a sum": {func(h *hoard) error { return h.totals.Set(3, 0) }, []string{miscounted}},
		"rob a bank": {func(h *hoard) error {
			_, err := manager.Add(h.bank, 3, -1)
			return err
		}, []string{unbalanced}},
		"rob the right": {func(h *hoard) error {
			_, err := manager.Add(h.right, 3, -1)
			return err
		}, []string{unbalanced}},
		"win twice": {func(h *hoard) error {
			for range 3 { // members win again and again what was won
				for i := range claimKeys {
					v, _, err := h.claims.Get(i)
					if err == nil {
						err = h.claims.Set(i, uint64(newClaim(claim(v).round()-2, 9, 9)))
					}
					if err != nil {
						return err
					}
				}
			}
			return nil
		}, []string{duplicate}},
		"remove what stays": {func(h *hoard) error {
			_, err := h.mixed.Delete(stay(5))
			return err
		}, []string{lost}},
		"keep what expires": {func(h *hoard) error {
			// Its place may set it again before its time: so again and again.
			for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
				v, ok, err := h.briefs.Get(1)
				if ok && err == nil {
					err = h.briefs.Set(1, v) // with no time to live
					<-time.After(3 * briefly)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}, []string{late, invented}},
		"empty a nested dict": {func(h *hoard) error {
			for i := range nestKeys {
				d, ok, err := h.nests.Get(i)
				if err == nil && ok {
					err = errors.Join(d.Clear(), d.Close())
				}
				if err != nil {
					return err
				}
			}
			return nil
		}, []string{lost}},
		"end the run backwards": {func(h *hoard) error {
			// The referee sets it too, and members need not see what was replaced at once.
			for range 100 {
				if err := h.run.Set(runKey, 0); err != nil {
					return err
				}
				<-time.After(time.Millisecond)
			}
			return nil
		}, []string{lost}},
		"abort a member": {func(*hoard) error { return process.Children()[0].Signal(syscall.SIGABRT) }, []string{crashed}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := clitest.UseDir(t, "shmstress-test-")
			done := make(chan result, 1)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() {
				done <- shmstress(ctx, strings.Fields("dict -duration 1h -kill-rate 0 -stop-rate 0 -o json -seed 7 -sizes 16-256 -keys 5")...)
			}()
			clitest.Until(t, "members have made changes", func() bool {
				b := findBoard(t, dir)
				if b == nil {
					return false
				}
				defer b.seg.Close()
				return !slices.ContainsFunc(b.keys, func(lines []keyLine) bool {
					return slices.ContainsFunc(indices(lines), func(i int) bool { return lines[i].acked.Load() < 10 })
				})
			})
			h, err := attachHoard(managerHandle(t, dir))
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.sabotage(h); err != nil {
				t.Fatal(err)
			}
			if err := h.m.Close(); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(20*time.Second, cancel) // it has not been found out
			r := <-done
			s := decode(t, r.out)
			if len(s.Violations) == 0 || r.status != cli.Failure || s.Evidence == nil {
				t.Fatalf("status %d, %s", r.status, r.out)
			}
			if !slices.ContainsFunc(s.Violations, func(v violation) bool { return slices.Contains(tt.want, v.Kind) }) {
				t.Errorf("%+v", s.Violations)
			}
		})
	}
}

// again sets a value again and again: it is soon replaced.
func again(h *hoard, k ownKey, b []byte) error {
	for range 100_000 {
		if err := h.values.Set(k, b); err != nil {
			return err
		}
	}
	return nil
}

func indices[T any](s []T) []int {
	all := make([]int, len(s))
	for i := range all {
		all[i] = i
	}
	return all
}

// findBoard opens the board of the run; nil if there is none yet.
func findBoard(t *testing.T, dir string) *board {
	t.Helper()
	infos, err := shm.Dir(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if strings.HasSuffix(i.Name, ".board") {
			seg, err := shm.Open(i.Name, nil)
			if err != nil {
				return nil
			}
			b, err := viewBoard(seg, 4, 5)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	return nil
}

// managerHandle returns the handle of the run's manager.
func managerHandle(t *testing.T, dir string) string {
	t.Helper()
	infos, err := shm.Dir(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if i.Kind == manager.Kind {
			m, err := manager.OpenExisting(i.Name, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			return m.Handle()
		}
	}
	t.Fatal("no manager")
	return ""
}
