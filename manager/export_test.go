package manager

import "math/bits"

// Stripe returns which stripe of the dict the key is in.
func (d *Dict[K, V]) Stripe(k K) int {
	var buf []byte
	key, err := d.keys.key(&k, &buf)
	if err != nil {
		panic(err)
	}
	stripe, _ := bits.Mul64(d.m.hash(key), uint64(d.table.Stripes())) // its highest bits
	return int(stripe)
}

// Waiting returns how many goroutines of this process wait for the semaphore.
func Waiting(s *Semaphore) int { return s.side.Waiting() }
