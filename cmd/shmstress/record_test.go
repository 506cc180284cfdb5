package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRecordIsChecked(t *testing.T) {
	m := mint{seed: 7, sizes: sizes{{16, 40}, {100, 300}}}
	for seq := range uint64(200) {
		id := recordID{seat: 3, life: 1 << 20, seq: seq<<40 | seq}
		b := make([]byte, m.sizeOf(id))
		m.fill(b, id, plainRecord)
		got, kind, err := parse(b)
		if err != nil || got != id || kind != plainRecord || m.check(b) != nil {
			t.Fatalf("%v: %v, %v, %v, %v", id, got, kind, err, m.check(b))
		}
		for at := range b {
			b[at] ^= 0x10
			if err := m.check(b); !errors.Is(err, errTorn) {
				t.Fatalf("%v: byte %d of %d is wrong: %v", id, at, len(b), err)
			}
			b[at] ^= 0x10
		}
		if err := m.check(b[:len(b)-1]); !errors.Is(err, errTorn) {
			t.Errorf("%v, cut: %v", id, err)
		}
		if err := m.check(append(b, 0)); !errors.Is(err, errTorn) {
			t.Errorf("%v, with one byte more: %v", id, err)
		}
	}
}

// TestRecordOfAnother checks a record whose checksum is right and whose payload
// is another one's, and one of another length.
func TestRecordOfAnother(t *testing.T) {
	m := mint{seed: 7, sizes: sizes{{64, 64}}}
	other := mint{seed: 8, sizes: sizes{{64, 64}}}
	b := make([]byte, 64)
	other.fill(b, recordID{1, 1, 1}, plainRecord)
	if err := m.check(b); !errors.Is(err, errTorn) || !strings.Contains(err.Error(), "the first wrong ones are at 16") {
		t.Errorf("another payload: %v", err)
	}
	b = make([]byte, 72)
	m.fill(b, recordID{1, 1, 1}, plainRecord)
	if err := m.check(b); !errors.Is(err, errTorn) || !strings.Contains(err.Error(), "has 72 bytes, and should have 64") {
		t.Errorf("another length: %v", err)
	}
	if err := m.check(b[:15]); !errors.Is(err, errTorn) {
		t.Errorf("less than a header: %v", err)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]sizes{
		"16":            {{16, 16}},
		"16-4096":       {{16, 4096}},
		"16-4K,64K,1M":  {{16, 4096}, {65536, 65536}, {1 << 20, 1 << 20}},
		"100-200, 1K":   {{100, 200}, {1024, 1024}},
		"16-100,16-100": {{16, 100}, {16, 100}},
	} {
		var s sizes
		if err := s.Set(text); err != nil || !slices.Equal(s, want) {
			t.Errorf("%s: %v, %v", text, s, err)
		}
		var again sizes
		if err := again.Set(s.String()); err != nil || !slices.Equal(again, s) {
			t.Errorf("%s prints as %s: %v, %v", text, s.String(), again, err)
		}
		seen := make([]bool, len(s))
		for i := range uint64(10000) {
			n := s.pick(mix(i))
			i := slices.IndexFunc(s, func(r sizeRange) bool { return r.Least <= n && n <= r.Most })
			if i < 0 {
				t.Fatalf("%s: picked %d", text, n)
			}
			seen[i] = true
			for k := i + 1; k < len(s); k++ {
				seen[k] = seen[k] || s[k] == s[i]
			}
		}
		if slices.Contains(seen, false) {
			t.Errorf("%s: not all ranges are picked: %v", text, seen)
		}
	}
	for _, text := range []string{"", "15", "x", "16-", "-16", "200-100", "16,,17", "16-3G", "4096M"} {
		var s sizes
		if err := s.Set(text); err == nil {
			t.Errorf("%q is taken as %v", text, s)
		}
	}
}
