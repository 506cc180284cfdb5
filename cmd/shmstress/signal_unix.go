//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"
)

// Signals that members get.
var (
	sigStop os.Signal = syscall.SIGSTOP
	sigCont os.Signal = syscall.SIGCONT
	sigQuit os.Signal = syscall.SIGQUIT
)

// supported returns an error where processes can't be stopped and killed.
func supported() error { return nil }

// killSelf ends this process as SIGKILL does, and never returns.
func killSelf() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// isGone tells whether a signal did not reach a process because it has ended.
func isGone(err error) bool {
	return errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH)
}

// isKill tells whether a signal is the one that cannot be caught.
func isKill(s syscall.Signal) bool { return s == syscall.SIGKILL }
