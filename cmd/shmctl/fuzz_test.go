//go:build unix

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// Places in a segment's file, as FORMAT.md has them.
const (
	offCRC      = 20
	offBody     = 48
	offCreated  = 80
	sealedBytes = 512
)

// images returns a file of each kind of segment, by kind, in a fixed order.
func images(t testing.TB) [][]byte {
	t.Helper()
	dir := clitest.UseDir(t, "shmctl-test-")
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	q, err := ringqueue.Create[string]("queue", &ringqueue.Options{Capacity: 4096, SingleProducer: true, MaxRecord: 8192, MaxLarge: 256 << 10})
	must(err)
	defer q.Close()
	for _, s := range []string{"a", "bb", "", "dddd", strings.Repeat("e", 2000)} { // the last by reference
		must(q.TryPut(s))
	}
	l, err := q.Ring().TryBorrow()
	must(err)
	defer l.Release()
	s, err := q.Ring().TryReserve(100)
	must(err)
	defer s.Abort()
	b, err := shm.Create("block", 5000, nil)
	must(err)
	defer b.Close()
	p, err := shm.CreateSpec("pool", &shm.Spec{Kind: pool.Kind, Layout: 1, Size: 5 * 4096, Init: func(s *shm.Segment) error {
		for i, n := range []uint64{2, 1, 4, 4096} { // workers, functions, tasks, scratch
			binary.NativeEndian.PutUint64(s.Body()[8*i:], n)
		}
		return nil
	}}, nil)
	must(err)
	defer p.Close()
	var d dicts
	must(d.create("manager", 30, true))
	defer d.m.Close()
	var all [][]byte
	for _, name := range []string{"queue", "block", "pool", "manager"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(err)
		all = append(all, b)
	}
	return all
}

// reseal makes the checksum of a file's first bytes right again.
func reseal(b []byte) {
	clear(b[offCRC : offCRC+4])
	binary.NativeEndian.PutUint32(b[offCRC:], crc32.Checksum(b[:sealedBytes], crc32.MakeTable(crc32.Castagnoli)))
}

// FuzzOpenBytes runs every command on damaged files. The script says which file
// and, in steps of twelve bytes, what is done to it.
func FuzzOpenBytes(f *testing.F) {
	rng := rand.New(rand.NewPCG(17, 19))
	for kind := range 4 {
		for how := range 6 {
			for range 3 + 20*(kind/3) { // a manager has more to damage
				script := []byte{byte(kind)}
				for range 1 + rng.IntN(4) {
					script = append(script, byte(how))
					for range 11 {
						script = append(script, byte(rng.Uint32()))
					}
				}
				f.Add(script)
			}
		}
	}
	good := images(f)
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		b := slices.Clone(good[int(script[0])%len(good)])
		const step, most = 12, 30
		for n := range most {
			at := 1 + n*step
			if at+step > len(script) {
				break
			}
			b = damage(b, script[at:at+step])
		}
		runAll(t, b)
	})
}

// damage carries out one step of a script.
func damage(b []byte, step []byte) []byte {
	if len(b) < sealedBytes {
		return b
	}
	where, value := int(binary.LittleEndian.Uint16(step[1:])), binary.LittleEndian.Uint64(step[4:])
	switch step[3] % 4 { // numbers at which something may go over
	case 0:
		value = 1<<(value>>8%64) + value>>16%3 - 1
	case 1:
		value >>= 56
	}
	body := min(int(binary.NativeEndian.Uint64(b[offBody:])&(1<<30-1)), len(b)-8)
	put := func(at int) { binary.NativeEndian.PutUint64(b[min(at, len(b)-8):], value) }
	switch step[0] % 6 {
	case 0: // a field of the header
		put(where % (sealedBytes / 8) * 8)
		reseal(b)
	case 1: // the same, unsealed
		put(where % (sealedBytes / 8) * 8)
	case 2: // the length
		return b[:value%uint64(len(b))]
	case 3: // the slots
		put(headerSize + where%(4*slotSize)&^7)
	case 5: // what follows it
		put(body + spots(b, body)[where%len(spots(b, body))])
	case 4: // the structure's own header
		put(body + where%1024&^7)
	}
	return b
}

// spots are places in a body, behind its own header, where damage may matter: those
// that are not zero, and, of a manager, whose zeros are memory without a use, no other.
func spots(b []byte, body int) []int {
	if !isManager(b) {
		all := make([]int, 1024)
		for i := range all {
			all[i] = 8 * i
		}
		return all
	}
	var some []int
	for at := body; at+8 <= len(b); at += 8 {
		if binary.NativeEndian.Uint64(b[at:]) != 0 {
			some = append(some, at-body)
		}
	}
	for i := range 128 { // stripes: lock, version, operation and its fields
		for word := range 16 {
			some = append(some, managerHead+i*256+word*8)
		}
	}
	return some
}

