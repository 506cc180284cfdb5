package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say what this program is",
		Long: `version prints the version of the module that this program was built from, the
revision of its source if that is known, and the Go version and platform.`,
		Example: `  shmctl version
  shmctl version -o json | jq -r .revision`,
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error { return a.version() },
	}
}

func (a *app) version() error {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if a.format == cli.JSON {
		return cli.PrintJSON(a.out, b)
	}
	revision := ""
	if b.Revision != "" {
		revision = " of " + b.Revision
	}
	if b.Modified {
		revision += ", modified"
	}
	_, err := fmt.Fprintf(a.out, "shmctl %s%s, %s, %s\n", b.Version, revision, b.Go, b.Platform)
	return err
}
