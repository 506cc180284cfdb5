//go:build !unix

package process_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/shmkit/shmkit/process"
)

func TestMain(m *testing.M) {
	process.Main()
	os.Exit(m.Run())
}

var idle = process.Register("idle", func(context.Context, struct{}) error { return nil })

func TestStartIsUnsupported(t *testing.T) {
	if _, err := idle.Start(context.Background(), struct{}{}, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}
