//go:build faultpoints

package ringqueue

import (
	"testing"

	"github.com/shmkit/shmkit/internal/explore"
	"github.com/shmkit/shmkit/internal/mem"
)

// The explorer (package explore) runs the ring's own code, not a model of it,
// through every interleaving of a few actors on a tiny ring, with death as one of
// the things that may happen next. Here is what it has to know about rings: the
// memory, the operations, and what must be true.

// search goes through s until it has seen every state, or limit of them.
func search(t testing.TB, s scenario, limit int) explore.Report {
	t.Helper()
	w := newWorld(t, s)
	report, err := explore.Search(w.explored(), explore.Scenario{
		Scripts: s.scripts, Deaths: s.deaths, Forever: s.rolling, States: limit,
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// explored describes the world to the explorer.
func (w *world) explored() explore.World[*actor] {
	return explore.World[*actor]{
		Memory: []explore.Region{
			{Name: "words", Bytes: mem.BytesOfSlice(w.m.words)},
			{Name: "data", Bytes: w.m.data},
			{Name: "tail", Bytes: mem.BytesOf(&w.m.tail)},
			{Name: "consume", Bytes: mem.BytesOf(&w.m.consume)},
			{Name: "reclaim", Bytes: mem.BytesOf(&w.m.reclaim)},
			{Name: "redeliver", Bytes: mem.BytesOf(&w.m.redeliver)},
			{Name: "dropped", Bytes: mem.BytesOf(&w.m.dropped)},
			{Name: "shutdown", Bytes: mem.BytesOf(&w.m.shutdown)},
		},
		Reset:       w.reset,
		Start:       w.start,
		Join:        w.join,
		Begin:       w.begin,
		Do:          func(a *actor, op string) func() { return operations[op].do(w, a) },
		Recover:     w.recover,
		Recovered:   func(*actor) { w.checkOwners(records(w, &w.now)) }, // nothing must name the slot any more
		Plain:       func(c explore.Change) bool { return c.Region == "data" },
		Changed:     w.changed,
		Audit:       w.audit,
		End:         w.auditEnd,
		Handle:      w.cached,
		Milestone:   w.milestone,
		Seen:        w.normal,
		Fingerprint: w.fingerprint,
		Noted:       w.noted,
		Held:        w.tooLate,
		Format:      w.format,
	}
}
