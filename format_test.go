package shmkit_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestFormat compares FORMAT.md with the code: each field of the structs that
// stand in files must be in the table of its struct, with its offset and size.
func TestFormat(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"shm.header", "shm.slot", "ringqueue.header", "pool.header", "pool.workerLine", "pool.taskEntry",
		"manager.head", "dict.stripe", "arena.chunk",
	} {
		said := saidFields(string(text), name)
		real := realFields(t, name)
		for i := range min(len(said), len(real)) {
			if said[i] != real[i] {
				t.Errorf("%s: FORMAT.md says %v, the code %v", name, said[i], real[i])
				break
			}
		}
		if len(said) != len(real) {
			t.Errorf("%s: FORMAT.md has %d fields, the code %d", name, len(said), len(real))
		}
	}
}

// A field is one of a struct that stands in a file.
type field struct {
	name         string // empty: reserved
	offset, size int64
}

func (f field) String() string {
	return fmt.Sprintf("%q at %d with %d bytes", f.name, f.offset, f.size)
}

// saidFields reads the table "| offset | type | field | …" below the heading
// that names the struct.
func saidFields(text, name string) []field {
	_, text, _ = strings.Cut(text, ": `"+name+"`\n")
	_, text, _ = strings.Cut(text, "|---|")
	_, text, _ = strings.Cut(text, "\n")
	var fields []field
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			break
		}
		offset, err := strconv.ParseInt(strings.TrimSpace(cells[1]), 10, 64)
		if err != nil {
			offset = -1
		}
		fields = append(fields, field{strings.TrimSpace(cells[3]), offset, sizeOf(strings.TrimSpace(cells[2]))})
	}
	return fields
}

// sizeOf returns the size of a type as FORMAT.md writes it; -1 if it is none.
func sizeOf(typ string) int64 {
	n := int64(1)
	if count, elem, ok := strings.Cut(strings.TrimPrefix(typ, "["), "]"); ok {
		var err error
		if n, err = strconv.ParseInt(count, 10, 64); err != nil {
			return -1
		}
		typ = elem
	}
	size, ok := map[string]int64{"byte": 1, "u32": 4, "u64": 8, "i64": 8}[typ]
	if !ok {
		return -1
	}
	return n * size
}

// realFields lays out the struct as the compiler does.
func realFields(t *testing.T, name string) []field {
	t.Helper()
	dir, typ, _ := strings.Cut(name, ".")
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Join("internal", dir)
	}
	pkg, err := build.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, f := range pkg.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(dir, f), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	// The rest of the package is not resolved, which is an error each.
	conf := types.Config{Importer: atomics{}, IgnoreFuncBodies: true, Error: func(error) {}}
	checked, _ := conf.Check(dir, fset, files, nil)
	obj := checked.Scope().Lookup(typ)
	if obj == nil {
		t.Fatalf("there is no %s", name)
	}
	s := obj.Type().Underlying().(*types.Struct)
	vars := slices.Collect(s.Fields())
	sizes := types.SizesFor("gc", "amd64")
	var fields []field
	for i, offset := range sizes.Offsetsof(vars) {
		f := field{vars[i].Name(), offset, sizes.Sizeof(vars[i].Type())}
		if f.name == "_" {
			f.name = ""
		}
		fields = append(fields, f)
	}
	return fields
}

// atomics imports as much of sync/atomic as stands in files, and nothing else.
type atomics struct{}

func (atomics) Import(path string) (*types.Package, error) {
	if path != "sync/atomic" {
		return nil, fmt.Errorf("%s is not needed", path)
	}
	pkg := types.NewPackage(path, "atomic")
	for name, kind := range map[string]types.BasicKind{"Uint32": types.Uint32, "Uint64": types.Uint64} {
		obj := types.NewTypeName(token.NoPos, pkg, name, nil)
		types.NewNamed(obj, types.Typ[kind], nil)
		pkg.Scope().Insert(obj)
	}
	pkg.MarkComplete()
	return pkg, nil
}
