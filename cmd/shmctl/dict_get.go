package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
)

func (a *app) dictGetCommand() *cobra.Command {
	var f dictFlags
	cmd := &cobra.Command{
		Use:   "get MANAGER/DICT KEY",
		Short: "Print the value of a key",
		Long: `get prints the value of a key. With -o json also its time to live.

It changes nothing, takes no lock and does not count as a use to a cache. Exit
status: 0; 1 if there is no such key.`,
		Example: `  shmctl dict get app/hits /index.html
  shmctl dict get app/sessions 0x01ff --hex-key
  shmctl dict get app/users ann -o json | jq .value.name`,
		Args: addressed(2, 2, "MANAGER/DICT and a key"),
		RunE: func(_ *cobra.Command, args []string) error {
			return failed("dict get", args[0], a.dictGet(addressOf(args[0]), args[1], &f))
		},
	}
	f.addTo(cmd, false)
	return cmd
}

func (a *app) dictGet(d address, key string, f *dictFlags) error {
	return a.through(d, f, func(w *window) error {
		k, err := makeKey(f, w.key, key)
		if err != nil {
			return err
		}
		e, ok, err := w.view.Get(k)
		if err != nil {
			return err
		}
		if !ok {
			return errNoKey
		}
		out := foundEntry{Manager: d.manager, Dict: d.dict, entry: entryOf(f, w.key, w.value, e)}
		return out.print(a, out.valueText)
	})
}

// print prints the entry as JSON, or text in its place.
func (e *foundEntry) print(a *app, text string) error {
	if a.format == cli.JSON {
		return cli.PrintJSON(a.out, e)
	}
	_, err := fmt.Fprintln(a.out, cli.PrintableLines(text))
	return err
}
