// Package shm provides segments: files mapped into the memory of several
// processes, which know who uses them and survive the death of any user.
package shm
