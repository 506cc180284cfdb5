package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/ringqueue"
)

// lookForWaits finds out which of the processes sleep for a change of a word in
// a segment. All waits are cut in slices, between which the thread is awake for a moment: so
// it looks twice.
func lookForWaits(found map[identity]*proc, uses []segmentUse) {
	seen := make(map[*proc]map[sleeper]wait)
	for look := range 2 {
		if look > 0 {
			time.Sleep(2 * time.Millisecond)
		}
		for _, p := range found {
			if p.Started == nil || len(p.Uses) == 0 {
				continue // not known to the system, or nothing to wait for
			}
			if seen[p] == nil {
				seen[p] = make(map[sleeper]wait)
			}
			sleepers(p.PID, uses, seen[p])
		}
	}
	for p, all := range seen {
		for s := range all {
			w := all[s]
			i := slices.IndexFunc(p.Waits, func(o wait) bool { return o.Segment == w.Segment && o.For == w.For })
			if i < 0 {
				i = len(p.Waits)
				p.Waits = append(p.Waits, w)
			}
			p.Waits[i].Threads++
		}
		slices.SortFunc(p.Waits, func(a, b wait) int { return strings.Compare(a.Segment+" "+a.For, b.Segment+" "+b.For) })
	}
}

// A sleeper is a thread that sleeps at an address.
type sleeper struct {
	thread  string
	address uint64
}

// sleepers adds the threads of a process that sleep at a word of a segment.
func sleepers(pid int, uses []segmentUse, all map[sleeper]wait) {
	dir := "/proc/" + strconv.Itoa(pid)
	var maps []mapping
	threads, err := os.ReadDir(dir + "/task")
	if err != nil {
		return
	}
	for _, t := range threads {
		b, err := os.ReadFile(filepath.Join(dir, "task", t.Name(), "syscall"))
		if err != nil {
			continue // it has ended, or may not be looked at
		}
		for _, address := range futexes(pid, strings.Fields(string(b))) {
			if maps == nil {
				maps = mappings(dir, uses)
			}
			for _, m := range maps {
				if m.start <= address && address < m.end {
					w := wait{Segment: m.use.name, For: m.use.waitAt(int64(address - m.start + m.offset))}
					all[sleeper{t.Name(), address}] = w
				}
			}
		}
	}
}

// futexes returns the addresses at which a thread sleeps, by its line in
// /proc: the number of the system call and its arguments.
func futexes(pid int, call []string) []uint64 {
	if len(call) < 3 {
		return nil // it runs, or is blocked elsewhere than in a system call
	}
	number, err := strconv.Atoi(call[0])
	first, err1 := strconv.ParseUint(call[1], 0, 64)
	second, err2 := strconv.ParseUint(call[2], 0, 64)
	if err != nil || err1 != nil || err2 != nil {
		return nil
	}
	switch number {
	case unix.SYS_FUTEX:
		return []uint64{first}
	case unix.SYS_FUTEX_WAITV:
		const size, most = 24, 128 // struct futex_waitv: value, address, flags; FUTEX_WAITV_MAX
		b := make([]byte, size*min(second, most))
		if len(b) == 0 {
			return nil
		}
		local := []unix.Iovec{{Base: &b[0]}}
		local[0].SetLen(len(b))
		n, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(first), Len: len(b)}}, 0)
		if err != nil {
			return nil
		}
		var all []uint64
		for ; n >= size; n -= size {
			all = append(all, binary.NativeEndian.Uint64(b[8:]))
			b = b[size:]
		}
		return all
	}
	return nil
}

// A mapping is a part of a process's memory that is a segment's.
type mapping struct {
	start, end, offset uint64
	use                *segmentUse
}

// mappings finds those of segments, which the path does not tell: a segment was
// created in a file without a name.
func mappings(dir string, uses []segmentUse) []mapping {
	b, err := os.ReadFile(dir + "/maps")
	if err != nil {
		return nil
	}
	var all []mapping
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line) // addresses, permissions, offset, device, inode, path
		if len(f) < 6 {
			continue
		}
		i := slices.IndexFunc(uses, func(u segmentUse) bool { return f[3]+" "+f[4] == u.file })
		if i < 0 {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		start, err := strconv.ParseUint(from, 16, 64)
		end, err1 := strconv.ParseUint(to, 16, 64)
		offset, err2 := strconv.ParseUint(f[2], 16, 64)
		if err == nil && err1 == nil && err2 == nil {
			all = append(all, mapping{start, end, offset, &uses[i]})
		}
	}
	return all
}

// fileID returns device and inode as they stand in lists of mappings.
func fileID(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return "" // it is gone
	}
	return fmt.Sprintf("%02x:%02x %d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)), st.Ino)
}

// waitAt says what somebody waits for who sleeps at an offset of the file: see
// FORMAT.md.
func (u *segmentUse) waitAt(offset int64) string {
	at := offset - u.body
	switch {
	case u.kind == ringqueue.Kind && at >= 640 && at < 768:
		return "record"
	case u.kind == ringqueue.Kind && at >= 768 && at < 896:
		return "room"
	case u.kind == ringqueue.Kind && at >= 896 && at < 1024:
		return "idle"
	case u.kind == manager.Kind && at >= managerHead && at < managerHead+managerStripes && at%256 == 0:
		return "dict lock"
	}
	return "change"
}
