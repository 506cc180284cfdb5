package manager

import (
	"encoding/binary"
	"errors"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/fault"
)

// An object lives as long as something leads to it: a name, a handle in some process,
// or an entry of another object that lives. The collector finds out which ones do not,
// and takes them apart. One process at a time does so, when something may have
// become loose; nobody waits for it.
//
// It marks what can be reached while others go on. A reference can only be stored by
// who has a handle of the object that it refers to, and getting a handle marks the
// object as touched in this cycle. So an object that was not marked and not touched is not
// referred to by anything that was stored meanwhile; and what was stored before was
// seen. Then it is marked as dying, which handles are refused for; and if
// no process is in the middle of getting one that did not see that mark, and none
// has, it can be taken apart.

// Remove takes an object's name away. Who has a handle of it goes on with it; when
// nobody has, and nothing refers to it, its memory is given back, within some seconds.
func (m *Manager) Remove(name string) error {
	if err := m.seg.Acquire(); err != nil {
		return wrap("remove", name, err)
	}
	defer m.seg.Release()
	key := []byte(name)
	_, found, err := m.names.Change(m.hash(key), key, &dict.Change{})
	if err == nil && !found {
		err = ErrNotExist
	}
	m.loosen()
	return wrap("remove", name, err)
}

// Collect gives back the memory of objects that nothing leads to any more, and
// returns how many there were. Every handle does so by itself, once a second, when there
// may be some.
func (m *Manager) Collect() (int, error) {
	if err := m.seg.Acquire(); err != nil {
		return 0, wrap("collect", m.Name(), err)
	}
	defer m.seg.Release()
	n, err := m.collect()
	return n, wrap("collect", m.Name(), err)
}

// collectIfLoose is the collection of the housekeeping.
func (m *space) collectIfLoose() error {
	loose := m.views.head.loose.Load()
	if loose == m.collected {
		return nil
	}
	if _, err := m.collect(); err != nil {
		return err
	}
	// Something is looked at a second time after each change: a handle that
	// was being opened may have kept it.
	if m.again = !m.again; !m.again {
		m.collected = loose
	}
	return nil
}

func (m *space) collect() (int, error) {
	h := m.views.head
	me := uint32(m.seg.Slot()) + 1
	m.collecting.Lock()
	defer m.collecting.Unlock()
	fault.Point("manager.collect.begin")
	if !h.sweeper.CompareAndSwap(0, me) {
		m.seg.Probe(int(h.sweeper.Load()) - 1) // if it is dead, the next one does it
		return 0, nil
	}
	defer func() {
		fault.Point("manager.collect.end")
		h.sweeper.Store(0)
	}()
	fault.Point("manager.collect.cycle")
	cycle := h.cycle.Add(1)
	c := &collection{space: m, cycle: cycle, reached: make(map[uint64]bool)}
	if err := c.mark(); err != nil {
		return 0, err
	}
	return c.sweep()
}

// collection is one cycle of the collector.
type collection struct {
	*space
	cycle   uint64
	reached map[uint64]bool
}

// mark reaches everything that names, handles and objects touched in this cycle lead
// to, until there is nothing new.
func (c *collection) mark() error {
	for {
		before := len(c.reached)
		err := c.eachIn(c.names, func(_, value []byte) error {
			if len(value) == 8 {
				return c.reach(binary.LittleEndian.Uint64(value))
			}
			return nil
		})
		if err == nil {
			err = c.eachIn(c.objects, func(key, value []byte) error {
				r, err := parseRecord(value)
				if err == nil && len(key) == 8 && c.inUse(&r) {
					err = c.reach(binary.LittleEndian.Uint64(key))
				}
				return err
			})
		}
		if err != nil || len(c.reached) == before {
			return err
		}
	}
}

