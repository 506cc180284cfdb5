//go:build !linux

package process

import "runtime"

func affinity() int { return runtime.NumCPU() }
func quota() int    { return runtime.NumCPU() }
