package manager_test

import (
	"sync"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// BenchmarkLock locks and unlocks what nobody else wants.
func BenchmarkLock(b *testing.B) {
	m := open(b, &manager.Options{Dir: tempDir(b)})
	b.Run("sync.Mutex", func(b *testing.B) {
		var mu sync.Mutex
		for b.Loop() {
			mu.Lock()
			mu.Unlock() //lint:ignore SA2001 that is what is measured
		}
	})
	b.Run("Lock", func(b *testing.B) {
		l, err := manager.NewLock(m, "lock")
		must(b, err)
		for b.Loop() {
			if err := l.Lock(bg); err != nil {
				b.Fatal(err)
			}
			if err := l.Unlock(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sync.RWMutex, reading", func(b *testing.B) {
		var mu sync.RWMutex
		for b.Loop() {
			mu.RLock()
			mu.RUnlock() //lint:ignore SA2001 that is what is measured
		}
	})
	b.Run("RWLock, reading", func(b *testing.B) {
		l, err := manager.NewRWLock(m, "rwlock")
		must(b, err)
		for b.Loop() {
			if err := l.RLock(bg); err != nil {
				b.Fatal(err)
			}
			if err := l.RUnlock(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
