package pool

import "testing"

// Internals for tests.
type (
	Header     = header
	WorkerLine = workerLine
	TaskEntry  = taskEntry
)

// NewTestTable makes a table in memory, and returns its body.
func NewTestTable(t testing.TB, workers, functions, tasks, scratch int) []byte {
	t.Helper()
	g := geometry{workers, functions, tasks, scratch}
	body := make([]byte, g.size())
	h, err := headerOf(body)
	if err != nil {
		t.Fatal(err)
	}
	h.workers, h.functions, h.tasks, h.scratch = uint64(workers), uint64(functions), uint64(tasks), uint64(scratch)
	return body
}

// ReadBody reads everything that a table's body says.
func ReadBody(body []byte) (*Report, error) {
	v, err := viewOf(body)
	if err != nil {
		return nil, err
	}
	return v.report(), nil
}

// ReadResult reads a result's record as the collector does, for a job of n items.
func ReadResult(b []byte, n int) (ended int, outcomes []error) {
	var r resultRecord
	items, ok := r.parse(b)
	if !ok {
		return 0, nil
	}
	s := &errorSink{}
	j := &job{fn: &function{name: "f"}, sink: s, items: n}
	p := &Pool{table: &table{view: &view{hdr: new(header)}}}
	p.deliver(j, int(r.first), int(r.items), items)
	return j.next, s.errs
}

type errorSink struct{ errs []error }

func (s *errorSink) deliver(_ int, st status, b []byte) {
	var err error
	if st != statusOK {
		err = (&function{name: "f"}).failure(st, b)
	}
	s.errs = append(s.errs, err)
}

func (s *errorSink) fail(_ int, err error) { s.errs = append(s.errs, err) }

// MakeTaskWord, and what it is taken apart into.
func MakeTaskWord(generation, worker uint32, attempt int, state uint64) uint64 {
	return uint64(makeTaskWord(generation, worker, attempt, taskState(state)))
}

func SplitTaskWord(u uint64) (generation, worker uint32, attempt int, state uint64) {
	w := taskWord(u)
	return w.generation(), w.worker(), w.attempt(), uint64(w.state())
}
