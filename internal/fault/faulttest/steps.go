package faulttest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// stepName is what the names of steps look like: "ring.commit.inner".
var stepName = regexp.MustCompile(`^[a-z]+(\.[a-z]+)+$`)

// Steps returns the names of the crash points in the package in dir that start
// with prefix and a dot, each with a place in the source. Tests are left out, and
// files for other platforms and tags are not.
//
// It takes each string for a name that looks like one. A function that is given
// one and appends to it makes more: f(…, "a.b") and, in f, step+".c" make
// "a.b.c".
func Steps(dir, prefix string) (map[string]token.Position, error) {
	files := token.NewFileSet()
	pkgs, err := parseDir(files, dir)
	if err != nil {
		return nil, err
	}
	names := make(map[string]token.Position)
	suffixes := make(map[string][]string) // by function
	for _, f := range pkgs {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				suffixes[fn.Name.Name] = append(suffixes[fn.Name.Name], appended(fn)...)
			}
		}
	}
	add := func(lit ast.Expr, suffix string) {
		if s, ok := text(lit); ok && stepName.MatchString(s) && strings.HasPrefix(s, prefix+".") {
			names[s+suffix] = files.Position(lit.Pos())
		}
	}
	for _, f := range pkgs {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				add(n, "")
			case *ast.CallExpr:
				for _, suffix := range suffixes[calleeName(n)] {
					for _, arg := range n.Args {
						add(arg, suffix)
					}
				}
			}
			return true
		})
	}
	return names, nil
}

// parseDir parses the Go files in dir that are no tests.
func parseDir(files *token.FileSet, dir string) ([]*ast.File, error) {
	paths, err := fs.Glob(os.DirFS(dir), "*.go")
	if err != nil {
		return nil, err
	}
	var parsed []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, filepath.Join(dir, path), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, f)
	}
	return parsed, nil
}

// appended returns the strings that fn appends to a parameter called step.
func appended(fn *ast.FuncDecl) (suffixes []string) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if sum, ok := n.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
			if x, ok := sum.X.(*ast.Ident); ok && x.Name == "step" {
				if s, ok := text(sum.Y); ok {
					suffixes = append(suffixes, s)
				}
			}
		}
		return true
	})
	return suffixes
}

func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func calleeName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
