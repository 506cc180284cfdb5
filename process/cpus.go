package process

import "runtime"

// NumCPU returns how many processors the calling process can use: at most those
// of the machine, of its affinity ([Options].CPUs) and of its control groups'
// quotas, which are rounded up; at least 1. Unlike [runtime.NumCPU] it is what
// holds now. Elsewhere than on Linux it is the machine's number.
//
// It is a good number of workers for work that computes.
func NumCPU() int {
	return max(1, min(runtime.NumCPU(), affinity(), quota()))
}
