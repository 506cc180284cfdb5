//go:build unix

package ringqueue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The sequential queue that histories are compared with. A put is two steps,
// because it takes its place in the order before it can be seen: until then
// those behind it can't be taken, and a consumer that comes to it answers
// "empty". What a consumer held when it died, or gave back, may be delivered at
// any time later, whatever is in the queue.
type (
	// An entry is an item in the order of the queue.
	entry struct {
		id    uint16
		stage byte
	}
	// A handed item is out of the order: held by a client, or, with client
	// nobody, waiting to be delivered again.
	handed struct {
		id       uint16
		attempts byte
		client   byte
	}
	// queueState is comparable: its strings are entries and handed items, four
	// bytes each, the latter sorted.
	queueState struct {
		order  string
		handed string
		shut   bool
	}
)

const (
	placed byte = iota // has its place, is not there yet
	there
	gone // will never be there
)

const nobody = 0xff

// What a client did, and how it came out.
type (
	verb    uint8
	request struct {
		verb   verb
		id     uint16 // item that is put or ended
		client byte
		max    int  // the queue's MaxItems
		killed bool // the client died in it: it may have happened or not
	}
	reply struct {
		result  result
		id      uint16 // item that was taken
		attempt byte
	}
	result uint8
)

const (
	place    verb = iota + 1 // first half of a put
	publish                  // second half of one
	withdraw                 // second half of one that failed
	get
	receive
	ack
	nack
	shut
	die // everything that the client held is to be delivered again
	end // nothing is left
)

const (
	fine       result = iota + 1
	nothing           // empty, or full
	closedDown        // shut down
	refused           // another has the role
)

func (v verb) String() string {
	return [...]string{"", "place", "publish", "withdraw", "get", "receive", "ack", "nack", "shutdown", "die", "end"}[v]
}

func (r result) String() string {
	return [...]string{"killed", "ok", "nothing", "shut down", "refused"}[r]
}

func (s queueState) entries() (es []entry) {
	for b := s.order; b != ""; b = b[4:] {
		es = append(es, entry{uint16(b[0])<<8 | uint16(b[1]), b[2]})
	}
	return es
}

func (s queueState) out() (hs []handed) {
	for b := s.handed; b != ""; b = b[4:] {
		hs = append(hs, handed{uint16(b[0])<<8 | uint16(b[1]), b[2], b[3]})
	}
	return hs
}

// makeState returns the state in its one form: what is gone leaves the front.
func makeState(es []entry, hs []handed, shut bool) queueState {
	for len(es) > 0 && es[0].stage == gone {
		es = es[1:]
	}
	slices.SortFunc(hs, func(a, b handed) int { return int(a.id) - int(b.id) })
	var o, h []byte
	for _, e := range es {
		o = append(o, byte(e.id>>8), byte(e.id), e.stage, 0)
	}
	for _, x := range hs {
		h = append(h, byte(x.id>>8), byte(x.id), x.attempts, x.client)
	}
	return queueState{string(o), string(h), shut}
}

// step returns every state to which the request with this reply may lead.
func (s queueState) step(in request, out reply) (next []any) {
	es, hs := s.entries(), s.out()
	to := func(es []entry, hs []handed) { next = append(next, makeState(es, hs, s.shut)) }
	if in.killed {
		next = append(next, s)
	}
	if out.result == refused {
		return append(next, s)
	}
	switch in.verb {
	case place:
		if out.result == nothing {
			if len(es) >= in.max {
				next = append(next, s)
			}
			return next
		}
		if len(es) < in.max {
			to(append(slices.Clone(es), entry{in.id, placed}), hs)
		}
	case publish, withdraw:
		i := slices.Index(es, entry{in.id, placed})
		if i < 0 {
			return next
		}
		if in.verb == publish {
			es = slices.Clone(es)
			es[i].stage = there
			to(es, hs)
		}
		if in.verb == withdraw || in.killed {
			es = slices.Clone(es)
			es[i].stage = gone
			to(es, hs)
		}
	case get, receive:
		return append(next, s.take(in, out, es, hs)...)
	case ack, nack:
		i := slices.IndexFunc(hs, func(h handed) bool { return h.id == in.id && h.client == in.client })
		if i < 0 {
			return next
		}
		hs = slices.Clone(hs)
		if in.verb == ack {
			to(es, slices.Delete(hs, i, i+1))
		} else {
			hs[i].client = nobody
			to(es, hs)
		}
	case shut:
		next = append(next, queueState{s.order, s.handed, true})
	case die:
		hs = slices.Clone(hs)
		for i := range hs {
			if hs[i].client == in.client {
				hs[i].client = nobody
			}
		}
		to(es, hs)
	case end:
		if len(es) == 0 && len(hs) == 0 {
			next = append(next, s)
		}
	}
	return next
}

