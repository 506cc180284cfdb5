//go:build !amd64 && !arm64

package mem

// Pause tells the processor that this is a spin loop, where it knows one.
func Pause() {}
