// Command shmstress kills and stops processes that use shmkit's queues, pools and
// dicts, for as long as you like, and accounts for every record, task and entry.
// It is how to see for yourself that the promise holds.
//
//	shmstress queue                producers and consumers on one queue
//	shmstress pool                 tasks on two pools of worker processes
//	shmstress dict                 processes that share the dicts of a manager
//
// # Model
//
// The program is the referee. It makes segments of its own and starts the
// members, which are processes of the same program. A storm sends SIGKILL, and
// SIGSTOP with SIGCONT, to random members at random times; who was killed is
// replaced at once. In a build with the tag faultpoints members also kill
// themselves between any two steps of an operation, and lose wake-ups.
//
// Before each operation a member writes into a plain block of shared memory what
// it is about to do, and after it what came of it. This ledger outlives it. So
// the referee knows of each record whether it was put for sure, perhaps, or not,
// who was delivered it how often, and whether it has ended. What a killed member
// was in the middle of is in doubt, and nothing else is: see book for what may
// follow from that, and what is a violation. Each record's bytes follow from
// its number and the seed, and are compared one by one.
//
// # Output
//
// A status line is on standard error; the summary on standard output, as a table
// or, with -o json, as JSON. That is a contract: fields are added, but none is
// renamed, removed or given another meaning. The types in json.go document it.
//
// The exit status is 0 when there was no violation, 1 when there was one, or the
// run could not be made, and 2 when the command line makes no sense. After a
// violation there is a directory of evidence: the segments' files, the ledger
// and the queue's state in words, what members have printed, and, when
// something hung, their goroutines.
//
// # Limits
//
// A Get is at most once: what one had taken when its process was killed, before
// it could note it, is gone. The referee takes the queue's own count of gets for
// how much that can be; a defect that loses records only there, and counts them,
// goes unseen. With --delivery receive or lease there is no such gap.
//
// That a record is lost is known for sure a minute after it should have come, or at
// the end. The memory of the referee does not grow with the length of the run.
//
// On Windows it builds, and says that it is unsupported.
package main
