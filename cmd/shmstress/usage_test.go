package main

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
)

func TestUsage(t *testing.T) {
	if err := supported(); err != nil {
		t.Skip(err)
	}
	for line, want := range map[string]string{
		"frob":                                `shmstress: command line: no command "frob" (see shmstress --help)`,
		"-frob":                               "shmstress: command line: unknown shorthand flag",
		"queue x":                             `shmstress: queue: it takes no arguments, not "x" (see shmstress queue --help)`,
		"queue -frob":                         "shmstress: queue: unknown shorthand flag",
		"queue -workers 3":                    "shmstress: queue: unknown flag: --workers",
		"queue -o yaml":                       "neither table nor json",
		"queue -duration 0s":                  "--duration 0s is not positive",
		"queue -duration soon":                "invalid argument",
		"queue -hang-after 0s":                "--hang-after 0s is not positive",
		"queue -kill-rate -1":                 "can't be negative",
		"queue -stop-rate -1":                 "can't be negative",
		"queue -step-kill-rate -1":            "--step-kill-rate is negative",
		"queue -drop-wakes 1.5":               "--drop-wakes is a fraction",
		"queue -producers 0":                  "--producers 0 and --consumers 4: from 1 to 100",
		"queue -consumers 101":                "from 1 to 100",
		"queue -single-producer -producers 2": "--single-producer allows no 2 producers",
		"queue -single-consumer -consumers 2": "--single-consumer allows no 2 consumers",
		"queue -batch 0":                      "--batch 0 is not from 1 to 1024",
		"queue -max-items -1":                 "--max-items -1 is negative",
		"queue -capacity 1K":                  "--capacity 1K is not from 4K to 512M",
		"queue -capacity much":                "is no number of bytes",
		"queue -sizes 8":                      "records have at least 16 bytes",
		"queue -sizes 16-65M":                 "--sizes up to 65M: at most 64M",
		"queue -wait long":                    "neither adaptive, spin nor block",
		"queue -delivery post":                "neither get, receive, lease nor mixed",
		"pool x":                              "shmstress: pool: it takes no arguments",
		"pool -workers 0":                     "--workers 0 is not from 1 to 100",
		"pool -crash-rate -2":                 "--crash-rate -2 is negative",
		"pool -sizes 2M":                      "--sizes up to 2M",
		"pool -producers 3":                   "unknown flag: --producers",
		"dict x":                              "shmstress: dict: it takes no arguments",
		"dict -processes 0":                   "--processes 0 is not from 1 to 100",
		"dict -keys 0":                        "--keys 0 of 4 processes: together from 1 to 65536",
		"dict -keys 20000":                    "--keys 20000 of 4 processes",
		"dict -sizes 8":                       "records have at least 16 bytes",
		"dict -sizes 16-64M":                  "more than 1024M together",
	} {
		r := shmstress(context.Background(), strings.Fields(line)...)
		if r.status != cli.Usage || r.out != "" || !strings.Contains(r.err, want) || strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "shmstress: ") {
			t.Errorf("%s: status %d, %q, %q; want %q", line, r.status, r.out, r.err, want)
		}
	}
}

// TestFaultsNeedTheirBuild expects a hint at how to build.
func TestFaultsNeedTheirBuild(t *testing.T) {
	if canFault {
		t.Skip("this build has crash points")
	}
	for _, line := range []string{"queue -step-kill-rate 3", "pool -drop-wakes 0.5", "dict -step-kill-rate 3"} {
		r := shmstress(context.Background(), strings.Fields(line)...)
		if r.status != cli.Usage || !strings.Contains(r.err, "go build -tags faultpoints ./cmd/shmstress") {
			t.Errorf("%s: status %d, %q", line, r.status, r.err)
		}
	}
}

func TestHelp(t *testing.T) {
	ctx := context.Background()
	for command, flags := range map[string][]string{
		"queue": {"--producers", "--single-consumer", "--delivery", "--seed", "--drop-wakes"},
		"pool":  {"--workers", "--crash-rate", "--kill-rate", "--step-kill-rate"},
		"dict":  {"--processes", "--keys", "--sizes", "--hang-after"},
	} {
		for _, help := range []string{"-h", "--help", "-help"} {
			r := shmstress(ctx, command, help)
			if r.status != cli.OK || r.err != "" || !strings.Contains(r.out, "Examples:\n  shmstress "+command) {
				t.Errorf("%s %s: status %d, %q, %q", command, help, r.status, r.out, r.err)
			}
			for _, f := range flags {
				if !strings.Contains(r.out, f+" ") {
					t.Errorf("%s %s: no %s", command, help, f)
				}
			}
		}
	}
	root := shmstress(ctx)
	for _, want := range []string{"Exit status: 0 no violation", "one dash or two", "The seed settles", "-tags faultpoints"} {
		if root.status != cli.OK || !strings.Contains(root.out, want) {
			t.Errorf("status %d, no %q in %s", root.status, want, root.out)
		}
	}
}

func TestNormalise(t *testing.T) {
	root := newRoot(nil, nil)
	for line, want := range map[string]string{
		"queue -producers 4":            "queue --producers 4",
		"queue -producers=4 --seed 3":   "queue --producers=4 --seed 3",
		"-duration 30m pool -workers 2": "--duration 30m pool --workers 2",
		"queue -o json":                 "queue -o json",
		"queue -ojson":                  "queue -ojson",
		"queue -h":                      "queue -h",
		"queue -help":                   "queue --help",
		"queue -frob":                   "queue -frob",
		"queue -max-items -1":           "queue --max-items -1",
		"queue -- -seed":                "queue -- -seed",
	} {
		args := strings.Fields(line)
		if got := normalise(root, args); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q", line, got)
		}
	}
}
