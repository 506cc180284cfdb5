package process

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// takeSample reads the states of pid's threads. It reports false if /proc
// does not show them.
func takeSample(pid int) (sample, bool) {
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	s := sample{at: time.Now()}
	entries, err := os.ReadDir(dir) // sorted by name: a longer number may come before the leader's
	if err != nil {
		return s, false
	}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		letter, ok := threadState(dir + e.Name())
		if err != nil || !ok {
			continue // the thread has ended since
		}
		s.threads = append(s.threads, thread{id: id, state: letter, ran: threadTime(dir + e.Name())})
		if id == pid {
			last := len(s.threads) - 1
			s.threads[0], s.threads[last] = s.threads[last], s.threads[0]
		}
	}
	return s, len(s.threads) > 0
}

// threadState returns the third field of a thread's stat file. The second,
// its name in parentheses, may hold anything.
func threadState(dir string) (byte, bool) {
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, false
	}
	i := bytes.LastIndexByte(b, ')')
	if i < 0 || i+2 >= len(b) {
		return 0, false
	}
	return b[i+2], true
}

// threadTime returns the first field of a thread's schedstat file, -1 where the
// kernel has no scheduler statistics.
func threadTime(dir string) time.Duration {
	b, err := os.ReadFile(dir + "/schedstat")
	if err != nil {
		return -1
	}
	field, _, _ := bytes.Cut(b, []byte(" "))
	ns, err := strconv.ParseInt(string(field), 10, 64)
	if err != nil {
		return -1
	}
	return time.Duration(ns)
}
