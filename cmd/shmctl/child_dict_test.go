//go:build unix

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// User and Point are what the tests' dicts have for values.
type User struct {
	Name string
	Tags []string
}

type Point struct {
	X int32
	Y float64
}

// dicts is the part of a child that has a manager.
type dicts struct {
	m      *manager.Manager
	hits   *manager.Dict[string, int]
	users  *manager.Dict[string, User]
	points *manager.Dict[int, Point]
	links  *manager.Dict[string, *manager.Ref]
	inner  *manager.Dict[string, bool]
	lock   *manager.Lock
}

func (d *dicts) do(verb, name string, n int, flag bool) (err error) {
	switch verb {
	case "manager": // manager NAME ENTRIES [persistent]; so many in each dict but the nameless one
		return d.create(name, n, flag)
	case "join": // join NAME: opens what another has created
		if d.m, err = manager.Open(name, nil); err == nil {
			d.hits, err = manager.NewDict[string, int](d.m, "hits")
		}
		return err
	case "lock": // lock NAME
		if d.lock, err = manager.NewLock(d.m, name); err != nil {
			return err
		}
		return d.lock.Lock(context.Background())
	case "change": // changes an entry, and says ok before that is done
		go d.hits.Set("x", 1)
		return nil
	case "hit": // hit KEY N
		return d.hits.Set(name, n)
	case "hits": // hits KEY N: that is what it must be
		if v, ok, err := d.hits.Get(name); v != n || !ok || err != nil {
			return fmt.Errorf("%d, %v, %v", v, ok, err)
		}
		return nil
	case "unhit": // unhit KEY
		_, err = d.hits.Delete(name)
		return err
	case "soon": // soon KEY: it has an hour to live
		return d.hits.Set(name, 1, manager.TTL(time.Hour))
	case "unname": // unname NAME
		return d.m.Remove(name)
	case "churn": // changes some hundred entries from now on
		go func() {
			for i := 0; d.hits.Set(fmt.Sprint(i*7%500), i) == nil; i++ {
				d.hits.Delete(fmt.Sprint(i * 3 % 500))
			}
		}()
		return nil
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func (d *dicts) create(name string, n int, persistent bool) (err error) {
	if d.m, err = manager.Create(name, &manager.Options{MaxBytes: 4 << 20, Persistent: persistent}); err != nil {
		return err
	}
	if d.hits, err = manager.NewDict[string, int](d.m, "hits"); err != nil {
		return err
	}
	if d.users, err = manager.NewDict[string, User](d.m, "users"); err != nil {
		return err
	}
	if d.points, err = manager.NewDict[int, Point](d.m, "points"); err != nil {
		return err
	}
	if d.inner, err = manager.NewDict[string, bool](d.m, ""); err != nil {
		return err
	}
	if d.links, err = manager.NewDict[string, *manager.Ref](d.m, "links"); err != nil {
		return err
	}
	for i := range n {
		if err := d.hits.Set(fmt.Sprintf("/page/%04d", i), i); err != nil {
			return err
		}
		if err := d.users.Set(fmt.Sprintf("user%04d", i), User{fmt.Sprintf("User %04d", i), []string{"new"}}); err != nil {
			return err
		}
		if err := d.points.Set(i-n/2, Point{int32(i), 0.5}); err != nil {
			return err
		}
		if err := d.links.Set(fmt.Sprintf("%04d", i), d.inner.Ref()); err != nil {
			return err
		}
	}
	return d.inner.Set("ready", true)
}
