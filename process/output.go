package process

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// lastReader reads a pipe or socket to its end, which is end of file or, once
// expire has been called, the moment when nothing more is at hand. The second
// is for a child that is dead while somebody else still holds the other end:
// everything that it wrote is in the kernel by then, and nothing else matters.
type lastReader struct {
	file *os.File
	conn syscall.RawConn
	last bool // the deadline has passed: take what is there
}

func newLastReader(f *os.File) *lastReader {
	conn, err := f.SyscallConn()
	if err != nil {
		conn = nil // closed: Read says so
	}
	return &lastReader{file: f, conn: conn}
}

// expire may be called while another goroutine reads.
func (r *lastReader) expire() { r.file.SetReadDeadline(time.Unix(1, 0)) }

// Read is for one goroutine.
func (r *lastReader) Read(b []byte) (int, error) {
	if !r.last {
		n, err := r.file.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		r.last = true
		r.file.SetReadDeadline(time.Time{})
	}
	var n int
	var err error
	if cerr := r.conn.Read(func(fd uintptr) bool {
		n, err = readNow(fd, b)
		return true
	}); cerr != nil {
		return 0, cerr
	}
	if err != nil || n <= 0 {
		return 0, io.EOF
	}
	return n, nil
}

// output is a stream of the child that this process copies.
type output struct {
	from    *lastReader
	to      io.Writer
	writing *sync.Mutex // of the process: its outputs may share a writer
}

// copy ends with the child. An error of the writer does not end it: a child
// that can't write would die of SIGPIPE.
func (o output) copy() {
	defer o.from.file.Close()
	b := make([]byte, 8<<10)
	for {
		n, err := o.from.Read(b)
		if n > 0 {
			o.writing.Lock()
			o.to.Write(b[:n])
			o.writing.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// tailBuffer is a writer that keeps the last bytes written to it.
type tailBuffer struct {
	size int
	b    []byte // up to twice size, so that it is seldom moved
}

// newTail returns nil for a size that keeps nothing.
func newTail(size int) *tailBuffer {
	if size <= 0 {
		return nil
	}
	return &tailBuffer{size: size}
}

func (t *tailBuffer) Write(b []byte) (int, error) {
	if len(b) >= t.size {
		t.b = append(t.b[:0], b[len(b)-t.size:]...)
		return len(b), nil
	}
	if len(t.b)+len(b) > 2*t.size {
		t.b = append(t.b[:0], t.b[len(t.b)-t.size:]...)
	}
	t.b = append(t.b, b...)
	return len(b), nil
}

// String may be called once writing has ended. A nil tail is empty.
func (t *tailBuffer) String() string {
	if t == nil {
		return ""
	}
	return string(t.b[max(0, len(t.b)-t.size):])
}

// tee writes to both; either may be nil.
func tee(w io.Writer, t *tailBuffer) io.Writer {
	switch {
	case t == nil:
		return w
	case w == nil:
		return t
	}
	return teeWriter{w, t}
}

// teeWriter differs from io.MultiWriter in that an error of the one does not
// keep the bytes from the other.
type teeWriter struct {
	w io.Writer
	t *tailBuffer
}

func (t teeWriter) Write(b []byte) (int, error) {
	t.t.Write(b)
	return t.w.Write(b)
}
