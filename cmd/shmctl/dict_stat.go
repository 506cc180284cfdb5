package main

import (
	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
)

func (a *app) dictStatCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stat MANAGER/DICT",
		Short: "Print a dict's figures",
		Long: `stat prints how many entries a dict has, how much memory they and the hash table
take, how many entries were given up for lack of memory or because their time was
over, and how many processes have a handle of it. Entries whose time is over
count until they are removed.

It changes nothing. Exit status: 0; 1 if the dict can't be read.`,
		Example: `  shmctl dict stat app/hits
  shmctl dict stat app/cache -o json | jq '.evicted'`,
		Args: addressed(1, 1, "MANAGER/DICT"),
		RunE: func(_ *cobra.Command, args []string) error {
			return failed("dict stat", args[0], a.dictStat(addressOf(args[0])))
		},
	}
}

func (a *app) dictStat(d address) error {
	var s dictStat
	err := a.through(d, new(dictFlags), func(w *window) error {
		o := w.view.Object()
		s = dictStat{Manager: d.manager, object: objectOf(&o)}
		return nil
	})
	if err != nil {
		return err
	}
	if a.format == cli.JSON {
		return cli.PrintJSON(a.out, s)
	}
	p := &page{app: a}
	p.pairs("", s.facts())
	return p.err
}
