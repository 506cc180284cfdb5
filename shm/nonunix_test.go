//go:build !unix

package shm_test

import (
	"os"
	"testing"
)

func makeFIFO(*testing.T, string) bool    { return false }
func stopProcess(*testing.T, *os.Process) {}
func continueProcess(*os.Process)         {}
