//go:build faultpoints

package explore_test

// A model is the account's protocol written down as a table: what the explorer
// must come to when it runs the code.
type model struct {
	deaths            int
	lock, left, right int
	procs             [3]proc
}

// A proc is who lives in a slot: a teller, or the recoverer of a dead one.
type proc struct {
	at      place
	op      int  // how many it has ended, or was in the middle of
	changed bool // its repair, if it is behind one
}

type place int

const (
	gone       place = iota
	locks            // for the first time
	waits            // for the lock
	locksAgain       // when it was free
	looks            // at left
	storesLeft
	storesRight
	unlocks
	recoverLooks // at the lock
	recoverLooksLeft
	repairs
	frees
)

// next returns the states that one step of the process in a slot leads to, which
// has so many operations to do in all.
func (m model) next(slot, ops int) (to []model) {
	p := &m.procs[slot]
	switch p.at {
	case gone:
		return nil
	case locks, locksAgain:
		if m.lock == 0 {
			m.lock = slot + 1
			p.at = looks
		} else {
			p.at = waits
		}
	case waits:
		if m.lock != 0 {
			return nil
		}
		p.at = locksAgain
	case looks:
		p.at = storesLeft
	case storesLeft:
		m.left++
		p.at = storesRight
	case storesRight:
		m.right++
		p.at = unlocks
	case unlocks:
		m.lock = 0
		p.begin(p.op+1, ops)
	case recoverLooks:
		if m.lock == slot+1 {
			p.at = recoverLooksLeft
		} else {
			p.begin(p.op+1, ops)
		}
	case recoverLooksLeft:
		p.at = repairs
	case repairs:
		p.changed = m.right != m.left
		m.right = m.left
		p.at = frees
	case frees:
		m.lock = 0
		p.begin(p.op+1, ops)
	}
	return []model{m}
}

// begin is the start of an operation, or the end of the script.
func (p *proc) begin(op, ops int) {
	*p = proc{locks, op, false}
	if op >= ops {
		*p = proc{}
	}
}

// die returns the state after the death of the process in a slot, where it may
// die: not before a load.
func (m model) die(slot int) (to []model) {
	p := &m.procs[slot]
	if m.deaths == 0 || p.at == gone || p.at == looks || p.at == recoverLooks || p.at == recoverLooksLeft {
		return nil
	}
	m.deaths--
	*p = proc{recoverLooks, p.op, false}
	return []model{m}
}

// count returns how many states there are, how many of them are ends, and how
// many ways between them are deaths.
func count(ops []int, deaths int) (states, ends, died int) {
	start := model{deaths: deaths}
	for slot, n := range ops {
		start.procs[slot].begin(0, n)
	}
	seen := map[model]bool{start: true}
	for queue := []model{start}; len(queue) > 0; queue = queue[1:] {
		var to []model
		for slot, n := range ops {
			to = append(to, queue[0].next(slot, n)...)
		}
		if len(to) == 0 {
			ends++
		}
		for slot := range ops {
			d := queue[0].die(slot)
			died += len(d)
			to = append(to, d...)
		}
		for _, m := range to {
			if !seen[m] {
				seen[m] = true
				queue = append(queue, m)
			}
		}
	}
	return len(seen), ends, died
}
