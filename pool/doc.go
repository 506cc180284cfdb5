// Package pool runs functions in worker processes: what multiprocessing.Pool
// and ProcessPoolExecutor are to Python, but for hanging. Whatever happens to a
// worker, every task has an outcome, and nobody else's task is concerned.
//
//	var square = pool.Register("square", func(ctx context.Context, x int) (int, error) { return x * x, nil })
//
//	func main() {
//		process.Main()
//		p, err := pool.New(nil)
//		…
//		defer p.Terminate()
//		y, err := square.Apply(ctx, p, 7)
//		ys, err := square.Map(ctx, p, []int{1, 2, 3})
//	}
//
// # Model
//
// The pool has a ring of tasks (see package ringqueue), which this process puts
// and the workers take; a ring of results, the other way; and a task table, which
// says of each unfinished task whether it waits or which worker runs it. A worker
// borrows a task's record, writes its own name into the table by one
// compare-and-swap, gives the record back, runs the function, and puts the
// result. A goroutine of this process, the collector, takes the results and ends
// the tasks.
//
// A task ends when its result's record is committed. When a worker has died, this
// process puts a marker behind whatever the worker has put. The ring is first in,
// first out; so when the collector comes to the marker, a task that the table says
// to run on that worker has no result and never will have one. It is failed, or
// queued again. So each task has exactly one outcome: its result, or its worker's
// death.
//
// Map and [Chunk] make one task of several items. While a worker runs one, it
// writes down which item it is at, and keeps the results in shared memory until
// they are sent: when it dies, the items before have their results, those after
// run elsewhere, and only the one that it ran is lost.
//
// # Crash safety
//
//	event                             its task             the pool
//	function returns an error         RemoteError          same worker goes on
//	function panics                   PanicError           same worker goes on
//	panic elsewhere in the worker,
//	os.Exit, fatal error, SIGKILL,
//	out of memory                     WorkerError          worker replaced
//	worker dies idle                  -                    worker replaced
//	worker dies taking a task         run by another       worker replaced
//	worker dies sending a result      one or the other     worker replaced
//	argument can't be encoded,
//	or result                         that error           goes on
//	callback panics                   unaffected           logged and counted
//	workers die before they are
//	ready, again and again            ErrWorkerStart       ends
//	Terminate                         ErrTerminated        ends
//	this process dies                 context cancelled    workers end
//
// Other tasks, queued or running, are never concerned, but for the last three
// rows. With [Options].Retries a task whose worker died runs again instead, so
// often. Without, a task runs at most once.
//
// A worker's death is noticed at once, by its pidfd; no timeout is involved. A
// worker that is stopped keeps its task, for ever if need be.
//
// The first replacement of a worker starts at once. Replacements that die without
// having ended a single item are followed by the next after 1 ms, 2 ms, and so on
// up to 128 ms.
//
// # Memory model
//
// Submitting a task happens before the function runs, and what the function did
// before it returned happens before the future is done. Arguments and results
// are copies.
//
// # Limits
//
//   - An argument or result, encoded, is at most a quarter of [Options].Capacity
//     less 28 bytes, and 16 MiB.
//   - A pool has at most 240 workers.
//   - A context given to Go, Apply or Map bounds that call's waiting, and does
//     not reach the worker.
//   - Functions run one at a time in each worker, on its main goroutine. Goroutines
//     that they leave behind go on, and die with the worker.
//   - Errors cross as text: see [RemoteError].
package pool
