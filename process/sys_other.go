//go:build !unix

package process

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// Without socketpair and inherited descriptors there is no way to talk to a
// child yet: Start says so, and what follows here is never reached.

func errSystem() error {
	return fmt.Errorf("processes on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func socketPair() (parent, child *os.File, err error) { return nil, nil, errSystem() }
func adopt(int, string) (*os.File, error)             { return nil, errSystem() }
func adoptCrashPipe(int)                              {}
func statExecutable() (os.FileInfo, error)            { return nil, errSystem() }
func executable() string                              { return "" }
func sysProcAttr(bool, *int) *syscall.SysProcAttr     { return nil }
func setCommand(string)                               {}
func closeOnExec(first, n int)                        {}
func isOpen(*os.File) bool                            { return true }
func readNow(uintptr, []byte) (int, error)            { return 0, errSystem() }
func signalGroup(int, syscall.Signal) error           { return errSystem() }
func raise(sig syscall.Signal)                        { os.Exit(128 + int(sig)) }
func maxRSS(*os.ProcessState) int64                   { return 0 }
func addNice(int, int) error                          { return errSystem() }
