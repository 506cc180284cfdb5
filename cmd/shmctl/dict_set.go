package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/untyped"
	"github.com/shmkit/shmkit/manager"
)

func (a *app) dictSetCommand() *cobra.Command {
	var f dictFlags
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "set MANAGER/DICT KEY VALUE",
		Short: "Set the value of a key",
		Long: `set sets the value of a key: text for strings and byte slices, JSON for numbers,
structs and what is CBOR, or, with --hex, its bytes. Whole numbers in CBOR are
integers; byte strings and times can only be written as hex. Of a struct in
plain memory the fields that are left out are zero.

shmctl does not know the program's type. What is plain memory is checked; CBOR
that does not fit is an error for the program that reads it.

It opens the manager as a program does, and cleans up after dead processes.
Exit status: 0; 1 if it could not be set, or not within --timeout, because a
process that is stopped in the middle of a change holds the lock.`,
		Example: `  shmctl dict set app/config motd 'back at noon'
  shmctl dict set app/limits max 500 --ttl 1h
  shmctl dict set app/users ann '{"name":"Ann","tags":["a","b"]}'`,
		Args: addressed(3, 3, "MANAGER/DICT, a key and a value"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ttl < 0 {
				return cli.Usagef("--ttl %v is negative", ttl)
			}
			if err := f.checkTimeout(); err != nil {
				return err
			}
			return failed("dict set", args[0], a.dictSet(cmd.Context(), addressOf(args[0]), args[1], args[2], ttl, &f))
		},
	}
	f.addTo(cmd, true)
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "`time` that the entry has to live (default: it stays)")
	return cmd
}

func (a *app) dictSet(ctx context.Context, d address, key, value string, ttl time.Duration, f *dictFlags) error {
	var out foundEntry
	err := a.change(ctx, d, f.timeout, func(r *manager.RawDict, kt, vt *untyped.Type) error {
		k, err := makeKey(f, kt, key)
		if err != nil {
			return err
		}
		v, err := makeValue(f, vt, value)
		if err != nil {
			return err
		}
		out = foundEntry{Manager: d.manager, Dict: d.dict, entry: entryOf(f, kt, vt, manager.RawEntry{Key: k, Value: v, TTL: ttl})}
		return r.Set(k, v, manager.TTL(ttl))
	})
	if err != nil {
		return err
	}
	return out.print(a, "set "+out.keyText)
}
