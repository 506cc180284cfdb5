package shm_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

// FuzzOpenBytes opens damaged files: each open gives one of the package's errors
// and leaves the file as it is, or a segment whose memory can be used to the last
// byte. The script says which file and, in steps of twelve bytes, what is done to
// it.
func FuzzOpenBytes(f *testing.F) {
	rng := rand.New(rand.NewPCG(29, 31))
	for kind := range 3 {
		for how := range 4 {
			for range 4 {
				script := []byte{byte(kind)}
				for range 1 + rng.IntN(3) {
					script = append(script, byte(how))
					for range 11 {
						script = append(script, byte(rng.Uint32()))
					}
				}
				f.Add(script)
			}
		}
	}
	specs := []*shm.Spec{
		{Kind: "block", Layout: 1, Size: 5000},
		graveSpec(nil),
		{Kind: "twice", Layout: 2, Size: 1 << 16, Mirror: 1 << 16},
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		sp := specs[int(script[0])%len(specs)]
		o := &shm.Options{Dir: testDir(t), Slots: 4, Persistent: true}
		s := must(shm.CreateSpec("x", sp, o))(t)
		path, handle := s.Path(), s.Handle()
		s.Close()
		b := must(os.ReadFile(path))(t)
		const step, most = 12, 20
		for n := range most {
			at := 1 + n*step
			if at+step > len(script) {
				break
			}
			b = damage(b, script[at:at+step])
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, open := range []func() (*shm.Segment, error){
			func() (*shm.Segment, error) { return shm.OpenSpec("x", sp, o) },
			func() (*shm.Segment, error) { return shm.OpenOrCreateSpec("x", sp, o) },
			func() (*shm.Segment, error) { return shm.OpenHandle(handle, sp, o) },
			func() (*shm.Segment, error) { return shm.Open("x", o) },
			func() (*shm.Segment, error) { return shm.CreateSpec("x", sp, o) },
		} {
			s, err := open()
			if err != nil {
				wantSentinel(t, err)
				continue
			}
			use(s)
			s.Close()
		}
		i, err := shm.Inspect(path)
		if err != nil {
			wantSentinel(t, err)
		} else {
			i.Info()
			i.Slots()
			_ = i.Body()[len(i.Body())-1]
			i.Close()
		}
		if _, err := shm.Dir(o.Dir).List(); err != nil {
			t.Errorf("list: %v", err)
		}
		if _, err := shm.Dir(o.Dir).Sweep(); err != nil {
			t.Errorf("sweep: %v", err)
		}
	})
}

// damage carries out one step of a script.
func damage(b []byte, step []byte) []byte {
	const headerBytes = 512
	if len(b) < headerBytes {
		return b
	}
	where, value := int(binary.LittleEndian.Uint16(step[1:])), binary.LittleEndian.Uint64(step[4:])
	switch step[3] % 4 { // numbers at which something may go over
	case 0:
		value = 1<<(value>>8%64) + value>>16%3 - 1
	case 1:
		value >>= 56
	}
	put := func(at int) { binary.NativeEndian.PutUint64(b[min(at, len(b)-8):], value) }
	switch step[0] % 4 {
	case 0: // a field of the header, and the checksum to go with it
		put(where % (headerBytes / 8) * 8)
		shm.Reseal(b)
	case 1: // the same, unsealed
		put(where % (headerBytes / 8) * 8)
	case 2: // the length
		if value%2 == 0 {
			return append(b, make([]byte, value%8192)...)
		}
		return b[:value%uint64(len(b))]
	default: // the slots, and what follows them
		put(4096 + where%8192&^7)
	}
	return b
}

// use touches everything that the segment gives access to.
func use(s *shm.Segment) {
	b := s.Body()
	for i := 0; i < len(b); i += 512 {
		b[i]++
	}
	b[len(b)-1]++
	_ = append(s.Bytes(), 1)
	s.RecoverDead()
	for i := range s.Slots() {
		s.SlotInfo(i)
	}
	for _, c := range shm.Counters() {
		s.Counter(c).Add(1)
		s.Total(c)
	}
}

// wantSentinel checks that the error is one that the package documents.
func wantSentinel(t *testing.T, err error) {
	t.Helper()
	var e *shm.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v (%T)", err, err)
	}
	for _, target := range sentinels {
		if errors.Is(err, target) {
			return
		}
	}
	t.Errorf("error %v is none of the package's", err)
}
