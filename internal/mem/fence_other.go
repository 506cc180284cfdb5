//go:build !amd64 && !arm64

package mem

import "sync/atomic"

// Where there is no fence of our own, a locked addition on memory that nobody else
// touches often orders everything.
var barrier atomic.Uint32

func fenceLoads()  { barrier.Add(0) }
func fenceStores() { barrier.Add(0) }
