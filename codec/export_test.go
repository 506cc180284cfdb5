package codec

import "reflect"

// LayoutOf returns for each byte of a plain type whether it is in a gap, and
// whether it is a bool.
func LayoutOf(t reflect.Type) (gap, isBool []bool) {
	gaps, bools := layout(t)
	mark := func(spans []span) []bool {
		b := make([]byte, t.Size())
		for i := range b {
			b[i] = 1
		}
		for _, s := range spans {
			s.zero(b)
		}
		in := make([]bool, len(b))
		for i := range b {
			in[i] = b[i] == 0
		}
		return in
	}
	return mark(gaps), mark(bools)
}

var (
	IsPlain = isPlain
	Shorten = shorten
)
