package ringqueue

// claimLarge reserves a record by reference, and a block of n bytes for it, which
// is then the caller's to fill. Called between enter and leave.
func (r *Ring) claimLarge(n uint64) (claim, status) {
	if r.isFull(1) {
		return claim{}, r.noRoom() // before there is a block to give back
	}
	if st, _ := r.large.prepare(); st != done {
		return claim{}, st
	}
	a := r.large.open()
	if a == nil {
		return claim{}, corrupt
	}
	b, st, _ := r.large.alloc(a, n)
	if st != done {
		if r.core.loadShutdown() != 0 {
			st = ended
		}
		return claim{}, st
	}
	cl, st := r.claimNow(1, 1, referenceSize, reserved)
	if st != done {
		a.Abandon(b)
		return claim{}, st
	}
	page, _, _ := a.Page(b.Ref)
	reference{b.Ref, page}.put(r.own(cl.pos, referenceSize))
	r.large.setLength(a, b.Ref, n)
	// The block is named before it is live: whoever recovers from a death finds it.
	cl.word |= byReference << lengthShift
	r.core.store(cl.pos, cl.word, "ring.large.refer")
	a.Enliven(b)
	a.Linked(b)
	return cl, done
}

// claimAny is claimNow for one record of n bytes, wherever it is going to lie.
func (r *Ring) claimAny(n uint64) (claim, status) {
	if n > r.inline {
		return r.claimLarge(n)
	}
	return r.claimNow(blocksFor(n), 1, n, reserved)
}

// openAny is openNow for one record of n bytes, wherever it is going to lie.
func (r *Ring) openAny(n uint64) (claim, status) {
	if n > r.inline {
		return r.claimLarge(n)
	}
	return r.openNow(blocksFor(n), 1, n, reserved)
}

// room returns the n bytes of memory of a claim. It is false if the reference has
// been overwritten.
func (r *Ring) room(cl claim, n uint64) ([]byte, bool) {
	if !cl.word.large() {
		return r.span(cl.pos, n)
	}
	a := r.large.open()
	ref, ok := r.referenceAt(a, cl.pos)
	if !ok {
		return nil, false
	}
	b, ok := r.large.room(a, ref.ref)
	if !ok || n > uint64(len(b)) {
		return nil, false
	}
	return b[:n:n], true
}

// commitClaim commits a record, for which most bytes were reserved, with n of them.
func (r *Ring) commitClaim(cl claim, n, most uint64) {
	if !cl.word.large() {
		r.commit(cl, n)
		return
	}
	if n < most {
		a := r.large.open()
		if ref, ok := r.referenceAt(a, cl.pos); ok {
			r.large.setLength(a, ref.ref, n)
		}
	}
	r.commitWhole(cl)
}

// abortClaim gives a reserved record up.
func (r *Ring) abortClaim(cl claim) {
	if cl.word.large() {
		a := r.large.open()
		if ref, ok := r.referenceAt(a, cl.pos); ok {
			retire(a, ref.ref)
		}
	}
	r.abort(cl)
}

// roomFor returns what who waits to put a record of n bytes waits for: see waitClaim.
func (r *Ring) roomFor(n uint64) (want uint64) {
	if n > r.inline {
		return 0
	}
	return blocksFor(n)
}

// blocksOf returns how many blocks of the ring a record of n bytes takes.
func (r *Ring) blocksOf(n uint64) uint64 {
	if n > r.inline {
		return 1
	}
	return blocksFor(n)
}
