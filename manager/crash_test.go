package manager_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/manager"
)

// children are the functions that a re-executed test binary runs instead of the
// tests, by the value of childEnv.
var children = map[string]func(args []string){}

const childEnv = "SHMKIT_TEST_CHILD"

func TestMain(m *testing.M) {
	if f := children[os.Getenv(childEnv)]; f != nil {
		f(os.Args[1:])
		os.Exit(0)
	}
	if dir := os.Getenv("SHMKIT_TEST_VICTIM"); dir != "" {
		victim(dir)
	}
	if what := os.Getenv("SHMKIT_TEST_OTHER"); what != "" {
		other(what, os.Getenv("SHMKIT_TEST_WHERE"))
	}
	goleak.VerifyTestMain(m)
}

const (
	accounts = 50
	deposit  = 1000
)

// temporaries are dicts that come and go.
const temporaries = 5

func temporary(i int) string { return fmt.Sprint("temporary ", i) }

// victim works on the dicts until it is killed.
func victim(dir string) {
	check := func(err error) {
		if err != nil && !errors.Is(err, manager.ErrConflict) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	m, err := manager.OpenExisting("m", &manager.Options{Dir: dir})
	check(err)
	bank, err := manager.NewDict[int, int](m, "bank")
	check(err)
	words, err := manager.NewDict[string, []byte](m, "words")
	check(err)
	for i := 0; ; i++ {
		a, b := rand.IntN(accounts), rand.IntN(accounts)
		check(m.Tx(bg, func(tx *manager.Tx) error {
			x := bank.In(tx)
			v, _, err := x.Get(a)
			if err != nil || a == b {
				return err
			}
			w, _, err := x.Get(b)
			if err != nil {
				return err
			}
			return errors.Join(x.Set(a, v-1), x.Set(b, w+1))
		}))
		key := fmt.Sprint(rand.IntN(3000))
		switch rand.IntN(5) {
		case 0:
			_, err := words.Delete(key)
			check(err)
		case 1:
			v, ok, err := words.Get(key)
			check(err)
			if ok && !intact(key, v) {
				fmt.Fprintf(os.Stderr, "%q is torn: %d bytes\n", key, len(v))
				os.Exit(1)
			}
		default:
			check(words.Set(key, sealed(key, rand.IntN(600))))
		}
		if i%500 == 0 {
			d, err := manager.NewDict[int, int](m, temporary(rand.IntN(temporaries)))
			check(err)
			check(d.Set(i, i))
			if err := m.Remove(d.Name()); !errors.Is(err, manager.ErrNotExist) {
				check(err)
			}
			check(d.Close())
			_, err = m.Collect()
			check(err)
		}
	}
}

// sealed returns a value that belongs to the key, and intact tells whether one does.
func sealed(key string, n int) []byte {
	b := bytes.Repeat([]byte(key), n/len(key)+1)
	sum := crc32.ChecksumIEEE(b)
	return append(b, byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
}

func intact(key string, v []byte) bool {
	n := len(v) - 4
	if n < len(key) {
		return false
	}
	sum := crc32.ChecksumIEEE(v[:n])
	return bytes.HasPrefix(v, []byte(key)) && bytes.Equal(v[n:], []byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)})
}

// TestKills kills processes that change dicts, at any instruction, and has others take
// their place. Nobody hangs, no value is torn, transactions are whole, no block is
// lost.
func TestKills(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	bank := newDict[int, int](t, m, "bank")
	words := newDict[string, []byte](t, m, "words")
	for i := range accounts {
		must(t, bank.Set(i, deposit))
	}
	start := func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "SHMKIT_TEST_VICTIM="+dir)
		c.Stderr = os.Stderr
		must(t, c.Start())
		return c
	}
	const members = 3
	var cs []*exec.Cmd
	for range members {
		cs = append(cs, start())
	}
	kills := 60
	if testing.Short() {
		kills = 10
	}
	total := func() {
		t.Helper()
		got, err := bank.Snapshot()
		must(t, err)
		sum := 0
		for _, v := range got {
			sum += v
		}
		if sum != accounts*deposit || len(got) != accounts {
			t.Fatalf("%d in %d accounts", sum, len(got))
		}
	}
	for range kills {
		i := rand.IntN(members)
		time.Sleep(time.Duration(5+rand.IntN(40)) * time.Millisecond) // let it get somewhere
		must(t, cs[i].Process.Kill())
		if err := cs[i].Wait(); cs[i].ProcessState.Exited() {
			t.Fatalf("a member ended by itself: %v", err)
		}
		cs[i] = start()
		total()
		for e, err := range words.All() {
			must(t, err)
			if !intact(e.Key, e.Value) {
				t.Fatalf("%q is torn: %d bytes", e.Key, len(e.Value))
			}
		}
		must(t, words.Set("mine", sealed("mine", 100)))
	}
	for _, c := range cs {
		must(t, c.Process.Kill())
		c.Wait()
	}
	m.Segment().RecoverDead()
	total()
	r := clean(t, m)
	t.Logf("%d kills; %+v", kills, *r)
	for i := range temporaries { // one may have been killed before it took the name away
		if err := m.Remove(temporary(i)); !errors.Is(err, manager.ErrNotExist) {
			must(t, err)
		}
	}
	collected(t, m, r.Objects-2)
}
