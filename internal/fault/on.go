//go:build faultpoints

package fault

import "sync/atomic"

// Enabled tells whether crash points are compiled in.
const Enabled = true

var hook atomic.Pointer[func(step string)]

// SetHook makes every [Point] call f with the name of the step, on the
// goroutine that takes the step. A nil f removes the hook. It may be called
// at any time from any goroutine.
func SetHook(f func(step string)) {
	if f == nil {
		hook.Store(nil)
		return
	}
	hook.Store(&f)
}

// Point calls the hook, if there is one.
func Point(step string) {
	if f := hook.Load(); f != nil {
		(*f)(step)
	}
}
