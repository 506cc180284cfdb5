package shm

import (
	"os"
	"strings"
)

// bootID returns the kernel's id of this boot, or zeros where it tells none.
func bootID() [16]byte {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return [16]byte{}
	}
	id, _ := parseID(strings.ReplaceAll(strings.TrimSpace(string(b)), "-", ""))
	return id
}
