package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A byteSize is a flag's number of bytes: "4096", "64K" (1024 bytes each), "1M".
type byteSize int

func (b *byteSize) String() string { return sizeText(int(*b)) }
func (b *byteSize) Type() string   { return "bytes" }

// Set implements the flag.
func (b *byteSize) Set(s string) error {
	n, err := parseSize(s)
	*b = byteSize(n)
	return err
}

func sizeText(n int) string {
	switch {
	case n > 0 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "M"
	case n > 0 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "K"
	}
	return strconv.Itoa(n)
}

func parseSize(s string) (int, error) {
	digits, shift := strings.TrimSpace(s), 0
	if d, ok := strings.CutSuffix(digits, "K"); ok {
		digits, shift = d, 10
	} else if d, ok := strings.CutSuffix(digits, "M"); ok {
		digits, shift = d, 20
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n<<shift > math.MaxInt32 {
		return 0, fmt.Errorf("%q is no number of bytes such as 4096, 64K or 1M", s)
	}
	return int(n << shift), nil
}

// sizes says how long records are: each is of one of the ranges, with equal
// chances, and any length of that range is as likely as another. Written as
// "16-4096,64K": a range that stands twice is twice as likely.
type sizes []sizeRange

type sizeRange struct{ Least, Most int } // bytes, both included

func (s *sizes) Type() string { return "ranges" }

func (s *sizes) String() string {
	var b strings.Builder
	for i, r := range *s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(sizeText(r.Least))
		if r.Most > r.Least {
			b.WriteString("-" + sizeText(r.Most))
		}
	}
	return b.String()
}

// Set implements the flag.
func (s *sizes) Set(text string) error {
	var got sizes
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		least, err := parseSize(from)
		if err != nil {
			return err
		}
		most, err := parseSize(to)
		if err != nil {
			return err
		}
		if least > most {
			return fmt.Errorf("%q is an empty range", part)
		}
		if least < recordHeader {
			return fmt.Errorf("%q: records have at least %d bytes", part, recordHeader)
		}
		got = append(got, sizeRange{least, most})
	}
	*s = got
	return nil
}

// largest returns the most bytes that a record may have.
func (s sizes) largest() int {
	n := 0
	for _, r := range s {
		n = max(n, r.Most)
	}
	return n
}

// pick returns the length that random bits stand for.
func (s sizes) pick(random uint64) int {
	r := s[random%uint64(len(s))]
	return r.Least + int(random>>32)%(r.Most-r.Least+1)
}
