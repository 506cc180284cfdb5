// Package robust has the locks and other objects of synchronisation that package
// manager offers, as words in shared memory: [Mutex], [RLock], [RWLock],
// [Semaphore], [Event], [Cond] and [Barrier]. Any process that uses one may be
// killed between any two instructions; the others go on, and know what they have
// to know about it.
//
// # Model
//
// An object is some bytes of a segment ([Size]), at a multiple of 128, and for
// each process a handle on the heap, with what concerns its goroutines alone. A
// process is known by its slot in the segment. It is the segment that can prove
// a death, with the slot's liveness lock, and that calls [Recover] for every
// object then, before the slot is used again ([Host]). So a slot's number that
// stands in a word always means one process.
//
// A Mutex is a word with the owner's slot, taken by one compare-and-swap and
// freed by another. An object that is counted has a word with the sum and the
// last change, and a word for each slot; what a process holds is exact at any
// instant: see tally.go. An Event has a word with the flag. Waiting is by an event
// count of package futex in each object: no number of waiters that a dead one
// could leave wrong, and one thread for all goroutines that wait through a handle.
//
// Recovery looks at every object rather than at a list of what the process held.
// Such a list would have to be written before each lock is taken and after it is
// freed, on the path that is to be short, and is one more thing that a death leaves
// half done. Looking at a lock costs a load, at a counted object two: among 10,000 objects
// that takes less than a millisecond when they are in the cache
// (BenchmarkRecover), and keeps nobody from using them.
//
// # Fairness
//
// Who comes takes a free lock, however many sleep, because that is fastest. Who
// has waited for a millisecond makes a reservation in the lock's word; then it is
// left to that process, whose oldest waiting goroutine takes it. A reservation is no
// more than good manners: others wait for it no longer than a slice of 50 ms, so
// that a process that is stopped, or has died, can't keep them off.
//
// # Crash safety
//
// A process that dies with a lock held exclusively leaves its slot's number in
// the word. Recovery makes that a mark, and the lock free: whoever locks next gets
// [ErrOwnerDied], and if it dies in its turn, the one after it. The mark goes with
// Unlock. It errs on the safe side: it is also set for one that was killed before
// Lock had returned, or in Unlock before the swap. Whoever waits looks after the
// owner each 50 ms.
//
// Dead readers, holders of permits and waiters are subtracted. A barrier of which
// a dead process was a member breaks.
//
// # Memory model
//
// What happens before Unlock is visible behind the Lock that follows, in whatever
// process; so it is with Release and Acquire, Set and Wait, Notify and Wait, and all
// calls of a Barrier's round and what comes behind them. What a process did
// before its death is visible to who gets ErrOwnerDied.
//
// # Limits
//
// Segments have at most [MaxSlots] process slots. A process that is stopped keeps
// what it holds. The mapping must outlast every call; the package does not count
// uses. A process that writes nonsense to the words gets, and gives, [ErrCorrupt]
// or wrong answers, and can keep others from what it protects, but makes nobody
// fault or run in circles while the words stay as they are.
package robust
