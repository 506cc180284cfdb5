package manager_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// The hostile tests write nonsense into a manager's memory, as any process that may
// open it can, between the operations on it, and into its file before it is opened. Each
// operation ends soon, with one of the package's errors or without; none panics,
// faults or hands out memory outside of the segment.

// Places in a manager's file, as FORMAT.md has them.
const (
	fileBody  = 48   // word: where the body is
	fileSlots = 4096 // process slots, of slotBytes each
	slotBytes = 512
	slotLive  = 1

	bodyLocks = 4096 // in the body: locks and what is done under them
	lockBytes = 256
	bodyArena = bodyLocks + 128*lockBytes
)

// A script is what the fuzzer chooses: bytes that are taken one by one, and zero when
// they have run out.
type script []byte

func (s *script) byte() byte {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b
}

func (s *script) int() int { return int(s.byte()) }

func (s *script) uint64() uint64 {
	var b [8]byte
	*s = (*s)[copy(b[:], *s):]
	return binary.LittleEndian.Uint64(b[:])
}

// value returns a number that is nearly the old one, or nonsense.
func (s *script) value(old uint64) uint64 {
	switch n := s.int(); n % 8 {
	case 0:
		return 0
	case 1:
		return old + 1 + uint64(n>>3)
	case 2:
		return old - 1 - uint64(n>>3)
	case 3:
		return old ^ 1<<(s.int()%64)
	case 4:
		return 1<<(s.int()%64) - uint64(n>>7)
	case 5:
		return ^uint64(0) - uint64(n>>3)
	case 6:
		return uint64(n)
	}
	return s.uint64()
}

// A vandal writes to a manager's memory.
type vandal struct {
	t    testing.TB
	file *os.File
	body int64
	size int64 // of what is in use
}

func newVandal(t testing.TB, path string) *vandal {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	v := &vandal{t: t, file: f}
	v.body = int64(v.get(fileBody))
	v.size = bodyArena + 128<<10 + 6<<16
	return v
}

func (v *vandal) get(at int64) uint64 {
	var b [8]byte
	if _, err := v.file.ReadAt(b[:], at); err != nil {
		return 0 // behind the end
	}
	return binary.NativeEndian.Uint64(b[:])
}

func (v *vandal) set(at int64, x uint64) {
	v.t.Helper()
	info, err := v.file.Stat()
	must(v.t, err)
	if at < 0 || at+8 > info.Size() {
		return
	}
	_, err = v.file.WriteAt(binary.NativeEndian.AppendUint64(nil, x), at)
	must(v.t, err)
}

// used returns a word of the body that is in use, from a place of the script's choice on.
func (v *vandal) used(s *script, from, to int64) int64 {
	span := (to - from) / 8
	start := int64(s.uint64() >> 1 % uint64(span))
	for n := range span {
		at := v.body + from + (start+n)%span*8
		if v.get(at) != 0 {
			return at
		}
	}
	return v.body + from
}

// damage changes one thing.
func (v *vandal) damage(s *script) {
	v.t.Helper()
	var at int64
	switch s.int() % 8 {
	case 0:
		at = v.used(s, 0, bodyLocks)
	case 1: // what is done under a lock, but not the lock: that of a living process is waited for
		at = v.body + bodyLocks + int64(s.int()%128)*lockBytes + 8 + int64(s.int()%15)*8
	case 2:
		at = v.used(s, bodyArena, bodyArena+128<<10)
	case 3: // somebody has died in the middle of something
		v.corpse(s)
		return
	default:
		at = v.used(s, bodyArena+128<<10, v.size)
	}
	v.set(at, s.value(v.get(at)))
}

// corpse makes it look as if a process had died with a lock.
func (v *vandal) corpse(s *script) {
	v.t.Helper()
	slot := int64(20 + s.int()%4)
	lock := v.body + bodyLocks + int64(s.int()%128)*lockBytes
	if v.get(lock)&(1<<32-1) != 0 {
		return
	}
	v.set(lock, uint64(slot+1)|v.get(lock)&^(1<<32-1))
	v.set(lock+16, uint64(s.int()%6))
	for f := range int64(10) {
		x := s.value(v.get(lock + 24 + f*8))
		if s.int()%2 == 0 { // something that is in use
			x = uint64(v.used(s, bodyArena, v.size)-v.body) &^ 15
			if s.int()%2 == 0 {
				x /= 8
			}
		}
		v.set(lock+24+f*8, x)
	}
	v.set(fileSlots+slot*slotBytes, slotLive)
}

// A target is a manager under attack.
type target struct {
	t     testing.TB
	m     *manager.Manager
	d     *manager.Dict[string, int]
	words *manager.Dict[string, []byte]
	outer *manager.Dict[int, *manager.Dict[string, int]]
}

