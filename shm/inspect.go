package shm

import (
	"io/fs"
	"path/filepath"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
)

// An Inspection looks at a segment from outside: it takes no slot and no lock,
// and its memory is read-only, so that whatever it finds, nobody notices.
type Inspection struct {
	path   string
	hdr    header
	mode   fs.FileMode
	mapped mapping
	table  []slot
	live   *liveness
	close  func()
}

// Inspect opens the segment file at the path for reading. Owner, format and
// sizes are checked as [Open] does, and errors are the same; mode, kind, and
// boot are not: they are there to be looked at.
func Inspect(path string) (*Inspection, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, wrap("inspect", path, err)
	}
	i, err := inspect(path)
	return i, wrap("inspect", path, err)
}

func inspect(path string) (*Inspection, error) {
	o := (*Options)(nil).withDefaults()
	f, fi, err := openFile(path, &o, false)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(f, fi.Size())
	if err == nil {
		err = h.usable(true)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	m, err := mapFile(f, int(h.fileSize), int(h.mirror), false)
	if err != nil {
		f.Close()
		return nil, err
	}
	i := &Inspection{path: path, hdr: *h, mode: fi.Mode(), mapped: m, close: func() { f.Close() }}
	if i.table, err = mem.Slice[slot](m, int(h.slotOff), int(h.slots)); err == nil {
		i.live, err = readLiveness(f, path, filepath.Dir(path), h.id)
	}
	if err != nil {
		_ = m.unmap()
		f.Close()
		return nil, err
	}
	return i, nil
}

// Info describes the segment.
func (i *Inspection) Info() Info {
	info := Info{
		Name:       filepath.Base(i.path),
		Path:       i.path,
		Kind:       i.hdr.kindText(),
		Layout:     i.hdr.layout,
		Type:       i.hdr.typeText(),
		TypeSum:    i.hdr.typeSum,
		Size:       i.hdr.size64(),
		FileSize:   int64(i.hdr.fileSize),
		Mode:       i.mode,
		Mirrored:   i.hdr.mirror > 0,
		Persistent: i.hdr.persistent(),
		Created:    time.Unix(0, i.hdr.created),
		ID:         i.hdr.id,
		Slots:      len(i.table),
	}
	for _, s := range i.Slots() {
		switch s.State {
		case SlotLive:
			info.Holders++
		case SlotDead:
			info.Dead++
		}
	}
	return info
}

// Slots describes the slots that are not free.
func (i *Inspection) Slots() []SlotInfo {
	var infos []SlotInfo
	for n := range i.table {
		info := describe(i.table, n, func(slot int) bool {
			held, _ := i.live.held(slot)
			return held
		})
		if info.State != SlotFree {
			infos = append(infos, info)
		}
	}
	return infos
}

// Total returns the sum of a counter over all slots.
func (i *Inspection) Total(c Counter) uint64 { return total(i.table, c) }

// CounterOf returns the value of a slot's counter.
func (i *Inspection) CounterOf(slot int, c Counter) uint64 { return i.table[slot].counters[c].Load() }

// Body returns the body, followed by its mirror if it has one. The memory is
// read-only: a store to it is a fault that kills the program. Others write to it.
func (i *Inspection) Body() []byte { return i.mapped[i.hdr.bodyOff:] }

// Close unmaps the memory. It must not be used or closed again afterwards.
func (i *Inspection) Close() {
	_ = i.mapped.unmap()
	i.live.close()
	i.close()
}
