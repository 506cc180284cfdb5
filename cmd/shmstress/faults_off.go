//go:build !faultpoints

package main

import "math/rand/v2"

// canFault tells whether the build has crash points.
const canFault = false

// arm does nothing in this build.
func (faults) arm(*rand.Rand, func(step string) bool) {}
