//go:build !faultpoints

package futex_test

// childDieWaking needs the crash points.
func childDieWaking([]string) { panic("built without crash points") }
