//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/shmkit/shmkit/process"
)

// Area are the arguments of a function: any type that package codec takes.
type Area struct{ Width, Height int }

var measure = process.Register("measure", func(ctx context.Context, a Area) error {
	if a.Width < 0 || a.Height < 0 {
		return errors.New("negative side")
	}
	fmt.Println("child of", process.Parent().Name(), "says", a.Width*a.Height)
	return nil
})

func Example() {
	// process.Main() comes first in main; here TestMain has called it.
	ctx := context.Background()
	p, err := measure.Start(ctx, Area{6, 7}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Wait(ctx))
	// Output:
	// child of main says 42
	// <nil>
}

func ExampleExitError() {
	ctx := context.Background()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer null.Close()
	p, err := measure.Start(ctx, Area{Width: -1}, &process.Options{Stderr: null})
	if err != nil {
		fmt.Println(err)
		return
	}
	var exit *process.ExitError
	if errors.As(p.Wait(ctx), &exit) {
		fmt.Println(exit.Code, exit.Err)
	}
	// Output: 1 negative side
}

func ExampleProcess_Kill() {
	ctx := context.Background()
	p, err := deaf.Start(ctx, struct{}{}, &process.Options{Stdout: io.Discard})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("alive:", p.Alive())
	p.Kill()
	<-p.Done()
	fmt.Println(p.ExitCode())
	// Output:
	// alive: true
	// -9 true
}