// hostileOps are all operations.
var hostileOps = []struct {
	name string
	do   func(g *target, key string, n int) error
}{
	{"get", func(g *target, key string, n int) error { _, _, err := g.d.Get(key); return err }},
	{"get bytes", func(g *target, key string, n int) error { _, _, err := g.words.Get(key); return err }},
	{"set", func(g *target, key string, n int) error { return g.d.Set(key, n) }},
	{"set bytes", func(g *target, key string, n int) error { return g.words.Set(key, make([]byte, n*n)) }},
	{"set with ttl", func(g *target, key string, n int) error { return g.d.Set(key, n, manager.TTL(time.Duration(n))) }},
	{"set if absent", func(g *target, key string, n int) error { _, err := g.d.SetNX(key, n); return err }},
	{"replace", func(g *target, key string, n int) error { _, err := g.d.Replace(key, n); return err }},
	{"delete", func(g *target, key string, n int) error { _, err := g.d.Delete(key); return err }},
	{"delete bytes", func(g *target, key string, n int) error { _, err := g.words.Delete(key); return err }},
	{"contains", func(g *target, key string, n int) error { _, err := g.d.Contains(key); return err }},
	{"set default", func(g *target, key string, n int) error { _, _, err := g.d.SetDefault(key, n); return err }},
	{"pop", func(g *target, key string, n int) error { _, _, err := g.d.Pop(key); return err }},
	{"pop item", func(g *target, key string, n int) error { _, _, _, err := g.words.PopItem(); return err }},
	{"update", func(g *target, key string, n int) error {
		_, err := g.d.Update(key, func(v int, _ bool) (int, error) { return v + n, nil })
		return err
	}},
	{"compare and swap", func(g *target, key string, n int) error { _, err := g.d.CompareAndSwap(key, n, n+1); return err }},
	{"add", func(g *target, key string, n int) error { _, err := manager.Add(g.d, key, n); return err }},
	{"touch", func(g *target, key string, n int) error { _, err := g.d.Touch(key, time.Duration(n)); return err }},
	{"ttl", func(g *target, key string, n int) error { _, _, err := g.d.TTL(key); return err }},
	{"view", func(g *target, key string, n int) error {
		_, err := g.words.View(key, func(b []byte) error { g.inside(b); return nil })
		return err
	}},
	{"all", func(g *target, key string, n int) error {
		for _, err := range g.d.All() {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"snapshot", func(g *target, key string, n int) error { _, err := g.words.Snapshot(); return err }},
	{"len", func(g *target, key string, n int) error { g.d.Len(); return nil }},
	{"stats", func(g *target, key string, n int) error { _, err := g.d.Stats(); return err }},
	{"clear", func(g *target, key string, n int) error { return g.words.Clear() }},
	{"tx", func(g *target, key string, n int) error {
		return g.m.Tx(bg, func(tx *manager.Tx) error {
			v, _, err := g.d.In(tx).Get(key)
			if err != nil {
				return err
			}
			_, err = g.words.In(tx).Delete(key)
			return errors.Join(err, g.d.In(tx).Set(strconv.Itoa(n), v))
		})
	}},
	{"new dict", func(g *target, key string, n int) error {
		d, err := manager.NewDict[string, int](g.m, "dict "+strconv.Itoa(n%4))
		if err != nil {
			return err
		}
		return errors.Join(d.Set(key, n), d.Close())
	}},
	{"nested", func(g *target, key string, n int) error {
		d, err := manager.NewDict[string, int](g.m, "")
		if err != nil {
			return err
		}
		return errors.Join(d.Set(key, n), g.outer.Set(n%4, d), d.Close())
	}},
	{"get nested", func(g *target, key string, n int) error {
		d, ok, err := g.outer.Get(n % 4)
		if err != nil || !ok {
			return err
		}
		return errors.Join(d.Set(key, n), d.Close())
	}},
	{"remove", func(g *target, key string, n int) error { return g.m.Remove("dict " + strconv.Itoa(n%4)) }},
	{"names", func(g *target, key string, n int) error { _, err := g.m.Names(); return err }},
	{"collect", func(g *target, key string, n int) error { _, err := g.m.Collect(); return err }},
	{"fsck", func(g *target, key string, n int) error { _, err := g.m.Fsck(); return err }},
	{"recover", func(g *target, key string, n int) error { g.m.Segment().RecoverDead(); return nil }},
}

// inside checks that what was handed out lies in the segment.
func (g *target) inside(b []byte) {
	if len(b) == 0 {
		return
	}
	body := g.m.Segment().Body()
	from := reflect.ValueOf(b).Pointer() - reflect.ValueOf(body).Pointer()
	if from > uintptr(len(body)) || uintptr(cap(b)) > uintptr(len(body))-from {
		g.t.Fatalf("%d bytes (capacity %d) at %d of a body of %d", len(b), cap(b), from, len(body))
	}
	sum := byte(0)
	for _, x := range b {
		sum += x
	}
	_ = sum
}

// longestOp is how long an operation may take: far more than it does, far less than one
// that walks in circles.
const longestOp = 20 * time.Second

func (g *target) do(s *script) {
	g.t.Helper()
	op := hostileOps[s.int()%len(hostileOps)]
	key, n := strconv.Itoa(s.int()%64), s.int()
	late := time.AfterFunc(longestOp, func() { panic(fmt.Sprintf("%s(%q, %d) does not end", op.name, key, n)) })
	err := op.do(g, key, n)
	late.Stop()
	var e *manager.Error
	if err != nil && !errors.As(err, &e) {
		g.t.Errorf("%s(%q, %d): error %v (%T)", op.name, key, n, err, err)
	}
}

func newTarget(t testing.TB, o *manager.Options) *target {
	g := &target{t: t, m: open(t, o)}
	g.d = newDict[string, int](t, g.m, "d")
	g.words = newDict[string, []byte](t, g.m, "words")
	g.outer = newDict[int, *manager.Dict[string, int]](t, g.m, "outer")
	for i := range 200 {
		must(t, g.d.Set(strconv.Itoa(i), i))
		if i%4 == 0 {
			must(t, g.words.Set(strconv.Itoa(i), make([]byte, i*i)))
		}
	}
	return g
}

// attackWords carries out a script: each step is an operation or a damage.
func attackWords(t testing.TB, b []byte) {
	s := script(b)
	g := newTarget(t, &manager.Options{Dir: tempDir(t), MaxBytes: 4 << 20, Evict: s.int()%2 == 0})
	v := newVandal(t, g.m.Segment().Path())
	const most = 200
	for step := 0; len(s) > 0 && step < most; step++ {
		if s.int()%3 == 0 {
			v.damage(&s)
		} else {
			g.do(&s)
		}
	}
	g.close()
}

// close closes the manager, which stops its housekeeping.
func (g *target) close() {
	late := time.AfterFunc(longestOp, func() { panic("closing does not end") })
	g.m.Close()
	late.Stop()
}

// scripts are some to begin with.
func scripts(n int, seed uint64) (list [][]byte) {
	rng := rand.New(rand.NewPCG(seed, 7))
	for range n {
		b := make([]byte, 40+rng.IntN(1500))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		list = append(list, b)
	}
	return list
}

// FuzzManagerWords damages the memory of a manager between the operations on it.
func FuzzManagerWords(f *testing.F) {
	for _, b := range scripts(16, 1) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { attackWords(t, b) })
}

// TestHostileWords is FuzzManagerWords with scripts of a generator's choice.
func TestHostileWords(t *testing.T) {
	n := 60
	if testing.Short() {
		n = 30
	}
	for i, b := range scripts(n, 2) {
		if !t.Run(strconv.Itoa(i), func(t *testing.T) { attackWords(t, b) }) {
			t.Fatalf("script %q", b)
		}
	}
}

// FuzzManagerFile damages a manager's file before it is opened. Opening, and all
// operations after it, give errors or work.
func FuzzManagerFile(f *testing.F) {
	for _, b := range scripts(16, 3) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { attackFile(t, b) })
}

