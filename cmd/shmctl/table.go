package main

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/shmkit/shmkit/internal/cli"
)

// A column is one of a grid's. The last one of a row is not padded.
type column struct {
	name  string
	right bool // flush right, for numbers
	least int  // width in characters
}

// columns makes columns of names; those that end in ">" are flush right.
func columns(names ...string) []column {
	cs := make([]column, len(names))
	for i, name := range names {
		cs[i].name, cs[i].right = strings.CutSuffix(name, ">")
	}
	return cs
}

// A grid is rows of text in columns.
type grid struct {
	columns []column
	rows    [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// print prints the rows, aligned, each with the indent before it. Cells are
// made harmless for a terminal.
func (g *grid) print(w io.Writer, indent string, headers bool) error {
	rows := g.rows
	if headers {
		head := make([]string, len(g.columns))
		for i, c := range g.columns {
			head[i] = c.name
		}
		rows = append([][]string{head}, rows...)
	}
	widths := make([]int, len(g.columns))
	for i, c := range g.columns {
		widths[i] = c.least
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = cli.Printable(cell)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			if i > 0 {
				line += "  "
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if g.columns[i].right {
				line += pad + cell
			} else {
				line += cell + pad
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
