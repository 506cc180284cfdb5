package shm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

// TestConformance checks the rows of Python's SharedMemory tests.
func TestConformance(t *testing.T) {
	t.Run("H01_name_with_nul", testNameWithNUL)
	t.Run("H02_basics", testBasics)
	t.Run("H03_random_name_collision", testRandomNameCollision)
	t.Run("H04_invalid_creation", testInvalidCreation)
	for _, how := range []string{related, unrelated} {
		t.Run("H05_handle_round_trip/"+how, func(t *testing.T) { testHandle(t, how) })
		t.Run("H06_handle_of_dead_object/"+how, func(t *testing.T) { testDeadHandle(t, how) })
		t.Run("H07_across_processes/"+how, func(t *testing.T) { testAcross(t, how) })
		t.Run("H14_creator_killed/"+how, func(t *testing.T) { testCreatorKilled(t, how) })
		t.Run("H15_reader_exits/"+how, func(t *testing.T) { testReaderExits(t, how, false) })
	}
	t.Run("H07_across_goroutines", testAcrossGoroutines)
	t.Run("X21_unrelated_reader_exits", func(t *testing.T) { testReaderExits(t, unrelated, true) })
}

func testNameWithNUL(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	for _, name := range []string{"\x00", "a\x00", "a\x00b", "\x00b"} {
		_, err := shm.Open(name, o)
		wantError(t, "open", err, shm.ErrName)
		_, err = shm.Create(name, 8, o)
		wantError(t, "create", err, shm.ErrName)
		wantError(t, "remove", shm.Dir(o.Dir).Remove(name), shm.ErrName)
	}
	if left := names(t, o.Dir); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

func testBasics(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	_, err := shm.Open("block", o)
	wantError(t, "open of nothing", err, shm.ErrNotExist, fs.ErrNotExist)
	a := create(t, "block", 512, o)
	if a.Name() != "block" || a.Size() != 512 || len(a.Bytes()) != 512 || a.Path() != pathOf(o.Dir, "block") || a.Kind() != "block" {
		t.Fatalf("created %q of %d bytes, kind %q at %s", a.Name(), a.Size(), a.Kind(), a.Path())
	}
	if !bytes.Equal(a.Bytes(), make([]byte, 512)) {
		t.Fatal("a new block is not zero")
	}
	a.Bytes()[0] = 42
	b := open(t, "block", o)
	if b.Bytes()[0] != 42 || b.Size() != 512 {
		t.Fatalf("the second handle has %d in %d bytes", b.Bytes()[0], b.Size())
	}
	b.Bytes()[511] = 22
	if a.Bytes()[511] != 22 {
		t.Fatal("the first handle does not see the second one's store")
	}
	_, err = shm.Create("block", 10, o)
	wantError(t, "second create", err, shm.ErrExist, fs.ErrExist)
	c := must(shm.OpenOrCreate("block", 9999, o))(t)
	defer c.Close()
	if c.Size() != 512 || c.Bytes()[0] != 42 {
		t.Fatal("open or create did not open")
	}
	d := must(shm.OpenOrCreate("other", 99, o))(t)
	defer d.Close()
	if d.Size() != 99 || d.ID() == a.ID() {
		t.Fatal("open or create did not create")
	}
	_, err = shm.Open("", o)
	wantError(t, "open without a name", err, shm.ErrName)
	if err := shm.Dir(o.Dir).Remove("block"); err != nil {
		t.Fatal(err)
	}
	wantError(t, "second remove", shm.Dir(o.Dir).Remove("block"), shm.ErrNotExist, fs.ErrNotExist)
	_, err = shm.Open("block", o)
	wantError(t, "open after remove", err, shm.ErrNotExist)
	if a.Bytes()[511] != 22 {
		t.Fatal("remove took the memory from those who hold it")
	}
}

func testRandomNameCollision(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	create(t, "taken", 8, o)
	tries := []string{"taken", "taken", "free"}
	s := must(shm.CreateRandom(func() string {
		name := tries[0]
		tries = tries[1:]
		return name
	}, 8, o))(t)
	defer s.Close()
	if s.Name() != "free" || len(tries) != 0 {
		t.Fatalf("created %q with %q left to try", s.Name(), tries)
	}
	x, y := create(t, "", 8, o), create(t, "", 8, o)
	if x.Name() == "" || x.Name() == y.Name() {
		t.Fatalf("random names %q and %q", x.Name(), y.Name())
	}
}

func testInvalidCreation(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	for _, size := range []int64{0, -1, -1 << 63, 1<<63 - 1, 1<<62 + 1} {
		_, err := shm.Create("x", size, o)
		wantError(t, fmt.Sprint("size ", size), err, shm.ErrSize)
		_, err = shm.OpenOrCreate("x", size, o)
		wantError(t, fmt.Sprint("size ", size), err, shm.ErrSize)
	}
	for _, slots := range []int{-1, 1<<15 + 1} {
		_, err := shm.Create("x", 8, &shm.Options{Dir: o.Dir, Slots: slots})
		wantError(t, fmt.Sprint("slots ", slots), err, shm.ErrSize)
	}
	if left := names(t, o.Dir); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

func testHandle(t *testing.T, how string) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "block", 100, o)
	if want := fmt.Sprintf("shmkit:block:%x:%s", s.ID(), s.Path()); s.Handle() != want {
		t.Fatalf("handle %q, want %q", s.Handle(), want)
	}
	p := startAgent(t, testDir(t), how) // its default directory is another
	p.want(t, "handle "+s.Handle(), "slot 1")
	p.want(t, "size", "100 100")
	s.Bytes()[7] = 70
	p.want(t, "get 7", "70")
	p.want(t, "set 99 71", "ok")
	if s.Bytes()[99] != 71 {
		t.Fatal("not the same memory")
	}
	for _, text := range []string{"", "shmkit", "shmkit:block", s.Handle()[1:], "shmkit:block:00:" + s.Path(),
		fmt.Sprintf("shmkit:block:%x:relative", s.ID()), fmt.Sprintf("shmkit:block:%x:/../x", s.ID()),
		fmt.Sprintf("shmkit:block:%x00:%s", s.ID(), s.Path()), fmt.Sprintf("shmkit:block:%x:%s/.x", s.ID(), o.Dir)} {
		_, err := shm.OpenHandle(text, nil, nil)
		wantError(t, text, err, shm.ErrName)
	}
	_, err := shm.OpenHandle(strings.Replace(s.Handle(), "block", "queue", 1), nil, nil)
	wantError(t, "handle of another kind", err, shm.ErrKind)
}

