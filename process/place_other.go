//go:build !linux

package process

import (
	"errors"
	"fmt"
	"os/exec"
)

// startPlaced starts the command with the nice value that the options name.
func startPlaced(cmd *exec.Cmd, o *Options) error {
	if len(o.CPUs) > 0 || o.Cgroup != "" {
		return fmt.Errorf("options: CPUs and Cgroup: %w", errors.ErrUnsupported)
	}
	if err := cmd.Start(); err != nil || o.Nice == 0 {
		return err
	}
	err := addNice(cmd.Process.Pid, o.Nice)
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
	return err
}
