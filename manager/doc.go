// Package manager shares named objects between the processes of one machine: what
// multiprocessing.Manager is to Python, without a server process. The objects lie in
// one segment (package shm), and every process works on them directly.
//
//	m, err := manager.Open("app", nil)
//	d, err := manager.NewDict[string, int](m, "hits")
//	n, err := manager.Add(d, "/index.html", 1)
//
// # Model
//
// A [Manager] is a segment with a table of objects by name. [NewDict] opens the object
// of a name, or creates it, in whatever process comes first; the types are remembered,
// and another type is an error. A [Dict] is a hash table of immutable entries: changing
// one means to write a new entry beside, and then to store one word that refers to it. So
// a reader sees the old one or the new one, and needs no lock; a writer locks 1/64 of
// the keys for the time of some stores. [Dict.Update] and [Manager.Tx] compute without any
// lock, and try again when somebody else was faster.
//
// Beside dicts there are lists ([List]), values in place ([Value], [Array], [Object]), a [Counter], a [Namespace],
// a [Set], a [Queue], and what processes synchronise with: [Lock], [RLock], [RWLock], [Semaphore], [Event], [Cond]
// and [Barrier]. Each New function opens the object of a name or creates it. Any object can be a value in a
// dict or an element of a list, as a pointer (a Dict[string, *Lock]).
//
// An object lives as long as something leads to it: its name, a handle of it in some process,
// or an entry of another object. What nothing leads to
// is collected, circles too.
//
// With [Options].Evict a manager is a cache: when its memory is used up, entries go that were
// not read lately (CLOCK with two bits of heat; new entries are on probation). [TTL] gives an entry
// a time to live.
//
// # Crash safety
//
// A process that is killed in the middle of a change leaves it done or undone, never half. Who needs a
// lock that it held notices within a tenth of a second that it is dead (by the segment's liveness
// lock, never by a timeout), finishes or undoes what it was about, and goes on. Readers don't even
// notice. A transaction happens as a whole or not at all. Memory that a dead process was filling is
// given back. A stopped process keeps what it holds: one that is stopped in the middle of a change keeps
// others from changing keys of that stripe, and from nothing else.
//
// A lock that a dead process held is free at most 150 ms after its death, and whoever gets it is told. What it held of
// permits, read locks and reservations is given back, and a barrier at which it was expected breaks. Values that it was in the
// middle of changing are what they were, or what they were to be.
//
// # Memory model
//
// What happens before a Set is visible to whoever gets that value. Operations on one key are in
// one order for all processes. [Dict.Snapshot] and transactions see several keys as of one moment;
// iteration and [Dict.GetMany] see each key as of its own.
//
// # Limits
//
// A segment has room for 256 handles, and for MaxBytes of objects; the memory is taken
// from the file system in pieces of 64 KiB, as it is needed. Keys have at most 1 MiB, values 4 GiB. A
// dict has no order. Nothing of it survives a restart of the machine.
//
// A table never shrinks: what a dict's hash table takes (about a tenth of it, with entries of 100 bytes) is given
// back when the dict is removed. A block of memory is for entries of about one size until all of them are gone. Keys
// of which the whole 64-bit hash is the same, more than 14 of them, are refused with [ErrNoSpace].
//
// Processes that share a manager trust each other: one that writes nonsense into
// the memory gets [ErrCorrupt] for all.
package manager