// eachIn calls f with all entries of a table.
func (m *space) eachIn(t *dict.Table, f func(key, value []byte) error) error {
	var cur dict.Cursor
	var b dict.Batch
	for {
		more, err := t.Next(&cur, &b, true)
		if !more || err != nil {
			return err
		}
		for i := range b.Len() {
			v, _ := b.Value(i)
			if err := f(b.Key(i), v); err != nil {
				return err
			}
		}
	}
}

// inUse tells whether a process has a handle of the object, or has had one in this
// cycle.
func (c *collection) inUse(r *record) bool {
	if _, size, ok := c.store.Arena.Page(r.ref); !ok || size < objectSize {
		return false
	}
	w := c.store.Arena.Words()[r.ref/8:]
	for i := range slots / 64 {
		if w[objectHandles+i].Load() != 0 {
			return true
		}
	}
	return w[objectTouched].Load() >= c.cycle
}

// reach marks an object and what its entries refer to.
func (c *collection) reach(id uint64) error {
	if c.reached[id] {
		return nil
	}
	c.reached[id] = true
	r, ok, err := c.recordOf(id)
	if !ok || err != nil || r.flags&recordRefers == 0 {
		return err
	}
	o, err := c.hold(id)
	if o == nil || err != nil {
		return err
	}
	defer c.drop(o)
	t, err := c.store.Table(r.ref, false)
	if err != nil {
		return err
	}
	return c.eachIn(t, func(_, value []byte) error {
		if len(value) < 8 {
			return nil
		}
		return c.reach(binary.LittleEndian.Uint64(value))
	})
}

// sweep takes apart what was not reached.
func (c *collection) sweep() (int, error) {
	var lost []uint64
	err := c.eachIn(c.objects, func(key, _ []byte) error {
		if id := binary.LittleEndian.Uint64(key); len(key) == 8 && !c.reached[id] {
			lost = append(lost, id)
		}
		return nil
	})
	n := 0
	for _, id := range lost {
		if err != nil {
			break
		}
		var gone bool
		if gone, err = c.bury(id); gone {
			n++
		}
	}
	return n, err
}

// bury takes an object apart, if nobody gets hold of it in the last moment.
func (c *collection) bury(id uint64) (bool, error) {
	key := idKey(id)
	var e dict.Entry
	b, ok, err := c.lookup(c.objects, c.store, key, &e)
	if !ok || err != nil {
		return false, err
	}
	r, err := parseRecord(b)
	if err != nil {
		return false, err
	}
	if r.flags&recordDying == 0 {
		if c.inUse(&r) {
			return false, nil
		}
		dying := r
		dying.flags |= recordDying
		if ok, err = c.insert(c.objects, key, dying.append(nil), dict.Change{If: dict.IfSame, Same: &e}); !ok || err != nil {
			return false, err
		}
		if _, ok, err = c.lookup(c.objects, c.store, key, &e); !ok || err != nil {
			return false, err
		}
	}
	if c.opening() {
		return false, nil // it stays dying until the next cycle
	}
	if c.inUse(&r) {
		r.flags &^= recordDying
		_, err = c.insert(c.objects, key, r.append(nil), dict.Change{If: dict.IfSame, Same: &e})
		return false, err
	}
	if err := c.dismantle(&r); err != nil {
		return false, err
	}
	done, _, err := c.objects.Change(c.hash(key), key, &dict.Change{
		If: dict.IfSame, Same: &e, With: arena.Block{Ref: r.ref, Inc: r.inc},
	})
	return done, err
}

// dismantle removes everything of an object but its own block.
func (c *collection) dismantle(r *record) error {
	if r.kind != kindDict {
		return nil
	}
	t, err := c.store.Table(r.ref, false)
	if err != nil {
		return err
	}
	return t.Dismantle()
}

// opening tells whether some other process is in the middle of getting a handle.
func (c *collection) opening() bool {
	for i := range c.views.head.opening {
		if i != c.seg.Slot() && c.views.head.opening[i].Load() != 0 {
			return true
		}
	}
	return false
}

// errDying is that an object is just being taken apart, or put back.
var errDying = errors.New("object is being removed")
