package manager_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/manager"
)

func newList[T any](t testing.TB, m *manager.Manager, name string) *manager.List[T] {
	t.Helper()
	l, err := manager.NewList[T](m, name)
	must(t, err)
	return l
}

func wantList[T comparable](t testing.TB, l *manager.List[T], want ...T) {
	t.Helper()
	got, err := l.Snapshot()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if n := l.Len(); n != len(want) {
		t.Errorf("%d elements, want %d", n, len(want))
	}
}

func TestListMethods(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	a, b := newList[string](t, m, "l"), newList[string](t, n, "l")
	wantList(t, a)
	if _, err := a.Get(0); !errors.Is(err, manager.ErrIndex) {
		t.Error(err)
	}
	if _, ok, err := a.PopLast(); ok || err != nil {
		t.Error(ok, err)
	}
	must(t, a.Append("b", "c"))
	must(t, b.Prepend("a"))
	must(t, a.Extend(slices.Values([]string{"d", "e"})))
	wantList(t, b, "a", "b", "c", "d", "e")
	must(t, b.Insert(2, "x"))
	must(t, b.Insert(-100, "first"))
	must(t, b.Insert(100, "last"))
	must(t, b.Insert(-1, "before"))
	wantList(t, a, "first", "a", "b", "x", "c", "d", "e", "before", "last")
	must(t, a.Delete(3))
	must(t, a.DeleteSlice(-2, 1000))
	must(t, a.Set(0, "f"))
	must(t, a.Set(-1, "z"))
	wantList(t, b, "f", "a", "b", "c", "d", "z")
	if err := a.Set(6, ""); !errors.Is(err, manager.ErrIndex) {
		t.Error(err)
	}
	if s, err := b.Get(-2); s != "d" || err != nil {
		t.Error(s, err)
	}
	if s, err := b.Pop(1); s != "a" || err != nil {
		t.Error(s, err)
	}
	if s, ok, err := b.PopFirst(); s != "f" || !ok || err != nil {
		t.Error(s, err)
	}
	if s, ok, err := b.PopLast(); s != "z" || !ok || err != nil {
		t.Error(s, err)
	}
	wantList(t, a, "b", "c", "d")
	if s, err := a.Update(1, func(s string) (string, error) { return s + s, nil }); s != "cc" || err != nil {
		t.Error(s, err)
	}
	must(t, a.SetSlice(1, 1, "cc", "y"))
	wantList(t, b, "b", "cc", "y", "cc", "d")
	if i, err := b.Index("cc"); i != 1 || err != nil {
		t.Error(i, err)
	}
	if i, err := b.Index("nobody"); i != -1 || err != nil {
		t.Error(i, err)
	}
	if n, err := b.Count("cc"); n != 2 || err != nil {
		t.Error(n, err)
	}
	if ok, err := b.Contains("y"); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := b.Remove("cc"); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := b.Remove("nobody"); ok || err != nil {
		t.Error(ok, err)
	}
	must(t, b.Reverse())
	wantList(t, a, "d", "cc", "y", "b")
	must(t, manager.SortList(b))
	wantList(t, a, "b", "cc", "d", "y")
	if s, err := a.Slice(1, -1); err != nil || !slices.Equal(s, []string{"cc", "d"}) {
		t.Error(s, err)
	}
	var seen []string
	for s, err := range a.All() {
		must(t, err)
		seen = append(seen, s)
	}
	if !slices.Equal(seen, []string{"b", "cc", "d", "y"}) {
		t.Error(seen)
	}
	must(t, a.Clear())
	wantList(t, b)
	must(t, b.Append("again"))
	wantList(t, a, "again")
	if _, err := manager.NewList[int](m, "l"); !errors.Is(err, manager.ErrType) {
		t.Error(err)
	}
	if _, err := manager.NewDict[string, string](m, "l"); !errors.Is(err, manager.ErrKind) {
		t.Error(err)
	}
	clean(t, m)
}

