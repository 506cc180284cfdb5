package process

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const unlimited = math.MaxInt

// affinity returns how many processors the process may run on.
func affinity() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(unix.Getpid(), &set); err != nil {
		return unlimited
	}
	return set.Count()
}

// quota returns how many processors' time the control groups allow, rounded up.
func quota() int {
	least := unlimited
	dir := ownCgroup()
	for cgroupDepth := strings.Count(dir, "/"); cgroupDepth > 0; cgroupDepth-- {
		least = min(least, quotaOf(readWords(filepath.Join(dir, "cpu.max"))))
		dir = filepath.Dir(dir)
	}
	const v1 = "/sys/fs/cgroup/cpu"
	if least == unlimited && exists(v1) {
		words := append(readWords(v1+"/cpu.cfs_quota_us"), readWords(v1+"/cpu.cfs_period_us")...)
		least = quotaOf(words)
	}
	return least
}

// quotaOf takes "QUOTA PERIOD" in microseconds; "max" and -1 are no limit.
func quotaOf(words []string) int {
	if len(words) != 2 {
		return unlimited
	}
	quota, err := strconv.Atoi(words[0])
	period, err2 := strconv.Atoi(words[1])
	if err != nil || err2 != nil || quota <= 0 || period <= 0 {
		return unlimited
	}
	return (quota + period - 1) / period
}

// ownCgroup returns the directory of this process's control group of version
// 2, "" if there is none.
func ownCgroup() string {
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !ok {
			continue
		}
		// The second is where it is beside groups of version 1.
		for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			dir := filepath.Join(root, group)
			if exists(filepath.Join(dir, "cgroup.procs")) {
				return dir
			}
		}
	}
	return ""
}

func readWords(path string) []string {
	b, _ := os.ReadFile(path)
	return strings.Fields(string(b))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
