package shm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// wallClock are the names in package time and golang.org/x/sys that make a time
// without a monotonic reading, take that reading away, or ask the kernel for a
// clock that somebody can set. A time of time.Now that goes through none of them
// is compared, subtracted and waited for by the monotonic clock.
var wallClock = []string{
	"Unix", "UnixNano", "UnixMilli", "UnixMicro", "Date", "Parse", "ParseInLocation", "ModTime", "AddDate",
	"UTC", "Local", "In", "Round",
	"CLOCK_REALTIME", "ClockSettime", "Gettimeofday", "Settimeofday", "FUTEX_CLOCK_REALTIME", "TimerfdCreate", "SetDeadline",
}

// wallClockUses are all uses of these in the library, by file, function and name,
// with the reason why no decision rests on them.
var wallClockUses = map[string]string{
	"shm/header.go newHeader UnixNano":               "written for people",
	"shm/join.go occupy UnixNano":                    "written for people",
	"shm/segment.go Created Unix":                    "shown to people",
	"shm/slotinfo.go describe Unix":                  "shown to people",
	"shm/inspect.go Info Unix":                       "shown to people",
	"pool/table.go now UnixNano":                     "written for people",
	"pool/stats.go worker Unix":                      "shown to people",
	"pool/inspect.go report Unix":                    "shown to people; tasks are listed in that order",
	"process/output.go expire Unix":                  "a time that is over by every clock",
	"process/identity.go build ModTime":              "tells two builds of a program apart, not two times",
	"process/identity.go build UnixNano":             "the same",
	"internal/robust/handle.go systemClock UnixNano": "written for people",
	"internal/robust/owner.go unixTime Unix":         "shown to people",
	"manager/set.go In In":                           "it is a transaction that it is in, not a time zone",
	"manager/manager.go start UnixNano":              "written for people",
	"manager/manager.go housekeeping UnixNano":       "written for people",
	"internal/explore/search.go String Round":        "a duration, shown to people",
	"internal/untyped/type.go Make Parse":            "a time that somebody has written, as a value",
}

// TestOnlyMonotonicClocksDecide reads the library's source: a clock that is set
// forward or back changes nothing but what people are shown.
func TestOnlyMonotonicClocksDecide(t *testing.T) {
	uses := map[string]bool{}
	root := ".."
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "examples" || d.Name() == "cmd" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			where := filepath.ToSlash(rel)
			if f, ok := decl.(*ast.FuncDecl); ok {
				where += " " + f.Name.Name
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(wallClock, s.Sel.Name) {
					uses[where+" "+s.Sel.Name] = true
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(uses) < 5 {
		t.Fatalf("only %d uses found: the source is not where it was", len(uses))
	}
	for _, use := range slices.Sorted(maps.Keys(uses)) {
		if wallClockUses[use] == "" {
			t.Errorf("%s: is a decision made by a clock that can be set? If not, say why in wallClockUses", use)
		}
	}
	for use := range wallClockUses {
		if !uses[use] {
			t.Errorf("%s is no more", use)
		}
	}
}

// TestStampsOfOtherTimes has the times in the file be what clocks leave behind
// that were wrong or were set since: nothing but what is shown changes.
func TestStampsOfOtherTimes(t *testing.T) {
	const offJoined = 4096 + 40 // of slot 0
	o := &shm.Options{Dir: testDir(t), Slots: 4}
	s := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
	defer s.Close()
	for _, stamp := range []time.Time{time.Unix(0, 1), time.Unix(0, -1), time.Now().AddDate(200, 0, 0), time.Now().AddDate(-200, 0, 0)} {
		for slot := range int64(4) {
			patch(t, s.Path(), offJoined+512*slot, le64(uint64(stamp.UnixNano())))
		}
		p := startAgent(t, o.Dir, related)
		p.want(t, "join x", "slot 1")
		patch(t, s.Path(), offJoined+512, le64(uint64(stamp.UnixNano())))
		if s.Probe(1) || s.RecoverDead() != 0 {
			t.Fatalf("joined at %v: recovered while it lives", stamp)
		}
		if i := s.SlotInfo(1); !i.Joined.Equal(stamp) || !i.Alive {
			t.Fatalf("joined at %v: %+v", stamp, i)
		}
		p.kill()
		if !s.Probe(1) && s.SlotInfo(1).State != shm.SlotFree {
			t.Fatalf("joined at %v: not recovered when dead", stamp)
		}
	}
}
