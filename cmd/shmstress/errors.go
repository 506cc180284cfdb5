package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
)

// errViolated is returned by a run that has found violations. They have been
// printed.
var errViolated = errors.New("violations")

// report prints err in one line and returns the exit status.
func report(w io.Writer, cmd *cobra.Command, err error) int {
	what, status, todo := cmd.Name(), cli.Failure, ""
	if u := new(cli.UsageError); errors.As(err, &u) {
		status, todo = cli.Usage, " (see "+cmd.CommandPath()+" --help)"
		if !cmd.HasParent() {
			what = "command line"
		}
	}
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	fmt.Fprintln(w, cli.Printable("shmstress: "+what+": "+text+todo))
	return status
}
