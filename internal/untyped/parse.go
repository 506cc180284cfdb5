package untyped

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// parsePlain parses what follows "plain " in a text: a type and " (16 bytes)". It
// returns nil if the size of a part is not known, or the parts don't make up the whole,
// and a size of -1 if there is none.
func parsePlain(text string) (*plain, int) {
	at := strings.LastIndex(text, " (")
	if at < 0 || !strings.HasSuffix(text, " bytes)") {
		return nil, -1
	}
	size, err := strconv.Atoi(text[at+2 : len(text)-len(" bytes)")])
	if err != nil || size < 0 {
		return nil, -1
	}
	p := &parser{rest: text[:at], most: size}
	t := p.top()
	if t == nil || p.rest != "" || t.size != size {
		return nil, size
	}
	return t, size
}

// A parser reads the Go syntax of a type, as package codec and reflect write it.
// Its methods return nil for what they don't understand.
type parser struct {
	rest  string
	most  int // bytes that the whole type has
	depth int
}

// top reads a type with its own name: "int", "main.ID uint64", "[4]int",
// "struct main.Point{X int32; Y float64}".
func (p *parser) top() *plain {
	if p.skip("struct ") {
		name := strings.IndexByte(p.rest, '{')
		if name < 0 {
			return nil
		}
		p.rest = p.rest[name:]
		return p.structBody("{", "}")
	}
	if name, under, ok := strings.Cut(p.rest, " "); ok && !strings.ContainsAny(name, "{[") {
		p.rest = under
	}
	return p.part()
}

// part reads the type of a part.
func (p *parser) part() *plain {
	const deepest = 50
	if p.depth++; p.depth > deepest {
		return nil
	}
	defer func() { p.depth-- }()
	switch {
	case p.skip("["):
		return p.array()
	case p.skip("struct"):
		if strings.HasPrefix(p.rest, " { ") {
			return p.structBody(" { ", " }")
		}
		return p.structBody("{", "}")
	}
	end := strings.IndexAny(p.rest, " ;{}[]")
	if end < 0 {
		end = len(p.rest)
	}
	t := basics[p.rest[:end]]
	p.rest = p.rest[end:]
	return t
}

func (p *parser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

// array reads an array behind its bracket. One without elements, or of elements
// without bytes, is none that could be shown.
func (p *parser) array() *plain {
	number, rest, ok := strings.Cut(p.rest, "]")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || n > p.most {
		return nil
	}
	p.rest = rest
	elem := p.part()
	if elem == nil || elem.size == 0 || n > p.most/elem.size {
		return nil
	}
	return &plain{kind: reflect.Array, size: n * elem.size, align: elem.align, elem: elem, n: n}
}

// structBody reads the fields between two brackets, and places them.
func (p *parser) structBody(open, end string) *plain {
	if !p.skip(open) {
		return nil
	}
	t := &plain{kind: reflect.Struct, align: 1}
	for first := true; !p.skip(end); first = false {
		if !first && !p.skip("; ") {
			return nil
		}
		name, rest, ok := strings.Cut(p.rest, " ")
		p.rest = rest
		f := p.part()
		if !ok || f == nil || slices.ContainsFunc(t.fields, func(f field) bool { return f.name == name }) {
			return nil
		}
		off := (t.size + f.align - 1) / f.align * f.align
		if name != "_" {
			t.fields = append(t.fields, field{name, off, f})
		}
		t.size, t.align = off+f.size, max(t.align, f.align)
		if t.size > p.most {
			return nil
		}
	}
	t.size = (t.size + t.align - 1) / t.align * t.align
	return t
}
