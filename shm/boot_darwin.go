package shm

import (
	"strings"

	"golang.org/x/sys/unix"
)

// bootID returns the kernel's id of this boot, or zeros where it tells none.
func bootID() [16]byte {
	text, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return [16]byte{}
	}
	id, _ := parseID(strings.ToLower(strings.ReplaceAll(text, "-", "")))
	return id
}
