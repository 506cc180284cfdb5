package shm

import (
	"fmt"
	"io/fs"
	"log/slog"
	"time"
)

// A WaitPolicy says how blocked operations of the packages above wait.
type WaitPolicy uint8

const (
	// Adaptive spins as long as spinning pays, then waits in the kernel. It is the default.
	Adaptive WaitPolicy = iota
	// Spin never sleeps: the lowest latency, for a whole processor each waiter.
	Spin
	// Block waits in the kernel at once.
	Block
)

// String returns the policy's name in lower case.
func (p WaitPolicy) String() string {
	switch p {
	case Adaptive:
		return "adaptive"
	case Spin:
		return "spin"
	case Block:
		return "block"
	}
	return fmt.Sprintf("WaitPolicy(%d)", uint8(p))
}

const (
	defaultMode  fs.FileMode = 0o600
	defaultSlots             = 256
	maxSlots                 = 1 << 15
)

// Options are the choices of whoever creates or opens a segment. Nil and the
// zero value are the defaults.
type Options struct {
	// Dir is the directory of the segment's file; "" means [DefaultDir]. It is
	// created with mode 0700 when a segment is created and it is missing.
	Dir string
	// Mode is the mode of the file at creation, whatever the umask; 0 means
	// 0600. At open, a file that group or others may write to is refused unless
	// Mode has that bit; so is its directory.
	Mode fs.FileMode
	// Persistent makes the created segment outlive its processes: it stays until
	// [Dir.Remove]. False means that the last one to leave removes it, or, when
	// that one was killed, whoever opens, creates or sweeps next.
	Persistent bool
	// Slots is how many handles can have the created segment open at once; 0
	// means 256, and 32768 is the most. Each slot takes 512 bytes of the file.
	Slots int
	// Prefault maps all pages at once, instead of each at its first use.
	Prefault bool
	// HugePages asks the kernel for huge pages, where it gives them; without effect elsewhere.
	HugePages bool
	// AllowForeign accepts files and directories of other users. They can do to the
	// process what a segment's users can do to each other, and truncate the file
	// under it, which kills the process at its next access.
	AllowForeign bool
	// Logger gets what can't be returned: failures to recover or to leave as
	// warnings, recoveries of dead processes as debugging messages. Nil means
	// [slog.Default].
	Logger *slog.Logger

	// named makes creation go by a temporary name even where an unnamed file can be had.
	named bool
	// dirWait is how long to wait for the directory's lock; 0 means [dirLockWait].
	dirWait time.Duration
}

// withDefaults returns a copy of o in which zeros are replaced. It accepts nil.
func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Dir == "" {
		out.Dir = string(DefaultDir())
	}
	if out.Mode == 0 {
		out.Mode = defaultMode
	}
	out.Mode = out.Mode.Perm()
	if out.Slots == 0 {
		out.Slots = defaultSlots
	}
	if out.Logger == nil {
		out.Logger = slog.Default()
	}
	return out
}
