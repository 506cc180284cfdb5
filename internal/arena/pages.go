package arena

import "iter"

// A pageSet is the pages that a class owns, by chunk. They are few, but for a process that has much
// to retire; and of a process that replaces one block by another the one is often the last that is
// known of its page, and the other the first: so pages come and go, and a map would take longer
// than all that is done with them.
type pageSet struct {
	few  [8]*page
	n    int           // of few that are used
	more map[int]*page // the others; nil: there have been none
}

func (s *pageSet) len() int { return s.n + len(s.more) }

// get returns the page of a chunk; nil if it is not there.
func (s *pageSet) get(chunk int) *page {
	for _, p := range s.few[:s.n] {
		if p.chunk == chunk {
			return p
		}
	}
	return s.more[chunk]
}

// add adds a page that is not there.
func (s *pageSet) add(p *page) {
	if s.n < len(s.few) {
		s.few[s.n] = p
		s.n++
		return
	}
	if s.more == nil {
		s.more = make(map[int]*page)
	}
	s.more[p.chunk] = p
}

// remove takes the page of a chunk away.
func (s *pageSet) remove(chunk int) {
	for i, p := range s.few[:s.n] {
		if p.chunk == chunk {
			s.n--
			s.few[i], s.few[s.n] = s.few[s.n], nil
			return
		}
	}
	delete(s.more, chunk)
}

// all returns an iterator over the pages, in no order.
func (s *pageSet) all() iter.Seq[*page] {
	return func(yield func(*page) bool) {
		for _, p := range s.few[:s.n] {
			if !yield(p) {
				return
			}
		}
		for _, p := range s.more {
			if !yield(p) {
				return
			}
		}
	}
}
