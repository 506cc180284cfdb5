package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "info NAME",
		Short: "Show one segment: layout, processes, held records",
		Long: `info shows what stands in a segment's file: the header; a map of the layout; the
process slots with PID, command and state (alive, stopped or dead); and the
counters since creation. Of a queue also how full it is, and who holds it up:
the oldest record that is being written (consumers can't pass it) and the
oldest that is being read (its room can't be reused), with their owners. Of a
pool also its workers and unfinished tasks. Of a manager also its objects.

That a process is stopped can be seen in shmctl's own PID namespace only.

It changes nothing. Exit status: 0; 1 if there is no such segment, it is not
valid, or what is in it is damaged; the latter after showing the rest.`,
		Example: `  shmctl info jobs
  shmctl info jobs -o json | jq '.queue.oldest_borrowed.owner'
  shmctl info jobs -o json | jq '.slot_table[] | select(.state == "stopped") | .pid'`,
		Args: exactly(1, "the name of one segment"),
		RunE: func(_ *cobra.Command, args []string) error {
			return failed("info", args[0], a.info(args[0]))
		},
	}
}

func (a *app) info(name string) error {
	i, err := a.inspect(name)
	if err != nil {
		return err
	}
	defer i.Close()
	var d *details
	err = guarded(func() (err error) {
		d, err = examine(i)
		return err
	})
	if d == nil {
		return err
	}
	if a.format == cli.JSON {
		return errors.Join(err, cli.PrintJSON(a.out, d))
	}
	return errors.Join(err, d.print(a))
}

// examine gathers everything about a segment. With an error, which says what in
// the segment's structure is damaged, it returns the rest.
func examine(i *shm.Inspection) (*details, error) {
	info := i.Info()
	d := &details{
		segment:  segmentOf(&info),
		TypeSum:  fmt.Sprintf("%016x", info.TypeSum),
		Mirrored: info.Mirrored,
		Counters: make(map[string]uint64),
		Table:    []slot{},
	}
	for _, c := range shm.Counters() {
		d.Counters[c.String()] = i.Total(c)
	}
	var err error
	slots := i.Slots()
	switch info.Kind {
	case ringqueue.Kind:
		var r *ringqueue.Report
		if r, slots, err = surveyQueue(i); err == nil {
			d.Queue = queueOf(r, ownersOf(slots))
			used := int64(r.Used)
			d.Depth, d.Used = &r.Ready, &used
		}
	case pool.Kind:
		var r *pool.Report
		if r, err = pool.Inspect(i); err == nil {
			d.Pool = poolOf(r)
		}
	case manager.Kind:
		if d.Manager, err = surveyManager(i); d.Manager != nil {
			d.Entries, d.Used = &d.Manager.Entries, &d.Manager.Used
		}
	}
	if err != nil {
		d.Error = textOf(err)
	}
	for _, s := range slots {
		d.Table = append(d.Table, slotOf(s, d.Queue))
	}
	d.Map = layoutMap(&info, len(i.Body()), d.Queue, d.Manager)
	return d, err
}

func slotOf(s shm.SlotInfo, q *queue) slot {
	return slot{
		owner:      ownerOf(s),
		Roles:      q.rolesOf(s.Slot),
		Generation: s.Generation,
		Joined:     timeOf(s.Joined),
	}
}

// Sizes of the segment format's parts: see FORMAT.md, version 1, which is the
// only one that can be inspected.
const (
	headerSize = 4096
	slotSize   = 512
	// A queue's body: its header, a word for each block of data, and, at the
	// end, the data.
	queueHeader = 4096
	queueBlock  = 64
	// A manager's: its head, the locks, the arena's tables, and, at the end, the
	// chunks.
	managerHead    = 4096
	managerStripes = 128 * 256
)

// layoutMap lists the parts of the file. The mapped body is as long as the body
// in the file and, behind it, its mirror.
func layoutMap(info *shm.Info, mapped int, q *queue, t *objectTable) []region {
	body := int64(mapped)
	if info.Mirrored {
		body = info.Size // always whole pages then
	}
	start := info.FileSize - body
	slots := int64(info.Slots) * slotSize
	m := []region{
		{0, headerSize, "header"},
		{headerSize, slots, fmt.Sprintf("slot table: %d of %d bytes", info.Slots, slotSize)},
		{start, body, "body"},
	}
	if q != nil {
		capacity := int64(q.Capacity)
		m = append(m[:2],
			region{start, queueHeader, "queue header: cursors, roles, wait words"},
			region{start + queueHeader, capacity / queueBlock * 8, "descriptors: 8 bytes a block"},
			region{start + body - capacity, capacity, fmt.Sprintf("data: blocks of %d bytes", queueBlock)})
	}
	if t != nil {
		tables := body - t.MaxBytes - managerHead - managerStripes
		m = append(m[:2],
			region{start, managerHead, "manager head: what never changes, and the collector"},
			region{start + managerHead, managerStripes, "stripes: locks, and what is done under them"},
			region{start + managerHead + managerStripes, tables, "arena: pins, and a table of the chunks"},
			region{start + body - t.MaxBytes, t.MaxBytes, "chunks of 65536 bytes, which take space when they are needed"})
	}
	if mirror := int64(mapped) - body; mirror > 0 {
		m = append(m, region{info.FileSize, mirror, "in memory only: the last bytes a second time"})
	}
	return m
}
