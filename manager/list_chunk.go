package manager

import (
	"encoding/binary"
	"fmt"
)

// A list is a table of chunks: each holds some elements that follow each other. The table has
//
//	"list"        the index: which chunks there are, in order
//	id (8 bytes)  a chunk
//
// The index is two words: the id that the next chunk gets, and how many elements the chunks between
// the first and the last one have. Then follow two words for each chunk: its id, and how many elements
// of inner chunks are before it. How many the first and the last one have only they know: so to add to
// and to take from the ends changes one chunk and not the index, most of the time.
//
// A chunk is the encodings of its elements; behind each other if they all have one size, and else
// each behind its length in four bytes.

const (
	chunkItems = 128     // the most elements of a chunk
	chunkBytes = 8 << 10 // the most bytes of a chunk of several elements
)

var indexKey = []byte("list")

// A chunkForm is how a list's elements lie in its chunks.
type chunkForm struct {
	size int // of each element; 0: they vary
}

// room returns how many bytes an element takes.
func (f chunkForm) room(e []byte) int {
	if f.size > 0 {
		return f.size
	}
	return 4 + len(e)
}

// join returns the chunk of these elements.
func (f chunkForm) join(elems [][]byte) []byte {
	n := 0
	for _, e := range elems {
		n += f.room(e)
	}
	b := make([]byte, 0, n)
	for _, e := range elems {
		if f.size == 0 {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(e)))
		}
		b = append(b, e...)
	}
	return b
}

// split returns the elements of a chunk, which are parts of it. The chunk may change meanwhile.
func (f chunkForm) split(b []byte) (elems [][]byte, err error) {
	if f.size > 0 {
		elems = make([][]byte, 0, len(b)/f.size)
	}
	for len(b) > 0 {
		n, at := f.size, 0
		if n == 0 {
			if n, at, err = f.length(b); err != nil {
				return nil, err
			}
		}
		if n > len(b)-at {
			return nil, errChunk(len(b))
		}
		elems = append(elems, b[at:at+n:at+n])
		b = b[at+n:]
	}
	return elems, nil
}

// length reads the length of the first element, and says where it begins.
func (f chunkForm) length(b []byte) (n, at int, err error) {
	if len(b) < 4 {
		return 0, 0, errChunk(len(b))
	}
	n = int(binary.LittleEndian.Uint32(b))
	if n > len(b)-4 {
		return 0, 0, errChunk(len(b))
	}
	return n, 4, nil
}

// count returns how many elements a chunk has.
func (f chunkForm) count(b []byte) (int, error) {
	if f.size > 0 {
		if len(b)%f.size != 0 {
			return 0, errChunk(len(b))
		}
		return len(b) / f.size, nil
	}
	for k := 0; ; k++ {
		if len(b) == 0 {
			return k, nil
		}
		n, at, err := f.length(b)
		if err != nil {
			return 0, err
		}
		b = b[at+n:]
	}
}

// at returns the k-th element of a chunk, which is a part of it.
func (f chunkForm) at(b []byte, k int) ([]byte, error) {
	if k < 0 || f.size > 0 && k >= len(b)/f.size {
		return nil, errChunk(len(b))
	}
	if f.size > 0 {
		return b[k*f.size : (k+1)*f.size], nil
	}
	for {
		n, at, err := f.length(b)
		if err != nil {
			return nil, err
		}
		if k == 0 {
			return b[at : at+n], nil
		}
		b, k = b[at+n:], k-1
	}
}

func errChunk(n int) error { return fmt.Errorf("%w: a chunk of %d bytes", ErrCorrupt, n) }

// cut divides elements into chunks. From the left they are as full as they may be, or, if even is
// set, about equally full.
func (f chunkForm) cut(elems [][]byte, even bool) (chunks [][][]byte) {
	items, bytes := chunkItems, chunkBytes
	if even {
		total := 0
		for _, e := range elems {
			total += f.room(e)
		}
		parts := max((len(elems)+chunkItems-1)/chunkItems, (total+chunkBytes-1)/chunkBytes, 1)
		items, bytes = (len(elems)+parts-1)/parts, (total+parts-1)/parts
	}
	first, size := 0, 0
	for i, e := range elems {
		if i > first && (i-first == items || size+f.room(e) > chunkBytes || size >= bytes) {
			chunks = append(chunks, elems[first:i])
			first, size = i, 0
		}
		size += f.room(e)
	}
	if first < len(elems) {
		chunks = append(chunks, elems[first:])
	}
	return chunks
}

// A chunkIndex is the encoding of an index. It may be in shared memory, and change.
type chunkIndex []byte

const indexFixed = 16

func (x chunkIndex) check() error {
	if len(x) < indexFixed || len(x)%16 != 0 {
		return fmt.Errorf("%w: a list's index of %d bytes", ErrCorrupt, len(x))
	}
	return nil
}

func (x chunkIndex) word(i int) uint64 { return binary.LittleEndian.Uint64(x[8*i:]) }
func (x chunkIndex) nextID() uint64    { return x.word(0) }
func (x chunkIndex) inner() int        { return int(x.word(1)) }
func (x chunkIndex) chunks() int       { return len(x)/16 - 1 }
func (x chunkIndex) id(c int) uint64   { return x.word(2 + 2*c) }

// before returns how many elements of inner chunks are before chunk c.
func (x chunkIndex) before(c int) int { return int(x.word(3 + 2*c)) }

// find returns the inner chunk that has the k-th element of inner chunks, and which it is of
// that chunk's.
func (x chunkIndex) find(k int) (c, rest int) {
	low, high := 1, x.chunks()-1 // inner chunks are from low, up to high
	for high-low > 1 {
		if mid := (low + high) / 2; x.before(mid) <= k {
			low = mid
		} else {
			high = mid
		}
	}
	return low, k - x.before(low)
}

// count returns how many elements inner chunk c has.
func (x chunkIndex) count(c int) int {
	end := x.inner()
	if c < x.chunks()-2 {
		end = x.before(c + 1)
	}
	return end - x.before(c)
}

// A chunkRef is one chunk as an index has it.
type chunkRef struct {
	id    uint64
	count int // if it is an inner one
}

// makeIndex returns the index of these chunks.
func makeIndex(next uint64, chunks []chunkRef) chunkIndex {
	x := make(chunkIndex, indexFixed, indexFixed+16*len(chunks))
	inner := uint64(0)
	for c, ref := range chunks {
		x = binary.LittleEndian.AppendUint64(x, ref.id)
		x = binary.LittleEndian.AppendUint64(x, inner)
		if c > 0 && c < len(chunks)-1 {
			inner += uint64(ref.count)
		}
	}
	binary.LittleEndian.PutUint64(x, next)
	binary.LittleEndian.PutUint64(x[8:], inner)
	return x
}
