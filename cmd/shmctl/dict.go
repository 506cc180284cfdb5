package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/untyped"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/shm"
)

// dictFlags are what the commands on a dict's entries have in common.
type dictFlags struct {
	hexKey, hex bool
	timeout     time.Duration // of commands that change something
}

const dictHelp = `dict looks at the dicts of managers, and changes their entries. A dict is named
MANAGER/DICT: the segment, and the dict's name in it, or # and its id if it has
none (shmctl info MANAGER shows both).

Keys and values are shown, and written, by their types: strings and byte slices
as text, numbers and structs and what is CBOR as JSON, and the rest as hex, with
0x before it. --hex-key and --hex show and take the bytes as they are stored. A
negative number stands behind --, that it is no flag.

get, ls, watch and stat read the file only: they take no lock and no slot, and
change nothing. set, del and incr open the manager as a program does; see their
help. Exit status: 0; 1 if there is no such key, dict or manager, or something
in it is damaged.`

const dictExamples = `  shmctl dict ls app/hits
  shmctl dict get app/hits /index.html
  shmctl dict set app/limits max 500 --ttl 1h
  shmctl dict incr app/hits /index.html -- -1
  shmctl dict watch app/config '#7'`

func (a *app) dictCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dict",
		Short:   "Look at a manager's dicts, and change their entries",
		Long:    dictHelp,
		Example: dictExamples,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return cli.Usagef("no command %q%s", args[0], suggestion(cmd, args[0]))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.dictGetCommand(), a.dictSetCommand(), a.dictDelCommand(), a.dictIncrCommand(),
		a.dictLsCommand(), a.dictWatchCommand(), a.dictStatCommand())
	return cmd
}

func (f *dictFlags) addTo(cmd *cobra.Command, changes bool) {
	cmd.Flags().BoolVar(&f.hexKey, "hex-key", false, "keys are hex: their bytes as they are stored")
	cmd.Flags().BoolVar(&f.hex, "hex", false, "values are hex: their bytes as they are stored")
	if changes {
		cmd.Flags().DurationVar(&f.timeout, "timeout", 5*time.Second, "`time` to wait for a lock that others hold")
	}
}

// An address names a dict on the command line.
type address struct{ manager, dict string }

func (d address) String() string { return d.manager + "/" + d.dict }

// addressed returns a check of a command's arguments, of which the first is a dict's
// address.
func addressed(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return cli.Usagef("it takes %s, not %s", what, plural(len(args), "argument"))
		}
		if d := addressOf(args[0]); d.manager == "" || d.dict == "" {
			return cli.Usagef("%q is not MANAGER/DICT", args[0])
		}
		return nil
	}
}

func addressOf(arg string) address {
	m, d, _ := strings.Cut(arg, "/") // names of segments have no slash
	return address{m, d}
}

// A window is a dict as it is looked at from outside.
type window struct {
	address
	*dictFlags
	id         [16]byte
	view       *manager.RawView
	key, value *untyped.Type
}

// through calls f with a window on a dict.
func (a *app) through(d address, flags *dictFlags, f func(w *window) error) error {
	i, err := a.inspect(d.manager)
	if err != nil {
		return err
	}
	defer i.Close()
	return guarded(func() error {
		m, err := manager.Inspect(i)
		if err != nil {
			return err
		}
		v, err := m.Dict(d.dict)
		if err != nil {
			return dictError(err)
		}
		w := &window{address: d, dictFlags: flags, id: i.Info().ID, view: v}
		w.key, w.value = untyped.ParsePair(v.Types(), v.Refers())
		return f(w)
	})
}

// dictError tells a dict that is not there from a segment.
func dictError(err error) error {
	if errors.Is(err, shm.ErrNotExist) {
		return errNoDict
	}
	return err
}

// makeKey returns the encoding of a key on the command line.
func makeKey(f *dictFlags, t *untyped.Type, arg string) ([]byte, error) {
	return encode(f.hexKey, t, "key", arg)
}

// makeValue returns the encoding of a value on the command line.
func makeValue(f *dictFlags, t *untyped.Type, arg string) ([]byte, error) {
	return encode(f.hex, t, "value", arg)
}

func encode(hex bool, t *untyped.Type, what, arg string) (b []byte, err error) {
	if hex {
		b, err = t.MakeHex(arg)
	} else {
		b, err = t.Make(arg)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return b, nil
}

// show shows an encoding, or its bytes.
func show(hex bool, t *untyped.Type, b []byte) untyped.Shown {
	if hex {
		return untyped.ShowHex(b)
	}
	return t.Show(b)
}

// entryOf is an entry in the words of the contract.
func entryOf(f *dictFlags, key, value *untyped.Type, e manager.RawEntry) entry {
	k, v := show(f.hexKey, key, e.Key), show(f.hex, value, e.Value)
	out := entry{
		Key: k.Value(), KeyEncoding: k.Encoding, Value: v.Value(), ValueEncoding: v.Encoding,
		keyText: k.Text, valueText: v.Text,
	}
	if e.TTL > 0 {
		seconds := e.TTL.Seconds()
		out.TTL = &seconds
	}
	return out
}

// absent is the entry of a key that has no value.
func absent(f *dictFlags, key *untyped.Type, k []byte) entry {
	s := show(f.hexKey, key, k)
	return entry{Key: s.Value(), KeyEncoding: s.Encoding, Value: json.RawMessage("null"), keyText: s.Text, valueText: none}
}

// change opens a dict as a program does, and calls f with it. It gives up when ctx is
// done or the time is over: a lock that a stopped process holds is waited for
// without end.
func (a *app) change(ctx context.Context, d address, timeout time.Duration, f func(d *manager.RawDict, key, value *untyped.Type) error) error {
	path, err := a.path(d.manager)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		done <- guarded(func() error {
			m, err := manager.OpenExisting(d.manager, &manager.Options{Dir: filepath.Dir(path)})
			if err != nil {
				return err
			}
			defer m.Close()
			r, err := manager.OpenRaw(m, d.dict)
			if err != nil {
				return dictError(err)
			}
			defer r.Close()
			key, value := untyped.ParsePair(r.Types(), r.Refers())
			return f(r, key, value)
		})
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", errUnknown)
	case <-timer.C:
		return fmt.Errorf("nothing after %v: %w", timeout, errUnknown)
	}
}

// checkTimeout is the check of the flag.
func (f *dictFlags) checkTimeout() error {
	if f.timeout <= 0 {
		return cli.Usagef("--timeout %v is not positive", f.timeout)
	}
	return nil
}

var (
	errNoDict  = errors.New("no such dict")
	errNoKey   = errors.New("no such key")
	errUnknown = errors.New("it waits for a lock, and may happen or not")
)
