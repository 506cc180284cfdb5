package main

import "sync"

// A tail is a writer that keeps the last of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 1 << 20

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailSize; n > tailSize {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b[max(len(t.b)-tailSize, 0):]
}
