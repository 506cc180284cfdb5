//go:build !amd64 || race

package mem

import "sync/atomic"

// StoreRelease stores v in *p. Every access before it in program order is
// visible to whoever loads v; accesses after it may be executed earlier.
//
// Outside of amd64, and for the race detector, it is the atomic store, which arm64 has as one instruction.
func StoreRelease(p *atomic.Uint64, v uint64) { p.Store(v) }
