package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/process"
)

// ticks are the units of times in /proc, in a second: sysconf(_SC_CLK_TCK), which is
// 100 wherever Go runs.
const ticks = 100

// knownToSystem lists this user's processes by PID. Depth and Parent are those
// that package process has given them.
func knownToSystem() map[int]*proc {
	all := make(map[int]*proc)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return all
	}
	now, up := time.Now(), uptime()
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			continue // it has ended
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
			continue
		}
		if p := readProc(pid, now, up); p != nil {
			all[pid] = p
		}
	}
	return all
}

// readProc returns nil if the process has ended.
func readProc(pid int, now time.Time, up time.Duration) *proc {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if err != nil || open < 0 || end < open {
		return nil
	}
	f := strings.Fields(string(stat[end+1:])) // from the third field on
	if len(f) < 22 {
		return nil
	}
	number := func(field int) int64 {
		n, _ := strconv.ParseInt(f[field-3], 10, 64)
		return n
	}
	p := &proc{
		PID:        pid,
		CPUSeconds: float64(number(14)+number(15)) / ticks,
		Memory:     number(24) * int64(os.Getpagesize()),
		Threads:    int(number(20)),
		SamePIDs:   true,
		Uses:       []string{}, Waits: []wait{}, Holds: []holding{},
		started: uint64(number(22)),
	}
	age := up - time.Duration(p.started)*time.Second/ticks
	started := now.Add(-age).UTC()
	p.Started = &started
	if age > 0 {
		p.CPUPercent = 100 * p.CPUSeconds / age.Seconds()
	}
	p.State = stateAlive
	if s, ok := process.StateOf(pid); ok {
		p.State = s.String()
	}
	if line, err := os.ReadFile(dir + "/cmdline"); err == nil {
		p.Command = strings.TrimRight(strings.ReplaceAll(string(line), "\x00", " "), " ")
	}
	if depth, parent := origin(dir); depth > 0 {
		p.Depth, p.Parent, p.Name = depth, parent, string(stat[open+1:end])
		if ppid := int(number(4)); ppid != parent {
			p.Parent = 0 // it has died
		}
	}
	return p
}

// origin returns what package process has written into the environment of a child; 0, 0
// for others.
func origin(dir string) (depth, parent int) {
	env, err := os.ReadFile(dir + "/environ")
	if err != nil {
		return 0, 0
	}
	for setting := range strings.SplitSeq(string(env), "\x00") {
		value, ok := strings.CutPrefix(setting, "SHMKIT_PROCESS=")
		if !ok {
			continue
		}
		for field := range strings.SplitSeq(value, ":") {
			name, n, _ := strings.Cut(field, "=")
			switch name {
			case "depth":
				depth, _ = strconv.Atoi(n)
			case "parent":
				parent, _ = strconv.Atoi(n)
			}
		}
	}
	return depth, parent
}

// uptime is the time since the machine was started.
func uptime() time.Duration {
	b, _ := os.ReadFile("/proc/uptime")
	first, _, _ := strings.Cut(string(b), " ")
	seconds, _ := strconv.ParseFloat(first, 64)
	return time.Duration(seconds * float64(time.Second))
}
