package untyped

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// IsNumber tells whether [Type.Add] can add to it.
func (t *Type) IsNumber() bool { return t.plain != nil && t.plain.isNumber() }

// Add returns the encoding of the sum of a number and what somebody has written. No
// bytes are 0. A sum that the type has no room for is an error.
func (t *Type) Add(old []byte, delta string) ([]byte, error) {
	if !t.IsNumber() {
		return nil, fmt.Errorf("%s is no number", t.text)
	}
	p := t.plain
	if len(old) == 0 {
		old = make([]byte, p.size)
	}
	if len(old) != p.size {
		return nil, fmt.Errorf("%d bytes are no %s", len(old), t.text)
	}
	b := make([]byte, p.size)
	if p.isFloat() {
		d, err := strconv.ParseFloat(delta, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is no number", brief(delta))
		}
		p.putFloat(b, p.float(old)+d)
		if sum := p.float(b); math.IsInf(sum, 0) && !math.IsInf(d, 0) && !math.IsInf(p.float(old), 0) {
			return nil, fmt.Errorf("%v + %v is beyond %v", p.float(old), d, p.kind)
		}
		return b, nil
	}
	d, ok := new(big.Int).SetString(delta, 10)
	if !ok {
		return nil, fmt.Errorf("%s is no whole number", brief(delta))
	}
	have := new(big.Int).SetUint64(p.uint(old))
	if p.isSigned() {
		have.SetInt64(p.int(old))
	}
	sum := new(big.Int).Add(have, d)
	if err := p.putNumber(b, sum.String()); err != nil {
		return nil, fmt.Errorf("%v + %v is beyond %v", have, d, p.kind)
	}
	return b, nil
}
