//go:build !linux || portable

package process_test

const seesZombies = false
