package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// startPlaced starts the command with the nice value, on the processors and in
// the control group that the options name. All of them hold from the child's
// first instruction on, so that its runtime goes by them.
func startPlaced(cmd *exec.Cmd, o *Options) error {
	if o.Cgroup != "" {
		group, err := openCgroup(o.Cgroup)
		if err != nil {
			return err
		}
		defer group.Close()
		cmd.SysProcAttr.UseCgroupFD = true
		cmd.SysProcAttr.CgroupFD = int(group.Fd())
	}
	if o.Nice == 0 && len(o.CPUs) == 0 {
		return cmd.Start()
	}
	result := make(chan error)
	go onSpareThread(func() {
		err := placeThread(o)
		if err == nil {
			err = cmd.Start()
		}
		result <- err
	})
	return <-result
}

// onSpareThread runs f on a thread that ends with it, so that f may change it
// for good. It is no goroutine's, and never the process's first thread, which
// can't end, and whose nice value is what others see as the process's.
func onSpareThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return // still locked: the thread ends
	}
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() { // on another thread, since this one is taken
		defer close(done)
		onSpareThread(f)
	}()
	<-done
}

// placeThread sets nice value and processors of the calling thread. What it
// starts inherits them.
func placeThread(o *Options) error {
	if o.Nice != 0 {
		now, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			return os.NewSyscallError("getpriority", err)
		}
		const zero = 20 // the system call returns 20 less the nice value
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, zero-now+o.Nice); err != nil {
			return fmt.Errorf("nice value %d: %w", zero-now+o.Nice, os.NewSyscallError("setpriority", err))
		}
	}
	if len(o.CPUs) > 0 {
		var set unix.CPUSet
		for _, n := range o.CPUs {
			set.Set(n)
		}
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return fmt.Errorf("processors %v: %w", o.CPUs, os.NewSyscallError("sched_setaffinity", err))
		}
	}
	return nil
}

// openCgroup opens the directory of a control group of version 2.
func openCgroup(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open control group", Path: dir, Err: err}
	}
	f := os.NewFile(uintptr(fd), dir)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC {
		f.Close()
		return nil, fmt.Errorf("%s is no control group of version 2: %w", dir, errors.ErrUnsupported)
	}
	return f, nil
}
