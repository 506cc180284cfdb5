package main

import (
	"encoding/json"
	"time"
)

// The types of this file are what -o json prints. They are a contract: fields
// may be added, and values to those that are names; nothing else changes.
// Numbers are exact; sizes are in bytes. Lists are never null. Fields said to be
// null are there all the same.

// A listing is what ls prints.
type listing struct {
	Dir      string    `json:"dir"`      // path of the directory
	Segments []segment `json:"segments"` // by name
}

// A segment is one file of the directory. When Error is not null, only Name,
// Path, Mode and FileSize are known, and the rest is zero.
type segment struct {
	Name       string     `json:"name"`
	Path       string     `json:"path"`
	Kind       string     `json:"kind"` // "block", "queue", "pool", …
	Layout     uint64     `json:"layout"`
	Type       string     `json:"type"` // of the elements
	ID         string     `json:"id"`   // hex; tells it from a later one of its name
	Size       int64      `json:"size"` // as asked for at creation
	FileSize   int64      `json:"file_size"`
	Mode       string     `json:"mode"` // octal
	Persistent bool       `json:"persistent"`
	Created    *time.Time `json:"created"`   // null: the file does not say
	Slots      int        `json:"slots"`     // how many processes could hold it at once
	Processes  int        `json:"processes"` // slots held by living ones, also stopped
	Dead       int        `json:"dead"`      // slots of dead ones, not cleaned up yet
	Depth      *int       `json:"depth"`     // of a queue: records that can be taken; else null
	Entries    *int       `json:"entries"`   // of a manager: entries of all its dicts; else null
	Used       *int64     `json:"used"`      // of a queue or manager: bytes in use; else null
	Error      *string    `json:"error"`     // why it is no valid segment, or what in it is damaged
}

// A details is what info prints.
type details struct {
	segment
	TypeSum  string            `json:"type_sum"` // hex, fingerprint of the type
	Mirrored bool              `json:"mirrored"`
	Map      []region          `json:"map"`        // of the file, by offset
	Table    []slot            `json:"slot_table"` // slots that are not free
	Counters map[string]uint64 `json:"counters"`   // totals since creation
	Queue    *queue            `json:"queue"`      // null for other kinds
	Pool     *poolTable        `json:"pool"`       // null for other kinds
	Manager  *objectTable      `json:"manager"`    // null for other kinds
}

// A region is a part of the file, or of the memory that processes map.
type region struct {
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	What   string `json:"what"`
}

// An owner is a process as it wrote itself down in its slot.
type owner struct {
	Slot int `json:"slot"`
	PID  int `json:"pid"` // in its own PID namespace; 0: unknown
	// State is "alive", "stopped" (by SIGSTOP or a debugger), "dead", or
	// "unknown": the slot has been given up, or passed on, meanwhile. That a
	// process is stopped can only be seen in shmctl's own PID namespace.
	State        string `json:"state"`
	Command      string `json:"command"`       // its first 80 bytes
	PIDNamespace uint64 `json:"pid_namespace"` // inode; 0: unknown
	SamePIDs     bool   `json:"same_pids"`     // it is shmctl's namespace
}

// A slot is a process slot that is not free.
type slot struct {
	owner
	Roles      []string   `json:"roles"`      // exclusive ones: "producer", "consumer"
	Generation uint64     `json:"generation"` // how often the slot was taken so far
	Joined     *time.Time `json:"joined"`
}

// A queue is the state of one.
type queue struct {
	Capacity       int    `json:"capacity"`
	Used           int    `json:"used"` // bytes not free to be written again
	MaxRecord      int    `json:"max_record"`
	MaxItems       int    `json:"max_items"`    // 0: as many as fit
	MaxAttempts    int    `json:"max_attempts"` // deliveries of a record; 0: without limit
	SingleProducer bool   `json:"single_producer"`
	SingleConsumer bool   `json:"single_consumer"`
	Shutdown       string `json:"shutdown"` // "", "draining" or "immediate"
	Ready          int    `json:"ready"`    // records that can be taken
	Again          int    `json:"again"`    // of these, those delivered before
	Reserved       int    `json:"reserved"` // records being written
	Borrowed       int    `json:"borrowed"` // records being read
	Held           []held `json:"held"`     // the oldest reserved and borrowed ones, at most 16
	// OldestReserved and OldestBorrowed are the first of each state in Held; null if
	// there is none. Consumers can't pass the one; producers can't reuse
	// the room of the other, nor any behind it.
	OldestReserved *held `json:"oldest_reserved"`
	OldestBorrowed *held `json:"oldest_borrowed"`

	producer, consumer int // slots of the exclusive roles; -1: none
}