// take is step for a get or a receive.
func (s queueState) take(in request, out reply, es []entry, hs []handed) (next []any) {
	to := func(es []entry, hs []handed) { next = append(next, makeState(es, hs, s.shut)) }
	ready := len(es) > 0 && es[0].stage == there
	if out.result == nothing || out.result == closedDown {
		if !ready && (out.result == nothing || s.shut && len(es) == 0) {
			next = append(next, s)
		}
		return next
	}
	wanted := func(id uint16) bool { return in.killed || id == out.id }
	if ready && wanted(es[0].id) {
		item := handed{es[0].id, 1, in.client}
		switch {
		case in.killed:
			item.client = nobody
			to(es[1:], append(slices.Clone(hs), item))
			if in.verb == get {
				to(es[1:], hs) // it was over before it could tell
			}
		case in.verb == get:
			to(es[1:], hs)
		case out.attempt == 1:
			to(es[1:], append(slices.Clone(hs), item))
		}
	}
	for i, h := range hs {
		if h.client != nobody || !wanted(h.id) {
			continue
		}
		less := slices.Delete(slices.Clone(hs), i, i+1)
		again := handed{h.id, h.attempts + 1, in.client}
		switch {
		case in.killed:
			again.client = nobody
			to(es, append(slices.Clone(less), again))
			if in.verb == get {
				to(es, less)
			}
		case in.verb == get:
			to(es, less)
		case out.attempt == again.attempts:
			to(es, append(less, again))
		}
	}
	return next
}

var queueModel = func() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{queueState{}} },
		Step: func(state, in, out any) []any { return state.(queueState).step(in.(request), out.(reply)) },
		DescribeOperation: func(in, out any) string {
			i, o := in.(request), out.(reply)
			return fmt.Sprintf("%v %d: %v %d.%d", i.verb, i.id, o.result, o.id, o.attempt)
		},
		DescribeState: func(state any) string {
			s := state.(queueState)
			var b strings.Builder
			for _, e := range s.entries() {
				fmt.Fprintf(&b, "%d%s ", e.id, [...]string{"?", "", "-"}[e.stage])
			}
			for _, h := range s.out() {
				fmt.Fprintf(&b, "(%d.%d by %d) ", h.id, h.attempts, int8(h.client))
			}
			return b.String()
		},
	}
	return m.ToModel()
}()

