//go:build unix

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/pool"
)

// Functions are registered as package variables, and main calls process.Main
// first: so the workers, which run the same program, know them.
var (
	cube = pool.Register("cube", func(_ context.Context, x int) (int, error) { return x * x * x, nil })

	shout = pool.Register("shout", func(_ context.Context, s string) (string, error) {
		if s == "" {
			return "", errors.New("nothing to shout")
		}
		return strings.ToUpper(s) + "!", nil
	})

	quit = pool.Register("quit", func(_ context.Context, code int) (int, error) {
		os.Exit(code)
		return 0, nil
	})
)

// end ends a pool whose tasks nobody needs any more, and waits for it.
func end(p *pool.Pool) {
	p.Terminate()
	if err := p.Join(context.Background()); err != nil {
		fmt.Println(err)
	}
}

func Example() {
	ctx := context.Background()
	p, err := pool.New(&pool.Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer end(p)

	fmt.Println(cube.Apply(ctx, p, 3))
	fmt.Println(cube.Map(ctx, p, []int{1, 2, 3, 4}))

	p.Close()
	fmt.Println(p.Join(ctx))
	// Output:
	// 27 <nil>
	// [1 8 27 64] <nil>
	// <nil>
}

func ExampleFunc_Go() {
	ctx := context.Background()
	p, err := pool.New(&pool.Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer end(p)

	a := shout.Go(ctx, p, "hello")
	b := shout.Go(ctx, p, "")
	fmt.Println(a.Get(ctx))
	_, err = b.Get(ctx)
	fmt.Println(err)
	// Output:
	// HELLO! <nil>
	// pool: shout: nothing to shout
}

// A task that takes its worker with it concerns nobody else.
func ExampleWorkerError() {
	ctx := context.Background()
	p, err := pool.New(&pool.Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer end(p)

	_, err = quit.Apply(ctx, p, 3)
	var w *pool.WorkerError
	if errors.As(err, &w) {
		fmt.Println(w.Func, "ended its worker with code", w.ExitCode)
	}
	fmt.Println(cube.Apply(ctx, p, 5))
	// Output:
	// quit ended its worker with code 3
	// 125 <nil>
}

func ExampleFunc_ImapUnordered() {
	ctx := context.Background()
	p, err := pool.New(&pool.Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer end(p)

	words := slices.Values([]string{"read", "", "lazily"})
	for r := range shout.ImapUnordered(ctx, p, words) {
		fmt.Println(r.Index, r.Value, r.Err)
	}
	// Unordered output:
	// 0 READ! <nil>
	// 1  pool: shout: nothing to shout
	// 2 LAZILY! <nil>
}
