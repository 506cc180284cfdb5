package arena

import "sort"

// blockSizes are the sizes of blocks in slab chunks, in bytes: about an eighth
// apart, all that are worth having of those of which a whole number fills a chunk
// well. From 1 KiB on they are multiples of a cache line.
var blockSizes = makeSizes()

func makeSizes() []int {
	sizes := []int{32}
	for size := 48; size < 1024; {
		sizes = append(sizes, size)
		size += max(16, size/8&^15)
	}
	last := 1024
	sizes = append(sizes, last)
	for n := ChunkSize / last; n >= 2; n-- {
		if size := ChunkSize / n &^ 63; size >= last+last/9 {
			sizes = append(sizes, size)
			last = size
		}
	}
	if last != ChunkSize/2 {
		sizes = append(sizes, ChunkSize/2)
	}
	return sizes
}

// largestBlock is the largest size that is not an extent.
const largestBlock = ChunkSize / 2

// sizeIndex maps (size+15)/16 to the index in blockSizes, up to 2 KiB.
var sizeIndex = makeIndex()

func makeIndex() (index [129]uint8) {
	for i := range index {
		index[i] = uint8(sort.SearchInts(blockSizes, i*16))
	}
	return index
}

// classFor returns the index of the smallest block size of at least n bytes.
func classFor(n int) int {
	if n <= 2048 {
		return int(sizeIndex[(n+15)/16])
	}
	return sort.SearchInts(blockSizes, n)
}

// chunksFor returns how many chunks an extent of n bytes has.
func chunksFor(n int) int { return (n + ChunkSize - 1) / ChunkSize }

// MaxBlock is the largest block, its head included, in bytes.
const MaxBlock = 0xffff * ChunkSize
