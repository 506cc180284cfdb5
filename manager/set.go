package manager

import (
	"fmt"
	"iter"
	"maps"
)

// A Set is a set shared by processes: a [Dict] without values. What combines two sets into a third,
// as Python's operators do, works on what [Set.Snapshot] returns.
//
// Its methods may be called from several goroutines. The errors are those of the methods of Dict
// that they stand for.
type Set[T comparable] struct {
	d *Dict[T, struct{}]
}

// NewSet opens the set called name in m, or creates it when there is none: see [NewDict].
func NewSet[T comparable](m *Manager, name string) (*Set[T], error) {
	stripes := dictStripes
	if name == "" {
		stripes = 1
	}
	d, err := newDict[T, struct{}](m.space, name, kindSet, stripes)
	if err != nil {
		return nil, wrap("open", name, err)
	}
	return &Set[T]{d}, nil
}

// Add adds an element, and tells whether it was not there before. Of the options, [TTL] has it
// expire.
func (s *Set[T]) Add(v T, opts ...Option) (bool, error) { return s.d.SetNX(v, struct{}{}, opts...) }

// AddAll adds elements, one after the other.
func (s *Set[T]) AddAll(seq iter.Seq[T]) error {
	for v := range seq {
		if err := s.d.Set(v, struct{}{}); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes an element, and tells whether it was there.
func (s *Set[T]) Remove(v T) (bool, error) { return s.d.Delete(v) }

// Contains tells whether an element is there.
func (s *Set[T]) Contains(v T) (bool, error) { return s.d.Contains(v) }

// Pop removes some element and returns it, and false if there is none.
func (s *Set[T]) Pop() (v T, ok bool, err error) {
	v, _, ok, err = s.d.PopItem()
	return v, ok, err
}

// Len returns the number of elements: see [Dict.Len].
func (s *Set[T]) Len() int { return s.d.Len() }

// Clear removes all elements: see [Dict.Clear].
func (s *Set[T]) Clear() error { return s.d.Clear() }

// All returns an iterator over the elements: see [Dict.Keys].
func (s *Set[T]) All() iter.Seq2[T, error] { return s.d.Keys() }

// Snapshot returns a copy of the set as it was at one moment: see [Dict.Snapshot].
func (s *Set[T]) Snapshot() (map[T]struct{}, error) { return s.d.Snapshot() }

// Retain removes all elements but those for which keep returns true, one after the other.
func (s *Set[T]) Retain(keep func(T) bool) error {
	for v, err := range s.d.Keys() {
		if err != nil {
			return err
		}
		if keep(v) {
			continue
		}
		if _, err := s.d.Delete(v); err != nil {
			return err
		}
	}
	return nil
}

// Equal tells whether the set, at one moment, has just the elements of other.
func (s *Set[T]) Equal(other map[T]struct{}) (bool, error) {
	mine, err := s.d.Snapshot()
	return err == nil && maps.Equal(mine, other), err
}

// In returns the set's operations within a transaction, as a dict's: the values are empty.
func (s *Set[T]) In(tx *Tx) TxDict[T, struct{}] { return s.d.In(tx) }

// Name returns the set's name: see [Dict.Name].
func (s *Set[T]) Name() string { return s.d.Name() }

// Close gives this handle of the set up: see [Dict.Close].
func (s *Set[T]) Close() error { return s.d.Close() }

// Ref returns a reference to the set.
func (s *Set[T]) Ref() *Ref { return s.d.Ref() }

// AppendBinary appends a reference to the set: see [Dict.AppendBinary].
func (s *Set[T]) AppendBinary(b []byte) ([]byte, error) {
	if s.d == nil {
		return b, fmt.Errorf("%w: a set that is none", ErrNotExist)
	}
	return s.d.AppendBinary(b)
}

// MarshalBinary returns a reference to the set.
func (s *Set[T]) MarshalBinary() ([]byte, error) { return s.AppendBinary(nil) }

// UnmarshalBinary makes s a handle of the set of the reference. It fails with [ErrNotExist] when
// that is gone.
func (s *Set[T]) UnmarshalBinary(b []byte) error {
	d := &Dict[T, struct{}]{kind: kindSet}
	if err := d.UnmarshalBinary(b); err != nil {
		return err
	}
	s.d = d
	return nil
}

func (s *Set[T]) of() (*space, uint64) {
	if s.d == nil {
		return nil, 0
	}
	return s.d.of()
}