func attackFile(t testing.TB, b []byte) {
	s := script(b)
	o := &manager.Options{Dir: tempDir(t), MaxBytes: 4 << 20, Persistent: true}
	g := newTarget(t, o)
	v := newVandal(t, g.m.Segment().Path())
	must(t, g.m.Close())
	for range 1 + s.int()%8 {
		v.damage(&s)
	}
	const most = 50
	n := 0
	for _, how := range []func(string, *manager.Options) (*manager.Manager, error){manager.Open, manager.OpenExisting} {
		late := time.AfterFunc(longestOp, func() { panic("opening does not end") })
		m, err := how("m", o)
		late.Stop()
		var e *manager.Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Errorf("error %v (%T)", err, err)
			}
			continue
		}
		g := &target{t: t, m: m}
		g.d, err = manager.NewDict[string, int](m, "d")
		words, err2 := manager.NewDict[string, []byte](m, "words")
		outer, err3 := manager.NewDict[int, *manager.Dict[string, int]](m, "outer")
		g.words, g.outer = words, outer
		for err := errors.Join(err, err2, err3); err == nil && len(s) > 0 && n < most; n++ {
			g.do(&s)
		}
		g.close()
	}
}

// TestHostileFile is FuzzManagerFile with scripts of a generator's choice.
func TestHostileFile(t *testing.T) {
	n := 150
	if testing.Short() {
		n = 30
	}
	for i, b := range scripts(n, 4) {
		if !t.Run(strconv.Itoa(i), func(t *testing.T) { attackFile(t, b) }) {
			t.Fatalf("script %q", b)
		}
	}
}