// TestListLong has lists of many chunks, of elements of one size, of many, and of large ones.
func TestListLong(t *testing.T) {
	m := open(t, &manager.Options{Dir: tempDir(t)})
	numbers, texts := newList[int](t, m, "numbers"), newList[string](t, m, "texts")
	var want []int
	var wantTexts []string
	for i := range 3000 {
		must(t, numbers.Append(i))
		want = append(want, i)
		s := strings.Repeat("x", i%50*i%50) + fmt.Sprint(i)
		if i%100 == 0 {
			s += strings.Repeat("y", 20000)
		}
		must(t, texts.Append(s))
		wantTexts = append(wantTexts, s)
	}
	wantList(t, numbers, want...)
	wantList(t, texts, wantTexts...)
	for i := 0; i < 3000; i += 7 {
		if v, err := numbers.Get(i); v != i || err != nil {
			t.Fatal(i, v, err)
		}
		if s, err := texts.Get(-1 - i); s != wantTexts[2999-i] || err != nil {
			t.Fatal(i, err)
		}
	}
	must(t, texts.Sort(cmp.Compare[string]))
	slices.Sort(wantTexts)
	wantList(t, texts, wantTexts...)
	for range 3000 {
		i := rand.IntN(len(want))
		v, err := numbers.Pop(i)
		if v != want[i] || err != nil {
			t.Fatal(v, want[i], err)
		}
		want = slices.Delete(want, i, i+1)
		if len(want)%500 == 0 {
			wantList(t, numbers, want...)
			clean(t, m)
		}
	}
	wantList(t, numbers)
}

// TestListModel does random operations with a list and a slice.
func TestListModel(t *testing.T) {
	m := open(t, &manager.Options{Dir: tempDir(t)})
	rapid.Check(t, func(t *rapid.T) {
		l := must1(manager.NewList[string](m, ""))
		var want []string
		text := rapid.StringN(0, 8, 600)
		place := rapid.IntRange(-10, 700)
		run := rapid.Custom(func(t *rapid.T) []string {
			vs := make([]string, rapid.SampledFrom([]int{0, 1, 1, 2, 5, 130, 300}).Draw(t, "n"))
			for i := range vs {
				vs[i] = fmt.Sprint(text.Draw(t, "text"), i)
			}
			return vs
		})
		bound := func(i int) int {
			if i < 0 {
				i += len(want)
			}
			return min(max(i, 0), len(want))
		}
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(t *rapid.T){
			"append": func(t *rapid.T) {
				vs := run.Draw(t, "vs")
				check(l.Append(vs...))
				want = append(want, vs...)
			},
			"prepend": func(t *rapid.T) {
				vs := run.Draw(t, "vs")
				check(l.Prepend(vs...))
				want = slices.Concat(vs, want)
			},
			"insert": func(t *rapid.T) {
				i, vs := place.Draw(t, "i"), run.Draw(t, "vs")
				check(l.Insert(i, vs...))
				want = slices.Insert(want, bound(i), vs...)
			},
			"set slice": func(t *rapid.T) {
				i, j, vs := place.Draw(t, "i"), place.Draw(t, "j"), run.Draw(t, "vs")
				check(l.SetSlice(i, j, vs...))
				want = slices.Replace(want, bound(i), max(bound(i), bound(j)), vs...)
			},
			"set": func(t *rapid.T) {
				i, v := place.Draw(t, "i"), text.Draw(t, "v")
				k := i
				if k < 0 {
					k += len(want)
				}
				err := l.Set(i, v)
				if k < 0 || k >= len(want) {
					if !errors.Is(err, manager.ErrIndex) {
						t.Fatal(err)
					}
					return
				}
				check(err)
				want[k] = v
			},
			"pop": func(t *rapid.T) {
				if len(want) == 0 {
					t.Skip()
				}
				k := rapid.IntRange(0, len(want)-1).Draw(t, "k")
				v, err := l.Pop(k)
				check(err)
				if v != want[k] {
					t.Fatalf("%q, want %q", v, want[k])
				}
				want = slices.Delete(want, k, k+1)
			},
			"reverse": func(t *rapid.T) {
				check(l.Reverse())
				slices.Reverse(want)
			},
			"remove": func(t *rapid.T) {
				if len(want) == 0 {
					t.Skip()
				}
				v := rapid.SampledFrom(want).Draw(t, "v")
				ok, err := l.Remove(v)
				check(err)
				if !ok {
					t.Fatal("not found")
				}
				i := slices.Index(want, v)
				want = slices.Delete(want, i, i+1)
			},
			"": func(t *rapid.T) {
				got, err := l.Snapshot()
				check(err)
				if !slices.Equal(got, want) || l.Len() != len(want) {
					t.Fatalf("%d elements %.100q, want %d %.100q", l.Len(), got, len(want), want)
				}
				if len(want) > 0 {
					k := rapid.IntRange(0, len(want)-1).Draw(t, "k")
					if v, err := l.Get(k); v != want[k] || err != nil {
						t.Fatalf("%d: %q, %v, want %q", k, v, err, want[k])
					}
				}
			},
		})
		check(l.Close())
	})
	clean(t, m)
}

