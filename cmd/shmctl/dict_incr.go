package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/untyped"
	"github.com/shmkit/shmkit/manager"
)

func (a *app) dictIncrCommand() *cobra.Command {
	var f dictFlags
	cmd := &cobra.Command{
		Use:   "incr MANAGER/DICT KEY [DELTA]",
		Short: "Add to a number",
		Long: `incr adds DELTA, or 1, to the value of a key, and prints the sum. It is atomic,
however many add at once. The values must be integers or floating-point numbers;
one that is not there counts as 0, and the time to live of one that is there stays
what it was. A sum that the type has no room for is an error, and changes nothing.

It opens the manager as a program does, and cleans up after dead processes.
Exit status: 0; 1 if it could not be added, or not within --timeout: see
shmctl dict set --help.`,
		Example: `  shmctl dict incr app/hits /index.html
  shmctl dict incr app/hits /index.html -- -10`,
		Args: addressed(2, 3, "MANAGER/DICT, a key and what to add"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.checkTimeout(); err != nil {
				return err
			}
			delta := "1"
			if len(args) == 3 {
				delta = args[2]
			}
			return failed("dict incr", args[0], a.dictIncr(cmd.Context(), addressOf(args[0]), args[1], delta, &f))
		},
	}
	f.addTo(cmd, true)
	return cmd
}

func (a *app) dictIncr(ctx context.Context, d address, key, delta string, f *dictFlags) error {
	var out foundEntry
	err := a.change(ctx, d, f.timeout, func(r *manager.RawDict, kt, vt *untyped.Type) error {
		k, err := makeKey(f, kt, key)
		if err != nil {
			return err
		}
		v, err := r.Update(k, func(old []byte, _ bool) ([]byte, error) { return vt.Add(old, delta) })
		if err != nil {
			return err
		}
		ttl, _, err := r.TTL(k)
		out = foundEntry{Manager: d.manager, Dict: d.dict, entry: entryOf(f, kt, vt, manager.RawEntry{Key: k, Value: v, TTL: ttl})}
		return err
	})
	if err != nil {
		return err
	}
	return out.print(a, out.valueText)
}
