// Package shmkit is the map of a module that gives Go programs what Python's
// multiprocessing gives Python, on memory-mapped files: processes that share
// queues and maps, and pools of workers. The package itself is only this page.
//
// The promise: any process may be killed with SIGKILL at any instruction, and
// nobody else hangs, loses committed data, or sees a torn value.
//
// # Where to look
//
//	for                                              see
//	a Go function in a process of its own            [github.com/shmkit/shmkit/process]
//	many short tasks on worker processes             [github.com/shmkit/shmkit/pool]
//	values or bytes from process to process          [github.com/shmkit/shmkit/ringqueue]
//	a map that processes share, a cache,
//	transactions over several of them                [github.com/shmkit/shmkit/manager]
//	a block of bytes that processes share,
//	listing and removing such files                  [github.com/shmkit/shmkit/shm]
//	how a value of some type travels                 [github.com/shmkit/shmkit/codec]
//	looking at all of it from a shell                cmd/shmctl
//	seeing the promise kept, for hours               cmd/shmstress
//	what a death leaves behind, and who repairs it   docs/crash-safety.md
//	the formats of the files                         FORMAT.md
//
// Start with pool where work is to be spread, and with process and ringqueue
// where it is to be wired by hand. Programs in examples show both: wordcount and
// first. In prefork, worker processes share a cache (manager).
//
// # Model
//
// A shared structure is a segment: a file, in memory on Linux, that each process
// maps. Opening it takes one of its process slots and a lock on that slot, which
// the kernel drops when the process is gone, however it died. Nobody
// is taken for dead by a timeout, a heartbeat or a PID: a process that is slow or
// stopped keeps what it holds.
//
// A child process is the same executable, started anew. What it is to share it
// gets as arguments: a queue in a struct arrives as a handle of the same queue.
//
// # Crash safety
//
// Each step that changes a segment is one atomic store that leaves it whole, and
// says whose the thing is that it changes. So what a dead process held can be
// found, given back or thrown away, by whoever needs it next. What is lost and
// what is delivered again, each package's page says.
//
// # Memory model
//
// Between processes the rules are those that Go has between goroutines: what
// happens before a value is put, or a task submitted, is visible to whoever gets
// it. A plain block of package shm orders nothing by itself.
//
// # Limits
//
// One machine, 64-bit. Linux is the platform of record; elsewhere, and with the
// build tag portable, the same is done with lock files and polling. On Windows
// there are no processes and pools.
//
// # Dependencies
//
// A package imports only packages above it in this list.
//
//	internal/mem     typed views of mapped memory; all unsafe code
//	internal/fault   crash points for tests; nothing in a normal build
//	internal/futex   waiting for a shared word
//	shm              segments: files, slots, liveness, counters
//	codec            typed values to bytes and back
//	internal/clock   a time that processes share
//	internal/arena   blocks of memory in segments
//	ringqueue        queues in segments
//	internal/dict    hash tables in segments
//	manager          named dicts in a segment
//	process          functions in processes of their own
//	pool             workers, on ringqueue and process
//	internal/cli     what the commands have in common
//
// process does without shared memory: it knows neither shm nor ringqueue.
package shmkit
