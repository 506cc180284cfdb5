//go:build amd64 || arm64

package mem

// Pause tells the processor that this is a spin loop: it saves power and lets
// the sibling hardware thread run. It takes 10 to 140 cycles.
//
//go:noescape
func Pause()
