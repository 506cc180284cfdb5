//go:build unix

package main

import (
	"syscall"

	"github.com/shmkit/shmkit/process"
)

func stop(p *process.Process) error    { return p.Signal(syscall.SIGSTOP) }
func proceed(p *process.Process) error { return p.Signal(syscall.SIGCONT) }
