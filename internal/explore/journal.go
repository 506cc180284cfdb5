//go:build faultpoints

package explore

// A journal holds which words each known step has changed, so that a run which
// takes them again needn't look for the changes in all of the memory. A step has
// one entry for each time that the search looked: mostly one, and one more for
// each operation that ends or actor that starts in it.
type journal struct {
	words   []uint32
	entries []uint16 // how many words each has
}

// A mark is a place in a journal.
type mark struct{ words, entries int }

func (j *journal) mark() mark { return mark{len(j.words), len(j.entries)} }

// cut forgets what was added since the mark.
func (j *journal) cut(m mark) { j.words, j.entries = j.words[:m.words], j.entries[:m.entries] }

// add adds a word to the entry that end will end.
func (j *journal) add(word int) { j.words = append(j.words, uint32(word)) }

// end ends an entry of n words.
func (j *journal) end(n int) {
	if n > 1<<16-1 {
		panic("explore: a step has changed more than half a mebibyte of memory")
	}
	j.entries = append(j.entries, uint16(n))
}

// next returns the words of the entry at m, and moves m behind it.
func (j *journal) next(m *mark) []uint32 {
	n := int(j.entries[m.entries])
	words := j.words[m.words : m.words+n]
	m.words += n
	m.entries++
	return words
}
