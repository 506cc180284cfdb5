package manager_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/ringqueue"
)

// objectRows are those of lists, values, arrays and what else is not a dict or a lock.
var objectRows = []row{
	{"M01_list", rowList},
	{"M02_list_methods", rowListMethods},
	{"M03_list_iter", rowListIter},
	{"M04_list_in_list", rowListInList},
	{"M08_nested_queue", rowNestedQueue},
	{"M09_namespace", rowNamespace},
	{"M10_registered_type", rowRegistered},
	{"M14_queue_value_array_namespace", rowEffects},
	{"M15_list_of_another_process", rowListEffect},
	{"M17_set", rowSet},
	{"V01_value", rowValue},
	{"V02_lock_of_a_value", rowValueLock},
	{"V04_array", rowArray},
	{"V05_array_zeroed", rowArrayZeroed},
	{"V07_structs_and_arrays", rowStructs},
	{"V08_copy", rowCopy},
	{"V09_heap", rowHeap},
	{"V10_free_from_gc", rowFreeFromGC},
	{"X22_exact_bytes", rowExactBytes},
}

type shape struct {
	X, Y float64
	Name [8]byte
	On   bool
}

var objectOthers = map[string]func(m *manager.Manager) error{
	"effects": func(m *manager.Manager) error {
		q, err := manager.NewQueue[string](m, "q", nil)
		if err != nil {
			return err
		}
		s, err := q.Get(bg)
		if err != nil {
			return err
		}
		v, err := manager.NewValue(m, "v", 0)
		if err != nil {
			return err
		}
		a, err := manager.NewArray[float64](m, "a", 0)
		if err != nil {
			return err
		}
		n, err := manager.NewNamespace(m, "n")
		if err != nil {
			return err
		}
		_, sumErr := v.Add(5)
		return errors.Join(sumErr, a.Set(2, 2.5), manager.SetAttr(n, "theirs", s), q.Put(bg, s+" back"), q.TaskDone())
	},
	"list": func(m *manager.Manager) error {
		l, err := manager.NewList[int](m, "l")
		if err != nil {
			return err
		}
		want := func(what string, got, want any, err error) {
			if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
				err = fmt.Errorf("%s: %v, want %v", what, got, want)
			}
			if err != nil {
				panic(err)
			}
		}
		n, err := l.Count(2)
		want("count", n, 1, err)
		n, err = l.Index(3)
		want("index", n, 2, err)
		all := must1(l.Snapshot())
		for range 3 { // *= 4
			want("extend", nil, nil, l.Append(all...))
		}
		want("len", l.Len(), 16, nil)
		want("sort", nil, nil, l.Sort(func(a, b int) int { return cmp.Compare(b, a) }))
		v, err := l.Pop(0)
		want("pop", v, 4, err)
		want("reverse", nil, nil, l.Reverse())
		v, err = l.Get(0)
		want("get", v, 1, err)
		return l.Clear()
	},
	"values": func(m *manager.Manager) error {
		a, err := manager.NewValue(m, "int32", int32(0))
		b, err2 := manager.NewValue(m, "float64", 0.0)
		c, err3 := manager.NewValue(m, "int16", int16(0))
		d, err4 := manager.NewValue(m, "int64", int64(0))
		e, err5 := manager.NewValue(m, "byte", byte(0))
		if err := errors.Join(err, err2, err3, err4, err5); err != nil {
			return err
		}
		return errors.Join(a.Store(-7), b.Store(2.25), c.Store(-300), d.Store(1<<60), e.Store('z'))
	},
	"sums": func(m *manager.Manager) error {
		a, err := manager.NewArray[int](m, "a", 0)
		for i := 1; err == nil && i < a.Len(); i++ {
			var before int
			if before, err = a.Get(i - 1); err == nil {
				_, err = a.Add(i, before)
			}
		}
		return err
	},
	"double": func(m *manager.Manager) error {
		v, err := manager.NewValue(m, "shape", shape{})
		if err != nil {
			return err
		}
		a, err := manager.NewArray[[2]float64](m, "pairs", 0)
		if err != nil {
			return err
		}
		_, err = v.Update(func(s shape) (shape, error) {
			s.X, s.Y, s.On = 2*s.X, 2*s.Y, !s.On
			copy(s.Name[:], bytes.ToUpper(s.Name[:]))
			return s, nil
		})
		for i := range a.Len() {
			_, e := a.Update(i, func(p [2]float64) ([2]float64, error) { return [2]float64{2 * p[0], 2 * p[1]}, nil })
			err = errors.Join(err, e)
		}
		return err
	},
	"turns": func(m *manager.Manager) error {
		o, err := manager.NewObject[tally](m, "tally")
		for range 100 {
			if err == nil {
				err = o.With(bg, (*tally).turn)
			}
		}
		return err
	},
	"locked sums": func(m *manager.Manager) error {
		v, err := manager.NewValue(m, "v", 0)
		if err != nil {
			return err
		}
		l, err := v.Mutex()
		for i := 0; i < 200 && err == nil; i++ {
			err = l.With(bg, func(error) error {
				n, err := v.Load()
				return errors.Join(err, v.Store(n+1))
			})
		}
		return err
	},
	"set": func(m *manager.Manager) error {
		s, err := manager.NewSet[string](m, "s")
		if err != nil {
			return err
		}
		_, err = s.Add("theirs")
		_, removed := s.Remove("mine")
		return errors.Join(err, removed)
	},
}

