package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// A usageError is a command line that makes no sense.
type usageError struct{ err error }

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

func usagef(f string, args ...any) error { return &usageError{fmt.Errorf(f, args...)} }

// errViolated is returned by a run that has found violations. They have been
// printed.
var errViolated = errors.New("violations")

// report prints err in one line and returns the exit status.
func report(w io.Writer, cmd *cobra.Command, err error) int {
	what, status, todo := cmd.Name(), exitFailure, ""
	if u := new(usageError); errors.As(err, &u) {
		status, todo = exitUsage, " (see "+cmd.CommandPath()+" --help)"
		if !cmd.HasParent() {
			what = "command line"
		}
	}
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	fmt.Fprintln(w, printable("shmstress: "+what+": "+text+todo))
	return status
}
