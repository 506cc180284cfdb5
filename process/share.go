package process

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strconv"
)

// maxCPU bounds the numbers in Options.CPUs: as many as the kernel's usual
// set of processors has.
const maxCPU = 1024

// checkShare checks the options about processors and memory.
func (o *Options) checkShare() error {
	if !(o.Share >= 0 && o.Share <= 1) { // NaN is neither
		return fmt.Errorf("options: Share %v is not within 0 and 1", o.Share)
	}
	if o.Procs < 0 || o.MemoryLimit < 0 {
		return fmt.Errorf("options: negative Procs (%d) or MemoryLimit (%d)", o.Procs, o.MemoryLimit)
	}
	for _, n := range o.CPUs {
		if n < 0 || n >= maxCPU {
			return fmt.Errorf("options: CPUs: no processor has the number %d", n)
		}
	}
	return nil
}

// settings returns what the child's environment must say about its share. The
// runtime reads it before anything runs.
func (o *Options) settings() []string {
	procs, memory := o.Procs, o.MemoryLimit
	if o.Share > 0 {
		if procs == 0 {
			procs = int(math.Ceil(o.Share * float64(runtime.GOMAXPROCS(0))))
		}
		if limit := debug.SetMemoryLimit(-1); memory == 0 && limit < math.MaxInt64 {
			memory = max(1, int64(o.Share*float64(limit)))
		}
	}
	var s []string
	if procs > 0 {
		s = append(s, "GOMAXPROCS="+strconv.Itoa(procs))
	}
	if memory > 0 {
		s = append(s, "GOMEMLIMIT="+strconv.FormatInt(memory, 10))
	}
	return s
}
