package manager_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

func TestOperations(t *testing.T) {
	m := open(t, nil)
	d := newDict[string, int](t, m, "d")
	if v, ok, err := d.Get("a"); v != 0 || ok || err != nil {
		t.Errorf("Get: %v, %v, %v", v, ok, err)
	}
	if v, loaded, err := d.SetDefault("a", 1); v != 1 || loaded || err != nil {
		t.Errorf("SetDefault: %v, %v, %v", v, loaded, err)
	}
	if v, loaded, err := d.SetDefault("a", 2); v != 1 || !loaded || err != nil {
		t.Errorf("SetDefault: %v, %v, %v", v, loaded, err)
	}
	if ok, err := d.SetNX("a", 3); ok || err != nil {
		t.Errorf("SetNX: %v, %v", ok, err)
	}
	if ok, err := d.Replace("b", 3); ok || err != nil {
		t.Errorf("Replace: %v, %v", ok, err)
	}
	if ok, err := d.Replace("a", 4); !ok || err != nil {
		t.Errorf("Replace: %v, %v", ok, err)
	}
	if ok, err := d.CompareAndSwap("a", 5, 6); ok || err != nil {
		t.Errorf("CompareAndSwap: %v, %v", ok, err)
	}
	if ok, err := d.CompareAndSwap("b", 0, 6); ok || err != nil {
		t.Errorf("CompareAndSwap: %v, %v", ok, err)
	}
	if ok, err := d.CompareAndSwap("a", 4, 6); !ok || err != nil {
		t.Errorf("CompareAndSwap: %v, %v", ok, err)
	}
	if v, err := d.Update("a", func(old int, ok bool) (int, error) { return old + 1, nil }); v != 7 || err != nil {
		t.Errorf("Update: %v, %v", v, err)
	}
	boom := errors.New("boom")
	if _, err := d.Update("a", func(int, bool) (int, error) { return 0, boom }); !errors.Is(err, boom) {
		t.Errorf("Update: %v", err)
	}
	if v, err := manager.Add(d, "a", -10); v != -3 || err != nil {
		t.Errorf("Add: %v, %v", v, err)
	}
	if v, err := manager.Add(d, "n", 5); v != 5 || err != nil {
		t.Errorf("Add: %v, %v", v, err)
	}
	if got, err := d.GetMany("a", "b", "n"); !maps.Equal(got, map[string]int{"a": -3, "n": 5}) || err != nil {
		t.Errorf("GetMany: %v, %v", got, err)
	}
	if ok, err := d.Equal(map[string]int{"a": -3, "n": 5}); !ok || err != nil {
		t.Errorf("Equal: %v, %v", ok, err)
	}
	if ok, err := d.Equal(map[string]int{"a": -3, "n": 6}); ok || err != nil {
		t.Errorf("Equal: %v, %v", ok, err)
	}
	if v, ok, err := d.Pop("a"); v != -3 || !ok || err != nil {
		t.Errorf("Pop: %v, %v, %v", v, ok, err)
	}
	if v, ok, err := d.Pop("a"); v != 0 || ok || err != nil {
		t.Errorf("Pop: %v, %v, %v", v, ok, err)
	}
	if k, v, ok, err := d.PopItem(); k != "n" || v != 5 || !ok || err != nil {
		t.Errorf("PopItem: %v, %v, %v, %v", k, v, ok, err)
	}
	if _, _, ok, err := d.PopItem(); ok || err != nil {
		t.Errorf("PopItem: %v, %v", ok, err)
	}
	must(t, d.SetMany(map[string]int{"x": 1, "y": 2, "z": 3}))
	got := make(map[string]int)
	for e, err := range d.All() {
		must(t, err)
		got[e.Key] = e.Value
	}
	if !maps.Equal(got, map[string]int{"x": 1, "y": 2, "z": 3}) {
		t.Errorf("All: %v", got)
	}
	sum := 0
	for v, err := range d.Values() {
		must(t, err)
		sum += v
	}
	keys := 0
	for _, err := range d.Keys() {
		must(t, err)
		keys++
	}
	if sum != 6 || keys != 3 {
		t.Errorf("values sum up to %d, %d keys", sum, keys)
	}
	must(t, d.Clear())
	if st, err := d.Stats(); st.Entries != 0 || st.Bytes != 0 || err != nil {
		t.Errorf("Stats: %+v, %v", st, err)
	}
	must(t, m.Close())
	if _, _, err := d.Get("x"); !errors.Is(err, manager.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := d.Set("x", 1); !errors.Is(err, manager.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	for _, err := range d.All() {
		if !errors.Is(err, manager.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// TestOtherOptions opens a manager with other sizes than it was created with: they count
// only then.
func TestOtherOptions(t *testing.T) {
	dir := tempDir(t)
	for i, bytes := range [][2]int64{{2 << 20, 1 << 30}, {1 << 30, 2 << 20}} {
		name := fmt.Sprint("m", i)
		m, err := manager.Create(name, &manager.Options{Dir: dir, MaxBytes: bytes[0]})
		must(t, err)
		d := newDict[int, int](t, m, "d")
		must(t, d.Set(1, 2))
		n, err := manager.Open(name, &manager.Options{Dir: dir, MaxBytes: bytes[1]})
		must(t, err)
		e := newDict[int, int](t, n, "d")
		if v, _, err := e.Get(1); v != 2 || err != nil {
			t.Errorf("%d, %v", v, err)
		}
		must(t, n.Close())
		text, err := m.MarshalText()
		must(t, err)
		var o manager.Manager
		must(t, o.UnmarshalText(text))
		must(t, o.Close())
		must(t, m.Close())
	}
}

func TestTypes(t *testing.T) {
	m := open(t, nil)
	type point struct{ X, Y int32 }
	type plain struct {
		A int8
		B int64
	}
	type person struct {
		Name  string
		Tags  []string
		Attrs map[string]int
	}
	try(t, m, "strings", "key", "value")
	try(t, m, "empty", "", "")
	try(t, m, "bytes", 7, []byte("value"))
	try(t, m, "points", point{1, 2}, point{3, 4})
	try(t, m, "padded", plain{1, 2}, plain{3, 4})
	try(t, m, "floats", 1.5, [3]float64{1, 2, 3})
	try(t, m, "cbor", "a", person{"Ann", []string{"x"}, map[string]int{"y": 1}})
	try(t, m, "any", [2]string{"a", "b"}, any("text"))
	try(t, m, "times", "now", time.Unix(1, 2).UTC())
	try(t, m, "large", "big", bytes.Repeat([]byte("0123456789"), 100000))
	if _, err := manager.NewDict[string, int](m, "strings"); !errors.Is(err, manager.ErrType) {
		t.Errorf("other types: %v", err)
	}
	if _, err := manager.NewDict[string, chan int](m, "channels"); err == nil {
		t.Error("a dict of channels")
	}
	for _, name := range []string{string(make([]byte, 129)), "\xff"} {
		if _, err := manager.NewDict[string, int](m, name); !errors.Is(err, manager.ErrName) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	names, err := m.Names()
	if len(names) != 10 || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	clean(t, m)
}

func try[K comparable, V any](t *testing.T, m *manager.Manager, name string, k K, v V) {
	t.Helper()
	d := newDict[K, V](t, m, name)
	must(t, d.Set(k, v))
	got, ok, err := d.Get(k)
	if !ok || err != nil || fmt.Sprint(got) != fmt.Sprint(v) {
		t.Errorf("%s: %v, %v, %v", name, got, ok, err)
	}
	all, err := d.Snapshot()
	if len(all) != 1 || err != nil || fmt.Sprint(all[k]) != fmt.Sprint(v) {
		t.Errorf("%s: %v, %v", name, all, err)
	}
	for e, err := range d.All() {
		if err != nil || e.Key != k || fmt.Sprint(e.Value) != fmt.Sprint(v) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

func TestAddIsExact(t *testing.T) {
	dir := tempDir(t)
	var wg sync.WaitGroup
	const handles, each = 4, 5000
	for range handles {
		m := open(t, &manager.Options{Dir: dir})
		d := newDict[string, int](t, m, "d")
		wg.Go(func() {
			for i := range each {
				if _, err := manager.Add(d, "x", 1); err != nil {
					t.Error(err)
				}
				if _, err := d.Update(fmt.Sprint(i%3), func(v int, _ bool) (int, error) { return v + 1, nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	m := open(t, &manager.Options{Dir: dir})
	d := newDict[string, int](t, m, "d")
	sum := 0
	for i := range 3 {
		v, _, err := d.Get(fmt.Sprint(i))
		must(t, err)
		sum += v
	}
	if v, _, _ := d.Get("x"); v != handles*each || sum != handles*each {
		t.Errorf("%d and %d of %d", v, sum, handles*each)
	}
}

func TestTTL(t *testing.T) {
	m := open(t, nil)
	d := newDict[string, int](t, m, "d")
	must(t, d.Set("short", 1, manager.TTL(30*time.Millisecond)))
	must(t, d.Set("long", 2, manager.TTL(time.Hour)))
	must(t, d.Set("ever", 3))
	if v, err := manager.Add(d, "long", 1); v != 3 || err != nil {
		t.Errorf("Add: %v, %v", v, err)
	}
	if left, ok, err := d.TTL("long"); left < 59*time.Minute || left > time.Hour || !ok || err != nil {
		t.Errorf("TTL: %v, %v, %v", left, ok, err)
	}
	if left, ok, err := d.TTL("ever"); left != 0 || !ok || err != nil {
		t.Errorf("TTL: %v, %v, %v", left, ok, err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, ok, err := d.Get("short")
		must(t, err)
		if !ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not expire")
		}
		time.Sleep(time.Millisecond)
	}
	if ok, _ := d.Contains("short"); ok {
		t.Error("expired, and contained")
	}
	if ok, err := d.SetNX("short", 5); !ok || err != nil {
		t.Errorf("SetNX: %v, %v", ok, err)
	}
	if ok, err := d.Touch("ever", time.Hour); !ok || err != nil {
		t.Errorf("Touch: %v, %v", ok, err)
	}
	if left, _, _ := d.TTL("ever"); left == 0 {
		t.Error("touched, and for ever")
	}
	if ok, err := d.Touch("none", time.Hour); ok || err != nil {
		t.Errorf("Touch: %v, %v", ok, err)
	}
	// Removed by housekeeping, without anybody looking at it.
	must(t, d.Set("unseen", 1, manager.TTL(time.Millisecond)))
	for deadline := time.Now().Add(20 * time.Second); d.Len() > 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not removed")
		}
	}
	if st, _ := d.Stats(); st.Expired != 1 {
		t.Errorf("%+v", st)
	}
}

func TestWatch(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	d, e := newDict[string, int](t, m, "d"), newDict[string, int](t, n, "d")
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	const last = 1000
	started := make(chan struct{})
	go func() {
		<-started
		for i := range last + 1 {
			if e.Set("k", i) != nil || e.Set(fmt.Sprint(i), i) != nil {
				return
			}
		}
	}()
	before, seen := -1, 0
	for w, err := range d.Watch(ctx, "k") {
		must(t, err)
		if seen++; seen == 1 {
			if w.Present {
				t.Error("there is a value at first")
			}
			close(started)
			continue
		}
		if !w.Present || w.Value <= before {
			t.Errorf("%+v after %d", w, before)
		}
		if before = w.Value; before == last {
			break
		}
	}
	t.Logf("%d values seen", seen)
	cancel()
	for _, err := range d.Watch(ctx, "never") {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	closing := make(chan error, 1)
	go func() {
		first := true
		for _, err := range d.Watch(bg, "never") {
			if first {
				first = false
				go m.Close()
				continue
			}
			closing <- err
		}
	}()
	select {
	case err := <-closing:
		if !errors.Is(err, manager.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("a watch does not hear of Close")
	}
}

func TestView(t *testing.T) {
	m := open(t, &manager.Options{MaxBytes: 2 << 20})
	d := newDict[string, []byte](t, m, "d")
	value := bytes.Repeat([]byte("v"), 1000)
	must(t, d.Set("k", value))
	ok, err := d.View("k", func(b []byte) error {
		for i := range 100 {
			must(t, d.Set("k", bytes.Repeat([]byte{byte(i)}, 1000)))
		}
		if !bytes.Equal(b, value) {
			t.Error("it changed under the view")
		}
		return nil
	})
	if !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if ok, err := d.View("none", func([]byte) error { return nil }); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	_, err = d.View("k", func(b []byte) error {
		for i := range 10000 {
			if err := d.Set(fmt.Sprint(i%1000), bytes.Repeat([]byte("x"), 1000)); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, manager.ErrViewExpired) {
		t.Errorf("a view that holds more than there is: %v", err)
	}
	clean(t, m)
}

func TestSnapshotIsOfOneMoment(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	d := newDict[int, int](t, m, "d")
	const keys = 2000
	for i := range keys {
		must(t, d.Set(i, 0))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		n := open(t, &manager.Options{Dir: dir})
		e := newDict[int, int](t, n, "d")
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				a, b := i%keys, (i*31+7)%keys
				if a == b {
					continue
				}
				err := n.Tx(bg, func(tx *manager.Tx) error {
					x := e.In(tx)
					v, _, err := x.Get(a)
					if err != nil {
						return err
					}
					w, _, err := x.Get(b)
					if err != nil {
						return err
					}
					return errors.Join(x.Set(a, v+1), x.Set(b, w-1))
				})
				if err != nil && !errors.Is(err, manager.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		got, err := d.Snapshot()
		must(t, err)
		sum := 0
		for _, v := range got {
			sum += v
		}
		if sum != 0 || len(got) != keys {
			t.Errorf("sum %d of %d keys", sum, len(got))
		}
	}
	close(stop)
	wg.Wait()
	clean(t, m)
}

func TestGetOrCompute(t *testing.T) {
	m := open(t, nil)
	d := newDict[string, int](t, m, "d")
	var mu sync.Mutex
	calls := 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			v, err := d.GetOrCompute(bg, "k", func(context.Context) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				calls++
				return 42, nil
			})
			if v != 42 || err != nil {
				t.Errorf("%d, %v", v, err)
			}
		})
	}
	wg.Wait()
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
	boom := errors.New("boom")
	if _, err := d.GetOrCompute(bg, "other", func(context.Context) (int, error) { return 0, boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestCache(t *testing.T) {
	m := open(t, &manager.Options{MaxBytes: 4 << 20, Evict: true})
	d := newDict[int, [100]byte](t, m, "d")
	var v [100]byte
	for i := range 200000 {
		must(t, d.Set(i, v))
		if i%10 == 0 {
			if _, _, err := d.Get(i % 100); err != nil {
				t.Fatal(err)
			}
		}
	}
	st, err := d.Stats()
	must(t, err)
	if st.Evicted == 0 || st.Entries < 10000 {
		t.Errorf("%+v", st)
	}
	if ok, _ := d.Contains(0); !ok {
		t.Error("what is always used was evicted")
	}
	must(t, d.Set(1, v, manager.TTL(time.Hour)))
	t.Logf("%+v", st)
	clean(t, m)
	e := newDict[int, [1000]byte](t, m, "e") // the other dict has taken all of it
	for i := range 1000 {
		must(t, e.Set(i, [1000]byte{}))
	}
	full := open(t, &manager.Options{MaxBytes: 1 << 20})
	f := newDict[int, [1000]byte](t, full, "f")
	for i := 0; ; i++ {
		if err := f.Set(i, [1000]byte{}); err != nil {
			if !errors.Is(err, manager.ErrNoSpace) || i < 400 {
				t.Errorf("%d: %v", i, err)
			}
			break
		}
	}
	clean(t, full)
}
