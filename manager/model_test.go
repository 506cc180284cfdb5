package manager_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/manager"
)

// TestModel does operations in an order of the generator's choice through two handles,
// and compares each result, and the whole, with a plain map.
func TestModel(t *testing.T) {
	dir, names := tempDir(t), 0
	m := open(t, &manager.Options{Dir: dir})
	other, err := manager.OpenExisting("m", &manager.Options{Dir: dir})
	must(t, err)
	t.Cleanup(func() { other.Close() })
	rapid.Check(t, func(r *rapid.T) {
		names++
		name := fmt.Sprint("dict ", names)
		ds := []*modelled{newDict[string, int](t, m, name), newDict[string, int](t, other, name)}
		defer ds[0].Close()
		defer ds[1].Close()
		model := make(map[string]int)
		key := rapid.StringN(0, 3, 20)
		if rapid.Bool().Draw(r, "few keys") {
			key = rapid.SampledFrom([]string{"", "a", "b", "c", "d"})
		}
		num := rapid.IntRange(-3, 3)
		draw := func() (*modelled, string, int) {
			return rapid.SampledFrom(ds).Draw(r, "handle"), key.Draw(r, "key"), num.Draw(r, "n")
		}
		same := func(what string, got, want any, err error) {
			if err != nil || got != want {
				r.Fatalf("%s: %v, %v, want %v", what, got, err, want)
			}
		}
		type result struct {
			v  int
			ok bool
		}
		r.Repeat(map[string]func(*rapid.T){
			"": func(r *rapid.T) {
				got, err := ds[0].Snapshot()
				if err != nil || !maps.Equal(got, model) || ds[1].Len() != len(model) {
					r.Fatalf("%v, %v, Len %d, want %v", got, err, ds[1].Len(), model)
				}
			},
			"get": func(*rapid.T) {
				d, k, _ := draw()
				v, ok, err := d.Get(k)
				w, present := model[k]
				same("get", result{v, ok}, result{w, present}, err)
			},
			"contains": func(*rapid.T) {
				d, k, _ := draw()
				ok, err := d.Contains(k)
				_, present := model[k]
				same("contains", ok, present, err)
			},
			"set": func(*rapid.T) {
				d, k, n := draw()
				same("set", nil, nil, d.Set(k, n, manager.TTL(time.Hour)))
				model[k] = n
			},
			"set if absent": func(*rapid.T) {
				d, k, n := draw()
				ok, err := d.SetNX(k, n)
				_, present := model[k]
				same("set if absent", ok, !present, err)
				if !present {
					model[k] = n
				}
			},
			"replace": func(*rapid.T) {
				d, k, n := draw()
				ok, err := d.Replace(k, n)
				_, present := model[k]
				same("replace", ok, present, err)
				if present {
					model[k] = n
				}
			},
			"set default": func(*rapid.T) {
				d, k, n := draw()
				v, loaded, err := d.SetDefault(k, n)
				w, present := model[k]
				if !present {
					w, model[k] = n, n
				}
				same("set default", result{v, loaded}, result{w, present}, err)
			},
			"delete": func(*rapid.T) {
				d, k, _ := draw()
				ok, err := d.Delete(k)
				_, present := model[k]
				same("delete", ok, present, err)
				delete(model, k)
			},
			"pop": func(*rapid.T) {
				d, k, _ := draw()
				v, ok, err := d.Pop(k)
				w, present := model[k]
				same("pop", result{v, ok}, result{w, present}, err)
				delete(model, k)
			},
			"pop item": func(*rapid.T) {
				d, _, _ := draw()
				k, v, ok, err := d.PopItem()
				w, present := model[k]
				if ok != (len(model) > 0) || err != nil || ok && (!present || v != w) {
					r.Fatalf("pop item: %q, %d, %v, %v", k, v, ok, err)
				}
				if ok {
					delete(model, k)
				}
			},
			"add": func(*rapid.T) {
				d, k, n := draw()
				v, err := manager.Add(d, k, n)
				model[k] += n
				same("add", v, model[k], err)
			},
			"update": func(*rapid.T) {
				d, k, n := draw()
				v, err := d.Update(k, func(v int, _ bool) (int, error) { return v*2 + n, nil })
				model[k] = model[k]*2 + n
				same("update", v, model[k], err)
			},
			"compare and swap": func(*rapid.T) {
				d, k, n := draw()
				ok, err := d.CompareAndSwap(k, n, n+1)
				w, present := model[k]
				same("compare and swap", ok, present && w == n, err)
				if ok {
					model[k] = n + 1
				}
			},
			"tx": func(*rapid.T) {
				d, k, n := draw()
				other := key.Draw(r, "other")
				err := m.Tx(bg, func(tx *manager.Tx) error {
					x := ds[0].In(tx)
					v, _, err := x.Get(k)
					if err == nil {
						_, err = x.Delete(k)
					}
					if err == nil {
						err = x.Set(other, v+n)
					}
					return err
				})
				v := model[k] + n
				delete(model, k)
				model[other] = v
				same("tx", d.Len(), len(model), err)
			},
			"clear": func(r *rapid.T) {
				if num.Draw(r, "seldom") != 0 {
					return
				}
				d, _, _ := draw()
				same("clear", nil, nil, d.Clear())
				clear(model)
			},
		})
		must(t, m.Remove(name))
	})
	clean(t, m)
}

type modelled = manager.Dict[string, int]
