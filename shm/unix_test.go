//go:build unix

package shm_test

import (
	"os"
	"syscall"
	"testing"
)

func makeFIFO(t *testing.T, path string) bool {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return true
}

// stopProcess stops a child and waits until it is.
func stopProcess(t *testing.T, p *os.Process) {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("waiting for the stop: %v, status %#x", err, status)
	}
}

func continueProcess(p *os.Process) { _ = p.Signal(syscall.SIGCONT) }
