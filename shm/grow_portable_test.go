//go:build portable || !linux

package shm_test

import "testing"

const spaceCounts = false // how much space a hole takes is the file system's affair

func spaceOf(*testing.T, string) int64 { return 0 }
