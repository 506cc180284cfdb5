package manager

import (
	"encoding/binary"
	"errors"
	"time"

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
// who has a handle of the object that it refers to, and getting a handle, as well as
// giving it up, marks the object as touched in this cycle. So an object of which nobody has
// a handle, and that was not marked and not touched, is not referred to by anything that
// was stored meanwhile; and what was stored before was seen. Then it is marked as dying, which handles are refused for; and if
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
	m.collecting.Lock()
	defer m.collecting.Unlock()
	n, _, err := m.collectLocked()
	return n, err
}

// collectForRoom collects because there was no memory, for the try-th time, if that may help, and
// tells whether it, or somebody else meanwhile, may have. It waits for others who are collecting, or
// keep it from ending, up to a second.
func (m *space) collectForRoom(try int) (bool, error) {
	const tries, pause = 1000, time.Millisecond
	// Others may have made room that this handle finds nothing left of to make, and may take it, too.
	const others = 10
	if m.views.head.loose.Load() == m.swept.Load() {
		return try == 1, nil
	}
	if !m.collecting.TryLock() {
		m.collecting.Lock() // others of this process are collecting
		defer m.collecting.Unlock()
		return true, nil
	}
	defer m.collecting.Unlock()
	for range tries {
		n, whole, err := m.collectLocked()
		if n > 0 || whole || err != nil {
			return err == nil && (n > 0 || try < others), err
		}
		time.Sleep(pause)
	}
	return false, nil
}

// collectLocked is one collection. It is whole if nothing was left that it could have
// taken apart at another moment.
func (m *space) collectLocked() (n int, whole bool, err error) {
	h := m.views.head
	me := uint32(m.seg.Slot()) + 1
	fault.Point("manager.collect.begin")
	if !h.sweeper.CompareAndSwap(0, me) {
		m.seg.Probe(int(h.sweeper.Load()) - 1) // if it is dead, the next one does it
		return 0, false, nil
	}
	defer func() {
		fault.Point("manager.collect.end")
		h.sweeper.Store(0)
	}()
	m.swept.Store(h.loose.Load())
	fault.Point("manager.collect.cycle")
	cycle := h.cycle.Add(1)
	c := &collection{space: m, cycle: cycle, reached: make(map[uint64]bool)}
	if ok, err := c.mark(); !ok || err != nil {
		return 0, false, err
	}
	return c.sweep()
}

// collection is one cycle of the collector.
type collection struct {
	*space
	cycle   uint64
	reached map[uint64]bool
	leads   bool // something was reached that leads to others
}

// mark reaches everything that names, handles and objects touched in this cycle lead
// to, until there is nothing new that leads to others. Objects that lead to none don't
// count: others may make such faster than all can be gone through. It is
// false when others were faster with the rest, too.
func (c *collection) mark() (bool, error) {
	for range markTries {
		c.leads = false
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
		if err != nil || !c.leads {
			return err == nil, err
		}
	}
	return false, nil
}

// markTries is how often all objects are gone through.
const markTries = 100

// eachIn calls f with all entries of a table; of large values only with their beginning.
func (m *space) eachIn(t *dict.Table, f func(key, value []byte) error) error {
	var cur dict.Cursor
	var b dict.Batch
	for {
		more, err := t.Next(&cur, &b, true)
		if !more || err != nil {
			return err
		}
		for i := range b.Len() {
			v, copied := b.Value(i)
			if !copied {
				if v, err = m.beginning(t, b.Key(i)); err != nil {
					return err
				}
			}
			if err := f(b.Key(i), v); err != nil {
				return err
			}
		}
	}
}

