//go:build !unix

package main

import (
	"errors"

	"github.com/shmkit/shmkit/process"
)

func stop(*process.Process) error    { return errors.ErrUnsupported }
func proceed(*process.Process) error { return errors.ErrUnsupported }
