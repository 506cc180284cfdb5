package manager

import "fmt"

// A Ref is a reference to an object of any type: as a value in a dict it keeps the
// object alive, and may close a circle, which is collected when nothing outside
// leads to it.
type Ref struct {
	m   *space
	use *use
}

// Ref returns a reference to the object.
func (p *part) Ref() *Ref { return &Ref{p.m, p.use} }

// DictOf returns the dict that r refers to. Errors: [ErrKind], [ErrType], [ErrNotExist].
func DictOf[K comparable, V any](r *Ref) (*Dict[K, V], error) {
	d := new(Dict[K, V])
	b, err := r.AppendBinary(nil)
	if err == nil {
		err = d.UnmarshalBinary(b)
	}
	if err != nil {
		return nil, wrap("open", "reference", err)
	}
	return d, nil
}

// ListOf returns the list that r refers to. Errors: [ErrKind], [ErrType], [ErrNotExist].
func ListOf[T any](r *Ref) (*List[T], error) {
	l := new(List[T])
	b, err := r.AppendBinary(nil)
	if err == nil {
		err = l.UnmarshalBinary(b)
	}
	if err != nil {
		return nil, wrap("open", "reference", err)
	}
	return l, nil
}

func (r *Ref) of() (*space, uint64) {
	if r == nil || r.m == nil {
		return nil, 0
	}
	return r.m, r.use.o.id
}

// AppendBinary appends the reference as it stands in shared memory.
func (r *Ref) AppendBinary(b []byte) ([]byte, error) {
	m, id := r.of()
	if m == nil {
		return b, fmt.Errorf("%w: a reference to nothing", ErrNotExist)
	}
	return appendReference(b, m, id), nil
}

// MarshalBinary returns the reference as it stands in shared memory.
func (r *Ref) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }

// UnmarshalBinary makes r the reference, and a handle of the object. It fails with
// [ErrNotExist] when that is gone.
func (r *Ref) UnmarshalBinary(b []byte) error {
	m, o, err := resolve(b)
	if err != nil {
		return err
	}
	u := &use{m: m, o: o}
	*r = Ref{m, u}
	endWith(u, r)
	return nil
}
