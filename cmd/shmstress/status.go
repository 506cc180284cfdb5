package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/shmkit/shmkit/internal/cli"
)

// A statusLine tells how a run goes while it goes on: on a terminal in one line
// that is written over, elsewhere by a line now and then. It is used by one
// goroutine at a time.
type statusLine struct {
	w     io.Writer
	live  bool // w is a terminal
	every time.Duration
	start time.Time
	next  time.Time
	shown bool
}

func newStatusLine(w io.Writer) *statusLine {
	s := &statusLine{w: w, start: time.Now(), every: 10 * time.Second}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.live, s.every = true, 500*time.Millisecond
	}
	s.next = s.start.Add(s.every)
	return s
}

// show shows the text if it is time to.
func (s *statusLine) show(now time.Time, text func() string) {
	if now.Before(s.next) {
		return
	}
	s.next = now.Add(s.every)
	line := fmt.Sprintf("%8v  %s", now.Sub(s.start).Round(time.Second), text())
	if s.live {
		fmt.Fprintf(s.w, "\r\x1b[K%s", line)
		s.shown = true
		return
	}
	fmt.Fprintln(s.w, line)
}

// say prints a line that stays.
func (s *statusLine) say(text string) {
	s.clear()
	fmt.Fprintln(s.w, "shmstress: "+cli.Printable(text))
}

// clear takes the line away.
func (s *statusLine) clear() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}
