package shm_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shm"
)

func TestList(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	d := shm.Dir(o.Dir)
	if l, err := shm.Dir(pathOf(o.Dir, "missing")).List(); err != nil || len(l) != 0 {
		t.Fatalf("a missing directory: %v, %v", l, err)
	}
	block := create(t, "block", 100, o)
	queue := must(shm.CreateSpec("queue", &shm.Spec{Kind: "queue", Layout: 9, Type: "int", TypeSum: 5, Size: 4096, Slots: 7},
		&shm.Options{Dir: o.Dir, Persistent: true}))(t)
	defer queue.Close()
	p := startAgent(t, o.Dir, related)
	p.want(t, "open block", "slot 1")
	p.kill()
	for name, content := range map[string]string{"junk": "junk", "empty": "", ".hidden": "junk"} {
		if err := os.WriteFile(pathOf(o.Dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := must(d.List())(t)
	if len(l) != 4 || l[0].Name != "block" || l[1].Name != "empty" || l[2].Name != "junk" || l[3].Name != "queue" {
		t.Fatalf("listed %+v", l)
	}
	b, q := l[0], l[3]
	if b.Err != nil || b.Kind != "block" || b.Size != 100 || b.Holders != 1 || b.Dead != 1 || b.Slots != 256 || b.ID != block.ID() ||
		b.Persistent || b.Path != block.Path() || !b.Created.Equal(block.Created()) || time.Since(b.Created).Abs() > time.Hour {
		t.Errorf("the block: %+v", b)
	}
	if q.Err != nil || q.Kind != "queue" || q.Layout != 9 || q.Type != "int" || q.TypeSum != 5 || q.Slots != 7 || !q.Persistent || q.Holders != 1 {
		t.Errorf("the queue: %+v", q)
	}
	if q.IDText() != fmt.Sprintf("%x", queue.ID()) {
		t.Errorf("id in hex: %s", q.IDText())
	}
	wantError(t, "junk", l[2].Err, shm.ErrFormat)
	wantError(t, "empty", l[1].Err, shm.ErrSize)
	if l[2].FileSize != 4 || l[2].Path != pathOf(o.Dir, "junk") {
		t.Errorf("junk: %+v", l[2])
	}
	if err := d.Remove("junk"); err != nil {
		t.Errorf("remove of a bad file: %v", err)
	}
	wantError(t, "remove of nothing", d.Remove("junk"), shm.ErrNotExist)
}

func TestInspect(t *testing.T) {
	o := &shm.Options{Dir: testDir(t), Slots: 4}
	s := create(t, "x", 100, o)
	s.Counter(shm.Puts).Add(3)
	before := must(os.Stat(s.Path()))(t).ModTime()
	i := must(shm.Inspect(s.Path()))(t)
	defer i.Close()
	slots := i.Slots()
	if len(slots) != 1 || slots[0].PID != os.Getpid() || !slots[0].Alive || slots[0].State.String() != "live" {
		t.Errorf("slots: %+v", slots)
	}
	if i.Total(shm.Puts) != 3 || i.CounterOf(0, shm.Puts) != 3 || i.CounterOf(1, shm.Puts) != 0 {
		t.Error("counters")
	}
	s.Bytes()[99] = 1
	if i.Body()[99] != 1 {
		t.Error("not the same memory")
	}
	if info := i.Info(); info.Holders != 1 || info.Size != 100 {
		t.Errorf("info: %+v", info)
	}
	if len(s.SlotInfo(1).Command) != 0 || s.SlotInfo(1).Generation != 0 {
		t.Error("the inspection took a slot")
	}
	if after := must(os.Stat(s.Path()))(t).ModTime(); !after.Equal(before) && runtime.GOOS == "linux" {
		t.Logf("the file's time went from %v to %v", before, after)
	}
	_, err := shm.Inspect(pathOf(o.Dir, "nothing"))
	wantError(t, "inspect of nothing", err, shm.ErrNotExist)
}

func TestSweepKeepsForeignFiles(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	for _, name := range []string{"junk", ".tmp-junk", ".tmp-00", ".lock-junk", ".else"} {
		if err := os.WriteFile(pathOf(o.Dir, name), []byte("not ours"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := names(t, o.Dir)
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) > 0 {
		t.Errorf("swept %q", swept)
	}
	if after := names(t, o.Dir); len(after) != len(before) {
		t.Errorf("of %q were left %q", before, after)
	}
	if swept, err := shm.Dir(pathOf(o.Dir, "missing")).Sweep(); err != nil || len(swept) > 0 {
		t.Errorf("a missing directory: %q, %v", swept, err)
	}
}

func TestDefaultDir(t *testing.T) {
	dir := pathOf(testDir(t), "made/on/demand")
	t.Setenv("SHMKIT_DIR", dir)
	if shm.DefaultDir() != shm.Dir(dir) {
		t.Fatalf("default directory %s", shm.DefaultDir())
	}
	_, err := shm.Open("x", nil)
	wantError(t, "open before there is a directory", err, shm.ErrNotExist)
	s := create(t, "x", 8, nil)
	if filepath.Dir(s.Path()) != dir {
		t.Fatalf("created %s", s.Path())
	}
	if mode := must(os.Stat(dir))(t).Mode().Perm(); mode != 0o700 && runtime.GOOS != "windows" {
		t.Errorf("directory of mode %#o", mode)
	}
	p := startAgent(t, dir, related)
	s.Close()
	p.want(t, "create y 8", "slot 0")
	p.kill()
	if swept := must(shm.Sweep())(t); len(swept) != 1 || swept[0] != "y" {
		t.Fatalf("swept %q", swept)
	}
	t.Setenv("SHMKIT_DIR", "")
	if runtime.GOOS == "linux" && shm.DefaultDir() != shm.Dir(fmt.Sprintf("/dev/shm/shmkit-%d", os.Geteuid())) {
		t.Errorf("default directory %s", shm.DefaultDir())
	}
}

// A file that the other engine made is refused, not misread.
func TestOtherEngine(t *testing.T) {
	o := &shm.Options{Dir: testDir(t), Persistent: true}
	s := create(t, "x", 8, o)
	s.Close()
	head := must(os.ReadFile(s.Path()))(t)[:512]
	head[offFlags] ^= 2
	shm.Reseal(head)
	patch(t, s.Path(), 0, head)
	_, err := shm.Open("x", o)
	wantError(t, "open", err, shm.ErrUnsupported)
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) > 0 {
		t.Errorf("swept %q", swept)
	}
}

// The package needs neither the directory's name to be short nor the child to
// know it: handles and relative directories are made absolute.
func TestRelativeDir(t *testing.T) {
	t.Chdir(testDir(t))
	s := create(t, "x", 8, &shm.Options{Dir: "sub"})
	if !filepath.IsAbs(s.Path()) || !strings.HasSuffix(s.Path(), filepath.Join("sub", "x")) {
		t.Fatalf("path %s", s.Path())
	}
	t.Chdir(os.TempDir())
	must(shm.OpenHandle(s.Handle(), nil, nil))(t).Close()
}

// A command that is started does not inherit what holds a slot.
func TestNotInherited(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("no /proc")
	}
	o := &shm.Options{Dir: testDir(t)}
	create(t, "x", 8, o)
	open(t, "x", o)
	i := must(shm.Inspect(pathOf(o.Dir, "x")))(t)
	defer i.Close()
	out := must(exec.Command("ls", "-l", "/proc/self/fd").Output())(t)
	if strings.Contains(string(out), o.Dir) {
		t.Fatalf("descriptors of a command:\n%s", out)
	}
}

// TestInspectOfWhatGoes looks at a segment whose name comes and goes: it is there
// or not. (The name could come back between a failed open and the look at why.)
func TestInspectOfWhatGoes(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	create(t, "block", 100, o)
	path, from := pathOf(o.Dir, "fleeting"), pathOf(o.Dir, "block")
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := errors.Join(os.Link(from, path), os.Remove(path)); err != nil {
				ended <- err
				return
			}
		}
	}()
	seen := 0
	for range 20000 {
		i, err := shm.Inspect(path)
		switch {
		case err == nil:
			seen++
			i.Close()
		case !errors.Is(err, shm.ErrNotExist):
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	t.Logf("seen %d times", seen)
}
