package process

import "time"

// What the tests of single pieces need.
func OOMKills() int64 { return oomKills(oomCounter("")) }

// StateOfSamples judges a process from two looks at it.
func StateOfSamples(threads string, ran, ranBefore, between time.Duration) State {
	before := sample{at: time.Unix(1000, 0), ran: ranBefore, timed: true}
	return sample{at: before.at.Add(between), threads: []byte(threads), ran: ran, timed: true}.state(before)
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
