package fault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// marked are the packages with crash points, and what their steps' names begin
// with.
var marked = map[string]string{
	"shm": "shm", "internal/futex": "futex", "internal/robust": "robust", "ringqueue": "ring",
	"internal/arena": "arena", "internal/dict": "dict", "manager": "manager",
}

const root = "../.."

// TestNothingWithoutTheTag builds a program as it is and with the calls of this
// package blanked out of the source. The machine code must be the same, function
// by function, but for where things lie, which register holds what, and
// the NOPs by which the compiler marks what it has inlined: so for each function
// the instructions are counted by kind. No step's name may be in the program.
func TestNothingWithoutTheTag(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("instructions are told apart by their names on amd64")
	}
	dir := t.TempDir()
	replaced := blanked(t, dir)
	if len(replaced) == 0 {
		t.Fatal("no crash point in the source")
	}
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program := func(name string) string { return filepath.Join(dir, name) }
	plain := build(t, program("plain"))
	blank := build(t, program("blank"), "-overlay", overlay)
	tagged := build(t, program("tagged"), "-tags", "faultpoints")
	instructions := 0
	for name, want := range blank {
		got, ok := plain[name]
		if !ok {
			t.Errorf("%s is inlined because of crash points", name)
		} else if !maps.Equal(got, want) {
			t.Errorf("%s: %v with crash points, %v without", name, got, want)
		}
		for _, n := range want {
			instructions += n
		}
	}
	for name := range plain {
		if _, ok := blank[name]; !ok {
			t.Errorf("%s is not inlined because of crash points", name)
		}
	}
	if len(blank) < 100 {
		t.Errorf("only %d functions compared", len(blank))
	}
	t.Logf("%d instructions of %d functions are the same", instructions, len(blank))
	checkStrings(t, program("plain"))

	differ := 0
	for name := range plain {
		if !maps.Equal(plain[name], tagged[name]) {
			differ++
		}
	}
	if differ < 20 {
		t.Errorf("with the tag only %d functions are others: the comparison finds nothing", differ)
	}
}

// blanked writes the source files that have crash points to dir without them,
// and returns which file replaces which. Lines stay where they are.
func blanked(t *testing.T, dir string) map[string]string {
	t.Helper()
	point := regexp.MustCompile(`(?m)^(\s*)fault\.(Point|Look)\(.*\)$`)
	use := regexp.MustCompile(`(?m)^[^/\n]*\bfault\.[A-Z]`)
	replaced := make(map[string]string)
	for pkg := range marked {
		paths, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			out := point.ReplaceAll(src, []byte("$1"))
			if strings.HasSuffix(path, "_test.go") || bytes.Equal(src, out) {
				continue
			}
			if use.Match(out) {
				t.Fatalf("%s: a use of package fault that is no call on a line of its own", path)
			}
			const imported = `"github.com/shmkit/shmkit/internal/fault"`
			out = bytes.Replace(out, []byte(imported), []byte("_ "+imported), 1)
			to := filepath.Join(dir, fmt.Sprint(len(replaced), ".go"))
			if err := os.WriteFile(to, out, 0o600); err != nil {
				t.Fatal(err)
			}
			from, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			replaced[from] = to
		}
	}
	return replaced
}

// A count is how many instructions of each kind a function has.
type count map[string]int

// build builds the program and counts the instructions of the module's
// functions.
func build(t *testing.T, to string, flags ...string) map[string]count {
	t.Helper()
	args := append([]string{"build", "-buildvcs=false", "-ldflags=-w", "-o", to}, flags...)
	if out, err := exec.Command("go", append(args, "./testdata/uses")...).CombinedOutput(); err != nil {
		t.Fatalf("go %q: %v: %s", args, err, out)
	}
	out, err := exec.Command("go", "tool", "objdump", "-s", `^github.com/shmkit/shmkit/(shm|manager|internal/arena|internal/dict|ringqueue|internal/futex|internal/robust)\.`, to).Output()
	if err != nil {
		t.Fatalf("objdump: %v", err)
	}
	code := make(map[string]count)
	var current count
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "TEXT "); ok {
			name, _, _ = strings.Cut(name, "(SB)")
			current = make(count)
			code[name] = current
			continue
		}
		// file:line, address, bytes, instruction
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		switch op := f[3]; {
		case strings.HasPrefix(op, "NOP"), strings.Join(f[3:], " ") == "XCHGL AX, AX":
		case op[0] == 'J' && op != "JMP":
			current["J.."]++ // the operands of the comparison may change places
		default:
			current[op]++
		}
	}
	return code
}

// checkStrings looks for the names of steps in the program. (Functions have
// names like some of them, behind a slash, and types, behind a star.)
func checkStrings(t *testing.T, program string) {
	t.Helper()
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for pkg, prefix := range marked {
		steps, err := faulttest.Steps(filepath.Join(root, pkg), prefix)
		if err != nil || len(steps) == 0 {
			t.Fatalf("%d steps in %s, %v", len(steps), pkg, err)
		}
		for step, pos := range steps {
			if regexp.MustCompile(`[^/*]` + regexp.QuoteMeta(step)).Match(b) {
				t.Errorf("%v: the name %q is in the program", pos, step)
			}
		}
	}
}
