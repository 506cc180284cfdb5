//go:build unix && !linux

package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func executable() string {
	path, _ := os.Executable() // exec reports an empty path
	return path
}

func statExecutable() (os.FileInfo, error) { return os.Stat(executable()) }

// socketPair returns the two ends of the control socket.
func socketPair() (parent, child *os.File, err error) {
	syscall.ForkLock.RLock() // no child may inherit them before CloseOnExec
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.SetNonblock(fds[0], true)
	return os.NewFile(uintptr(fds[0]), "control socket"), os.NewFile(uintptr(fds[1]), "control socket"), nil
}

func sysProcAttr(group bool, pidfd *int) *syscall.SysProcAttr {
	*pidfd = -1
	return &syscall.SysProcAttr{Setpgid: group}
}

func setCommand(string) {}

// addNice changes the nice value of a process, which all its threads share here.
func addNice(pid, n int) error {
	now, err := syscall.Getpriority(syscall.PRIO_PROCESS, pid)
	if err == nil {
		err = syscall.Setpriority(syscall.PRIO_PROCESS, pid, now+n)
	}
	return os.NewSyscallError("setpriority", err)
}
