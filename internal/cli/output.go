package cli

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
)

// A Format is what -o selects. It is a flag's value.
type Format string

const (
	Table Format = "table"
	JSON  Format = "json"
)

func (f *Format) String() string { return string(*f) }

// Type is the flag's placeholder in the help.
func (f *Format) Type() string { return "format" }

// Set implements the flag.
func (f *Format) Set(s string) error {
	switch got := Format(s); got {
	case Table, JSON:
		*f = got
		return nil
	}
	return errors.New("neither table nor json")
}

// PrintJSON prints a value over several lines.
func PrintJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// PrintJSONLine prints a value on one line, for output that has no end.
func PrintJSONLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// PrintableLines is Printable for text that may have several lines.
func PrintableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// Printable replaces what a terminal could take for a command: names of files
// and what stands in them may be anything.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
