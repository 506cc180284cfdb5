//go:build !faultpoints && linux

package robust_test

// dieAt needs the crash points.
func dieAt(*party, []string) error { panic("built without crash points") }
