// Package place says where a queue lies that is not a file of its own but a part of
// another package's segment: that of a manager.
package place

import (
	"github.com/shmkit/shmkit/shm"
)

// A Place is memory in a segment, and what the queue in it needs of its owner.
type Place struct {
	Segment *shm.Segment
	Memory  []byte // from a multiple of 128 bytes on
	Name    string // for errors
	Handle  func() string
}
