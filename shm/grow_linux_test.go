//go:build linux && !portable

package shm_test

import (
	"os"
	"syscall"
	"testing"
)

const spaceCounts = true

// spaceOf returns the bytes that a file takes.
func spaceOf(t *testing.T, path string) int64 {
	t.Helper()
	return must(os.Stat(path))(t).Sys().(*syscall.Stat_t).Blocks * 512
}
