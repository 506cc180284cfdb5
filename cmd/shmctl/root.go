package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/shm"
)

// app is what the commands share: the global flags and where output goes.
type app struct {
	out       io.Writer
	errs      io.Writer
	dirFlag   string
	format    cli.Format
	noHeaders bool
}

const rootHelp = `shmctl looks at shmkit's segments from outside: what is there, who uses it,
who holds it up. It reads their files and nothing else, takes no lock and no
slot, and needs nothing from the programs that use them. Only rm, gc, and dict
set, del and incr change something.

Errors are one line on standard error. Exit status: 0 all went well, 1 something
failed, 2 the command line makes no sense.`

const rootExamples = `  shmctl ls                         what is there
  shmctl info jobs                  who holds the queue "jobs" up
  shmctl stat jobs --interval 5s    what goes through it
  shmctl dict ls app/hits           what stands in the dict "hits" of "app"
  shmctl ps                         which processes there are, and what they wait for
  shmctl fsck app                   whether its memory is sound
  shmctl ls -o json | jq '.segments[] | select(.dead > 0) | .name'
  shmctl --dir /var/lib/app/shm ls  another directory`

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	a := &app{out: stdout, errs: stderr, format: cli.Table}
	root := &cobra.Command{
		Use:           "shmctl",
		Short:         "See inside shmkit's segments, from outside",
		Long:          rootHelp,
		Example:       rootExamples,
		SilenceErrors: true, // run reports them
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return cli.Usagef("no command %q%s", args[0], suggestion(cmd, args[0]))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return cli.Usagef("%w", err) })
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&a.dirFlag, "dir", "", "`directory` of the segments (default $SHMKIT_DIR, else "+shortDir()+")")
	flags.VarP(&a.format, "output", "o", "`format` of the output: table or json")
	flags.BoolVar(&a.noHeaders, "no-headers", false, "print tables without headings")
	root.AddCommand(a.lsCommand(), a.infoCommand(), a.statCommand(), a.psCommand(), a.dictCommand(), a.locksCommand(), a.fsckCommand(), a.rmCommand(), a.gcCommand(), a.versionCommand())
	return root
}

// shortDir describes the directory used when neither flag nor variable says one.
func shortDir() string {
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		return "/dev/shm/shmkit-<uid>"
	}
	return "shmkit in the user's cache directory"
}

func suggestion(cmd *cobra.Command, typed string) string {
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(typed); len(near) > 0 {
		return fmt.Sprintf(": did you mean %s?", strings.Join(near, " or "))
	}
	return ""
}

// dir returns the directory of the segments. One that was asked for by the flag
// must be there; the default one comes into being with its first segment.
func (a *app) dir() (shm.Dir, error) {
	if a.dirFlag == "" {
		return shm.DefaultDir(), nil
	}
	fi, err := os.Stat(a.dirFlag)
	if err == nil && !fi.IsDir() {
		err = errors.New("not a directory")
	}
	if err != nil {
		return "", failed("open", a.dirFlag, err)
	}
	return shm.Dir(a.dirFlag), nil
}

// path returns the path of a segment's file. Any file name is good that can't
// lead out of the directory: looking at a misnamed file does no harm.
func (a *app) path(name string) (string, error) {
	dir, err := a.dir()
	if err != nil {
		return "", err
	}
	if name == "" || name[0] == '.' || strings.ContainsRune(name, 0) || filepath.Base(name) != name {
		return "", fmt.Errorf("%w: a name, not a path, is asked for", shm.ErrName)
	}
	return filepath.Join(string(dir), name), nil
}

// inspect opens a segment for reading. An inspection that is opened must be
// closed.
func (a *app) inspect(name string) (*shm.Inspection, error) {
	path, err := a.path(name)
	if err != nil {
		return nil, err
	}
	return shm.Inspect(path)
}

// exactly returns a check that a command has the arguments that its usage line
// names.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return cli.Usagef("it takes %s, not %s", what, plural(len(args), "argument"))
	}
}

func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
