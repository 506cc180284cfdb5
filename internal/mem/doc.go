// Package mem is the only package of the module that uses unsafe: it maps files
// (with their tail twice in a row), gives typed views of mapped memory, release
// stores, the processor's spin hint, and makes the futex system calls.
//
// A view is a Go pointer or slice into a mapping. It is made once, when a
// segment is opened, from an offset that is checked against the mapping there
// and then; the code that uses it afterwards is ordinary bounds-checked Go.
// Only types without Go pointers may be viewed: a Go pointer in shared memory
// would be garbage to every other process and invisible to the collector.
//
// # Memory model
//
// Words that several processes write are sync/atomic types, whose operations
// are sequentially consistent. [StoreRelease] is the one weaker operation: it
// orders every earlier access before the store, and nothing after it. It is
// for words with a single writer whose store need not be ordered before the
// writer's later loads; where that order matters (commit, then look for
// waiters) use the atomic's Store.
//
// # Limits
//
// The views do not keep the mapping alive. Whoever makes one must hold a use
// of the segment (shm.Segment.Acquire) for as long as it is touched.
package mem
