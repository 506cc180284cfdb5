package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// oomCounter returns the file that counts the kernel's out-of-memory kills in a
// control group (this process's, if it is ""), if it has version 2's
// accounting, else that of the machine.
func oomCounter(cgroup string) string {
	if cgroup == "" {
		return ownOOMCounter()
	}
	return counterOf(cgroup)
}

var ownOOMCounter = sync.OnceValue(func() string { return counterOf(ownCgroup()) })

func counterOf(cgroup string) string {
	if events := filepath.Join(cgroup, "memory.events"); cgroup != "" && exists(events) {
		return events
	}
	return "/proc/vmstat"
}

// oomKills reads the counter. -1: unknown.
func oomKills(counter string) int64 {
	b, err := os.ReadFile(counter)
	if err != nil {
		return -1
	}
	return oomCount(b)
}

// oomKillsBefore is oomKills of now, or of up to a second ago: that saves those
// who start many processes the time, which is some percent of a start's.
func oomKillsBefore(counter string) int64 {
	lastReading.Lock()
	defer lastReading.Unlock()
	if lastReading.counter != counter || time.Since(lastReading.at) > time.Second {
		lastReading.at, lastReading.counter = time.Now(), counter
		lastReading.kills = oomKills(counter)
	}
	return lastReading.kills
}

var lastReading struct {
	sync.Mutex
	at      time.Time
	counter string
	kills   int64
}

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
