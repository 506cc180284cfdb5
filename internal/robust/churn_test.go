//go:build linux

package robust_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/internal/robust"
)

// A ledger lies behind the objects. Whoever has the mutex, and is so alone,
// writes it.
type ledger struct {
	inside atomic.Int64 // slot+1 of who is in the section
	token  atomic.Uint64
	rounds [testSlots]atomic.Int64
	bad    atomic.Int64 // times that somebody else was inside, or a token not new
	split  [2]atomic.Int64
}

func (p *party) ledger() *ledger {
	l, err := mem.At[ledger](p.seg.Body(), 32<<10)
	if err != nil {
		panic(err)
	}
	return l
}

// section is what is done with the mutex. Died tells that an owner may have died
// inside.
func (l *ledger) section(slot int, token uint64, died bool) {
	if was := l.inside.Swap(int64(slot) + 1); was != 0 && !died {
		l.bad.Add(1)
	}
	if l.token.Swap(token) >= token {
		l.bad.Add(1)
	}
	l.rounds[slot].Add(1)
	if l.inside.Swap(0) != int64(slot)+1 {
		l.bad.Add(1)
	}
}

// write changes two words that readers must see equal.
func (l *ledger) write(died bool) {
	a := l.split[0].Load()
	if a != l.split[1].Load() && !died {
		l.bad.Add(1)
	}
	l.split[0].Store(a + 1)
	l.split[1].Store(a + 1)
}

func (l *ledger) read(died bool) {
	if l.split[0].Load() != l.split[1].Load() && !died {
		l.bad.Add(1)
	}
}

// churn locks and unlocks until the process is killed.
func churn(p *party, _ []string) error {
	for {
		if err := p.churnOnce(); err != nil {
			return err
		}
	}
}

func (p *party) churnOnce() error {
	l := p.ledger()
	err := p.mutex.Lock(bg)
	died := errors.Is(err, robust.ErrOwnerDied)
	if err != nil && !died {
		return err
	}
	l.section(p.seg.Slot(), p.mutex.Token(), died)
	if err := p.mutex.Unlock(); err != nil {
		return err
	}
	err = p.rw.Lock(bg)
	died = errors.Is(err, robust.ErrOwnerDied)
	if err != nil && !died {
		return err
	}
	l.write(died)
	if err := p.rw.Unlock(); err != nil {
		return err
	}
	err = p.rw.RLock(bg)
	died = errors.Is(err, robust.ErrOwnerDied)
	if err != nil && !died {
		return err
	}
	l.read(died)
	if err := p.rw.RUnlock(); err != nil {
		return err
	}
	if err := p.bounded.Acquire(bg); err != nil {
		return err
	}
	return p.bounded.Release()
}

// TestExclusionUnderKills kills and replaces processes that lock and unlock: no
// two are ever inside, tokens only grow, and permits don't get lost.
func TestExclusionUnderKills(t *testing.T) {
	const victims, kills = 3, 30
	p := newSegment(t)
	var peers []*peer
	for range victims {
		c := p.peer(t)
		c.tell("churn")
		peers = append(peers, c)
	}
	l := p.ledger()
	for k := range kills {
		before := l.token.Load()
		until(t, "they go on", func() bool { return l.token.Load() > before+20 })
		c := &peers[k%victims]
		if k%3 == 2 { // a stopped one keeps what it has, which is nothing or everything
			(*c).stop()
			(*c).resume()
			continue
		}
		(*c).kill()
		for range 20 {
			if err := p.churnOnce(); err != nil {
				t.Fatal(err)
			}
		}
		*c = p.peer(t)
		(*c).tell("churn")
	}
	for _, c := range peers {
		c.kill()
	}
	p.seg.RecoverDead()
	if n := l.bad.Load(); n != 0 {
		t.Errorf("%d violations of exclusion or of the tokens' order", n)
	}
	if n := p.bounded.Value(); n != permits {
		t.Errorf("%d permits, not %d", n, permits)
	}
	if p.rw.Readers() != 0 || p.rw.Locked() {
		t.Error("somebody is still inside of the RWLock")
	}
	t.Logf("%d acquisitions, %d kills", p.mutex.Token(), kills)
}

// TestNoStarvation has two processes lock and unlock as fast as they can. Neither
// is kept from it for long.
func TestNoStarvation(t *testing.T) {
	p := newSegment(t)
	c := p.peer(t)
	c.tell("churn")
	l := p.ledger()
	until(t, "it churns", func() bool { return l.rounds[1].Load() > 10 })
	longest := time.Duration(0)
	for range 50 {
		before := l.rounds[1].Load()
		for begin := time.Now(); l.rounds[1].Load() == before; longest = max(longest, time.Since(begin)) {
			if err := p.churnOnce(); err != nil {
				t.Fatal(err)
			}
			if time.Since(begin) > 10*time.Second {
				t.Fatal("the other process starves")
			}
		}
	}
	t.Logf("the other one had to wait %v at most", longest)
}
