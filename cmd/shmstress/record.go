package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A recordID names a record: which producer's it is, which of the processes that
// took that producer's place one after the other, and its number there.
type recordID struct {
	seat uint8
	life uint32 // counted from 1
	seq  uint64 // counted from 0, less than 1<<48
}

func (id recordID) String() string { return fmt.Sprintf("p%d.%d#%d", id.seat, id.life, id.seq) }

// A recordKind says what a record was made for.
type recordKind uint8

const (
	plainRecord   recordKind = 1
	abortedRecord recordKind = 2 // its reservation is given up: nobody may ever see it
)

// A record's first bytes:
//
//	0   checksum of all that follows, CRC-32C
//	4   life
//	8   seq, 48 bits; seat, 8 bits; kind, 8 bits
//	16  payload
//
// Length and payload follow from the run's seed and the id. So whoever has a
// record can tell whether each of its bytes is right, and which one is not.
const recordHeader = 16

const seqMask = 1<<48 - 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A mint makes the records of a run, and tells false ones.
type mint struct {
	seed  uint64
	sizes sizes
}

// sizeOf returns the length of a record in bytes.
func (m *mint) sizeOf(id recordID) int { return m.sizes.pick(mix(m.key(id) ^ 0xa5a5)) }

// key is the record's random number, from which all that is random in it comes.
func (m *mint) key(id recordID) uint64 {
	return mix(mix(m.seed^uint64(id.life)<<8^uint64(id.seat)) ^ id.seq)
}

// fill writes the record to b, which has its length.
func (m *mint) fill(b []byte, id recordID, kind recordKind) {
	binary.LittleEndian.PutUint32(b[4:], id.life)
	binary.LittleEndian.PutUint64(b[8:], id.seq|uint64(id.seat)<<48|uint64(kind)<<56)
	p := b[recordHeader:]
	x := m.key(id) | 1
	for len(p) >= 8 {
		x = shuffle(x)
		binary.LittleEndian.PutUint64(p, x)
		p = p[8:]
	}
	x = shuffle(x)
	for i := range p {
		p[i] = byte(x >> (8 * i))
	}
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
}

// errTorn is what check's errors wrap: the bytes are not those of any record.
var errTorn = errors.New("not the bytes of a record")

// parse returns what the header says.
func parse(b []byte) (recordID, recordKind, error) {
	if len(b) < recordHeader {
		return recordID{}, 0, fmt.Errorf("%w: %d bytes are no header", errTorn, len(b))
	}
	w := binary.LittleEndian.Uint64(b[8:])
	id := recordID{seat: uint8(w >> 48), life: binary.LittleEndian.Uint32(b[4:]), seq: w & seqMask}
	return id, recordKind(w >> 56), nil
}

// check compares a record with what it must be, to the byte.
func (m *mint) check(b []byte) error {
	id, _, err := parse(b)
	if err != nil {
		return err
	}
	if got, want := crc32.Checksum(b[4:], castagnoli), binary.LittleEndian.Uint32(b); got != want {
		return fmt.Errorf("%w: %v says that its checksum is %08x, and it is %08x; %s", errTorn, id, want, got, m.difference(b, id))
	}
	if len(b) != m.sizeOf(id) {
		return fmt.Errorf("%w: %v has %d bytes, and should have %d", errTorn, id, len(b), m.sizeOf(id))
	}
	if at := m.mismatch(b, id); at >= 0 {
		return fmt.Errorf("%w: %v; %s", errTorn, id, m.difference(b, id))
	}
	return nil
}

// mismatch returns the offset of the first wrong word of the payload, or -1.
func (m *mint) mismatch(b []byte, id recordID) int {
	p := b[recordHeader:]
	x := m.key(id) | 1
	for len(p) >= 8 {
		x = shuffle(x)
		if binary.LittleEndian.Uint64(p) != x {
			return len(b) - len(p)
		}
		p = p[8:]
	}
	x = shuffle(x)
	for i := range p {
		if p[i] != byte(x>>(8*i)) {
			return len(b) - len(p) + i
		}
	}
	return -1
}

// difference says where a record differs from what it must be.
func (m *mint) difference(b []byte, id recordID) string {
	at := m.mismatch(b, id)
	if at < 0 {
		return fmt.Sprintf("all %d bytes of the payload are right", len(b)-recordHeader)
	}
	return fmt.Sprintf("of %d bytes the first wrong ones are at %d: % x", len(b), at, b[at:min(at+8, len(b))])
}

// mix turns a number into one that looks unrelated (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// shuffle is one step of xorshift64; x is not 0.
func shuffle(x uint64) uint64 {
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}
