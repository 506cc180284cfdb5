// Command shmctl looks at shmkit's segments from outside: what is there, who
// uses it, who holds it up. It removes what nobody needs.
//
//	shmctl ls                      every segment of the directory
//	shmctl info NAME               one segment: layout, processes, held records
//	shmctl stat NAME               a line per interval: what has changed
//	shmctl ps [--watch]            the tree of processes: what each waits for and holds
//	shmctl dict … MANAGER/DICT     a manager's dict: get, set, del, incr, ls, watch, stat
//	shmctl fsck NAME               whether what is in a segment is sound
//	shmctl rm NAME…                remove segments
//	shmctl gc [--dry-run]          remove those that nobody holds any more
//	shmctl version                 what this program is
//
// # Model
//
// Everything is read from the segments' files. They are mapped read-only, no
// process slot and no lock is kept, and the programs that use them take no part
// in it: they may be stopped, stuck or dead. Only rm and gc, and dict set, del and
// incr, which open a manager as a program does, change something.
// What is shown was gathered while the programs went on, so the figures need
// not belong to the same moment.
//
// # Output
//
// Tables are for people: sizes are rounded, and columns may come and go. With
// -o json the output is a contract: fields are added, but none is renamed,
// removed or given another meaning. Sizes are exact bytes, times are RFC 3339
// with nanoseconds. The types in json.go document it.
//
// An error is one line on standard error:
//
//	shmctl: verb object: why (what to do)
//
// The exit status is 0 when all went well, 1 when something failed, and 2 when
// the command line makes no sense. When the reader of the output goes away,
// shmctl ends without a word, with status 0.
//
// # Limits
//
// Segments of other users are refused, also for root: run shmctl as their user.
// Where segments are kept by the portable engine, a slot's lock has to be taken
// for a moment to find out whether its process lives.
package main
