package main

import (
	"errors"
	"runtime/debug"
)

// errFault is returned when a file got shorter while it was read.
var errFault = errors.New("its memory vanished under the reader: the file was truncated")

// guarded calls f, which reads mapped memory. Somebody may truncate the file
// meanwhile: then the kernel answers the next access with SIGBUS, which is an
// error here and not the end of the program.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // the runtime's error of a fault
			err = errFault
		default:
			panic(p)
		}
	}()
	return f()
}
