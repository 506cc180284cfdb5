package shm_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

// Offsets in the header, as FORMAT.md has them.
const (
	offMagic    = 0
	offEndian   = 8
	offVersion  = 12
	offFlags    = 16
	offFileSize = 24
	offSlotOff  = 32
	offSlotSize = 40
	offSlots    = 44
	offBodyOff  = 48
	offBodySize = 56
	offSize     = 64
	offMirror   = 72
	offBoot     = 144
)

// TestOpenRefuses damages a segment's file in one way each, and wants that
// way's own error, from an open that leaves every byte as it was.
func TestOpenRefuses(t *testing.T) {
	spec := &shm.Spec{Kind: "test", Layout: 3, Type: "main.Point", TypeSum: 77, Size: 8192}
	other := func(change func(*shm.Spec)) *shm.Spec {
		sp := *spec
		change(&sp)
		return &sp
	}
	sealed := func(off int64, b []byte) func(testing.TB, string) {
		return func(t testing.TB, path string) {
			head := must(os.ReadFile(path))(t)[:512]
			copy(head[off:], b)
			shm.Reseal(head)
			patch(t, path, 0, head)
		}
	}
	bytesAt := func(off int64, b []byte) func(testing.TB, string) {
		return func(t testing.TB, path string) { patch(t, path, off, b) }
	}
	truncated := func(size int64) func(testing.TB, string) {
		return func(t testing.TB, path string) {
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name   string
		damage func(testing.TB, string)
		spec   *shm.Spec
		want   error
		text   []string
	}{
		{"wrong_magic", bytesAt(offMagic, []byte("ELF")), nil, shm.ErrFormat, []string{"magic"}},
		{"other_version", sealed(offVersion, le32(9)), nil, shm.ErrVersion, []string{"9", "1"}},
		{"other_endianness", bytesAt(offEndian, []byte{10, 11, 12, 13}), nil, shm.ErrEndian, nil},
		{"other_type", nil, other(func(s *shm.Spec) { s.Type, s.TypeSum = "main.Line", 78 }), shm.ErrType, []string{"main.Point", "main.Line"}},
		{"other_kind", nil, other(func(s *shm.Spec) { s.Kind = "queue" }), shm.ErrKind, []string{`"test"`, `"queue"`}},
		{"other_layout", nil, other(func(s *shm.Spec) { s.Layout = 4 }), shm.ErrLayout, []string{"0x3", "0x4"}},
		{"empty", truncated(0), nil, shm.ErrSize, []string{"truncated"}},
		{"truncated_in_magic", truncated(5), nil, shm.ErrSize, []string{"truncated"}},
		{"truncated_in_header", truncated(300), nil, shm.ErrSize, []string{"truncated"}},
		{"truncated_in_page_0", truncated(1000), nil, shm.ErrSize, []string{"truncated"}},
		{"truncated_in_slots", truncated(9000), nil, shm.ErrSize, []string{"truncated"}},
		{"truncated_by_a_byte", func(t testing.TB, path string) {
			truncated(must(os.Stat(path))(t).Size()-1)(t, path)
		}, nil, shm.ErrSize, []string{"truncated"}},
		{"longer", func(t testing.TB, path string) {
			truncated(must(os.Stat(path))(t).Size()+4096)(t, path)
		}, nil, shm.ErrSize, nil},
		{"size_lie_bigger", sealed(offFileSize, le64(1<<40)), nil, shm.ErrSize, nil},
		{"size_lie_unsealed", bytesAt(offFileSize, le64(1<<40)), nil, shm.ErrSize, nil},
		{"size_lie_smaller", sealed(offFileSize, le64(4096)), nil, shm.ErrSize, nil},
		{"size_lie_overflow", sealed(offFileSize, le64(1<<64-1)), nil, shm.ErrSize, nil},
		{"body_lie_bigger", sealed(offBodySize, le64(12288)), nil, shm.ErrSize, nil},
		{"body_lie_smaller", sealed(offBodySize, le64(4096)), nil, shm.ErrSize, nil},
		{"body_lie_overflow", sealed(offBodySize, le64(1<<64-4096)), nil, shm.ErrSize, nil},
		{"body_offset_lie", sealed(offBodyOff, le64(1<<63)), nil, shm.ErrSize, nil},
		{"body_overflow", sealed(offBodyOff, append(le64(1<<63), le64(20480+1<<63)...)), nil, shm.ErrSize, nil},
		{"body_offset_in_slots", sealed(offBodyOff, le64(4096)), nil, shm.ErrSize, nil},
		{"used_lie_bigger", sealed(offSize, le64(8193)), nil, shm.ErrSize, nil},
		{"used_lie_zero", sealed(offSize, le64(0)), nil, shm.ErrSize, nil},
		{"mirror_lie", sealed(offMirror, le64(1<<63)), nil, shm.ErrSize, nil},
		{"mirror_lie_bigger", sealed(offMirror, le64(12288)), nil, shm.ErrSize, nil},
		{"slot_count_lie", sealed(offSlots, le32(1<<32-1)), nil, shm.ErrSize, nil},
		{"slot_count_zero", sealed(offSlots, le32(0)), nil, shm.ErrSize, nil},
		{"slot_count_bigger", sealed(offSlots, le32(4096)), nil, shm.ErrSize, nil},
		{"slot_size_lie", sealed(offSlotSize, le32(64)), nil, shm.ErrSize, nil},
		{"slot_offset_lie", sealed(offSlotOff, le64(8192)), nil, shm.ErrSize, nil},
		{"checksum", bytesAt(offBoot, []byte{1, 2, 3}), nil, shm.ErrCorrupt, []string{"checksum"}},
		{"unknown_flags", sealed(offFlags, le32(1<<31)), nil, shm.ErrCorrupt, []string{"flags"}},
		{"other_boot", sealed(offBoot, []byte("another boot id!")), nil, shm.ErrRebooted, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := &shm.Options{Dir: testDir(t), Persistent: true, Slots: 16}
			s := must(shm.CreateSpec("x", spec, o))(t)
			path := s.Path()
			s.Close() // truncating a file that is mapped here would be fatal
			if tt.damage != nil {
				tt.damage(t, path)
			}
			sp := spec
			if tt.spec != nil {
				sp = tt.spec
			}
			if tt.want == shm.ErrRebooted && (runtime.GOOS != "linux" && runtime.GOOS != "darwin") {
				t.Skip("the system has no boot id")
			}
			before := sha256.Sum256(must(os.ReadFile(path))(t))
			for _, open := range []func(string, *shm.Spec, *shm.Options) (*shm.Segment, error){shm.OpenSpec, shm.OpenOrCreateSpec} {
				_, err := open("x", sp, o)
				wantError(t, "open", err, tt.want)
				for _, text := range append(tt.text, path) {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("error %q does not mention %s", err, text)
					}
				}
				for _, target := range sentinels {
					if target != tt.want && errors.Is(err, target) {
						t.Errorf("error %q is also %q", err, target)
					}
				}
			}
			_, err := shm.CreateSpec("x", sp, o)
			wantError(t, "create", err, shm.ErrExist)
			if _, err := shm.Dir(o.Dir).Sweep(); err != nil {
				t.Errorf("sweep: %v", err)
			}
			if after := sha256.Sum256(must(os.ReadFile(path))(t)); after != before {
				t.Error("the file has changed")
			}
		})
	}
}

