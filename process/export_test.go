package process

import "time"

// What the tests of single pieces need.
func OOMKills() int64 { return oomKills(oomCounter("")) }

// A Look is a look at a process: a letter and a processor time for each thread.
type Look struct {
	After   time.Duration // since the first
	Threads string
	Ran     []time.Duration
}

// StateAfter judges a process by looks at it.
func StateAfter(looks ...Look) State {
	var seen sample
	for _, l := range looks {
		now := sample{at: time.Unix(1000, 0).Add(l.After)}
		for i := range l.Threads {
			now.threads = append(now.threads, thread{id: i, state: l.Threads[i], ran: l.Ran[i]})
		}
		now.follow(&seen)
		seen = now
	}
	return seen.state()
}

// Tail returns what is kept of the writes.
func Tail(size int, writes ...[]byte) string {
	t := newTail(size)
	for _, w := range writes {
		t.Write(w)
	}
	return t.String()
}

// ParseHello parses a hello's payload; it returns the arguments.
func ParseHello(b []byte) ([]byte, error) {
	var h hello
	err := h.parse(b)
	return h.args, err
}

// Hello returns a hello's payload.
func Hello(name string, args []byte) []byte {
	h := hello{fn: "f", name: name, parentName: "p", parentPID: 1, grace: time.Second, maxDepth: 8, extraFiles: 3, daemon: true}
	return append(h.appendHead(nil), args...)
}

// ReadFrame and WriteFrame are the wire.
var (
	ReadFrame  = readFrame
	WriteFrame = writeFrame
	ErrWire    = errProtocol
)

// Watchers counts the watches that go on.
func Watchers() int {
	watchers.mu.Lock()
	defer watchers.mu.Unlock()
	return len(watchers.all)
}
