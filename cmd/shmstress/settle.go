package main

import "time"

// settleAll closes the accounts of records that have met their end, and of
// those that have been waited for in vain. What is settled stays one round
// longer, for notes that were written earlier and are read later.
func (b *book) settleAll(now time.Duration) {
	for seat, lives := range b.lives {
		for no, l := range lives {
			b.settleLife(l, now)
			if l.dead && l.passed == 0 && no < b.furthest[seat] {
				l.passed = now
			}
			if l.passed > 0 && now-l.passed > settleAfter {
				b.finish(l)
				delete(lives, no)
			}
		}
	}
	for id, s := range b.strays {
		switch {
		case s.rec.settled() && s.settled:
			b.settle(id, &s.rec)
			delete(b.strays, id)
		case s.rec.settled():
			s.settled = true
		case now-s.since > settleAfter && s.seen&^s.freed == 0:
			b.explain(id, &s.rec)
			delete(b.strays, id)
		}
	}
	b.balance(now)
}

// settleLife takes what has ended from the front of a life's window.
func (b *book) settleLife(l *life, now time.Duration) {
	n := 0
	for n < l.done && l.recs[n].settled() { // still: an older note may have come
		b.settle(recordID{l.seat, l.no, l.base + uint64(n)}, &l.recs[n])
		n++
	}
	l.drop(n)
	for len(l.recs) > windowMost && !l.recs[0].settled() {
		b.strays[recordID{l.seat, l.no, l.base}] = &stray{rec: l.recs[0], since: now}
		l.drop(1)
	}
	l.done = 0
	for l.done < len(l.recs) && l.recs[l.done].settled() {
		l.done++
	}
}

// settle closes the account of a record that has ended.
func (b *book) settle(id recordID, r *rec) {
	if n := r.skipped(); n > 0 {
		b.skipped += uint64(n)
		b.skip = id.String() + ": " + r.story()
	}
}

// finish closes the accounts of a life of which nothing more will come.
func (b *book) finish(l *life) {
	b.settleLife(l, 0)
	for i := range l.recs {
		id := recordID{l.seat, l.no, l.base + uint64(i)}
		if r := &l.recs[i]; r.settled() {
			b.settle(id, r)
		} else {
			b.explain(id, r)
		}
	}
	for seq := l.base + uint64(len(l.recs)); seq < l.ended; seq++ {
		b.explain(recordID{l.seat, l.no, seq}, new(rec))
	}
	l.drop(len(l.recs))
}

// explain closes the account of a record that was put for sure and has not ended
// for all that is known. There must be a dead consumer that took it along.
func (b *book) explain(id recordID, r *rec) {
	switch {
	case r.doubtful():
		b.totals.DoubtAcked++
		b.settle(id, r)
	case b.totals.DoubtLost < b.mayLose:
		b.totals.DoubtLost++
	default:
		b.charge(lost, "%v was put, and nobody has it: %s", id, r.story())
	}
}

// balanceEvery is how long it may take until the death of a consumer is known
// whose records have come again.
const balanceEvery = 5 * time.Second

// balance compares the deliveries that nobody has noted with those that dead
// consumers can have had.
func (b *book) balance(now time.Duration) {
	if now-b.overdueAt < balanceEvery {
		return
	}
	b.audit(b.overdue)
	b.overdue, b.overdueAt = b.skipped, now
}

func (b *book) audit(skipped uint64) {
	if skipped > b.mayReturn {
		b.charge(attempts, "%d deliveries were counted that nobody had, and dead consumers can have had %d of them; %s", skipped, b.mayReturn, b.skip)
		b.mayReturn = skipped
	}
}

// close closes all accounts: the queue is empty, and all members have ended.
func (b *book) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, lives := range b.lives {
		for no, l := range lives {
			b.finish(l)
			delete(lives, no)
		}
	}
	for id, s := range b.strays {
		if s.rec.settled() {
			b.settle(id, &s.rec)
		} else {
			b.explain(id, &s.rec)
		}
		delete(b.strays, id)
	}
	b.audit(b.skipped)
	b.totals.Unnoted = b.skipped
}
