//go:build faultpoints

package dict_test

import "github.com/shmkit/shmkit/internal/dict"

// recoverAs is a recovery that may stand still in the middle.
func (w *world) recoverAs(by, slot int) {
	if err := w.stores[by].Recover(slot); err != nil {
		w.t.Error(err)
	}
}

func (w *world) mustSet(tab *dict.Table, key, value string) {
	w.t.Helper()
	if ok, err := w.set(tab, key, value, dict.Always); !ok || err != nil {
		w.t.Fatalf("set %q: %v, %v", key, ok, err)
	}
}

func (w *world) must(done, found bool, err error) {
	w.t.Helper()
	if !done || err != nil {
		w.t.Fatal(done, found, err)
	}
}
