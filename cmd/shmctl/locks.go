package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/shm"
)

func (a *app) locksCommand() *cobra.Command {
	held := false
	cmd := &cobra.Command{
		Use:   "locks [MANAGER]",
		Short: "Show who holds what locks, and who waits",
		Long: `locks lists what processes synchronise with, of one manager or of all: locks,
recursive and read-write locks, semaphores, events, conditions and barriers; and
the locks of values, arrays and objects while they are held. Of each, what it is
like; who has it, alive, stopped or dead, and for how long (to a second); and
whether somebody waits. A dead holder is one that nobody has waited for yet.
MANY stands for more than three processes.

It reads the files only: it takes no lock, and nobody notices. Exit status: 0; 1
if a manager can't be read.`,
		Example: `  shmctl locks
  shmctl locks app --held
  shmctl locks app -o json | jq '.locks[] | select(.holder.state == "stopped")'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usagef("it takes the name of one manager or none, not %s", plural(len(args), "argument"))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := a.dir()
			if err != nil {
				return err
			}
			names := args
			if len(args) == 0 {
				if names, err = managers(dir); err != nil {
					return failed("locks", string(dir), err)
				}
			}
			return a.locks(dir, names, held)
		},
	}
	cmd.Flags().BoolVar(&held, "held", false, "only what somebody has, or waits for")
	return cmd
}

// managers returns the names of the managers in the directory.
func managers(dir shm.Dir) (names []string, err error) {
	l, err := list(dir)
	if err != nil {
		return nil, err
	}
	for i := range l.Segments {
		if s := &l.Segments[i]; !s.bad() && s.Kind == manager.Kind {
			names = append(names, s.Name)
		}
	}
	return names, nil
}

func (a *app) locks(dir shm.Dir, names []string, held bool) error {
	l := lockList{Dir: absolute(dir), Locks: []lock{}}
	var failure error
	for _, name := range names {
		locks, err := a.locksOf(name)
		if err != nil && failure == nil {
			failure = failed("locks", name, err)
		}
		l.Locks = append(l.Locks, locks...)
	}
	if held {
		l.Locks = slices.DeleteFunc(l.Locks, func(k lock) bool { return k.Holder == nil && len(k.Shares) == 0 && !k.Waiters && !k.Died })
	}
	err := failure
	if a.format == cli.JSON {
		if e := cli.PrintJSON(a.out, l); err == nil {
			err = e
		}
		return err
	}
	if e := l.grid().print(a.out, "", !a.noHeaders); err == nil {
		err = e
	}
	return err
}

// locksOf reads one manager's.
func (a *app) locksOf(name string) (locks []lock, err error) {
	i, err := a.inspect(name)
	if err != nil {
		return nil, err
	}
	defer i.Close()
	err = guarded(func() error {
		m, err := manager.Inspect(i)
		if err != nil {
			return err
		}
		all, err := m.Locks()
		owners := ownersOf(i.Slots())
		for k := range all {
			locks = append(locks, lockOf(name, &all[k], owners))
		}
		return err
	})
	return locks, err
}

func lockOf(name string, l *manager.LockInfo, owners ownerTable) lock {
	k := lock{
		Manager: name, ID: l.ID, Name: l.Name, Kind: l.Kind, State: l.State(), Token: l.Token, Depth: l.Depth, Died: l.Died,
		Waiters: l.Waiters, Set: l.Set, Broken: l.Broken, Value: l.Value, Limit: l.Limit, Shares: []lockShare{},
	}
	if l.Held {
		o := owners.of(l.Slot)
		k.Holder, k.Since = &o, timeOf(l.Since)
	}
	for _, s := range l.Shares {
		k.Shares = append(k.Shares, lockShare{owners.of(s.Slot), s.N})
	}
	return k
}

func (l *lockList) grid() *grid {
	g := &grid{columns: columns("LOCK", "KIND", "STATE", "HELD BY", "FOR>", "WAITERS")}
	for i := range l.Locks {
		k := &l.Locks[i]
		held, waiters := none, none
		if k.Since != nil {
			held = span(time.Since(*k.Since).Truncate(time.Second))
		}
		if k.Waiters {
			waiters = "yes"
		}
		g.add(k.Manager+"/"+k.label(), k.Kind, k.State, k.holders(), held, waiters)
	}
	return g
}

// label is how the object is named: its name, or # and its id.
func (k *lock) label() string { return (&object{ID: k.ID, Name: k.Name}).label() }

// holders says who has it.
func (k *lock) holders() string {
	const most = 3
	var who []string
	if k.Holder != nil {
		who = append(who, k.Holder.brief())
	}
	for _, s := range k.Shares {
		who = append(who, s.brief())
	}
	switch {
	case len(who) == 0:
		return none
	case len(who) > most:
		return fmt.Sprintf("MANY: %d processes", len(who))
	}
	return strings.Join(who, ", ")
}

// brief names a process in a few words.
func (o *owner) brief() string { return fmt.Sprintf("pid %d %s", o.PID, o.State) }
