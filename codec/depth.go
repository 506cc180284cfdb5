package codec

import (
	"fmt"
	"reflect"
	"sync"
)

// maxDepth is how deep slices, arrays, maps, structs and interfaces may be
// nested in a value. A linked list is nested as deep as it is long.
const maxDepth = 1000

var errTooDeep = fmt.Errorf("nested more than %d deep, or refers to itself", maxDepth)

// checkDepth follows v down and returns an error before the CBOR library,
// which doesn't look, would follow a cycle until the stack is full, which no
// process survives. It also inspects the types that it finds in interfaces,
// which For could not know.
func checkDepth(v reflect.Value, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	r := routeOf(v.Type())
	if r.leaf {
		return nil
	}
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if _, err := inspect(v.Elem().Type()); err != nil {
			return err
		}
		return checkDepth(v.Elem(), depth+1)
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return checkDepth(v.Elem(), depth)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := checkDepth(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := checkDepth(it.Key(), depth+1); err != nil {
				return err
			}
			if err := checkDepth(it.Value(), depth+1); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for _, i := range r.fields {
			if err := checkDepth(v.Field(i), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// A route is how checkDepth gets on from a value of some type.
type route struct {
	leaf   bool  // it doesn't: nothing below can be nested
	fields []int // of a struct: those that are sent and aren't leaves
}

// routes remembers the *route of each reflect.Type.
var routes sync.Map

func routeOf(t reflect.Type) *route {
	if r, ok := routes.Load(t); ok {
		return r.(*route)
	}
	r := &route{leaf: isLeaf(t)}
	if t.Kind() == reflect.Struct && !r.leaf {
		for i := range t.NumField() {
			f := t.Field(i)
			if _, skip := wireName(f); !skip && !isLeaf(f.Type) {
				r.fields = append(r.fields, i)
			}
		}
		r.leaf = len(r.fields) == 0
	}
	routes.Store(t, r)
	return r
}

// isLeaf tells whether values of type t refer to nothing that is sent, or look
// after it themselves.
func isLeaf(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Struct, reflect.Map:
		own, err := ownEncoding(t, "")
		return own != "" || err != nil
	case reflect.Slice, reflect.Array:
		own, err := ownEncoding(t, "")
		return own != "" || err != nil || isLeaf(t.Elem())
	}
	return true
}
