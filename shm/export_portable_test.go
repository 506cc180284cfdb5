//go:build portable || !linux

package shm

import "os"

// LockFile tries to lock the file at the path, and returns what gives it back;
// nil if somebody else holds it.
func LockFile(path string) (drop func(), err error) {
	l, err := lockFile(path, os.O_CREATE|os.O_RDWR)
	if l == nil {
		return nil, err
	}
	return func() { dropFile(l) }, nil
}
