//go:build faultpoints

package dict_test

// recoverAs is a recovery that may stand still in the middle.
func (w *world) recoverAs(by, slot int) {
	if err := w.stores[by].Recover(slot); err != nil {
		w.t.Error(err)
	}
}

func (w *world) must(done, found bool, err error) {
	w.t.Helper()
	if !done || err != nil {
		w.t.Fatal(done, found, err)
	}
}
