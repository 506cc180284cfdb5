package main

import "context"

// produce is the life of a producer: it puts records until the run ends.
func produce(ctx context.Context, a memberArgs) error {
	m, err := joinRun(ctx, a, producedAll)
	if err != nil {
		return err
	}
	defer m.close()
	p := &producer{member: m}
	for m.ctx.Err() == nil {
		if err := p.step(); !m.bears(err) {
			return err
		}
	}
	return nil
}

type producer struct {
	*member
	next  uint64 // seq of the next record
	batch [][]byte
	buf   []byte
}

// step is one operation, in one of the ways that there are to put. A record that
// found no room is put by one of the next steps.
func (p *producer) step() error {
	switch n := p.rand.IntN(100); {
	case n < 30:
		return p.put(opPut)
	case n < 50:
		return p.put(opTryPut)
	case n < 75:
		return p.putMany()
	case n < 95:
		return p.reserve()
	default:
		return p.abort()
	}
}

func (p *producer) id(i int) recordID {
	return recordID{seat: uint8(p.Seat), life: uint32(p.Life), seq: p.next + uint64(i)}
}

// record makes the i-th of the next records.
func (p *producer) record(buf []byte, i int) []byte {
	id := p.id(i)
	n := p.mint.sizeOf(id)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	p.mint.fill(buf[:n], id, plainRecord)
	return buf[:n]
}

// begin says that the next n records are about to be put.
func (p *producer) begin(k opKind, n int) {
	p.line.begun.Store(p.next + uint64(n))
	p.line.enter(k, n)
}

// done says that n of them have been put, and none of the others.
func (p *producer) done(n int) {
	p.next += uint64(n)
	p.line.ended.Store(p.next)
	p.line.leave()
}

func (p *producer) put(k opKind) error {
	p.buf = p.record(p.buf, 0)
	p.begin(k, 1)
	var err error
	if k == opTryPut {
		err = p.queue.TryPut(p.buf)
	} else {
		err = p.queue.Put(p.soon(), p.buf)
	}
	n := 0
	if err == nil {
		n = 1
	}
	p.done(n)
	return err
}

func (p *producer) putMany() error {
	n := 1 + p.rand.IntN(p.Batch)
	for len(p.batch) < n {
		p.batch = append(p.batch, nil)
	}
	for i := range n {
		p.batch[i] = p.record(p.batch[i], i)
	}
	p.begin(opPutMany, n)
	put, err := p.queue.PutMany(p.soon(), p.batch[:n])
	p.done(put)
	return err
}

// reserve writes a record into the ring, of which it has reserved more than it
// needs, if there can be more.
func (p *producer) reserve() error {
	id := p.id(0)
	n := p.mint.sizeOf(id)
	p.begin(opReserve, 1)
	s, err := p.ring.Reserve(p.soon(), min(n+p.rand.IntN(2)*p.rand.IntN(200), p.ring.MaxRecord()))
	if err != nil {
		p.done(0)
		return err
	}
	p.mint.fill(s.Bytes()[:n], id, plainRecord)
	if err := s.Commit(n); err != nil {
		p.done(0)
		return err
	}
	p.done(1)
	return nil
}

// abort writes a record that nobody may ever see, and gives it up.
func (p *producer) abort() error {
	id := p.id(0)
	p.line.enter(opAbort, 1)
	s, err := p.ring.Reserve(p.soon(), p.mint.sizeOf(id))
	if err == nil {
		p.mint.fill(s.Bytes(), id, abortedRecord)
		s.Abort()
	}
	p.line.leave()
	return err
}