// beginning returns the first bytes of a large value.
func (m *space) beginning(t *dict.Table, key []byte) ([]byte, error) {
	const enough = 4 << 10
	var e dict.Entry
	for {
		ok, err := t.Seek(m.hash(key), key, &e)
		if !ok || err != nil {
			return nil, err
		}
		if v := append([]byte(nil), e.Value[:min(len(e.Value), enough)]...); m.store.Still(&e) {
			return v, nil
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
	if id == 0 || c.reached[id] {
		return nil
	}
	c.reached[id] = true
	r, dying, ok, err := c.inspectRecord(id, new(dict.Entry))
	if !ok || err != nil {
		return err
	}
	if dying { // somebody got hold of it before an earlier collection could wait for that
		c.revive(r.ref)
	}
	if r.flags&recordRefers == 0 {
		return nil
	}
	c.leads = true
	o, err := c.hold(id)
	if o == nil || err != nil {
		return err
	}
	defer c.drop(o)
	t, err := c.store.Table(r.ref, false)
	if err != nil {
		return err
	}
	return c.eachIn(t, func(key, value []byte) error { return r.eachReference(key, value, c.reach) })
}

// revive takes back that an object is dying.
func (c *collection) revive(ref uint64) {
	fault.Point("manager.collect.revive")
	c.dying(ref).Store(0)
}

// sweep takes apart what was not reached. Nothing of that needs memory.
func (c *collection) sweep() (n int, whole bool, err error) {
	var graves []grave
	err = c.eachIn(c.objects, func(key, _ []byte) error {
		id := binary.LittleEndian.Uint64(key)
		if len(key) != 8 || c.reached[id] {
			return nil
		}
		g, err := c.doom(id)
		if g != nil {
			graves = append(graves, *g)
		}
		return err
	})
	if err != nil || len(graves) == 0 {
		return 0, err == nil, err
	}
	if !c.outwait() {
		return 0, false, nil // they stay dying until the next cycle
	}
	for i := range graves {
		gone, err := c.bury(&graves[i])
		if err != nil {
			return n, false, err
		}
		if gone {
			n++
		}
	}
	return n, true, nil
}

// A grave is what is known of an object that is dying.
type grave struct {
	id    uint64
	entry dict.Entry // with its record
	record
}

// doom marks an object as dying; nil if somebody has it.
func (c *collection) doom(id uint64) (*grave, error) {
	g := &grave{id: id}
	var ok bool
	var err error
	if g.record, _, ok, err = c.inspectRecord(id, &g.entry); !ok || err != nil || c.inUse(&g.record) {
		return nil, err
	}
	fault.Point("manager.collect.doom")
	c.dying(g.ref).Store(1)
	return g, nil
}

// bury takes a dying object apart, unless somebody got hold of it in the last moment: nobody
// can any more.
func (c *collection) bury(g *grave) (bool, error) {
	if c.inUse(&g.record) {
		c.revive(g.ref)
		return false, nil
	}
	if err := c.dismantle(&g.record); err != nil {
		return false, err
	}
	key := idKey(g.id)
	done, _, err := c.objects.Change(c.hash(key), key, &dict.Change{
		If: dict.IfSame, Same: &g.entry, With: arena.Block{Ref: g.ref, Inc: g.inc},
	})
	return done, err
}

// dismantle removes everything of an object but its own block.
func (c *collection) dismantle(r *record) error {
	if !r.isTable() {
		return nil
	}
	t, err := c.store.Table(r.ref, false)
	if err != nil {
		return err
	}
	return t.Dismantle()
}

// outwait waits until no other process is in the middle of getting a handle that it began
// with before now, and so may not have seen who is dying. It does not wait long: somebody
// may be stopped there.
func (c *collection) outwait() bool {
	const tries, pause = 100, 100 * time.Microsecond
	before := make([]uint64, len(c.views.head.opening))
	for i := range before {
		before[i] = c.views.head.opening[i].Load()
	}
	for i, was := range before {
		if i == c.seg.Slot() || was&1 == 0 {
			continue
		}
		for try := 0; c.views.head.opening[i].Load() == was; try++ {
			if try == tries {
				return false
			}
			time.Sleep(pause)
		}
	}
	return true
}

// errDying is that an object is just being taken apart, or put back.
var errDying = errors.New("object is being removed")
