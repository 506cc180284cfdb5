//go:build unix

package process

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adopt makes an inherited descriptor a file of this process: it is not
// passed on to programs that this process starts, and waiting for it costs
// no thread.
func adopt(fd int, name string) (*os.File, error) {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("%s, descriptor %d: %w", name, fd, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("%s, descriptor %d: %w", name, fd, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// adoptCrashPipe makes the runtime write the text of a crash to an inherited
// pipe as well. What does not fit there is lost: see spawn. The file is made
// before its descriptor is set not to block, so that the runtime's poller,
// which nobody needs here, is not troubled with it.
func adoptCrashPipe(fd int) {
	f := os.NewFile(uintptr(fd), "crash pipe")
	defer f.Close()
	if unix.SetNonblock(fd, true) == nil {
		debug.SetCrashOutput(f, debug.CrashOptions{}) // keeps a duplicate
	}
}

// closeOnExec marks n descriptors from first on.
func closeOnExec(first, n int) {
	for fd := first; fd < first+n; fd++ {
		unix.CloseOnExec(fd)
	}
}

// isOpen tells whether the file's descriptor is one.
func isOpen(f *os.File) bool {
	_, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
	return err == nil
}

// readNow reads what a descriptor that does not block has at hand.
func readNow(fd uintptr, b []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), b)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// signalGroup sends sig to the group that pid leads. A group whose members
// are all dead is no error.
func signalGroup(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(-pid, sig); err != nil && err != syscall.ESRCH {
		return err
	}
	return nil
}

// raise ends this process by sig, so that everybody sees why it ended.
func raise(sig syscall.Signal) {
	if !signal.Ignored(sig) {
		signal.Reset(sig)
		syscall.Kill(os.Getpid(), sig)
		time.Sleep(time.Second) // another thread may take it
	}
	os.Exit(128 + int(sig)) // as shells say it
}

// maxRSS is the largest resident set in bytes.
func maxRSS(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	n := int64(usage.Maxrss)
	if runtime.GOOS != "darwin" && runtime.GOOS != "ios" { // they count bytes, others KiB
		n <<= 10
	}
	return n
}
