//go:build !linux

package futex_test

// runChild is for tests that share memory, which only Linux has here.
func runChild(name string, _ []string) { panic("no child " + name + " on this system") }