// rowList: slices, extension and lists of lists.
func rowList(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	a := newList[int](t, m, "a")
	must(t, a.Append(0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
	b := newList[int](t, m, "b")
	must(t, b.Append(must1(a.Slice(2, 5))...))
	wantList(t, b, 2, 3, 4)
	must(t, b.Append(0, 1))
	must(t, b.Append(must1(b.Snapshot())...)) // *= 2
	wantList(t, b, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1)
	if plus := append(must1(b.Slice(0, 2)), 7); !slices.Equal(plus, []int{2, 3, 7}) { // a plain one
		t.Error(plus)
	}
	wantList(t, a, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	outer := newList[*manager.List[int]](t, m, "outer")
	must(t, outer.Append(a, b))
	must(t, a.Append(10))
	in, err := outer.Get(0)
	must(t, err)
	if v, err := in.Get(-1); v != 10 || err != nil {
		t.Error(v, err)
	}
	if v, err := in.Pop(-1); v != 10 || err != nil {
		t.Error(v, err)
	}
	wantList(t, a, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
}

// rowListMethods goes through all methods of Python's list.
func rowListMethods(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	l := newList[string](t, m, "l")
	must(t, l.Append("a"))
	must(t, l.Extend(slices.Values([]string{"b", "c", "b"})))
	if ok, err := l.Contains("b"); !ok || err != nil {
		t.Error("contains", ok, err)
	}
	if n, err := l.Count("b"); n != 2 || err != nil {
		t.Error("count", n, err)
	}
	if n, err := l.Index("c"); n != 2 || err != nil {
		t.Error("index", n, err)
	}
	must(t, l.Insert(1, "x"))
	must(t, l.Delete(0))
	must(t, l.Set(0, "y"))
	if ok, err := l.Remove("b"); !ok || err != nil {
		t.Error("remove", ok, err)
	}
	wantList(t, l, "y", "c", "b")
	must(t, l.Reverse())
	if s, err := l.Pop(-1); s != "y" || err != nil {
		t.Error("pop", s, err)
	}
	if l.Len() != 2 {
		t.Error("len", l.Len())
	}
	must(t, l.Clear())
	wantList(t, l)
}

// rowListIter changes a list while it is iterated over.
func rowListIter(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	l := newList[int](t, m, "l")
	must(t, l.Append(make([]int, 200)...))
	seen := 0
	for v, err := range l.All() {
		must(t, err)
		if seen == 0 {
			must(t, l.Set(199, 7))
		}
		if seen == 199 && v != 7 {
			t.Error(v)
		}
		seen++
	}
	if seen != 200 {
		t.Error(seen)
	}
}

// rowListInList has three lists in one, and one in itself, which is collected all the same.
func rowListInList(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	outer := newList[*manager.List[int]](t, m, "outer")
	for range 3 {
		must(t, outer.Append(newList[int](t, m, "")))
	}
	for i := range 3 {
		in, err := outer.Get(i)
		must(t, err)
		must(t, in.Append(i))
	}
	first, err := outer.Get(0)
	must(t, err)
	if v, err := first.Pop(-1); v != 0 || err != nil {
		t.Error(v, err)
	}
	for i, want := range []int{0, 1, 1} {
		in, err := outer.Get(i)
		must(t, err)
		if in.Len() != want {
			t.Error(i, in.Len())
		}
	}
	self := newList[*manager.Ref](t, m, "")
	must(t, self.Append(self.Ref()))
	r, err := self.Get(0)
	must(t, err)
	again, err := manager.ListOf[*manager.Ref](r)
	must(t, err)
	if again.Len() != 1 {
		t.Error(again.Len())
	}
}

// rowNestedQueue has a queue in a list and in a dict.
func rowNestedQueue(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	l := newList[*manager.Queue[int]](t, m, "l")
	d := newDict[string, *manager.Queue[int]](t, m, "d")
	q, err := manager.NewQueue[int](m, "", &ringqueue.Options{Capacity: 4096})
	must(t, err)
	must(t, l.Append(q))
	must(t, d.Set("q", q))
	p, err := l.Get(0)
	must(t, err)
	must(t, p.Put(bg, 5))
	r, _, err := d.Get("q")
	must(t, err)
	if v, err := r.Get(bg); v != 5 || err != nil {
		t.Error(v, err)
	}
	// So does a queue in a file of its own.
	own, err := ringqueue.New[int](nil)
	must(t, err)
	defer own.Close()
	e := newDict[string, *ringqueue.Queue[int]](t, m, "own")
	must(t, e.Set("q", own))
	s, _, err := e.Get("q")
	must(t, err)
	defer s.Close()
	must(t, s.Put(bg, 6))
	if v, err := own.Get(bg); v != 6 || err != nil {
		t.Error(v, err)
	}
}

// rowNamespace: attributes of any type; those that begin with "_" are not shown. Unlike Python's they are
// shared.
func rowNamespace(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	n, err := manager.NewNamespace(m, "n")
	must(t, err)
	must(t, manager.SetAttr(n, "name", "Bob"))
	must(t, manager.SetAttr(n, "job", "Builder"))
	must(t, manager.SetAttr(n, "_hidden", "hidden"))
	if s, err := manager.Attr[string](n, "name"); s != "Bob" || err != nil {
		t.Error(s, err)
	}
	if ok, err := n.Delete("job"); !ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := manager.Attr[string](n, "job"); !errors.Is(err, manager.ErrNotFound) {
		t.Error(err)
	}
	if s := n.String(); s != `namespace "n": name` {
		t.Error(s)
	}
}

// A tally is a user's own type, with methods.
type tally struct{ Turns, Sum int64 }

var errTally = errors.New("too many turns")

func (t *tally) turn() error {
	t.Turns++
	t.Sum += t.Turns
	return nil
}

func (t *tally) refuse() error {
	t.Turns = -1
	return errTally
}

// rowRegistered calls a user's methods on one object from two processes. An error comes back, and nothing
// is changed then.
func rowRegistered(t *testing.T, m *manager.Manager, other func(string) func() error) {
	o, err := manager.NewObject[tally](m, "tally")
	must(t, err)
	wait := other("turns")
	for range 100 {
		must(t, o.With(bg, (*tally).turn))
	}
	if err := o.With(bg, (*tally).refuse); !errors.Is(err, errTally) {
		t.Error(err)
	}
	must(t, wait())
	if v, err := o.Load(); v != (tally{200, 200 * 201 / 2}) || err != nil {
		t.Error(v, err)
	}
}

// rowEffects: what one process does with an object the other sees.
func rowEffects(t *testing.T, m *manager.Manager, other func(string) func() error) {
	q, err := manager.NewQueue[string](m, "q", &ringqueue.Options{MaxItems: 2})
	must(t, err)
	v, err := manager.NewValue(m, "v", 37)
	must(t, err)
	a, err := manager.NewArray(m, "a", 3, 0.5, 1.5)
	must(t, err)
	n, err := manager.NewNamespace(m, "n")
	must(t, err)
	must(t, manager.SetAttr(n, "mine", 10))
	must(t, q.Put(bg, "forth"))
	must(t, other("effects")())
	if q.Len() != 1 || q.MaxItems() != 2 {
		t.Error(q.Len(), q.MaxItems())
	}
	if s, err := q.Get(bg); s != "forth back" || err != nil {
		t.Error(s, err)
	}
	must(t, q.TaskDone())
	must(t, q.Join(bg))
	if !q.Empty() {
		t.Error("not empty")
	}
	if x, err := v.Load(); x != 42 || err != nil {
		t.Error(x, err)
	}
	if s, err := a.Slice(0, 3); !slices.Equal(s, []float64{0.5, 1.5, 2.5}) || err != nil {
		t.Error(s, err)
	}
	if s, err := manager.Attr[string](n, "theirs"); s != "forth" || err != nil {
		t.Error(s, err)
	}
}

// rowListEffect has another process do all of it with a list.
func rowListEffect(t *testing.T, m *manager.Manager, other func(string) func() error) {
	l := newList[int](t, m, "l")
	must(t, l.Append(1, 2, 3, 4))
	must(t, other("list")())
	if l.Len() != 0 {
		t.Error(l.Len())
	}
}

// rowSet: the methods of Python's set, and its operators by way of a plain copy.
func rowSet(t *testing.T, m *manager.Manager, other func(string) func() error) {
	s, err := manager.NewSet[string](m, "s")
	must(t, err)
	must(t, s.AddAll(slices.Values([]string{"mine", "a", "b"})))
	must(t, other("set")())
	if ok, err := s.Equal(map[string]struct{}{"a": {}, "b": {}, "theirs": {}}); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := s.Contains("theirs"); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := s.Remove("absent"); ok || err != nil {
		t.Error(ok, err)
	}
	plain, err := s.Snapshot()
	must(t, err)
	must(t, s.Retain(func(v string) bool { return v == "a" })) // &=
	if len(plain) != 3 || s.Len() != 1 {
		t.Error(plain, s.Len())
	}
	if v, ok, err := s.Pop(); v != "a" || !ok || err != nil {
		t.Error(v, ok, err)
	}
	if _, ok, err := s.Pop(); ok || err != nil {
		t.Error(ok, err)
	}
}

// rowValue: what another process stores is seen here, for each type.
func rowValue(t *testing.T, m *manager.Manager, other func(string) func() error) {
	a, err := manager.NewValue(m, "int32", int32(7))
	must(t, err)
	b, err := manager.NewValue(m, "float64", 1.25)
	must(t, err)
	c, err := manager.NewValue(m, "int16", int16(-232))
	must(t, err)
	d, err := manager.NewValue(m, "int64", int64(1<<34))
	must(t, err)
	e, err := manager.NewValue(m, "byte", byte('c'))
	must(t, err)
	if must1(a.Load()) != 7 || must1(b.Load()) != 1.25 || must1(c.Load()) != -232 || must1(d.Load()) != 1<<34 || must1(e.Load()) != 'c' {
		t.Error("not what they were created with")
	}
	must(t, other("values")())
	if must1(a.Load()) != -7 || must1(b.Load()) != 2.25 || must1(c.Load()) != -300 || must1(d.Load()) != 1<<60 || must1(e.Load()) != 'z' {
		t.Error("not what the other process has stored")
	}
}

// rowValueLock: each value has a lock, for who wants it.
func rowValueLock(t *testing.T, m *manager.Manager, other func(string) func() error) {
	v, err := manager.NewValue(m, "v", 0)
	must(t, err)
	waits := []func() error{other("locked sums"), other("locked sums")}
	for _, wait := range waits {
		must(t, wait())
	}
	if n, err := v.Load(); n != 400 || err != nil {
		t.Error(n, err)
	}
}

// rowArray: length, elements, slices, and sums that another process has made.
func rowArray(t *testing.T, m *manager.Manager, other func(string) func() error) {
	seq := []int{680, 626, 934, 821, 150, 233, 548, 982, 714, 831}
	a, err := manager.NewArray(m, "a", len(seq), seq...)
	must(t, err)
	if a.Len() != len(seq) || must1(a.Get(3)) != 821 || !slices.Equal(must1(a.Slice(2, 7)), seq[2:7]) {
		t.Error(a)
	}
	must(t, a.SetSlice(4, []int{1, 2, 3}))
	copy(seq[4:], []int{1, 2, 3})
	must(t, other("sums")())
	for i := 1; i < len(seq); i++ {
		seq[i] += seq[i-1]
	}
	if got := must1(a.Slice(0, a.Len())); !slices.Equal(got, seq) {
		t.Error(got, seq)
	}
}

// rowArrayZeroed: memory that was another array's before is zero.
func rowArrayZeroed(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	for range 3 {
		a, err := manager.NewArray[int64](m, "", 1000)
		must(t, err)
		for i, v := range a.All() {
			if v != 0 {
				t.Fatal(i, v)
			}
			must(t, a.Set(i, -1))
		}
		must(t, a.Close())
		remain(t, m, 0)
	}
}

// rowStructs has another process change structs and arrays in place.
func rowStructs(t *testing.T, m *manager.Manager, other func(string) func() error) {
	v, err := manager.NewValue(m, "shape", shape{X: 1, Y: 2.5, Name: [8]byte{'h', 'i'}})
	must(t, err)
	a, err := manager.NewArray[[2]float64](m, "pairs", 3, [2]float64{1, 2}, [2]float64{3, 4})
	must(t, err)
	must(t, other("double")())
	if got := must1(v.Load()); got != (shape{X: 2, Y: 5, Name: [8]byte{'H', 'I'}, On: true}) {
		t.Error(got)
	}
	if got := must1(a.Slice(0, 3)); !slices.Equal(got, [][2]float64{{2, 4}, {6, 8}, {}}) {
		t.Error(got)
	}
}

// rowCopy: what was loaded is a copy.
func rowCopy(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	v, err := manager.NewValue(m, "shape", shape{X: 1})
	must(t, err)
	got := must1(v.Load())
	got.X = 5
	if again := must1(v.Load()); again.X != 1 {
		t.Error(again)
	}
}

// rowHeap makes and removes objects of random sizes: the blocks are each one of free and live all the
// time, and at the end all are free.
func rowHeap(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	r := rand.New(rand.NewPCG(1, 2))
	var held []*manager.Array[byte]
	for i := range 1000 {
		if len(held) > 50 || len(held) > 0 && r.IntN(3) == 0 {
			k := r.IntN(len(held))
			must(t, held[k].Close())
			held = slices.Delete(held, k, k+1)
			continue
		}
		a, err := manager.NewArray[byte](m, "", 1+int(r.ExpFloat64()*5000))
		must(t, err)
		held = append(held, a)
		if i%250 == 0 {
			clean(t, m)
		}
	}
	for _, a := range held {
		must(t, a.Close())
	}
	remain(t, m, 0)
}

// rowFreeFromGC has the garbage collector give up handles while others are made.
func rowFreeFromGC(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	for i := range 1000 {
		a, err := manager.NewArray[byte](m, "", 1+i)
		must(t, err)
		must(t, a.Set(i, 1))
	}
	close(stop)
	wg.Wait()
}

// rowExactBytes: zeros at the end are not lost.
func rowExactBytes(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	l := newList[[]byte](t, m, "l")
	must(t, l.Append([]byte("ab\x00\x00"), []byte{}, []byte{0}))
	for i, want := range []string{"ab\x00\x00", "", "\x00"} {
		if b, err := l.Get(i); string(b) != want || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	v, err := manager.NewValue(m, "v", [4]byte{'a', 'b'})
	must(t, err)
	if b := must1(v.Load()); b != [4]byte{'a', 'b', 0, 0} {
		t.Error(b)
	}
}
