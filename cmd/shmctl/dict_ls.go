package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/untyped"
)

func (a *app) dictLsCommand() *cobra.Command {
	var f dictFlags
	limit, prefix := 1000, ""
	cmd := &cobra.Command{
		Use:   "ls MANAGER/DICT",
		Short: "List keys and values",
		Long: `ls lists the entries of a dict, by key. A dict has no order: of more entries than
--limit it lists some. Keys that are there from the start to the end are listed
once, whatever others change meanwhile. The table cuts long values off, JSON does
not.

It changes nothing, takes no lock and does not count as a use to a cache. Exit
status: 0; 1 if the dict can't be read.`,
		Example: `  shmctl dict ls app/hits
  shmctl dict ls app/hits --prefix /img/ --limit 0
  shmctl dict ls app/hits -o json | jq -r '.items[] | select(.value > 100) | .key'`,
		Args: addressed(1, 1, "MANAGER/DICT"),
		RunE: func(_ *cobra.Command, args []string) error {
			if limit < 0 {
				return cli.Usagef("--limit %d is negative", limit)
			}
			return failed("dict ls", args[0], a.dictLs(addressOf(args[0]), prefix, limit, &f))
		},
	}
	f.addTo(cmd, false)
	cmd.Flags().IntVar(&limit, "limit", limit, "`entries` to list at most; 0: all")
	cmd.Flags().StringVar(&prefix, "prefix", "", "list only keys that are shown with this `text` at the start")
	return cmd
}

func (a *app) dictLs(d address, prefix string, limit int, f *dictFlags) error {
	var l dictListing
	err := a.through(d, f, func(w *window) error {
		l = dictListing{Manager: d.manager, Dict: d.dict, Type: w.view.Types(), Entries: w.view.Object().Entries, Items: []entry{}}
		for raw, err := range w.view.All() {
			if err != nil {
				return err
			}
			e := entryOf(f, w.key, w.value, raw)
			if !strings.HasPrefix(e.keyText, prefix) {
				continue
			}
			if limit > 0 && len(l.Items) == limit {
				l.More = true
				break
			}
			l.Items = append(l.Items, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(l.Items, compareKeys)
	if a.format == cli.JSON {
		return cli.PrintJSON(a.out, l)
	}
	return l.print(a)
}

// compareKeys orders numbers by their value, and all other keys by their text.
func compareKeys(a, b entry) int {
	if a.KeyEncoding == untyped.JSON && b.KeyEncoding == untyped.JSON {
		x, errX := strconv.ParseFloat(a.keyText, 64)
		y, errY := strconv.ParseFloat(b.keyText, 64)
		if errX == nil && errY == nil && x != y {
			return cmp.Compare(x, y)
		}
	}
	return strings.Compare(a.keyText, b.keyText)
}

func (l *dictListing) print(a *app) error {
	const widest = 100
	g := grid{columns: columns("KEY", "TTL>", "VALUE")}
	for i := range l.Items {
		e := &l.Items[i]
		g.add(shorten(e.keyText, widest), e.ttlText(), shorten(e.valueText, widest))
	}
	if err := g.print(a.out, "", !a.noHeaders); err != nil || !l.More {
		return err
	}
	_, err := fmt.Fprintf(a.out, "… and more: the dict has %s (--limit 0 lists all)\n", entries(l.Entries))
	return err
}

// shorten cuts a text off for a table.
func shorten(s string, most int) string {
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}
