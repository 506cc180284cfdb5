package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// The control socket carries frames: 4 bytes of magic, the protocol's version
// and the kind of message (2 bytes each), the length of the payload (8), all
// little-endian, and the payload.
//
//	parent                          child
//	  │ ── start (hello, args) ───────▶ │  checks, decodes
//	  │ ◀─ ready, or refuse (why) ───── │  runs the function
//	  │ ── stop ──────────────────────▶ │  cancels its context
//	  │ ◀─ report (error's text) ────── │  just before it exits
//
// End of file is the other side's death: each end is held by one process only.
const (
	protocolVersion = 2
	frameHeader     = 16
	maxReport       = 64 << 10 // text of an error; longer ones are cut
	maxExtraFiles   = 1 << 10
)

var frameMagic = [4]byte{0, 's', 'h', 'p'}

type message uint16

const (
	msgStart message = iota + 1
	msgReady
	msgRefuse
	msgStop
	msgReport
)

var errProtocol = errors.New("bad message on the control socket")

// writeFrame writes a frame whose payload is head followed by tail, which is
// not copied.
func writeFrame(w io.Writer, kind message, head, tail []byte) error {
	b := make([]byte, 0, frameHeader+len(head))
	b = append(b, frameMagic[:]...)
	b = binary.LittleEndian.AppendUint16(b, protocolVersion)
	b = binary.LittleEndian.AppendUint16(b, uint16(kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(head)+len(tail)))
	b = append(b, head...)
	if _, err := w.Write(b); err != nil {
		return err
	}
	if len(tail) == 0 {
		return nil
	}
	_, err := w.Write(tail)
	return err
}

// readFrame reads one frame of at most limit bytes of payload. At the end of
// the stream it returns [io.EOF].
func readFrame(r io.Reader, limit uint64) (message, []byte, error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	if [4]byte(h[:4]) != frameMagic {
		return 0, nil, fmt.Errorf("%w: magic % x", errProtocol, h[:4])
	}
	if v := binary.LittleEndian.Uint16(h[4:]); v != protocolVersion {
		return 0, nil, fmt.Errorf("%w: protocol %d, want %d", ErrMismatch, v, protocolVersion)
	}
	n := binary.LittleEndian.Uint64(h[8:])
	if n > limit {
		return 0, nil, fmt.Errorf("%w: %d bytes, limit %d", errProtocol, n, limit)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return message(binary.LittleEndian.Uint16(h[6:])), payload, nil
}

// hello is what a child is told at its start.
type hello struct {
	build, table uint64 // must be those of the child
	fn           string
	sum          uint64 // fingerprint of the arguments' type
	name         string
	parentName   string
	parentPID    int
	grace        time.Duration
	maxDepth     int
	extraFiles   int
	logLevel     slog.Level // of the parent's default logger
	daemon       bool
	orphan       bool
	piped        bool   // standard output or error is a pipe to the parent
	args         []byte // the rest of the payload
}

// appendHead appends everything but args.
func (h *hello) appendHead(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, h.build)
	b = binary.LittleEndian.AppendUint64(b, h.table)
	b = binary.LittleEndian.AppendUint64(b, h.sum)
	for _, s := range []string{h.fn, h.name, h.parentName} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, n := range []int{h.parentPID, int(h.grace), h.maxDepth, h.extraFiles} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendVarint(b, int64(h.logLevel))
	return append(b, flag(h.daemon), flag(h.orphan), flag(h.piped))
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// parse is the inverse of appendHead, args included.
func (h *hello) parse(b []byte) error {
	r := reader{b: b}
	h.build, h.table, h.sum = r.uint64(), r.uint64(), r.uint64()
	h.fn, h.name, h.parentName = r.string(), r.string(), r.string()
	h.parentPID = int(r.uvarint())
	h.grace = time.Duration(r.uvarint())
	h.maxDepth = int(r.uvarint())
	h.extraFiles = int(r.uvarint())
	h.logLevel = slog.Level(r.varint())
	h.daemon = r.take(1)[0] != 0
	h.orphan = r.take(1)[0] != 0
	h.piped = r.take(1)[0] != 0
	h.args = r.b
	if r.short || h.extraFiles < 0 || h.extraFiles > maxExtraFiles {
		return fmt.Errorf("%w: hello of %d bytes", errProtocol, len(b))
	}
	return nil
}

// reader takes values from the front of b. When b is too short it yields
// zeros, and remembers.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.short, r.b = true, nil
		return make([]byte, min(n, 8))
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.short, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.short, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.short, r.b = true, nil
		return ""
	}
	return string(r.take(int(n)))
}
