package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"unicode"
	"unicode/utf8"
)

// A piece is a part of a file: the lines that start in [From, To). Large files
// are several pieces, so that no task is much longer than the others.
type piece struct {
	Path     string
	From, To int64
}

// counts are the words of some pieces.
type counts struct {
	Words  map[string]int
	Files  int   // text files that start in the pieces
	Binary int   // files left out because they are not text
	Bytes  int64 // of text
}

func newCounts() counts { return counts{Words: map[string]int{}} }

// add merges other into c.
func (c *counts) add(other counts) {
	for w, n := range other.Words {
		c.Words[w] += n
	}
	c.Files += other.Files
	c.Binary += other.Binary
	c.Bytes += other.Bytes
}

func (c *counts) equal(other counts) bool {
	return c.Files == other.Files && c.Binary == other.Binary && c.Bytes == other.Bytes &&
		maps.Equal(c.Words, other.Words)
}

// total returns the number of words.
func (c *counts) total() int {
	n := 0
	for _, k := range c.Words {
		n += k
	}
	return n
}

// countPieces counts the words of all pieces. It is what a worker process runs,
// and what -workers 0 runs in this one.
func countPieces(pieces []piece) (counts, error) {
	t := tally{words: map[string]*int{}}
	for _, p := range pieces {
		if err := t.count(p); err != nil {
			return counts{}, fmt.Errorf("count %s: %w", p.Path, err)
		}
	}
	t.Words = make(map[string]int, len(t.words))
	for w, n := range t.words {
		t.Words[w] = *n
	}
	return t.counts, nil
}

// A tally is counts in the making. Its map has pointers, so that to count a word
// once more takes no copy of it.
type tally struct {
	counts
	words map[string]*int
}

func (t *tally) add(word []byte) {
	n := t.words[string(word)]
	if n == nil {
		n = new(int)
		t.words[string(word)] = n
	}
	*n++
}

// sniff is how many bytes decide whether a file is text: it has no NUL in them.
const sniff = 8 << 10

func (t *tally) count(p piece) error {
	f, err := os.Open(p.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, sniff)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.IndexByte(head[:n], 0) >= 0 {
		if p.From == 0 {
			t.Binary++
		}
		return nil
	}
	if p.From == 0 {
		t.Files++
	}
	text, err := lines(f, p)
	if err != nil {
		return err
	}
	t.Bytes += int64(len(text))
	t.addAll(text)
	return nil
}

// lines reads the lines that start in the piece, the last one to its end.
func lines(f *os.File, p piece) ([]byte, error) {
	start := max(p.From-1, 0) // if the byte before ends a line, one starts at From
	r := bufio.NewReader(io.NewSectionReader(f, start, math.MaxInt64-start))
	text := make([]byte, p.To-start)
	n, err := io.ReadFull(r, text)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	text = text[:n]
	if err == nil && text[n-1] != '\n' {
		rest, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		text = append(text, rest...)
	}
	if p.From > 0 {
		_, text, _ = bytes.Cut(text, []byte{'\n'})
	}
	return text, nil
}

// addAll counts the words of b. A word is a run of letters, digits and
// underscores, in lower case; bytes that are no UTF-8 end it.
func (t *tally) addAll(b []byte) {
	var word []byte
	for len(b) > 0 {
		r, size := rune(b[0]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(b)
		}
		b = b[size:]
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_':
			word = append(word, byte(r))
		case 'A' <= r && r <= 'Z':
			word = append(word, byte(r)+'a'-'A')
		case r >= utf8.RuneSelf && r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			word = utf8.AppendRune(word, unicode.ToLower(r))
		case len(word) > 0:
			t.add(word)
			word = word[:0]
		}
	}
	if len(word) > 0 {
		t.add(word)
	}
}
