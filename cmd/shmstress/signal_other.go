//go:build !unix

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// Signals that members would get.
var sigStop, sigCont, sigQuit = os.Kill, os.Kill, os.Kill

// supported returns an error where processes can't be stopped and killed.
func supported() error {
	return fmt.Errorf("killing and stopping processes on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// killSelf ends this process.
func killSelf() { os.Exit(int(syscall.SIGKILL)) }

// isGone tells whether a signal did not reach a process because it has ended.
func isGone(err error) bool { return errors.Is(err, os.ErrProcessDone) }

// isKill tells whether a signal is the one that cannot be caught.
func isKill(s syscall.Signal) bool { return s == syscall.SIGKILL }
