package clock_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/clock"
)

func TestMain(m *testing.M) {
	if os.Getenv("SHMKIT_TEST_CLOCK") != "" {
		fmt.Println(clock.Now())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestShared compares the clock with that of another process.
func TestShared(t *testing.T) {
	before := clock.Now()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SHMKIT_TEST_CLOCK=1")
	out, err := cmd.Output()
	after := clock.Now()
	if err != nil {
		t.Fatal(err)
	}
	there, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	const apart = uint64(time.Millisecond)
	if there+apart < before || there > after+apart {
		t.Errorf("%d is not between %d and %d", there, before, after)
	}
}

func TestAdvances(t *testing.T) {
	a := clock.Now()
	time.Sleep(2 * time.Millisecond)
	if d := clock.Now() - a; d < uint64(2*time.Millisecond) || d > uint64(10*time.Second) {
		t.Errorf("2 ms are %d ns", d)
	}
}
