package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// A failure is something that a command could not do.
type failure struct {
	verb, object string
	err          error
}

func (f *failure) Error() string { return f.verb + " " + f.object + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// failed returns err as that of a verb on an object; nil stays nil, and an
// error that says both already stays as it is.
func failed(verb, object string, err error) error {
	var f *failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return &failure{verb, object, err}
}

// report prints the lines of err, one for each failure, and returns the exit
// status.
func report(w io.Writer, cmd *cobra.Command, err error) int {
	var u *cli.UsageError
	if errors.As(err, &u) {
		what := "command line"
		if cmd.HasParent() {
			_, what, _ = strings.Cut(cmd.CommandPath(), " ")
		}
		say(w, what, u.Err, "see "+cmd.CommandPath()+" --help")
		return cli.Usage
	}
	for _, err := range each(err) {
		var f *failure
		if errors.As(err, &f) {
			say(w, strings.TrimSpace(f.verb+" "+f.object), f.err, advice(f.err))
		} else {
			say(w, cmd.Name(), err, advice(err))
		}
	}
	return cli.Failure
}

// each takes apart what errors.Join has put together.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// say prints one line, whatever the texts contain.
func say(w io.Writer, what string, err error, todo string) {
	line := "shmctl: " + what + ": " + reason(err)
	if todo != "" {
		line += " (" + todo + ")"
	}
	fmt.Fprintln(w, cli.Printable(line))
}

// reason is the text of err without the names of packages, operations and
// files, which the line has already.
func reason(err error) string {
	var s *shm.Error
	if errors.As(err, &s) {
		return reason(s.Err)
	}
	var q *ringqueue.Error
	if errors.As(err, &q) {
		return reason(q.Err)
	}
	var m *manager.Error
	if errors.As(err, &m) {
		return reason(m.Err)
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		return reason(p.Err)
	}
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if named, ok := strings.CutPrefix(text, "pool: inspect "); ok { // it has no type
		_, text, _ = strings.Cut(named, ": ")
	}
	return text
}

// advice says what can be done about an error; "" when nothing can be said.
func advice(err error) string {
	for _, a := range advices {
		if errors.Is(err, a.err) {
			return a.todo
		}
	}
	return ""
}

var advices = []struct {
	err  error
	todo string
}{
	{errReplaced, "start again to watch the new one"},
	{errRemoved, "its last process has left, or somebody removed it"},
	{errNoDict, "shmctl info shows which there are"},
	{errNoKey, "shmctl dict ls shows which there are"},
	{errUnknown, "a process that is stopped, or the damage that shmctl fsck shows, keeps it"},
	{errProblems, "programs that meet them get errors; what a dead process has left is repaired when one opens it"},
	{manager.ErrNoSpace, "remove entries, or create the manager with more MaxBytes, or in a larger file system"},
	{errFault, "look again; if it stays so, somebody has damaged it, and shmctl rm removes it"},
	{shm.ErrName, "shmctl ls shows the names"},
	{shm.ErrFormat, "it is no segment; if it is in the way, remove it with shmctl rm"},
	{shm.ErrVersion, "use the shmctl of the version that made it"},
	{shm.ErrLayout, "use the shmctl of the version that made it"},
	{shm.ErrEndian, "it comes from another kind of machine; remove it with shmctl rm"},
	{shm.ErrSize, "programs refuse it, too; remove it with shmctl rm"},
	{shm.ErrCorrupt, "programs refuse it, too; remove it with shmctl rm"},
	{shm.ErrOwner, "run shmctl as its owner"},
	{shm.ErrMode, "take the permission to write from group and others with chmod go-w"},
	{shm.ErrLink, "segments are regular files; find out who put it there"},
	{shm.ErrFilesystem, "use a directory of this machine"},
	{shm.ErrBusy, "the process that has it locked may be stopped; try again"},
	{shm.ErrUnsupported, "use a shmctl built as the program that made it"},
	{fs.ErrPermission, "run shmctl as the owner"},
	{fs.ErrNotExist, "shmctl ls shows what is there"},
}
