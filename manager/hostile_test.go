package manager_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

func word(n int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// poke replaces the bytes behind a pattern in a manager's memory, wherever it is, and
// returns a function that puts back what was there.
func poke(t testing.TB, m *manager.Manager, behind, fresh []byte) (undo func()) {
	t.Helper()
	body := m.Segment().Body()
	var at []int
	for i := 0; ; {
		n := bytes.Index(body[i:4<<20], behind)
		if n < 0 {
			break
		}
		i += n + len(behind)
		at = append(at, i)
	}
	if len(at) == 0 {
		t.Fatalf("%q is nowhere", behind)
	}
	var undos []func()
	for _, i := range at {
		old := bytes.Clone(body[i : i+len(fresh)])
		copy(body[i:], fresh)
		undos = append(undos, func() { copy(body[i:], old) })
	}
	return func() {
		for _, u := range undos {
			u()
		}
	}
}

// TestNameOfNothing opens a name that leads to no object. That went on for ever.
func TestNameOfNothing(t *testing.T) {
	m := open(t, nil)
	d := newDict[string, int](t, m, "dict one")
	undo := poke(t, m, []byte("dict one"), word(99))
	defer undo()
	errs := make(chan error, 1)
	go func() {
		_, err := manager.NewDict[string, int](m, "dict one")
		errs <- err
	}()
	select {
	case err := <-errs:
		if !errors.Is(err, manager.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on for ever")
	}
	_ = d
}

// TestOpenWithoutTables opens a manager whose table of objects or of names is none. That
// gave back what a handle without a slot never had, which was a panic.
func TestOpenWithoutTables(t *testing.T) {
	for _, at := range []int{24, 32} { // in the head
		dir := tempDir(t)
		m := open(t, &manager.Options{Dir: dir})
		body := m.Segment().Body()
		good := bytes.Clone(body[at : at+8])
		binary.LittleEndian.PutUint64(body[at:], 1<<40)
		if _, err := manager.OpenExisting("m", &manager.Options{Dir: dir}); !errors.Is(err, manager.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
		copy(body[at:], good)
	}
}
