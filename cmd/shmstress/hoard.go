package main

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/manager"
)

// A hoard is the dicts of a run.
type hoard struct {
	m *manager.Manager

	values *manager.Dict[ownKey, []byte]
	totals *manager.Dict[int, int64]
	bank   *manager.Dict[int, int64] // accounts that are emptied and filled among themselves
	left   *manager.Dict[int, int64] // and two banks with transfers from one to the other
	right  *manager.Dict[int, int64]
	claims *manager.Dict[int, uint64]
	mixed  *manager.Dict[string, int]
	nests  *manager.Dict[int, *manager.Dict[int, int64]]
	briefs *manager.Dict[int, uint64]
	run    *manager.Dict[string, int]
}

// An ownKey is a key that only one place writes to.
type ownKey struct{ Place, Key uint32 }

func (k ownKey) String() string { return fmt.Sprintf("key %d of place %d", k.Key, k.Place) }

const (
	accounts = 16   // of each bank
	deposit  = 1000 // in each, at first
	stays    = 200  // keys of mixed that are never removed
	nestKeys = 8    // of dicts in a dict
)

// States of a run, in the dict of that name. Only the first and the last mean
// anything: the others are there to be passed over.
const (
	runKey  = "state"
	runOn   = 1
	runOver = 1 << 40
)

func createHoard(name string, o *manager.Options) (*hoard, error) {
	m, err := manager.Create(name, o)
	if err != nil {
		return nil, err
	}
	h, err := openHoard(m)
	if err == nil {
		err = h.fill()
	}
	if err != nil {
		m.Close()
	}
	return h, err
}

func attachHoard(handle string) (*hoard, error) {
	m, err := manager.Attach(handle, nil)
	if err != nil {
		return nil, err
	}
	return openHoard(m)
}

func openHoard(m *manager.Manager) (*hoard, error) {
	h := &hoard{m: m}
	errs := []error{
		openDict(m, "values", &h.values), openDict(m, "totals", &h.totals),
		openDict(m, "bank", &h.bank), openDict(m, "left", &h.left), openDict(m, "right", &h.right),
		openDict(m, "claims", &h.claims), openDict(m, "mixed", &h.mixed), openDict(m, "nests", &h.nests),
		openDict(m, "briefs", &h.briefs), openDict(m, "run", &h.run),
	}
	return h, errors.Join(errs...)
}

func openDict[K comparable, V any](m *manager.Manager, name string, d **manager.Dict[K, V]) (err error) {
	*d, err = manager.NewDict[K, V](m, name)
	return err
}

// fill makes the entries that are there from the beginning.
func (h *hoard) fill() error {
	var errs []error
	for i := range accounts {
		errs = append(errs, h.bank.Set(i, deposit), h.left.Set(i, deposit), h.right.Set(i, deposit))
	}
	for i := range stays {
		errs = append(errs, h.mixed.Set(stay(i), i))
	}
	return errors.Join(append(errs, h.run.Set(runKey, runOn))...)
}

func stay(i int) string { return fmt.Sprintf("stay %d", i) }

// balance charges if the accounts of a bank don't have what they had.
func balance(money map[int]int64, want int64, how string) error {
	sum := int64(0)
	for _, v := range money {
		sum += v
	}
	if sum != want {
		return found(unbalanced, "%s: %d accounts have %d, and had %d", how, len(money), sum, want)
	}
	return nil
}
