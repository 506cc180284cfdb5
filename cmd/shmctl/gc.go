package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/shm"
)

func (a *app) gcCommand() *cobra.Command {
	dryRun := false
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove the segments that nobody holds any more",
		Long: `gc removes the segments that are not persistent and that no living process holds,
because the last one was killed. It also cleans away what processes that were
killed while they made one may have left. Persistent segments, those in use, and
files that are no valid segments stay.

Exit status: 0; 1 if something could not be removed.`,
		Example: `  shmctl gc --dry-run
  shmctl gc
  shmctl gc -o json | jq .bytes`,
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error { return a.gc(dryRun) },
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say which segments would be removed")
	return cmd
}

func (a *app) gc(dryRun bool) error {
	dir, err := a.dir()
	if err != nil {
		return err
	}
	before, err := list(dir)
	if err != nil {
		return failed("gc", string(dir), err)
	}
	out := collection{Dir: absolute(dir), DryRun: dryRun, Removed: []removed{}}
	var names []string
	if dryRun {
		names = before.abandoned()
	} else if names, err = dir.Sweep(); err != nil {
		err = sweepErrors(dir, err)
	}
	for _, name := range names {
		r := removed{Name: name}
		if i := slices.IndexFunc(before.Segments, func(s segment) bool { return s.Name == name }); i >= 0 {
			r.Kind, r.FileSize = before.Segments[i].Kind, before.Segments[i].FileSize
		}
		out.Removed = append(out.Removed, r)
		out.Bytes += r.FileSize
	}
	return errors.Join(err, out.print(a))
}

// abandoned returns the names of those that a sweep would remove.
func (l *listing) abandoned() []string {
	var names []string
	for i := range l.Segments {
		if s := &l.Segments[i]; !s.bad() && !s.Persistent && s.Processes == 0 {
			names = append(names, s.Name)
		}
	}
	return names
}

// sweepErrors says of each file that could not be swept, which one it is.
func sweepErrors(dir shm.Dir, err error) error {
	var errs []error
	for _, err := range each(err) {
		object := string(dir)
		var e *shm.Error
		if errors.As(err, &e) {
			object = e.Path
		}
		errs = append(errs, failed("gc", object, err))
	}
	return errors.Join(errs...)
}

func (c *collection) print(a *app) error {
	if a.format == cli.JSON {
		return cli.PrintJSON(a.out, c)
	}
	verb := "removed"
	if c.DryRun {
		verb = "would remove"
	}
	for i := range c.Removed {
		if err := c.Removed[i].print(a, verb); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.out, "%s %s, %s\n", verb, plural(len(c.Removed), "segment"), size(c.Bytes))
	return err
}
