// Package explore runs code that works on shared memory through every interleaving of a
// few processes, with their deaths, and checks what must be true. It runs the code
// itself, not a model of it. Only tests import it, and it is there under the build tag
// faultpoints alone.
//
// # Model
//
// The code under test marks its accesses to shared words, with fault.Point before each
// store or compare-and-swap, and fault.Look before each load that later steps depend on.
// A process is a coroutine that stops there, so that the others may take their steps
// first. From one such stop to the next it is alone: that is a step. What it does
// without a stop (filling a block that nobody looks at) belongs to the step before.
//
// A [World] is the memory, the code, and what must be true; a [Scenario] says what the
// processes do, by scripts of operations, and how many of them may die. A process dies
// before a store or while it waits, as SIGKILL would end it: to die before a load leaves
// the same as to die before the next store. Then one comes that recovers it, which may
// die too; when it is through, the slot is taken again, by one that goes on with the
// script behind the operation that was cut off.
//
// A state is what the memory holds, who lives, and what each has seen since its
// operation began: the values that it has loaded, and which of its stores have changed
// something. [Search] goes on from each state once, breadth first, so the trace of a
// violation is as short as can be. To come back to a state it puts the memory back to
// the start and takes the same steps again, because a coroutine can't be copied; a hash
// tells whether it has really come back.
//
// What a process has seen makes many states of what is one to anybody. So the world may
// say where an operation forgets: [World.Milestone] after the steps that leave in the
// memory what it holds, [World.Seen] for the part of a value that it doesn't go by.
//
// # What is checked
//
// Each step, by [World.Changed]; each operation's outcome, by the function that
// [World.Do] returns; each state, by [World.Check]; what would happen in each state if
// everybody stood still, or died, by [World.Audit], which may run the code and change
// the memory; and the states in which everybody is through, by [World.End]. The search
// itself reports
//
//   - a deadlock: somebody lives, and nobody can take a step, whether or not a death
//     would help;
//   - an operation that goes on while everybody else stands still, for more than
//     [Scenario.Steps] steps;
//   - a state from which no steps lead to an end, in a search that is complete: the
//     processes go round for ever (see below for what this leaves out);
//   - a store without a crash point: a change at a step that loads;
//   - code that goes by what the search doesn't know, because the same steps have led to
//     another state; and code that panics.
//
// # What a result proves
//
// A complete search without a violation says that none of the checks fails, whatever the
// order of the steps and wherever one dies, for these scripts, this memory and this many
// deaths. It says nothing of longer scripts, more processes or larger memory, beyond
// what reasons one has that small ones show all that there is. Nor does it see
//
//   - weak memory: steps are sequentially consistent, and so is a store marked release.
//     What the order of plain bytes and words needs is for arguments and for tests on
//     real hardware;
//   - anything between two stops: bytes that are copied while another writes them, or a
//     load that is not marked, stand still;
//   - the wait and the wake-up itself, for which [Actor.Await] stands, and what the
//     operating system does;
//   - starvation: that somebody may be unlucky each time is no violation, as long as
//     there is a way to an end;
//   - states that a wrong Milestone, Seen, Fingerprint, Noted or Held takes for others.
//     They can hide a violation, and never invent one;
//   - states with the same hash of 64 bits. Among ten million, the chance that any two
//     have is about one in 400,000.
//
// # How to write a world
//
// Make the memory, tiny: as few slots, blocks and tags as the code allows, most of them
// just before something wraps. Let Start make a handle on it as Open would. All that a
// process goes by must be in the memory, or be made by Start and told by Handle: no map
// that is walked in its order, no random seed, no clock. A wait for another process
// becomes Actor.Await; a loop that tries again needs a milestone, or each round is
// another state. Note what was true during an operation in Begin and Changed, tell it by
// Noted, and judge by it at the end. Then break the code, in each way that you can think
// of, and see the search find it. ringqueue's explorer is an example; this package's
// tests have a smaller one.
//
// Deferred functions of the code run when its process is killed, as they would not in
// life. They get past no crash point; but they must not change the memory without one.
//
// # Cost
//
// Each way from one state to another costs a repetition of the steps that lead to it,
// about 0.3 µs each, and one comparison of all of the memory, 5 µs for 100 KiB: the
// words that a known step changes are kept, so nothing is compared when it is repeated.
// Only words that have changed are put back, and only those are hashed. So with two
// processes and 30 steps to a state, a state costs 20 µs in 1 KiB of memory and 28 µs in
// 100 KiB (go test -tags faultpoints -bench State ./internal/explore), and the audit,
// which in most worlds costs more. A state takes about 100 bytes.
//
// A larger memory than some 100 KiB should be cut to the regions that are used.
package explore