// A held is a record that a process holds.
type held struct {
	State   string `json:"state"` // "reserved" or "borrowed"
	Bytes   int    `json:"bytes"`
	Attempt int    `json:"attempt"` // 1: the first delivery
	Behind  int    `json:"behind"`  // records after it in the ring
	Owner   owner  `json:"owner"`
}

// A poolTable is the state of a pool. It counts items, that is calls of
// functions, but for tasks, which are chunks of items.
type poolTable struct {
	Submitted uint64   `json:"submitted"`
	Done      uint64   `json:"done"`
	Failed    uint64   `json:"failed"`
	Retried   uint64   `json:"retried"`
	Restarts  uint64   `json:"restarts"` // workers that replaced a dead one
	Queued    int      `json:"queued"`   // tasks
	Running   int      `json:"running"`  // tasks
	MaxTasks  int      `json:"max_tasks"`
	Functions []string `json:"functions"`
	Workers   []worker `json:"workers"`
	Tasks     []task   `json:"tasks"` // unfinished ones, the oldest first
}

// A worker is one place of a pool's table of worker processes.
type worker struct {
	Worker int        `json:"worker"` // its number: counts all that the pool has had
	PID    int        `json:"pid"`
	State  string     `json:"state"` // "starting", "idle", "running", "dead" or "none"
	Func   string     `json:"func"`  // that it runs
	Items  int        `json:"items"` // of its task
	Ended  int        `json:"ended"` // of these
	Since  *time.Time `json:"since"` // it has been in that state
	Total  uint64     `json:"total"` // items that it has run, in tasks that have ended
}

// A task is one that is not finished.
type task struct {
	Func    string     `json:"func"`
	Items   int        `json:"items"`
	Attempt int        `json:"attempt"` // 1: the first
	Worker  int        `json:"worker"`  // 0: it waits for one
	Queued  time.Time  `json:"queued"`  // the last time
	Begun   *time.Time `json:"begun"`   // null: it waits
}

// An objectTable is the state of a manager.
type objectTable struct {
	MaxBytes int64    `json:"max_bytes"` // for objects
	Evict    bool     `json:"evict"`     // it is a cache
	Entries  int      `json:"entries"`   // of all dicts
	Used     int64    `json:"used"`      // bytes of all dicts
	Objects  []object `json:"objects"`   // by name, then those without one, by id
}

// An object is one of a manager's. Entries whose time is over count until they are
// removed.
type object struct {
	ID      uint64 `json:"id"`
	Name    string `json:"name"` // "": it has none
	Kind    string `json:"kind"` // "dict"
	Type    string `json:"type"` // of its contents, as "string to plain int (8 bytes)"
	Entries int    `json:"entries"`
	Bytes   int64  `json:"bytes"`   // of the entries
	Table   int64  `json:"table"`   // bytes of the hash table itself
	Evicted uint64 `json:"evicted"` // entries given up for lack of memory
	Expired uint64 `json:"expired"` // entries removed because their time was over
	Handles int    `json:"handles"` // process slots that have one
}

// A sample is one line of stat: each interval, one JSON value on one line.
type sample struct {
	Time      time.Time         `json:"time"`    // end of the interval
	Seconds   float64           `json:"seconds"` // length of the interval
	Name      string            `json:"name"`
	Kind      string            `json:"kind"`
	Processes int               `json:"processes"`
	Dead      int               `json:"dead"`
	Counters  map[string]uint64 `json:"counters"` // what was added in the interval
	Queue     *queueSample      `json:"queue"`    // null for other kinds
	Pool      *poolSample       `json:"pool"`     // null for other kinds
	Manager   *managerSample    `json:"manager"`  // null for other kinds
}

// A queueSample is a queue at the end of an interval.
type queueSample struct {
	Ready    int `json:"ready"`
	Reserved int `json:"reserved"`
	Borrowed int `json:"borrowed"`
	Used     int `json:"used"` // bytes
	Capacity int `json:"capacity"`
}

// A poolSample is a pool in an interval: Queued and Running, in tasks, at its
// end; the rest, in items, what was added.
type poolSample struct {
	Queued    int    `json:"queued"`
	Running   int    `json:"running"`
	Submitted uint64 `json:"submitted"`
	Done      uint64 `json:"done"`
	Failed    uint64 `json:"failed"`
	Retried   uint64 `json:"retried"`
	Restarts  uint64 `json:"restarts"`
}

// A managerSample is a manager in an interval: what its dicts have at its end, and what
// was added.
type managerSample struct {
	Objects int    `json:"objects"`
	Entries int    `json:"entries"`
	Used    int64  `json:"used"` // bytes
	Evicted uint64 `json:"evicted"`
	Expired uint64 `json:"expired"`
}