func testDeadHandle(t *testing.T, how string) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "block", 100, o)
	handle := s.Handle()
	p := startAgent(t, o.Dir, how)
	s.Close()
	p.want(t, "handle "+handle, "error notexist")
	again := create(t, "block", 100, o)
	p.want(t, "handle "+handle, "error notexist")
	p.want(t, "handle "+again.Handle(), "slot 1")
}

func testAcross(t *testing.T, how string) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "block", 10, o)
	byName, byHandle := startAgent(t, o.Dir, how), startAgent(t, o.Dir, how)
	byName.want(t, "open block", "slot 1")
	byHandle.want(t, "handle "+s.Handle(), "slot 2")
	byName.want(t, "set 3 33", "ok")
	byHandle.want(t, "get 3", "33")
	if s.Bytes()[3] != 33 {
		t.Fatal("not the same memory")
	}
	byHandle.want(t, "close", "ok")
	byName.want(t, "exit", "")
	if !exists(s.Path()) {
		t.Fatal("removed under its owner")
	}
}

func testAcrossGoroutines(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "block", 64, o)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			h, err := shm.Open("block", o)
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Close()
			h.Bytes()[i] = byte(i + 1)
		})
	}
	wg.Wait()
	for i := range 16 {
		if s.Bytes()[i] != byte(i+1) {
			t.Fatalf("byte %d is %d", i, s.Bytes()[i])
		}
	}
}

// The killed creator's segment is gone with the next open, create or sweep.
func testCreatorKilled(t *testing.T, how string) {
	dir := testDir(t)
	o := &shm.Options{Dir: dir}
	killed := func() {
		p := startAgent(t, dir, how)
		p.want(t, "create block 8", "slot 0")
		p.kill()
		if how == unrelated { // its end is seen a moment before its locks are gone
			eventually(t, "the death", func() bool {
				l, err := shm.Dir(dir).List()
				return err == nil && len(l) == 1 && l[0].Holders == 0
			})
		}
	}
	killed()
	_, err := shm.Open("block", o)
	wantError(t, "open", err, shm.ErrNotExist)
	killed()
	create(t, "block", 9, o).Close()
	killed()
	if swept := must(shm.Dir(dir).Sweep())(t); len(swept) != 1 || swept[0] != "block" {
		t.Fatalf("swept %q", swept)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

func testReaderExits(t *testing.T, how string, killed bool) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "block", 8, o)
	s.Bytes()[0] = 9
	p := startAgent(t, o.Dir, how)
	p.want(t, "open block", "slot 1")
	if killed {
		p.kill()
	} else {
		p.want(t, "exit", "")
		p.end()
	}
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) > 0 {
		t.Fatalf("swept %q under its owner", swept)
	}
	if got := open(t, "block", o); got.ID() != s.ID() || got.Bytes()[0] != 9 {
		t.Fatal("the owner's segment is another one")
	}
	if err := shm.Dir(o.Dir).Remove("block"); err != nil {
		t.Fatalf("the owner's own remove: %v", err)
	}
}

// wantError checks that err is an *Error and each of the targets.
func wantError(t testing.TB, what string, err error, targets ...error) {
	t.Helper()
	var e *shm.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: error %v is no *shm.Error", what, err)
		return
	}
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%s: error %v is not %v", what, err, target)
		}
	}
}
