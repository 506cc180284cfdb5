package manager

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/codec"
)

// A Namespace has named attributes of any types, which it remembers: to ask for one as another
// type is an error. Objects of the manager can be attributes, by reference. Get and set them with
// [Attr] and [SetAttr].
//
// Its methods, and these functions, may be called from several goroutines.
type Namespace struct {
	d *Dict[string, *attribute]
}

// NewNamespace opens the namespace called name in m, or creates it when there is none. The empty
// name makes a new one without a name. It fails with [ErrKind] when the name is another kind of
// object's.
func NewNamespace(m *Manager, name string) (*Namespace, error) {
	d, err := newDict[string, *attribute](m.space, name, kindNamespace, 1)
	if err != nil {
		return nil, wrap("open", name, err)
	}
	return &Namespace{d}, nil
}

// SetAttr sets an attribute, of whatever type it was before. The errors are those of [Dict.Set], and
// of package codec for types that can't be sent.
func SetAttr[T any](n *Namespace, name string, v T) error {
	f, err := formOf[T]()
	if err != nil {
		return wrap("set", n.d.name, err)
	}
	a := &attribute{sum: f.codec.Sum(), text: f.codec.Type(), m: n.d.m}
	if f.refers {
		if r := referenceIn(&v); r != nil {
			a.m, a.id = r.of()
		}
	}
	if a.value, err = f.append(nil, &v); err != nil {
		return wrap("set", n.d.name, err)
	}
	return n.d.Set(name, a)
}

// Attr returns an attribute. The error is [ErrNotFound] if there is none, [ErrType] if it is of
// another type, else as of [Dict.Get].
func Attr[T any](n *Namespace, name string) (v T, err error) {
	f, err := formOf[T]()
	if err != nil {
		return v, wrap("get", n.d.name, err)
	}
	a, ok, err := n.d.Get(name)
	switch {
	case err != nil:
		return v, err
	case !ok:
		err = fmt.Errorf("%w: %q", ErrNotFound, name)
	case a.sum != f.codec.Sum():
		err = fmt.Errorf("%w: %q is %s, not %s", ErrType, name, a.text, f.codec.Type())
	default:
		err = f.decode(a.value, &v)
	}
	return v, wrap("get", n.d.name, err)
}

// Delete removes an attribute, and tells whether it was there.
func (n *Namespace) Delete(name string) (bool, error) { return n.d.Delete(name) }

// Names returns the names of the attributes, in order.
func (n *Namespace) Names() ([]string, error) {
	var names []string
	for name, err := range n.d.Keys() {
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Name returns the namespace's name: see [Dict.Name].
func (n *Namespace) Name() string { return n.d.Name() }

// Close gives this handle of the namespace up: see [Dict.Close].
func (n *Namespace) Close() error { return n.d.Close() }

// Ref returns a reference to the namespace.
func (n *Namespace) Ref() *Ref { return n.d.Ref() }

// AppendBinary appends a reference to the namespace: see [Dict.AppendBinary].
func (n *Namespace) AppendBinary(b []byte) ([]byte, error) {
	if n.d == nil {
		return b, fmt.Errorf("%w: a namespace that is none", ErrNotExist)
	}
	return n.d.AppendBinary(b)
}

// MarshalBinary returns a reference to the namespace.
func (n *Namespace) MarshalBinary() ([]byte, error) { return n.AppendBinary(nil) }

// UnmarshalBinary makes n a handle of the namespace of the reference. It fails with
// [ErrNotExist] when that is gone.
func (n *Namespace) UnmarshalBinary(b []byte) error {
	d := &Dict[string, *attribute]{kind: kindNamespace}
	if err := d.UnmarshalBinary(b); err != nil {
		return err
	}
	n.d = d
	return nil
}

func (n *Namespace) of() (*space, uint64) {
	if n.d == nil {
		return nil, 0
	}
	return n.d.of()
}

// String returns the namespace's name, and the names of its attributes but for those that begin with
// "_".
func (n *Namespace) String() string {
	names, err := n.Names()
	if err != nil {
		return fmt.Sprintf("%s %q: %v", kindNames[kindNamespace], n.Name(), err)
	}
	names = slices.DeleteFunc(names, func(s string) bool { return strings.HasPrefix(s, "_") })
	return fmt.Sprintf("%s %q: %s", kindNames[kindNamespace], n.Name(), strings.Join(names, ", "))
}

// An attribute is the value of one, with its type. On the wire:
//
//	8 bytes   id of the object that it is a reference to; 0: it is none
//	8         sum of the type's wire form
//	2         length of the text
//	…         text: the type
//	…         the encoding of the value
//
// One that was read has a handle of the object it refers to, so that this is still there when the
// value is decoded.
type attribute struct {
	m     *space
	id    uint64
	sum   uint64
	text  string
	value []byte
	held  *Ref
}

const attributeFixed = 18

func (a *attribute) of() (*space, uint64) { return a.m, a.id }

// AppendBinary appends the attribute as it stands in shared memory.
func (a *attribute) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(b, a.id)
	b = binary.LittleEndian.AppendUint64(b, a.sum)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(a.text)))
	b = append(b, a.text...)
	return append(b, a.value...), nil
}

// MarshalBinary returns what AppendBinary appends.
func (a *attribute) MarshalBinary() ([]byte, error) { return a.AppendBinary(nil) }

// UnmarshalBinary makes a the attribute.
func (a *attribute) UnmarshalBinary(shared []byte) error {
	b := slices.Clone(shared)
	if len(b) < attributeFixed {
		return fmt.Errorf("%w: an attribute of %d bytes", ErrCorrupt, len(b))
	}
	n := &attribute{id: binary.LittleEndian.Uint64(b), sum: binary.LittleEndian.Uint64(b[8:])}
	size := int(binary.LittleEndian.Uint16(b[16:]))
	if b = b[attributeFixed:]; size > min(len(b), codec.MaxType) {
		return fmt.Errorf("%w: an attribute's type of %d bytes", ErrCorrupt, size)
	}
	n.text, n.value = string(b[:size]), b[size:]
	if n.id != 0 {
		n.held = new(Ref)
		if err := n.held.UnmarshalBinary(n.value); err != nil {
			return err
		}
	}
	*a = *n
	return nil
}
