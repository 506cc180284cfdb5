package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// isStopped tells whether the process of that PID and start time, in clock
// ticks after boot, is stopped.
func isStopped(pid int, start uint64) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The command in parentheses may contain anything; field 3 follows the last one.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 20 || fields[19] != strconv.FormatUint(start, 10) {
		return false // it is another process
	}
	return fields[0] == "T" || fields[0] == "t"
}

// myPIDNamespace returns the inode of this process's PID namespace; 0: unknown.
func myPIDNamespace() uint64 {
	fi, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		return 0
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
