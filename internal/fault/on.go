//go:build faultpoints

package fault

import "sync/atomic"

// Enabled tells whether crash points are compiled in.
const Enabled = true

var (
	hook atomic.Pointer[func(step string)]
	look atomic.Pointer[func(word any)]
)

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

// SetLookHook makes every [Look] call f with the word, on the goroutine that is
// about to load it. A nil f removes the hook.
func SetLookHook(f func(word any)) {
	if f == nil {
		look.Store(nil)
		return
	}
	look.Store(&f)
}

// Look calls the hook for loads, if there is one. word is a pointer to the
// atomic that is loaded next.
func Look(word any) {
	if f := look.Load(); f != nil {
		(*f)(word)
	}
}
