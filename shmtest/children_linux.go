package shmtest

import (
	"os"
	"strconv"
	"strings"
)

// childProcesses lists the children of this process, ended ones that nobody has
// waited for among them. Kernels without CONFIG_PROC_CHILDREN show none.
func childProcesses() map[int]string {
	children := make(map[int]string)
	for _, thread := range namesIn("/proc/self/task") {
		b, err := os.ReadFile("/proc/self/task/" + thread + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(field)
			stat, serr := os.ReadFile("/proc/" + field + "/stat")
			if err != nil || serr != nil {
				continue // it has been waited for
			}
			name, state, _ := strings.Cut(string(stat), ") ")
			_, name, _ = strings.Cut(name, "(")
			children[pid] = name
			if strings.HasPrefix(state, "Z") {
				children[pid] += ", a zombie"
			}
		}
	}
	return children
}
