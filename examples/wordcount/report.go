package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// report is the outcome of a run.
type report struct {
	Directory string
	Workers   int // 0: counted in one process
	Found     int // files
	Size      int64
	counts
	elapsed  time.Duration
	Killed   int    // workers killed on purpose
	Restarts uint64 // workers replaced
	Retried  uint64 // tasks run again
	Equal    *bool  // whether -verify found the same counts; nil without
}

// frequency is a line of the table.
type frequency struct {
	Word  string `json:"word"`
	Count int    `json:"count"`
}

// mostFrequent returns the n most frequent words, the alphabet deciding ties.
func (r *report) mostFrequent(n int) []frequency {
	all := make([]frequency, 0, len(r.Words))
	for w, k := range r.Words {
		all = append(all, frequency{w, k})
	}
	slices.SortFunc(all, func(a, b frequency) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Word, b.Word))
	})
	return all[:min(n, len(all))]
}

func (r *report) print(w io.Writer, asJSON bool, top int) error {
	seconds := r.elapsed.Seconds()
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Directory   string      `json:"directory"`
			Workers     int         `json:"workers"`
			FilesFound  int         `json:"files_found"`
			TextFiles   int         `json:"text_files"`
			BinaryFiles int         `json:"binary_files"`
			TextBytes   int64       `json:"text_bytes"`
			Words       int         `json:"words"`
			Distinct    int         `json:"distinct_words"`
			Seconds     float64     `json:"seconds"`
			MBPerSecond float64     `json:"mb_per_second"`
			FilesPerSec float64     `json:"files_per_second"`
			Killed      int         `json:"killed"`
			Restarts    uint64      `json:"restarts"`
			Retried     uint64      `json:"retried"`
			Equal       *bool       `json:"equal,omitempty"`
			Top         []frequency `json:"top"`
		}{
			r.Directory, r.Workers, r.Found, r.Files, r.Binary, r.Bytes, r.total(), len(r.Words),
			seconds, float64(r.Bytes) / 1e6 / seconds, float64(r.Found) / seconds,
			r.Killed, r.Restarts, r.Retried, r.Equal, r.mostFrequent(top),
		})
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, f := range r.mostFrequent(top) {
		fmt.Fprintf(tw, "%d\t%s\t  %s\t\n", i+1, humanize.Comma(int64(f.Count)), f.Word)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	how := "in one process"
	if r.Workers > 0 {
		how = fmt.Sprintf("on %d workers", r.Workers)
	}
	fmt.Fprintf(w, "\n%s words, %s distinct, in %s text files (%s; %d binary files left out)\n",
		humanize.Comma(int64(r.total())), humanize.Comma(int64(len(r.Words))), humanize.Comma(int64(r.Files)),
		humanize.Bytes(uint64(r.Bytes)), r.Binary)
	fmt.Fprintf(w, "%.2f s %s: %.1f MB/s, %s files/s\n",
		seconds, how, float64(r.Bytes)/1e6/seconds, humanize.Comma(int64(float64(r.Found)/seconds)))
	if r.Killed > 0 {
		fmt.Fprintf(w, "%d workers killed, %d replaced, %d tasks run again\n", r.Killed, r.Restarts, r.Retried)
	}
	if r.Equal != nil {
		verdict := "equal: the counts are those of one process"
		if !*r.Equal {
			verdict = "DIFFERENT: the counts are not those of one process"
		}
		fmt.Fprintln(w, verdict)
	}
	return nil
}