// An entry is one of a dict's. What keys and values are depends on their encoding:
// "text", a string; "json", any value; "hex", a string of the bytes as they are stored;
// "reference", "#" and the id of an object of the manager.
type entry struct {
	Key           json.RawMessage `json:"key"`
	KeyEncoding   string          `json:"key_encoding"`
	Value         json.RawMessage `json:"value"`
	ValueEncoding string          `json:"value_encoding"` // "": there is no value
	TTL           *float64        `json:"ttl"`            // seconds that it has to live; null: it stays

	keyText, valueText string
}

// A foundEntry is what dict get, set and incr print; and dict del, with a value of null.
type foundEntry struct {
	Manager string `json:"manager"`
	Dict    string `json:"dict"`
	entry
}

// A dictListing is what dict ls prints.
type dictListing struct {
	Manager string  `json:"manager"`
	Dict    string  `json:"dict"`
	Type    string  `json:"type"`
	Entries int     `json:"entries"` // in all
	Items   []entry `json:"items"`   // by key
	More    bool    `json:"more"`    // there are more than were to be listed
}

// A sighting is one line of dict watch.
type sighting struct {
	Time    time.Time `json:"time"`
	Present bool      `json:"present"` // false: there is no value
	entry
}

// A dictStat is what dict stat prints.
type dictStat struct {
	Manager string `json:"manager"`
	object
}

// A checkup is what fsck prints.
type checkup struct {
	Name      string       `json:"name"`
	Path      string       `json:"path"`
	Kind      string       `json:"kind"`
	ID        string       `json:"id"`
	OK        bool         `json:"ok"`        // there is no problem
	Looks     int          `json:"looks"`     // how often it was looked at: problems are those seen each time
	Processes int          `json:"processes"` // living ones that hold it
	Dead      int          `json:"dead"`      // slots of dead ones, not cleaned up yet
	Problems  []string     `json:"problems"`  // some hundred at most
	Manager   *memoryCheck `json:"manager"`   // null for other kinds
}

// A memoryCheck is what a manager's memory consists of. Blocks are live, when something
// refers to them, free, or retired, when they can be given out as soon as nobody reads
// them.
type memoryCheck struct {
	Objects int   `json:"objects"`
	Entries int   `json:"entries"`
	Chunks  int   `json:"chunks"` // of 64 KiB, that have ever been used
	Unused  int   `json:"unused"` // of them, that hold nothing now
	Live    int   `json:"live"`
	Free    int   `json:"free"`
	Retired int   `json:"retired"`
	Bytes   int64 `json:"bytes"` // of the live blocks
}

// A removal is what rm prints.
type removal struct {
	Dir     string    `json:"dir"`
	Removed []removed `json:"removed"`
}

// A collection is what gc prints.
type collection struct {
	Dir     string    `json:"dir"`
	DryRun  bool      `json:"dry_run"` // nothing was removed; it would have been
	Removed []removed `json:"removed"`
	Bytes   int64     `json:"bytes"` // their file sizes together
}

// A removed is a segment that is no more.
type removed struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"` // "" for a file that was no valid segment
	FileSize int64  `json:"file_size"`
	Holders  int    `json:"holders"` // living processes that go on with its memory
}

// A build is what version prints.
type build struct {
	Version  string `json:"version"`  // of the module
	Revision string `json:"revision"` // of the source; "" if unknown
	Modified bool   `json:"modified"` // the source was changed since
	Go       string `json:"go"`
	Platform string `json:"platform"` // system/processor
}

// A lockList is what locks prints.
type lockList struct {
	Dir   string `json:"dir"`
	Locks []lock `json:"locks"`
}

// A lock is an object that processes synchronise with.
type lock struct {
	Manager string      `json:"manager"`
	ID      uint64      `json:"id"`
	Name    string      `json:"name"`    // "": it has none
	Kind    string      `json:"kind"`    // "lock", "semaphore", …
	State   string      `json:"state"`   // in words
	Holder  *owner      `json:"holder"`  // who has it for itself; null: nobody
	Since   *time.Time  `json:"since"`   // when the holder got it, to a second
	Token   uint64      `json:"token"`   // the holder's fencing token
	Depth   int         `json:"depth"`   // of a recursive lock: locks without their unlocks
	Died    bool        `json:"died"`    // an owner has died: the next one is told, or this one has been
	Waiters bool        `json:"waiters"` // somebody waits, or did a moment ago
	Set     bool        `json:"set"`     // of an event
	Broken  bool        `json:"broken"`  // of a barrier
	Value   int         `json:"value"`   // permits left; read locks; who has come, or waits
	Limit   int         `json:"limit"`   // a semaphore's initial value; a barrier's parties
	Shares  []lockShare `json:"shares"`  // what processes have of it
}

// A lockShare is one process's read locks, permits, part in a barrier, or waits.
type lockShare struct {
	owner
	N int `json:"n"`
}
