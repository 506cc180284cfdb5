package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/untyped"
	"github.com/shmkit/shmkit/manager"
)

func (a *app) dictDelCommand() *cobra.Command {
	var f dictFlags
	cmd := &cobra.Command{
		Use:   "del MANAGER/DICT KEY",
		Short: "Remove a key",
		Long: `del removes a key with its value.

It opens the manager as a program does, and cleans up after dead processes.
Exit status: 0; 1 if there is no such key, or it could not be removed, or not
within --timeout: see shmctl dict set --help.`,
		Example: `  shmctl dict del app/config motd
  shmctl dict del app/points -- -5`,
		Args: addressed(2, 2, "MANAGER/DICT and a key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.checkTimeout(); err != nil {
				return err
			}
			return failed("dict del", args[0], a.dictDel(cmd.Context(), addressOf(args[0]), args[1], &f))
		},
	}
	f.addTo(cmd, true)
	return cmd
}

func (a *app) dictDel(ctx context.Context, d address, key string, f *dictFlags) error {
	var out foundEntry
	err := a.change(ctx, d, f.timeout, func(r *manager.RawDict, kt, _ *untyped.Type) error {
		k, err := makeKey(f, kt, key)
		if err != nil {
			return err
		}
		out = foundEntry{Manager: d.manager, Dict: d.dict, entry: absent(f, kt, k)}
		ok, err := r.Delete(k)
		if err == nil && !ok {
			err = errNoKey
		}
		return err
	})
	if err != nil {
		return err
	}
	return out.print(a, "removed "+out.keyText)
}
