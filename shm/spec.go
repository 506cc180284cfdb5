package shm

import (
	"fmt"
	"strings"
)

// A Spec describes a structure that a package keeps inside segments. The
// callbacks must not close the segment, probe slots or keep the segment when
// they fail.
type Spec struct {
	// Kind names the structure: 1 to 16 bytes, such as "queue". A segment of
	// another kind is refused with [ErrKind].
	Kind string
	// Layout is the version, or hash, of the kind's layout. A segment of another
	// layout is refused with [ErrLayout].
	Layout uint64
	// Type is the text of the element type, for people; 200 bytes of it are kept.
	Type string
	// TypeSum is the fingerprint of the element type; 0 matches any. A segment
	// of another type is refused with [ErrType].
	TypeSum uint64
	// Size is the size of the body at creation in bytes, rounded up to whole
	// pages. It is ignored at open.
	Size int64
	// Mirror, at creation, is how many of the body's last bytes are mapped a
	// second time directly behind the body; 0 means none. It and Size are
	// multiples of the page size. Where the platform can't, the segment is
	// created without: see [Segment.Mirrored].
	Mirror int64
	// Reserve, at creation, is how many bytes the body has besides Size, without
	// taking space, a multiple of the page size. They follow the first Size bytes,
	// all but those of the Mirror, which stay the last ones. They must not be
	// touched before [Segment.Allocate] took the space: an access that finds the
	// file system full kills the process.
	Reserve int64
	// Slots is the number of process slots at creation; 0 means Options.Slots.
	Slots int
	// AnyBoot accepts files from before the last reboot. The structure must then
	// be able to tell what a power loss left of it.
	AnyBoot bool

	// Init, at creation, fills the body, which is zero, before anybody else can
	// see the segment. An error undoes the creation.
	Init func(s *Segment) error
	// Check, at open, validates the kind's own header. It runs before the
	// handle joins: it has no slot yet, and must only read.
	Check func(s *Segment) error
	// Recover repairs what the dead process of the slot left behind, by
	// idempotent steps of one word each: the process that runs it may be killed
	// too, and the next one starts again. The caller holds the slot's liveness
	// lock, so the slot is neither reused nor recovered by others meanwhile. It is
	// called at any time after Check, on any goroutine, one at a time in each
	// handle, and during the join itself, when the handle already owns the
	// counters of the slot that it recovers. After an error the slot stays as it
	// is and recovery is tried again later.
	Recover func(s *Segment, slot int) error
	// Linger lets a handle's memory be read without a use, by who has looked at
	// [Segment.Closed] before and calls [runtime.KeepAlive] on the handle after: with
	// the last use over it becomes private zeros, and is unmapped when nothing
	// refers to the handle any more. Where the platform can't do that, it
	// changes nothing: see [Segment.Lingers].
	Linger bool
	// Leave gives back what this handle's slot still has in the structure, when its
	// last use is over and before the slot is given back. If the process dies in
	// it, Recover does the rest.
	Leave func(s *Segment)
}

// blockSpec describes the plain block.
func blockSpec(size int64) *Spec { return &Spec{Kind: "block", Layout: 1, Size: size} }

func (sp *Spec) validate() error {
	if len(sp.Kind) == 0 || len(sp.Kind) > kindLen || strings.ContainsAny(sp.Kind, ":\x00") {
		return fmt.Errorf("%w: kind %q is not 1 to %d bytes without colon and NUL", ErrKind, sp.Kind, kindLen)
	}
	return nil
}

// match checks that the segment is of the described kind.
func (sp *Spec) match(h *header) error {
	if kind := h.kindText(); kind != sp.Kind {
		return fmt.Errorf("%w: it is a %q, not a %q", ErrKind, kind, sp.Kind)
	}
	if h.layout != sp.Layout {
		return fmt.Errorf("%w: %s has layout %#x, this program's is %#x", ErrLayout, sp.Kind, h.layout, sp.Layout)
	}
	if h.typeSum != sp.TypeSum && h.typeSum != 0 && sp.TypeSum != 0 {
		return fmt.Errorf("%w: it holds %s (%#x), not %s (%#x)", ErrType, h.typeText(), h.typeSum, sp.Type, sp.TypeSum)
	}
	return nil
}
