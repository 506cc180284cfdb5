// Package shm provides segments: files that several processes map into their
// memory, that know who uses them, and that survive the death of any user.
//
// [Create] and [Open] give a plain block of bytes, as Python's SharedMemory
// does. The packages above build queues and other structures in segments by
// describing them with a [Spec].
//
// # Model
//
// A segment is a file in a directory ([Dir]) that belongs to one user, named by
// the last element of its path. It holds a header that never changes, a table
// of process slots, and the body. Each handle takes a slot for as long as it is
// open. It owns the slot's lock, which the kernel drops when the process is
// gone, however it died: the lock is the only proof of life, and taking it
// is the only proof of death. PIDs and times stand in the slot as well, but only
// for people; no decision rests on them, and a slow or stopped process is never
// robbed.
//
// A segment lives as long as somebody holds a slot, or, if it is persistent,
// until [Dir.Remove]. The last one to leave removes the file. When that one was
// killed, the segment is over all the same: the next Open, Create or [Sweep] of
// its name removes it. Remove takes the name away at once, and leaves the
// memory to those who hold it.
//
// Segment.Acquire and Segment.Release count the uses of a handle's mapping, in
// one atomic addition each. Close does not wait for them: it makes new ones
// fail, and the end of the last one unmaps the memory. Who only reads, by a protocol that
// tells afterwards whether it was read whole, can do without: see Spec.Linger.
//
// # Crash safety
//
// A segment is built in a file without a name and gets its name complete, its
// creator's slot locked. A creator killed before leaves nothing; where the
// system has no unnamed files, it leaves a hidden one that a sweep removes.
// The space is really allocated, so that a full file system is [ErrNoSpace]
// and never a fault in the middle of an access.
//
// A dead process's slot is recovered by [Segment.Probe], which whoever waits
// for the dead one calls; by every open; and, for specs with a Recover hook, by
// a goroutine that each process with open handles runs once a second. The
// recoverer holds the dead slot's lock, calls the hook, and marks the slot free
// last. If it is killed too, the next one begins again: hooks consist of
// idempotent steps. A slot is never reused before that.
//
// Except by Dir.Remove, names are removed by somebody who holds all slots' locks,
// and always under the lock of their directory, after a look whether they still
// stand for the same file. So nobody ever removes a segment that is held, or
// another one than meant.
//
// Open refuses whatever is not a valid segment of this user, of the expected
// kind, with an error for each reason, and leaves the file untouched. It uses
// its own checked copy of the header from then on.
//
// # Memory model
//
// The package orders nothing but its own words. What is written to a block by
// one process is seen by another as the bytes of any memory are: use atomic
// words, or the packages above, to pass ownership. What Init stored is visible
// to everybody who opens the segment. What a process stored before it died or
// left its slot is visible to whoever takes the slot's lock afterwards.
//
// # Limits
//
// A process that may write to the file can do anything to those who map it:
// break the structures in it, which is an error for them, or truncate it, which
// kills them at the next access. So files of other users, and those that others
// may write to, are refused unless the options ask for them. Network and FUSE
// file systems are refused.
//
// A slot's lock belongs to an open file, not to a process. Who passes that
// descriptor on (by SCM_RIGHTS or pidfd_getfd, or by a fork without exec, none of
// which this package does) has its slot taken for alive until the last copy is
// closed, and what it held stays held.
//
// A process at its limit of descriptors goes on with what it has open, and
// recovers the dead. When it is the last to leave a segment that is not
// persistent it can't remove the file, which waits for the next Open, Create or
// [Sweep].
//
// No decision is made by a clock that can be set.
//
// On Linux the locks are open file description locks on bytes far beyond the
// end of the file. Elsewhere, and with the build tag portable, a hidden file
// for each slot in use is locked instead; such segments can't be mirrored, and
// those of one engine are refused by the other. Each look at a slot takes the
// directory's lock there, so that it serves some tens of processes, not hundreds.
// Windows has no owners and modes
// that this package could check, and neither it nor systems other than Linux
// and macOS have an id by which a file from before a reboot is told.
//
// A handle costs one descriptor on Linux, and about a tenth of a millisecond to
// open. Handles that are not closed keep their slots until the process ends.
package shm
