package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"
)

// progress is a bar on standard error, if that is a terminal.
type progress struct {
	on    bool
	total int
	start time.Time
	shown time.Time
}

func newProgress(total int) *progress {
	return &progress{on: term.IsTerminal(int(os.Stderr.Fd())), total: total, start: time.Now()}
}

// show draws the bar, at most ten times a second and when all is done.
func (p *progress) show(done int, c *counts) {
	now := time.Now()
	if !p.on || done < p.total && now.Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = now
	width := 80
	if w, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && w > 0 {
		width = w
	}
	rate := float64(c.Bytes) / time.Since(p.start).Seconds()
	text := fmt.Sprintf(" %3d%%  %s files  %s/s", 100*done/max(p.total, 1), humanize.Comma(int64(c.Files)), humanize.Bytes(uint64(rate)))
	bar := max(min(width-len(text)-3, 50), 0)
	full := bar * done / max(p.total, 1)
	fmt.Fprintf(os.Stderr, "\r[%s%s]%s\x1b[K", strings.Repeat("=", full), strings.Repeat(" ", bar-full), text)
}

// end takes the bar away.
func (p *progress) end() {
	if p.on {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
