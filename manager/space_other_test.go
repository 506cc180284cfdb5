//go:build portable || !linux

package manager_test

import (
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// spaceOf is not known here.
func spaceOf(testing.TB, *manager.Manager) int64 { return 0 }