// TestListCrowd has several goroutines with two handles add and take at both ends: each element is
// taken once.
func TestListCrowd(t *testing.T) {
	dir := tempDir(t)
	handles := []*manager.Manager{open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})}
	const each, crowd = 1000, 4
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := make(map[int]int)
	ctx, cancel := context.WithTimeout(bg, 60*time.Second)
	defer cancel()
	for i := range crowd {
		l := newList[int](t, handles[i%2], "l")
		wg.Go(func() {
			for k := range each {
				var err error
				if k%2 == 0 {
					err = l.Append(i*each + k)
				} else {
					err = l.Prepend(i*each + k)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		r := newList[int](t, handles[(i+1)%2], "l")
		wg.Go(func() {
			for k := range each {
				var v int
				var err error
				if k%2 == 0 {
					v, err = r.PopWait(ctx)
				} else {
					v, err = r.PopFirstWait(ctx)
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				taken[v]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(taken) != crowd*each {
		t.Errorf("%d of %d", len(taken), crowd*each)
	}
	l := newList[int](t, handles[0], "l")
	wantList(t, l)
	short, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if _, err := l.PopWait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	done := make(chan error, 1)
	go func() { _, err := l.PopWait(bg); done <- err }()
	must(t, handles[0].Close())
	if err := <-done; !errors.Is(err, manager.ErrClosed) {
		t.Error(err)
	}
	clean(t, handles[1])
}

// TestListOneMoment reads a list while others move an element from the end to the beginning, and reverse
// it: the sum and the number of elements always are the same.
func TestListOneMoment(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	a, b := newList[int](t, m, "l"), newList[int](t, n, "l")
	const size = 1000
	for i := range size {
		must(t, a.Append(i))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			var err error
			if i%2 == 0 {
				err = b.Reverse()
			} else {
				err = b.SetSlice(i%size, i%size+1, i%size) // nothing at all, or a change of the sum
				if err == nil {
					err = manager.SortList(b)
				}
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 300 {
		s, err := a.Snapshot()
		must(t, err)
		if len(s) != size || a.Len() != size {
			t.Fatal(len(s))
		}
		if _, err := a.Get(rand.IntN(size)); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

// TestListNested has lists of dicts and of lists, which live as long as something leads to them.
func TestListNested(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	outer, theirs := newList[*manager.List[int]](t, m, "outer"), newList[*manager.List[int]](t, n, "outer")
	const size = 300 // more than a chunk
	for i := range size {
		in := newList[int](t, m, "")
		must(t, in.Append(i))
		must(t, outer.Append(in))
		must(t, in.Close())
	}
	for range 3 {
		runtime.GC()
		_, err := n.Collect()
		must(t, err)
	}
	must(t, theirs.Reverse())
	for i, in := range must1(theirs.Snapshot()) {
		if v, err := in.Get(0); v != size-1-i || err != nil {
			t.Fatal(i, v, err)
		}
		must(t, in.Close())
	}
	in, err := outer.Pop(size / 2)
	must(t, err)
	wantList(t, in, size-1-size/2)
	must(t, outer.Clear())
	wantList(t, in, size-1-size/2)
	remain(t, m, 2)
	runtime.KeepAlive(in)
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func BenchmarkList(b *testing.B) {
	m := open(b, &manager.Options{Dir: tempDir(b)})
	for _, n := range []int{100, 100_000} {
		l := newList[int](b, m, fmt.Sprint(n))
		must(b, l.Append(make([]int, n)...))
		b.Run(fmt.Sprintf("append and pop/%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := l.Append(1); err != nil {
					b.Fatal(err)
				}
				if _, _, err := l.PopFirst(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("get/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := l.Get(n / 2); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("insert and delete in the middle/%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := l.Insert(n/2, 1); err != nil {
					b.Fatal(err)
				}
				if err := l.Delete(n / 2); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestListMoves has elements that refer to objects move from chunk to chunk while another process
// collects what nothing refers to: that is none of them.
func TestListMoves(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	outer := newList[*manager.List[int]](t, m, "outer")
	const size = 2000
	var ins []*manager.List[int]
	for range size {
		ins = append(ins, newList[int](t, m, ""))
	}
	must(t, outer.Append(ins...))
	for _, in := range ins {
		must(t, in.Close())
	}
	ins = nil
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			d, err := manager.NewDict[int, int](n, "") // so that there is something to collect
			if err == nil {
				err = d.Close()
			}
			if err == nil {
				_, err = n.Collect()
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 300 { // the elements come from one end to the other, through all chunks
		vs, err := outer.Slice(0, 7)
		must(t, err)
		must(t, outer.DeleteSlice(0, 7))
		must(t, outer.Insert(i*31%size, vs...))
		for _, v := range vs {
			must(t, v.Close())
		}
	}
	close(stop)
	wg.Wait()
	all, err := outer.Snapshot()
	if err != nil || len(all) != size {
		t.Fatal(len(all), err)
	}
	clean(t, m)
}
