package fault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// local are the atomics that lie in the process's own memory, by package, type
// and field. Every other one counts as shared.
var local = map[string]string{
	"arena.Arena.checked":   "what this handle has looked at",
	"arena.Arena.full":      "what this handle has looked at",
	"arena.extents.cursor":  "where the handle's searches begin",
	"arena.extents.victim":  "where the handle's searches begin",
	"arena.pinSet.taken":    "which of the process's pins its goroutines have",
	"futex.Gate.sleeps":     "a statistic of the handle",
	"futex.bell.rings":      "wakes within the process",
	"futex.kernel.noEither": "what the kernel offers",
	"manager.space.coarse":  "a clock of the handle",
	"manager.space.hand":    "where the handle's eviction goes on",
	"manager.use.closed":    "the handle's",
	"manager.space.swept":   "when the handle has collected",
	"ringqueue.Ring.closed": "the handle's",
	"robust.handle.closed":  "the handle's",
	"ringqueue.turn.taken":  "between goroutines",
	"shm.Segment.uses":      "of the handle",
	"shm.Segment.closed":    "of the handle",
}

// unseen are functions whose stores nobody sees before a later one.
var unseen = map[string]string{
	"manager.initialise":     "the segment is not published",
	"ringqueue.start":        "the ring is not published; one crash point stands for all",
	"robust.InitSemaphore":   "the segment, or the object in it, is not published",
	"ringqueue.storeRelease": "its calls are looked at",
}

// TestStoresHaveCrashPoints finds every store, swap and addition to an atomic
// word in the packages with crash points. Each must be right behind a crash
// point of its own: a call of Point in the same list of statements or one around
// it, within the same loop, with no other store in between.
//
// Plain stores are not looked at. They are the header of a segment that is not
// published, and the bytes of records: a process that dies between two of those
// leaves the same to others as one that dies before the store that publishes
// them, because nobody looks at them earlier.
func TestStoresHaveCrashPoints(t *testing.T) {
	for _, tags := range []string{"", "portable"} {
		t.Run("tags="+tags, func(t *testing.T) {
			l := newLoader(t, tags)
			stores := 0
			used := make(map[string]bool)
			for pkg := range marked {
				found := l.load(t, "github.com/shmkit/shmkit/"+pkg)
				for _, s := range found {
					switch {
					case local[s.word] != "":
						used[s.word] = true
					case unseen[s.function] != "":
						used[s.function] = true
					case !s.marked:
						t.Errorf("%v: %s stores to %s without a crash point of its own", s.pos, s.function, s.word)
					default:
						stores++
					}
				}
			}
			for _, list := range []map[string]string{local, unseen} {
				for name := range list {
					if !used[name] && (tags == "" || name != "futex.kernel.noEither") {
						t.Errorf("no store to %s any more", name)
					}
				}
			}
			if stores < 40 {
				t.Errorf("only %d stores found", stores)
			}
			t.Logf("%d stores to shared words, each with its crash point", stores)
		})
	}
}

// TestUnmarkedStoresAreFound tries the rules on a file that breaks each.
func TestUnmarkedStoresAreFound(t *testing.T) {
	const src = `package p
import ("sync/atomic"; "github.com/shmkit/shmkit/internal/fault"; "github.com/shmkit/shmkit/internal/mem")
type word struct { v atomic.Uint64 }
func good(w *word, u *atomic.Uint64) {
	fault.Point("a"); w.v.Store(1)
	fault.Point("b"); if u.CompareAndSwap(1, 2) { return }
	for { x := u.Load(); fault.Point("c"); if u.CompareAndSwap(x, 2) { return } }
}
func noPoint(w *word)         { w.v.Store(1) }
func sharesPoint(w *word)     { fault.Point("a"); w.v.Store(1); w.v.Add(1) }
func outsideLoop(w *word)     { fault.Point("a"); for range 2 { w.v.Or(1) } }
func inBranch(w *word)        { if w.v.Load() == 1 { fault.Point("a") }; mem.StoreRelease(&w.v, 2) }
func behind(w *word)          { w.v.Swap(1); fault.Point("a") }
func otherFunction(w *word)   { fault.Point("a"); func() { w.v.And(1) }() }
`
	l := newLoader(t, "")
	f, err := parser.ParseFile(l.files, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, s := range l.check(t, "p", []*ast.File{f}) {
		if !s.marked {
			missing = append(missing, s.function)
		} else if s.function != "p.good" && s.function != "p.sharesPoint" {
			t.Errorf("%s is fine", s.function)
		}
	}
	want := []string{"p.noPoint", "p.sharesPoint", "p.outsideLoop", "p.inBranch", "p.behind", "p.otherFunction"}
	if !slices.Equal(missing, want) {
		t.Errorf("found %q, want %q", missing, want)
	}
}

// A loader type-checks packages against the compiled ones that they import.
type loader struct {
	files    *token.FileSet
	importer types.Importer
	dirs     map[string]string   // of packages
	sources  map[string][]string // files of packages
}

func newLoader(t *testing.T, tags string) *loader {
	t.Helper()
	cmd := exec.Command("go", "list", "-tags", tags, "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles", "./shm", "./internal/futex", "./internal/robust", "./ringqueue", "./manager")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	l := &loader{files: token.NewFileSet(), dirs: make(map[string]string), sources: make(map[string][]string)}
	exports := make(map[string]string)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath, Export, Dir string
			GoFiles                 []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath], l.dirs[p.ImportPath], l.sources[p.ImportPath] = p.Export, p.Dir, p.GoFiles
	}
	l.importer = importer.ForCompiler(l.files, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	return l
}

