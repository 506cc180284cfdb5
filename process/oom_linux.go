package process

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
)

// oomKills counts the kernel's out-of-memory kills: in this process's control
// group if it has version 2's accounting, else of the machine. -1: unknown.
func oomKills() int64 {
	b, err := os.ReadFile(oomSource())
	if err != nil {
		return -1
	}
	return oomCount(b)
}

// oomSource returns the file with the counter.
var oomSource = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !ok {
			continue
		}
		events := "/sys/fs/cgroup/" + group + "/memory.events"
		if _, err := os.Stat(events); err == nil {
			return events
		}
	}
	return "/proc/vmstat"
})

// oomCount finds the line "oom_kill N".
func oomCount(b []byte) int64 {
	for line := range bytes.Lines(b) {
		if n, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			count, err := strconv.ParseInt(string(bytes.TrimSpace(n)), 10, 64)
			if err == nil {
				return count
			}
		}
	}
	return -1
}
