package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// executable is the running program, even if its file has been replaced or
// removed since.
func executable() string {
	if _, err := os.Lstat(exeLink); err == nil {
		return exeLink
	}
	path, _ := os.Executable() // no /proc: exec reports an empty path
	return path
}

const exeLink = "/proc/self/exe"

func statExecutable() (os.FileInfo, error) {
	if info, err := os.Stat(exeLink); err == nil {
		return info, nil
	}
	return os.Stat(executable())
}

// socketPair returns the two ends of the control socket.
func socketPair() (parent, child *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "control socket"), os.NewFile(uintptr(fds[1]), "control socket"), nil
}

// sysProcAttr asks for a descriptor of the child in *pidfd, -1 if the kernel
// has none.
func sysProcAttr(group bool, pidfd *int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: group, PidFD: pidfd}
}

// setCommand sets the name that ps and top show, which would be "exe".
// It is the name of the first thread, which need not be the calling one.
func setCommand(name string) {
	fd, err := unix.Open("/proc/self/comm", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // a name for people is not worth a failure
	}
	unix.Write(fd, []byte(name))
	unix.Close(fd)
}