func isManager(b []byte) bool {
	return len(b) > sealedBytes && bytes.Contains(b[:sealedBytes], []byte(manager.Kind))
}

// unlocked tells whether no stripe of a manager is locked. What waits for a lock of
// which the holder is a living process, or none at all, waits for ever.
func unlocked(b []byte) bool {
	body := int(binary.NativeEndian.Uint64(b[offBody:]) & (1<<30 - 1))
	for i := range 128 {
		at := body + managerHead + i*256
		if at+4 > len(b) || binary.NativeEndian.Uint32(b[at:]) != 0 {
			return false
		}
	}
	return true
}

// runAll runs every command on a directory with this file in it. Each ends with
// the status of success or of failure, and prints nothing that could be taken
// for a command by a terminal, or that is no JSON.
func runAll(t *testing.T, b []byte) {
	t.Helper()
	dir, err := os.MkdirTemp(shmBase(), "shmctl-fuzz-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "x"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	commands := [][]string{
		{"ls"}, {"info", "x"}, {"stat", "x", "--count", "1", "--interval", "1us"}, {"gc", "--dry-run"},
		{"fsck", "x", "--interval", "1us"},
	}
	if isManager(b) {
		commands = append(commands, [][]string{
			{"dict", "ls", "x/hits"}, {"dict", "ls", "x/users", "--hex"}, {"dict", "get", "x/#6", "ready"},
			{"dict", "get", "x/points", "3"}, {"dict", "stat", "x/links"}, {"dict", "watch", "x/hits", "a", "--count", "1"},
		}...)
		if unlocked(b) {
			commands = append(commands, [][]string{
				{"dict", "set", "x/hits", "a", "5"}, {"dict", "incr", "x/hits", "/page/0003"}, {"dict", "del", "x/users", "user0001"},
			}...)
		}
	}
	commands = append(commands, []string{"gc"}, []string{"ls"}, []string{"rm", "x"})
	for _, args := range commands {
		for _, format := range []string{"table", "json"} {
			late := time.AfterFunc(20*time.Second, func() { panic(strings.Join(args, " ") + " does not end") })
			r := shmctl(append([]string{"--dir", dir, "-o", format}, args...)...)
			late.Stop()
			if r.status != cli.OK && r.status != cli.Failure {
				t.Errorf("%s: status %d", args, r.status)
			}
			if (r.status == cli.OK) != (r.err == "") || r.err != "" && !isErrorLine(r.err) {
				t.Errorf("%s: status %d, error %q", args, r.status, r.err)
			}
			if format == "json" && r.out != "" && !json.Valid([]byte(r.out)) {
				t.Errorf("%s: no JSON: %q", args, r.out)
			}
			if i := strings.IndexFunc(r.out+r.err, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }); i >= 0 && format == "table" || !utf8.ValidString(r.out) {
				t.Errorf("%s: the terminal is not safe from %q", args, r.out)
			}
			if t.Failed() {
				return
			}
		}
	}
}

// shmBase is where directories of segments are made: in shared memory where
// there is such.
func shmBase() string {
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}

// TestNoTimeOfCreation: a file whose header says 0 was made at no time. ls took
// it for one that could not be read, and info for one that was made some time:
// both panicked.
func TestNoTimeOfCreation(t *testing.T) {
	for _, b := range images(t) {
		binary.NativeEndian.PutUint64(b[offCreated:], 0)
		reseal(b)
		runAll(t, b)
	}
}

// TestDamagedManager overwrites words of a manager that mean something, by numbers near
// to those that were there and by any.
func TestDamagedManager(t *testing.T) {
	good := images(t)[3]
	body := int(binary.NativeEndian.Uint64(good[offBody:]))
	places := spots(good, body)
	rng := rand.New(rand.NewPCG(23, 29))
	for range 100 {
		b := slices.Clone(good)
		for range 1 + rng.IntN(10) {
			at := body + places[rng.IntN(len(places))]
			was := binary.NativeEndian.Uint64(b[at:])
			now := [...]uint64{was ^ 1<<rng.IntN(64), was + rng.Uint64N(64) - 32, rng.Uint64() >> rng.IntN(64),
				binary.NativeEndian.Uint64(b[body+places[rng.IntN(len(places))]:])}[rng.IntN(4)]
			binary.NativeEndian.PutUint64(b[at:], now)
		}
		runAll(t, b)
		if t.Failed() {
			return
		}
	}
}
