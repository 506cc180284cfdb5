//go:build !faultpoints

package futex_test

// childDieWaking needs the crash points.
func childDieWaking([]string) { panic("built without crash points") }

// childSteps does too.
func childSteps([]string) { panic("built without crash points") }
