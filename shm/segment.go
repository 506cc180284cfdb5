package shm

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
)

// A Segment is a handle of a mapped segment file. Each Create and Open makes
// its own, with its own slot, also within one process. Its methods may be
// called from several goroutines.
type Segment struct {
	// uses is twice the number of uses, plus one when the handle is closed. The
	// handle itself counts as one use until Close. See Acquire.
	uses atomic.Int64
	_    [120]byte // every operation of every goroutine writes to uses

	closed atomic.Bool // Close has begun

	path   string
	opts   Options
	spec   Spec
	hdr    header      // the checked copy: the one in the file is never read again
	id     fs.FileInfo // of the file, to tell it from others at its path
	file   *os.File    // nil when the mapping does without
	mapped mapping
	body   []byte
	table  []slot
	slot   int // -1 before it joined
	live   *liveness

	recovering sync.Mutex // one recovery at a time: locks don't tell goroutines apart

	mu      sync.Mutex // guards what follows
	onClose []func()
	closing bool

	gone sync.Once // the last use is over
}

// newSegment maps the file and makes the views. It owns neither f nor live
// when it fails.
func newSegment(path string, f *os.File, fi fs.FileInfo, live *liveness, h *header, sp *Spec, o *Options) (*Segment, error) {
	m, err := mapFile(f, int(h.fileSize), int(h.mirror), true)
	if err != nil {
		return nil, err
	}
	table, err := mem.Slice[slot](m, int(h.slotOff), int(h.slots))
	if err != nil {
		_ = m.unmap()
		return nil, err
	}
	s := &Segment{
		path: path, opts: *o, spec: *sp, hdr: *h, id: fi,
		mapped: m, body: m[h.bodyOff:], table: table, slot: -1, live: live,
	}
	s.uses.Store(2)
	if h.reserve == 0 {
		m.advise(o)
	} else {
		end := h.fileSize - h.behind
		m[:end-h.reserve].advise(o)
		if end < uint64(len(m)) {
			m[end:].advise(o)
		}
	}
	live.wait = o.dirWait
	if keepFile {
		s.file = f
	}
	return s, nil
}

// Bytes returns the memory of a plain block, as many bytes as were asked for
// at creation; for other kinds it is the body. It is invalid when the last use
// of a closed handle is over: see [Segment.Acquire].
func (s *Segment) Bytes() []byte {
	if s.hdr.mirror > 0 {
		return s.body
	}
	return s.body[:s.hdr.size:s.hdr.size]
}

// Body returns the whole body, followed by its mirror when [Segment.Mirrored].
func (s *Segment) Body() []byte { return s.body }

// Mirrored tells whether the last bytes of the body are mapped a second time
// directly behind it. It is the same for all handles of a segment.
func (s *Segment) Mirrored() bool { return s.hdr.mirror > 0 }

// Size returns the size that was asked for at creation, in bytes.
func (s *Segment) Size() int64 { return s.hdr.size64() }

// Name returns the segment's name.
func (s *Segment) Name() string { return filepath.Base(s.path) }

// Path returns the absolute path of the segment's file.
func (s *Segment) Path() string { return s.path }

// ID returns the random id of the segment: a new segment of the same name has another.
func (s *Segment) ID() [16]byte { return s.hdr.id }

// Kind returns the kind of structure in the segment, "block" for a plain one.
func (s *Segment) Kind() string { return s.hdr.kindText() }

// Type returns the text of the element type given at creation.
func (s *Segment) Type() string { return s.hdr.typeText() }

// Created returns when the segment was created.
func (s *Segment) Created() time.Time { return time.Unix(0, s.hdr.created) }

// Persistent tells whether the segment outlives its processes.
func (s *Segment) Persistent() bool { return s.hdr.persistent() }

// Handle returns a text by which another process can open exactly this segment
// with [OpenHandle]: "shmkit:", the kind, the id in hex and the path.
func (s *Segment) Handle() string {
	return handlePrefix + s.Kind() + ":" + hex.EncodeToString(s.hdr.id[:]) + ":" + s.path
}

// Slot returns the number of this handle's process slot.
func (s *Segment) Slot() int { return s.slot }

// Slots returns the number of process slots of the segment.
func (s *Segment) Slots() int { return len(s.table) }

// Lingers tells whether the memory may be read without a use: see [Spec.Linger].
func (s *Segment) Lingers() bool { return s.spec.Linger && canBlank }

// unmap ends the mapping, or leaves zeros in its place as long as somebody may look.
func (s *Segment) unmap() error {
	if !s.Lingers() {
		return s.mapped.unmap()
	}
	runtime.AddCleanup(s, func(m mapping) { _ = m.unmap() }, s.mapped)
	if err := s.mapped.blank(); err != nil {
		return fmt.Errorf("unmap: %w", err)
	}
	return nil
}

// discard undoes newSegment for a handle that never joined or has left.
func (s *Segment) discard() {
	_ = s.mapped.unmap()
	s.live.close()
	if s.file != nil {
		s.file.Close()
	}
}
