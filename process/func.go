package process

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"reflect"
	"slices"
	"sync"

	"github.com/shmkit/shmkit/codec"
)

// Func is a function that can run in a process of its own. [Register] makes
// it. It is immutable, and safe for use by several goroutines.
type Func[A any] struct {
	name  string
	fn    func(context.Context, A) error
	codec func() (*codec.Codec[A], error) // built at first use: a child needs one of the many
}

// Register makes fn known under name, which must be unique in the program.
// Call it where a package variable is initialised, so that parent and child
// register the same functions before they reach [Main]:
//
//	var crunch = process.Register("crunch", func(ctx context.Context, a Args) error { … })
//
// It panics if name is empty or taken, if fn is nil, and after Main.
//
// A is any type that package codec takes; Start returns the error for others.
//
// In the child fn runs on the main goroutine. Its context is cancelled when
// the parent asks it to stop, when the parent dies and at SIGINT, with the
// cause [ErrTerminated], [ErrParentDied] or [ErrInterrupted]. The process
// ends when fn returns, whatever other goroutines do: with code 0 for nil and
// code 1 for an error, whose text arrives in the parent's [ExitError] and on
// standard error. If fn returns the error or the cause of its cancelled
// context, the process ends as if by the signal that stands for the cause:
// SIGINT for ErrInterrupted (code -2), else SIGTERM (code -15). A panic ends
// it as any Go program (code 2).
func Register[A any](name string, fn func(ctx context.Context, args A) error) *Func[A] {
	if fn == nil {
		panic(fmt.Sprintf("process: Register %q: function is nil", name))
	}
	f := &Func[A]{name: name, fn: fn, codec: sync.OnceValues(codec.For[A])}
	typ := reflect.TypeFor[A]()
	functions.add(&function{name: name, args: typ.PkgPath() + " " + typ.String(), bind: f.bind})
	return f
}

// Name returns the name given to [Register].
func (f *Func[A]) Name() string { return f.name }

// Start runs the function with args in a new process, and returns when that
// process has acknowledged them: then the function is about to run. A nil
// opts is the default.
//
// The process is the running program's own executable, with the same command
// line. Its [Main] runs the function; nothing else of main is run.
//
// If ctx is cancelled before the child has acknowledged, Start kills it and
// returns ctx's error. If it is cancelled later, the child is stopped as by
// [Process.Terminate]. A context that is already cancelled starts nothing,
// and neither do arguments that can't be encoded. For the other errors see
// [ErrNoMain], [ErrDepth], [ErrHandshake] and [ErrMismatch]; on systems
// without socketpair it is [errors.ErrUnsupported].
//
// Start may be called from many goroutines at once.
func (f *Func[A]) Start(ctx context.Context, args A, opts *Options) (*Process, error) {
	id, err := f.mayStart(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", f.name, err)
	}
	c, err := f.codec()
	if err != nil {
		return nil, fmt.Errorf("start %s: arguments: %w", f.name, err)
	}
	encoded, err := c.Append(nil, &args)
	if err != nil {
		return nil, fmt.Errorf("start %s: encode arguments: %w", f.name, err)
	}
	p, err := start(ctx, id, hello{fn: f.name, sum: c.Sum(), args: encoded}, opts)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", f.name, err)
	}
	return p, nil
}

func (f *Func[A]) mayStart(ctx context.Context, opts *Options) (*identity, error) {
	id, err := spawner()
	if err != nil {
		return nil, err
	}
	if limit := opts.maxDepth(id); id.Depth >= limit {
		return nil, fmt.Errorf("%w: %d levels, of %d", ErrDepth, id.Depth, limit)
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	return id, ctx.Err()
}

// bind decodes the arguments in the child. What it returns does not refer to
// b, which may be large.
func (f *Func[A]) bind(sum uint64, b []byte) (func(context.Context) error, error) {
	c, err := f.codec()
	if err != nil {
		return nil, err
	}
	if c.Sum() != sum {
		return nil, fmt.Errorf("%w: arguments of %s are of another type, here %s", ErrMismatch, f.name, c.Type())
	}
	args := new(A)
	if err := c.Decode(b, args); err != nil {
		return nil, fmt.Errorf("decode arguments: %w", err)
	}
	return func(ctx context.Context) error { return f.fn(ctx, *args) }, nil
}

// function is a Func without its type parameter.
type function struct {
	name string
	args string // type of the arguments
	bind func(sum uint64, args []byte) (func(context.Context) error, error)
}

// registry holds the program's functions. It is filled while package
// variables are initialised, and read afterwards.
type registry struct {
	mu     sync.Mutex
	byName map[string]*function
}

var functions = &registry{byName: make(map[string]*function)}

func (r *registry) add(f *function) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case f.name == "":
		panic("process: Register: empty name")
	case r.byName[f.name] != nil:
		panic(fmt.Sprintf("process: Register %q: name is taken", f.name))
	case self.Load() != nil:
		panic(fmt.Sprintf("process: Register %q after Main: a child would not know it; register it in a package variable", f.name))
	}
	r.byName[f.name] = f
}

func (r *registry) find(name string) *function {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byName[name]
}

// sum is equal in programs that have the same functions.
func (r *registry) sum() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*function, 0, len(r.byName))
	for _, f := range r.byName {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *function) int { return cmp.Compare(a.name, b.name) })
	h := fnv.New64a()
	for _, f := range all {
		io.WriteString(h, f.name+"\x00"+f.args+"\x00")
	}
	return h.Sum64()
}
