package process_test

import (
	"testing"

	"github.com/shmkit/shmkit/process"
)

func TestOOMCount(t *testing.T) {
	for text, want := range map[string]int64{
		"low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n": 1,
		"oom_kill 12": 12,
		"oom 2\n":     -1,
		"":            -1,
	} {
		if got := process.OOMCount([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