// load returns the stores of a package.
func (l *loader) load(t *testing.T, path string) []store {
	t.Helper()
	var files []*ast.File
	for _, name := range l.sources[path] {
		f, err := parser.ParseFile(l.files, filepath.Join(l.dirs[path], name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return l.check(t, path, files)
}

func (l *loader) check(t *testing.T, path string, files []*ast.File) []store {
	t.Helper()
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object), Selections: make(map[*ast.SelectorExpr]*types.Selection), Types: make(map[ast.Expr]types.TypeAndValue)}
	if _, err := (&types.Config{Importer: l.importer}).Check(path, l.files, files, info); err != nil {
		t.Fatal(err)
	}
	v := &visitor{info: info, files: l.files, pkg: filepath.Base(path)}
	for _, f := range files {
		ast.PreorderStack(f, nil, v.visit)
	}
	return v.stores
}

// A store is a call that changes an atomic word.
type store struct {
	pos      token.Position
	function string // that it is in
	word     string // package, type and field of the word, or how the source calls it
	marked   bool
}

// A visitor collects the stores and crash points of a package.
type visitor struct {
	info   *types.Info
	files  *token.FileSet
	pkg    string
	stores []store
	last   token.Pos // of the last store found
}

func (v *visitor) visit(n ast.Node, stack []ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return true
	}
	word := v.stored(call)
	if word == nil {
		return true
	}
	v.stores = append(v.stores, store{
		pos:      v.files.Position(call.Pos()),
		function: v.pkg + "." + functionOf(stack),
		word:     v.name(word),
		marked:   v.marked(call, stack),
	})
	v.last = call.Pos()
	return true
}

// stored returns the word that the call changes; nil if it changes none.
func (v *visitor) stored(call *ast.CallExpr) ast.Expr {
	if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "storeRelease" {
		return call.Args[0]
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	fn, ok := v.info.Uses[sel.Sel].(*types.Func)
	if !ok || fn.Pkg() == nil {
		return nil
	}
	switch fn.Pkg().Path() {
	case "sync/atomic":
		if slices.Contains([]string{"Store", "CompareAndSwap", "Swap", "Add", "Or", "And"}, fn.Name()) {
			return sel.X
		}
	case "github.com/shmkit/shmkit/internal/mem":
		if fn.Name() == "StoreRelease" {
			return call.Args[0]
		}
	}
	return nil
}

// name returns the package, type and field of a word, or its source.
func (v *visitor) name(word ast.Expr) string {
	if addr, ok := word.(*ast.UnaryExpr); ok {
		word = addr.X
	}
	if sel, ok := word.(*ast.SelectorExpr); ok {
		if s := v.info.Selections[sel]; s != nil {
			t := v.info.Types[sel.X].Type
			if p, ok := t.Underlying().(*types.Pointer); ok {
				t = p.Elem()
			}
			if named, ok := t.(*types.Named); ok {
				return named.Obj().Pkg().Name() + "." + named.Obj().Name() + "." + sel.Sel.Name
			}
		}
	}
	return types.ExprString(word)
}

// marked tells whether the call, with these nodes around it, is right behind a
// crash point.
func (v *visitor) marked(call *ast.CallExpr, stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0; i-- {
		var list []ast.Stmt
		switch n := stack[i].(type) {
		case *ast.BlockStmt:
			list = n.List
		case *ast.CaseClause:
			list = n.Body
		case *ast.ForStmt, *ast.RangeStmt, *ast.FuncLit, *ast.FuncDecl:
			return false
		}
		for _, s := range slices.Backward(list) {
			if s.End() <= call.Pos() && v.isPoint(s) {
				return s.Pos() > v.last
			}
		}
	}
	return false
}

func (v *visitor) isPoint(s ast.Stmt) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn := v.info.Uses[sel.Sel]
	return fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == "github.com/shmkit/shmkit/internal/fault" && fn.Name() == "Point"
}

// functionOf returns the name of the function around a node.
func functionOf(stack []ast.Node) string {
	for _, n := range slices.Backward(stack) {
		if fn, ok := n.(*ast.FuncDecl); ok {
			return fn.Name.Name
		}
	}
	return "(package)"
}
