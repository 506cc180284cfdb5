//go:build faultpoints

package dict

import "sync/atomic"

// SetWait has the store wait for locks by wait, and not spin.
func (s *Store) SetWait(wait func(lock *atomic.Uint32, held uint32)) {
	s.spins, s.await = 0, wait
}
