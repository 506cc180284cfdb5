package main

import (
	"fmt"
	"time"

	"github.com/shmkit/shmkit/internal/clock"
	"github.com/shmkit/shmkit/manager"
)

// add counts, or looks at a counter.
func (m *dictMember) add() error {
	i := m.rand.IntN(counters)
	var sum int64
	var err error
	low, _ := m.board.count(i)
	if m.rand.IntN(4) == 0 {
		sum, _, err = m.totals.Get(i)
	} else {
		m.line.tried[i].Add(1)
		sum, err = manager.Add(m.totals, i, 1)
		if err == nil {
			m.line.added[i].Add(1)
			m.changed()
			low++
			m.sums[i]++ // others have added since, if anybody has
		}
	}
	if err != nil {
		return err
	}
	_, high := m.board.count(i)
	if sum < m.sums[i] || uint64(sum) < low || uint64(sum) > high {
		return found(miscounted, "counter %d is %d; it was %d before, was added to %d times for sure, and %d at most", i, sum, m.sums[i], low, high)
	}
	m.sums[i] = sum
	return nil
}

// transfer moves money from one account to another.
func (m *dictMember) transfer() error {
	from, to := m.bank, m.bank
	if m.rand.IntN(2) == 0 {
		from, to = m.left, m.right
		if m.rand.IntN(2) == 0 {
			from, to = to, from
		}
	}
	a, b, amount := m.rand.IntN(accounts), m.rand.IntN(accounts), int64(m.rand.IntN(deposit))
	err := m.m.Tx(m.ctx, func(tx *manager.Tx) error {
		x, _, err := from.In(tx).Get(a)
		if err != nil {
			return err
		}
		if err := from.In(tx).Set(a, x-amount); err != nil {
			return err
		}
		y, _, err := to.In(tx).Get(b) // perhaps the same account
		if err != nil {
			return err
		}
		return to.In(tx).Set(b, y+amount)
	})
	if bears(err) {
		return nil
	}
	m.changed()
	return err
}

// audit counts the money.
func (m *dictMember) audit() error {
	const all = accounts * deposit
	if m.rand.IntN(2) == 0 {
		money, err := m.bank.Snapshot()
		if err != nil {
			return err
		}
		return balance(money, all, "a snapshot")
	}
	money := map[int]int64{}
	err := m.m.Tx(m.ctx, func(tx *manager.Tx) error {
		clear(money)
		for i, d := range []*manager.Dict[int, int64]{m.left, m.right} {
			for k := range accounts {
				v, _, err := d.In(tx).Get(k)
				if err != nil {
					return err
				}
				money[k+i*accounts] = v
			}
		}
		return balance(money, 2*all, "a transaction") // even if it can't be committed any more
	})
	if bears(err) {
		return nil
	}
	return err
}

// A claim is the winner of a round, in the terms of a dict's value.
type claim uint64

func newClaim(round uint64, place, life int) claim {
	return claim(round<<24 | uint64(place)<<16 | uint64(life)&0xffff)
}

func (c claim) round() uint64 { return uint64(c >> 24) }

// claim tries to win the next round of some key.
func (m *dictMember) claim() error {
	i := m.rand.IntN(claimKeys)
	old, ok, err := m.claims.Get(i)
	if err != nil {
		return err
	}
	mine := newClaim(claim(old).round()+1, m.Place, m.Life)
	if ok {
		ok, err = m.claims.CompareAndSwap(i, old, uint64(mine))
	} else {
		ok, err = m.claims.SetNX(i, uint64(mine))
	}
	if err != nil || !ok {
		return err
	}
	m.changed()
	for seen := &m.board.claims[i][mine.round()%claimsKept]; ; {
		was := claim(seen.Load())
		if was.round() == mine.round() {
			return found(duplicate, "round %d of claim %d has the winners %#x and %#x", mine.round(), i, mine, was)
		}
		if was.round() > mine.round() || seen.CompareAndSwap(uint64(was), uint64(mine)) {
			return nil
		}
	}
}

// iterate puts a key into a dict, or takes one out, and goes through all.
func (m *dictMember) iterate() error {
	key := fmt.Sprintf("place %d, %d", m.Place, m.rand.IntN(100))
	var err error
	if m.rand.IntN(2) == 0 {
		err = m.mixed.Set(key, -1)
	} else {
		_, err = m.mixed.Delete(key)
	}
	if err != nil {
		return err
	}
	m.changed()
	seen, stayed := map[string]bool{}, 0
	for e, err := range m.mixed.All() {
		if err != nil {
			return err
		}
		if seen[e.Key] {
			return found(duplicate, "iteration returns %q twice", e.Key)
		}
		seen[e.Key] = true
		if e.Value >= 0 {
			stayed++
			if e.Key != stay(e.Value) {
				return found(torn, "%q has the value of %q", e.Key, stay(e.Value))
			}
		}
	}
	if stayed != stays {
		return found(lost, "iteration returns %d of %d keys that stay", stayed, stays)
	}
	return nil
}

// nest puts a dict into a dict, or looks into one.
func (m *dictMember) nest() error {
	i := m.rand.IntN(nestKeys)
	if m.rand.IntN(2) == 0 {
		d, err := manager.NewDict[int, int64](m.m, "")
		if err != nil {
			return err
		}
		defer d.Close()
		x := m.rand.Int64N(1000)
		if err := d.SetMany(map[int]int64{0: x, 1: -x}); err != nil {
			return err
		}
		m.changed()
		return m.nests.Set(i, d)
	}
	d, ok, err := m.nests.Get(i)
	if err != nil || !ok {
		return err
	}
	defer d.Close()
	inner, err := d.Snapshot()
	if err == nil && len(inner) != 2 {
		err = found(lost, "a dict in a dict has %d entries, and had 2 before it was put there", len(inner))
	}
	if err == nil {
		err = balance(inner, 0, "a dict in a dict")
	}
	return err
}

// A briefState is what a place knows of its entry that expires.
type briefState struct {
	value       uint64
	least, most uint64 // when it expires, by package clock
}

const briefly = 20 * time.Millisecond

// expire sets an entry that expires, or looks whether it is there as long as it ought to be.
func (m *dictMember) expire() error {
	b := &m.brief
	if b.value == 0 || m.rand.IntN(64) == 0 {
		b.value, b.least = m.rand.Uint64()|1, clock.Now()+uint64(briefly)
		err := m.briefs.Set(m.Place, b.value, manager.TTL(briefly))
		b.most = clock.Now() + uint64(briefly)
		m.changed()
		return err
	}
	before := clock.Now()
	v, ok, err := m.briefs.Get(m.Place)
	after := clock.Now()
	const slack = uint64(time.Millisecond) // of clocks
	switch {
	case err != nil:
		return err
	case ok && v != b.value:
		return found(invented, "the entry that expires has the value %#x, and %#x was set", v, b.value)
	case ok && before > b.most+slack:
		return found(late, "an entry is there %v after its time", time.Duration(before-b.most))
	case !ok && after < b.least-slack:
		return found(lost, "an entry has expired %v before its time", time.Duration(b.least-after))
	case !ok && m.rand.IntN(4) == 0: // else it is to stay away
		b.value = 0
	}
	return nil
}
