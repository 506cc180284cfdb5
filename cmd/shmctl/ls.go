package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

func (a *app) lsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the segments",
		Long: `ls lists the segments of the directory, by name: kind, size as asked for at
creation, bytes used and depth (of queues: records that can be taken; of
managers: entries of all dicts), the processes that hold it, age, and type of
the elements. A file that is no valid segment is listed with the reason, and is
no failure.

It changes nothing. Exit status: 0; 1 if the directory can't be read.`,
		Example: `  shmctl ls
  shmctl ls --no-headers | awk '{print $1}'
  shmctl ls -o json | jq -r '.segments[] | select(.depth > 1000) | .name'`,
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error { return a.ls() },
	}
}

func (a *app) ls() error {
	dir, err := a.dir()
	if err != nil {
		return err
	}
	l, err := list(dir)
	if err != nil {
		return failed("ls", string(dir), err)
	}
	if a.format == cli.JSON {
		return cli.PrintJSON(a.out, l)
	}
	return l.print(a)
}

// list reads the directory.
func list(dir shm.Dir) (*listing, error) {
	var infos []shm.Info
	err := guarded(func() (err error) {
		infos, err = dir.List()
		return err
	})
	if err != nil {
		return nil, err
	}
	l := &listing{Dir: absolute(dir), Segments: []segment{}}
	for _, info := range infos {
		s := segmentOf(&info)
		if info.Err == nil {
			err := s.fill(&info)
			if isGone(err) {
				continue // since it was listed
			}
			if err != nil {
				s.Error = textOf(err)
			}
		}
		l.Segments = append(l.Segments, s)
	}
	return l, nil
}

// fill adds what the structure in the segment says of itself.
func (s *segment) fill(info *shm.Info) error {
	if info.Kind != ringqueue.Kind && info.Kind != manager.Kind {
		return nil
	}
	return guarded(func() error {
		i, err := shm.Inspect(info.Path)
		if err != nil {
			return err
		}
		defer i.Close()
		if info.Kind == ringqueue.Kind {
			r, err := ringqueue.Inspect(i)
			if err == nil {
				used := int64(r.Used)
				s.Depth, s.Used = &r.Ready, &used
			}
			return err
		}
		t, err := surveyManager(i)
		if t != nil {
			s.Entries, s.Used = &t.Entries, &t.Used
		}
		return err
	})
}

// segmentOf is what info says in the words of the contract.
func segmentOf(info *shm.Info) segment {
	s := segment{
		Name:       info.Name,
		Path:       info.Path,
		Kind:       info.Kind,
		Layout:     info.Layout,
		Type:       info.Type,
		ID:         info.IDText(),
		Size:       info.Size,
		FileSize:   info.FileSize,
		Mode:       fmt.Sprintf("%04o", info.Mode.Perm()),
		Persistent: info.Persistent,
		Slots:      info.Slots,
		Processes:  info.Holders,
		Dead:       info.Dead,
	}
	if info.Err != nil {
		s.ID, s.Error = "", textOf(info.Err)
		return s
	}
	s.Created = timeOf(info.Created)
	return s
}

// textOf returns the reason of err for people, on one line.
func textOf(err error) *string {
	text := cli.Printable(reason(err))
	return &text
}

func (l *listing) print(a *app) error {
	g := grid{columns: columns("NAME", "KIND", "SIZE>", "USED>", "DEPTH>", "PROCESSES>", "AGE>", "TYPE")}
	for i := range l.Segments {
		s := &l.Segments[i]
		if s.bad() {
			g.add(s.Name, "bad", size(s.FileSize), none, none, none, none, *s.Error)
			continue
		}
		used, depth, what := none, none, s.Type
		if s.Used != nil {
			used = size(*s.Used)
		}
		if s.Depth != nil {
			depth = count(*s.Depth)
		}
		if s.Entries != nil {
			depth = count(*s.Entries)
		}
		if s.Error != nil {
			what = *s.Error
		}
		g.add(s.Name, s.Kind, size(s.Size), used, depth, s.holders(), s.age(), what)
	}
	return g.print(a.out, "", !a.noHeaders)
}

// bad tells whether the file is no segment that can be read.
func (s *segment) bad() bool { return s.ID == "" }

// age says how long ago the segment was created.
func (s *segment) age() string {
	if s.Created == nil {
		return none
	}
	return span(age(*s.Created))
}

// holders says how many processes hold the segment.
func (s *segment) holders() string {
	if s.Dead == 0 {
		return fmt.Sprint(s.Processes)
	}
	return fmt.Sprintf("%d+%d dead", s.Processes, s.Dead)
}