var sentinels = []error{
	shm.ErrExist, shm.ErrNotExist, shm.ErrName, shm.ErrKind, shm.ErrType, shm.ErrLayout, shm.ErrFormat, shm.ErrVersion,
	shm.ErrEndian, shm.ErrSize, shm.ErrCorrupt, shm.ErrRebooted, shm.ErrOwner, shm.ErrMode, shm.ErrLink, shm.ErrFilesystem,
	shm.ErrNoSpace, shm.ErrNoSlots, shm.ErrClosed, shm.ErrBusy, shm.ErrUnsupported,
}

func TestAnyBoot(t *testing.T) {
	spec := &shm.Spec{Kind: "test", Size: 1, AnyBoot: true}
	o := &shm.Options{Dir: testDir(t), Persistent: true}
	s := must(shm.CreateSpec("x", spec, o))(t)
	s.Close()
	head := must(os.ReadFile(s.Path()))(t)[:512]
	copy(head[offBoot:], "another boot id!")
	shm.Reseal(head)
	patch(t, s.Path(), 0, head)
	must(shm.OpenSpec("x", spec, o))(t).Close()
}

func TestOpenMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "x", 8, o)
	if mode := must(os.Stat(s.Path()))(t).Mode().Perm(); mode != 0o600 {
		t.Errorf("created with mode %#o", mode)
	}
	for _, mode := range []os.FileMode{0o666, 0o620, 0o602} {
		if err := os.Chmod(s.Path(), mode); err != nil {
			t.Fatal(err)
		}
		_, err := shm.Open("x", o)
		wantError(t, fmt.Sprintf("open of mode %#o", mode), err, shm.ErrMode)
		open(t, "x", &shm.Options{Dir: o.Dir, Mode: mode}).Close()
	}
	wide := create(t, "wide", 8, &shm.Options{Dir: o.Dir, Mode: 0o666})
	if mode := must(os.Stat(wide.Path()))(t).Mode().Perm(); mode != 0o666 {
		t.Errorf("created with mode %#o, not that asked for", mode)
	}
	if err := os.Chmod(o.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := shm.Open("wide", o)
	wantError(t, "open in a directory of everybody", err, shm.ErrMode)
	_, err = shm.Create("new", 8, o)
	wantError(t, "create in a directory of everybody", err, shm.ErrMode)
}

func TestOpenForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "x", 8, o)
	if err := os.Chown(s.Path(), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	before := must(os.ReadFile(s.Path()))(t)
	_, err := shm.Open("x", o)
	wantError(t, "open", err, shm.ErrOwner)
	_, err = shm.Inspect(s.Path())
	wantError(t, "inspect", err, shm.ErrOwner)
	if string(before) != string(must(os.ReadFile(s.Path()))(t)) {
		t.Error("the file has changed")
	}
	open(t, "x", &shm.Options{Dir: o.Dir, AllowForeign: true}).Close()
	if err := os.Chown(o.Dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	_, err = shm.Create("y", 8, o)
	wantError(t, "create in a foreign directory", err, shm.ErrOwner)
}

func TestOpenLinks(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "x", 8, o)
	if err := os.Symlink(s.Path(), pathOf(o.Dir, "link")); err != nil {
		t.Skip("no symbolic links:", err)
	}
	if err := os.Mkdir(pathOf(o.Dir, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pathOf(o.Dir, "nowhere"), pathOf(o.Dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	bad := []string{"link", "dir", "dangling"}
	if makeFIFO(t, pathOf(o.Dir, "fifo")) {
		bad = append(bad, "fifo")
	}
	for _, name := range bad {
		_, err := shm.Open(name, o)
		wantError(t, "open "+name, err, shm.ErrLink)
		_, err = shm.OpenOrCreate(name, 8, o)
		wantError(t, "open or create "+name, err, shm.ErrLink)
		_, err = shm.Create(name, 8, o)
		wantError(t, "create "+name, err, shm.ErrExist)
		_, err = shm.Inspect(pathOf(o.Dir, name))
		wantError(t, "inspect "+name, err, shm.ErrLink)
	}
	alias := filepath.Join(testDir(t), "alias")
	if err := os.Symlink(o.Dir, alias); err != nil {
		t.Fatal(err)
	}
	_, err := shm.Open("x", &shm.Options{Dir: alias})
	wantError(t, "open in a linked directory", err, shm.ErrLink)
}

func TestNames(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	bad := []string{".", "..", ".hidden", "a/b", "/a", "../a", "a\\b", "a b", "a\n", "ä", "a:b", strings.Repeat("x", 129)}
	for _, name := range bad {
		for _, do := range []func() (*shm.Segment, error){
			func() (*shm.Segment, error) { return shm.Create(name, 8, o) },
			func() (*shm.Segment, error) { return shm.Open(name, o) },
			func() (*shm.Segment, error) { return shm.OpenOrCreate(name, 8, o) },
			func() (*shm.Segment, error) { return nil, shm.Dir(o.Dir).Remove(name) },
		} {
			_, err := do()
			wantError(t, fmt.Sprintf("%q", name), err, shm.ErrName)
		}
	}
	wantError(t, "remove of no name", shm.Dir(o.Dir).Remove(""), shm.ErrName)
	for _, name := range []string{"a", "A.b_c-9", "-", "_", strings.Repeat("x", 128)} {
		create(t, name, 8, o).Close()
	}
}

func TestSpecErrors(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	for _, kind := range []string{"", "seventeen letters", "a:b", "a\x00"} {
		_, err := shm.CreateSpec("x", &shm.Spec{Kind: kind, Size: 8}, o)
		wantError(t, kind, err, shm.ErrKind)
	}
	no := errors.New("no")
	_, err := shm.CreateSpec("x", &shm.Spec{Kind: "k", Size: 8, Init: func(*shm.Segment) error { return no }}, o)
	wantError(t, "failing Init", err, no)
	if left := names(t, o.Dir); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
	s := must(shm.CreateSpec("x", &shm.Spec{Kind: "k", Size: 8}, o))(t)
	defer s.Close()
	_, err = shm.OpenSpec("x", &shm.Spec{Kind: "k", Check: func(s *shm.Segment) error {
		if s.Slot() != -1 {
			t.Errorf("slot %d before joining", s.Slot())
		}
		return no
	}}, o)
	wantError(t, "failing Check", err, no)
	if i := s.SlotInfo(1); i.State != shm.SlotFree || i.Generation != 0 {
		t.Fatalf("a refused handle joined: %+v", i)
	}
}

func TestLongType(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := must(shm.CreateSpec("x", &shm.Spec{Kind: "k", Size: 8, Type: strings.Repeat("ä", 150)}, o))(t)
	defer s.Close()
	if s.Type() != strings.Repeat("ä", 100) {
		t.Fatalf("kept %q", s.Type())
	}
	must(shm.OpenSpec("x", &shm.Spec{Kind: "k", TypeSum: 5}, o))(t).Close()
}
