package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/shm"
)

func (a *app) rmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME…",
		Short: "Remove segments",
		Long: `rm takes the names of segments away, at once. Processes that hold one go on with
its memory, which is freed when the last of them has left, and a new segment can
take the name: they do not meet. It works on files that are no valid segments,
too.

Names after one that fails are removed all the same. Exit status: 0; 1 if one
could not be removed.`,
		Example: `  shmctl rm jobs
  shmctl rm jobs results
  shmctl ls -o json | jq -r '.segments[] | select(.error) | .name' | xargs shmctl rm`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("it takes the names of segments")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.rm(args) },
	}
}

func (a *app) rm(names []string) error {
	dir, err := a.dir()
	if err != nil {
		return err
	}
	out := removal{Dir: absolute(dir), Removed: []removed{}}
	var errs []error
	for _, name := range names {
		r := a.weigh(name)
		if err := dir.Remove(name); err != nil {
			errs = append(errs, failed("rm", name, err))
			continue
		}
		out.Removed = append(out.Removed, r)
		if a.format != cli.JSON {
			errs = append(errs, r.print(a, "removed"))
		}
	}
	if a.format == cli.JSON {
		errs = append(errs, cli.PrintJSON(a.out, out))
	}
	return errors.Join(errs...)
}

// weigh says what is about to be removed, as far as it can be found out.
func (a *app) weigh(name string) removed {
	r := removed{Name: name}
	// What can't be looked at can be removed.
	_ = guarded(func() error {
		i, err := a.inspect(name)
		if err != nil {
			return err
		}
		defer i.Close()
		info := i.Info()
		r.Kind, r.FileSize, r.Holders = info.Kind, info.FileSize, info.Holders
		return nil
	})
	return r
}

// print prints a line about a removal.
func (r *removed) print(a *app, verb string) error {
	line := verb + " " + r.Name
	if r.Kind != "" {
		line += fmt.Sprintf(": %s of %s", r.Kind, size(r.FileSize))
	}
	switch {
	case r.Holders == 1:
		line += "; 1 process goes on with its memory"
	case r.Holders > 1:
		line += fmt.Sprintf("; %d processes go on with its memory", r.Holders)
	}
	_, err := fmt.Fprintln(a.out, cli.Printable(line))
	return err
}

// absolute returns the path of the directory from the root, if it can.
func absolute(dir shm.Dir) string {
	if abs, err := filepath.Abs(string(dir)); err == nil {
		return abs
	}
	return string(dir)
}