// TestModelOfQueue shows that the model tells right histories from wrong ones:
// the operations follow each other, or overlap where that is said.
func TestModelOfQueue(t *testing.T) {
	type op struct {
		request
		reply
		from, to int64 // 0: behind the one before
	}
	put := func(id uint16) []op {
		return []op{{request: request{verb: place, id: id, max: 2}, reply: reply{result: fine}}, {request: request{verb: publish, id: id}, reply: reply{result: fine}}}
	}
	full := op{request: request{verb: place, id: 99, max: 2}, reply: reply{result: nothing}}
	got := func(id uint16) op { return op{request: request{verb: get}, reply: reply{result: fine, id: id}} }
	none := op{request: request{verb: get}, reply: reply{result: nothing}}
	rec := func(id uint16, attempt byte) op {
		return op{request: request{verb: receive, client: 1}, reply: reply{fine, id, attempt}}
	}
	acked := func(id uint16) op {
		return op{request: request{verb: ack, id: id, client: 1}, reply: reply{result: fine}}
	}
	nacked := func(id uint16) op {
		return op{request: request{verb: nack, id: id, client: 1}, reply: reply{result: fine}}
	}
	killedGet := op{request: request{verb: get, client: 1, killed: true}}
	killedReceive := op{request: request{verb: receive, client: 1, killed: true}}
	killedPut := func(id uint16) []op {
		return []op{{request: request{verb: place, id: id, max: 2, killed: true}}, {request: request{verb: publish, id: id, killed: true}}}
	}
	died := op{request: request{verb: die, client: 1}, reply: reply{result: fine}}
	nothingLeft := op{request: request{verb: end}, reply: reply{result: fine}}
	overlap := func(from, to int64, o op) op { o.from, o.to = from, to; return o }
	seq := func(parts ...any) (h []op) {
		for _, p := range parts {
			switch p := p.(type) {
			case op:
				h = append(h, p)
			case []op:
				h = append(h, p...)
			}
		}
		return h
	}
	for _, tt := range []struct {
		name  string
		right bool
		ops   []op
	}{
		{"in order", true, seq(put(1), put(2), got(1), got(2), none, nothingLeft)},
		{"reordered", false, seq(put(1), put(2), got(2), got(1))},
		{"lost", false, seq(put(1), none)},
		{"lost, at the end", false, seq(put(1), nothingLeft)},
		{"twice", false, seq(put(1), got(1), got(1))},
		{"invented", false, seq(put(1), got(7))},
		{"full", true, seq(put(1), put(2), full)},
		{"full with room", false, seq(put(1), full)},
		{"more than fit", false, seq(put(1), put(2), put(3))},
		{"blocked by one being written", true, seq(overlap(1, 100, put(1)[0]), overlap(1, 100, put(1)[1]), overlap(5, 6, put(2)[0]), overlap(5, 6, put(2)[1]), overlap(10, 11, none))},
		{"killed get took it", true, seq(put(1), put(2), killedGet, got(2), nothingLeft)},
		{"killed get did not", true, seq(put(1), put(2), killedGet, got(1), got(2), nothingLeft)},
		{"killed get, delivered again late", true, seq(put(1), put(2), killedGet, got(2), got(1), nothingLeft)},
		{"killed get took two", false, seq(put(1), put(2), killedGet, none, nothingLeft)},
		{"killed receive lost it", false, seq(put(1), killedReceive, died, none, nothingLeft)},
		{"killed receive, again", true, seq(put(1), killedReceive, died, rec(1, 2), acked(1), nothingLeft)},
		{"killed receive, not taken", true, seq(put(1), killedReceive, died, rec(1, 1), acked(1), nothingLeft)},
		{"wrong attempt", false, seq(put(1), rec(1, 2))},
		{"requeued", true, seq(put(1), put(2), rec(1, 1), nacked(1), rec(2, 1), acked(2), rec(1, 2), acked(1), nothingLeft)},
		{"held by another", false, seq(put(1), rec(1, 1), got(1))},
		{"after its ack", false, seq(put(1), rec(1, 1), acked(1), got(1))},
		{"killed put is there", true, seq(killedPut(1), put(2), got(1), got(2), nothingLeft)},
		{"killed put is not", true, seq(killedPut(1), put(2), got(2), nothingLeft)},
		{"killed put comes twice", false, seq(killedPut(1), got(1), got(1))},
		{"shut down with something left", false, seq(put(1), op{request: request{verb: shut}, reply: reply{result: fine}}, op{request: request{verb: get}, reply: reply{result: closedDown}})},
		{"shut down, not at all", false, seq(op{request: request{verb: get}, reply: reply{result: closedDown}})},
	} {
		var h []porcupine.Operation
		for i, o := range tt.ops {
			if o.to == 0 {
				o.from, o.to = int64(100+10*i), int64(101+10*i)
			}
			h = append(h, porcupine.Operation{Input: o.request, Output: o.reply, Call: o.from, Return: o.to})
		}
		want := porcupine.Illegal
		if tt.right {
			want = porcupine.Ok
		}
		if got := porcupine.CheckOperationsTimeout(queueModel, h, time.Minute); got != want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
