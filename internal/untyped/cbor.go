package untyped

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// modes is the dialect of package codec, but more generous to what it reads.
var modes = sync.OnceValue(func() (m struct {
	enc cbor.EncMode
	dec cbor.DecMode
}) {
	var err, err2 error
	m.enc, err = cbor.EncOptions{Sort: cbor.SortBytewiseLexical, IndefLength: cbor.IndefLengthForbidden}.EncMode()
	m.dec, err2 = cbor.DecOptions{
		MaxNestedLevels:  1016,
		MaxArrayElements: 1<<31 - 1,
		MaxMapPairs:      1<<31 - 1,
		IntDec:           cbor.IntDecConvertSignedOrBigInt,
		UTF8:             cbor.UTF8DecodeInvalid,
	}.DecMode()
	if err := errors.Join(err, err2); err != nil {
		panic(err) // the options are constants: a test would have seen it
	}
	return m
})

// showCBOR returns the JSON of a CBOR item.
func showCBOR(b []byte) ([]byte, error) {
	var v any
	if err := modes().dec.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	return appendItem(nil, v), nil
}

// appendItem appends the JSON of what the decoder makes of an item. It is nested no
// deeper than that allows.
func appendItem(out []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...)
	case bool:
		return strconv.AppendBool(out, v)
	case int64:
		return strconv.AppendInt(out, v, 10)
	case big.Int:
		return v.Append(out, 10)
	case float64:
		return appendFloat(out, v, 64)
	case string:
		return append(out, quote(v)...)
	case []byte:
		return append(hex.AppendEncode(append(out, '"'), v), '"')
	case cbor.ByteString:
		return append(hex.AppendEncode(append(out, '"'), []byte(v)), '"')
	case time.Time:
		return append(out, quote(v.Format(time.RFC3339Nano))...)
	case []any:
		out = append(out, '[')
		for i := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendItem(out, v[i])
		}
		return append(out, ']')
	case map[any]any:
		return appendMap(out, v)
	case cbor.Tag:
		out = append(strconv.AppendUint(append(out, `{"tag":`...), v.Number, 10), `,"content":`...)
		return append(appendItem(out, v.Content), '}')
	case cbor.SimpleValue:
		return append(strconv.AppendUint(append(out, `{"simple":`...), uint64(v), 10), '}')
	}
	return append(out, quote(fmt.Sprint(v))...) // no other is documented
}

// appendMap appends an object in the order of its keys; a list of pairs if an object
// can't have such keys.
func appendMap(out []byte, m map[any]any) []byte {
	type pair struct {
		key   string
		value any
	}
	pairs := make([]pair, 0, len(m))
	texts, ints := 0, 0
	for k, v := range m {
		key := appendItem(nil, k)
		switch k.(type) {
		case string:
			texts++
		case int64, big.Int:
			ints++
		}
		pairs = append(pairs, pair{string(key), v})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	object := texts == len(m) || ints == len(m)
	brackets := [2]byte{'[', ']'}
	if object {
		brackets = [2]byte{'{', '}'}
	}
	out = append(out, brackets[0])
	for i, p := range pairs {
		if i > 0 {
			out = append(out, ',')
		}
		switch {
		case !object:
			out = append(append(append(out, '['), p.key...), ',')
		case ints > 0:
			out = append(append(append(out, '"'), p.key...), '"', ':')
		default:
			out = append(append(out, p.key...), ':')
		}
		out = appendItem(out, p.value)
		if !object {
			out = append(out, ']')
		}
	}
	return append(out, brackets[1])
}

// makeCBOR returns the CBOR of a JSON value: whole numbers are integers.
func makeCBOR(arg string) ([]byte, error) {
	v, err := parseJSON(arg)
	if err != nil {
		return nil, err
	}
	if v, err = numbers(v); err != nil {
		return nil, err
	}
	return modes().enc.Marshal(v)
}

// parseJSON parses one JSON value, with the numbers as they are written.
func parseJSON(arg string) (any, error) {
	d := json.NewDecoder(strings.NewReader(arg))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no JSON: %w", brief(arg), err)
	}
	return v, nil
}

// numbers replaces the numbers in a JSON value by those that they stand for.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return number(string(v))
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = numbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func number(text string) (any, error) {
	if bytes.ContainsAny([]byte(text), ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is no float64", brief(text))
		}
		return f, nil
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, fmt.Errorf("%s is no number", brief(text))
	}
	if n.IsInt64() {
		return n.Int64(), nil
	}
	return n, nil
}
