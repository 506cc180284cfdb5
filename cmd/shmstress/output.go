package main

import (
	"encoding/json"
	"fmt"
)

// A format is what -o selects.
type format string

const (
	table   format = "table"
	jsonFmt format = "json"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }

// Set implements the flag.
func (f *format) Set(s string) error {
	switch got := format(s); got {
	case table, jsonFmt:
		*f = got
		return nil
	}
	return fmt.Errorf("neither table nor json")
}

// printJSON prints a value over several lines.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
