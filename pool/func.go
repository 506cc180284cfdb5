package pool

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/process"
)

// Func is a function that the workers of a pool can run. [Register] makes it.
// It is immutable, and safe for use by several goroutines and with several
// pools.
type Func[A, R any] struct {
	function
	f      func(context.Context, A) (R, error)
	codecs func() (*codecs[A, R], error) // built at first use
}

// codecs are how arguments and results travel.
type codecs[A, R any] struct {
	arg    *codec.Codec[A]
	result decoder[R]
}

// Register makes f known under name, which must be unique in the program. Call
// it where a package variable is initialised, so that parent and workers
// register the same functions before they reach [process.Main]:
//
//	var square = pool.Register("square", func(ctx context.Context, x int) (int, error) { return x * x, nil })
//
// It panics if name is empty or taken, if f is nil, and after process.Main.
//
// A and R are any types that package codec takes; submitting returns the error
// for others.
//
// In a worker f runs on the main goroutine, one call at a time. Its context is
// cancelled when the pool's process has died. An error that it returns arrives
// as a [*RemoteError], a panic as a [*PanicError]; in both cases the worker goes on.
// A panic in another goroutine, os.Exit, runtime.Goexit and a fatal error end the
// worker, and the task with a [*WorkerError].
func Register[A, R any](name string, f func(ctx context.Context, a A) (R, error)) *Func[A, R] {
	if f == nil {
		panic(fmt.Sprintf("pool: Register %q: function is nil", name))
	}
	fn := &Func[A, R]{f: f, codecs: sync.OnceValues(codecsFor[A, R])}
	fn.function = function{name: name, form: typeName[A]() + " " + typeName[R](), run: fn.run}
	functions.add(&fn.function)
	return fn
}

func typeName[T any]() string {
	t := reflect.TypeFor[T]()
	return t.PkgPath() + "." + t.String()
}

func codecsFor[A, R any]() (*codecs[A, R], error) {
	arg, err := codec.For[A]()
	if err != nil {
		return nil, fmt.Errorf("argument: %w", err)
	}
	result, err := codec.For[R]()
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	_, plain := result.Fixed()
	return &codecs[A, R]{arg, decoder[R]{result, plain}}, nil
}

// Name returns the name given to [Register].
func (f *Func[A, R]) Name() string { return f.name }

// run runs one item in a worker, and appends the encoding of its result, or
// failure, to dst.
func (f *Func[A, R]) run(ctx context.Context, arg, dst []byte) (s status, out []byte) {
	c, err := f.codecs()
	if err != nil {
		return statusArgument, append(dst, err.Error()...)
	}
	a := new(A)
	if err := c.arg.Decode(arg, a); err != nil {
		return statusArgument, append(dst, err.Error()...)
	}
	defer func() {
		if v := recover(); v != nil {
			s, out = statusPanic, appendPanic(dst, v)
		}
	}()
	r, err := f.f(ctx, *a)
	if err != nil {
		return statusError, appendText(dst, err.Error())
	}
	out, err = c.result.codec.Append(dst, &r)
	if err != nil {
		return statusResult, appendText(dst, err.Error())
	}
	return statusOK, out
}

// Texts of failures are cut, so that they always fit in a record.
const (
	mostText  = 4 << 10
	mostStack = 8 << 10
)

func appendText(dst []byte, text string) []byte {
	return append(dst, text[:min(len(text), mostText)]...)
}

// appendPanic encodes a panic's value and the stack of the calling goroutine,
// which is the one that panicked.
func appendPanic(dst []byte, v any) []byte {
	text := textOf(v)
	text = text[:min(len(text), mostText)]
	stack := debug.Stack()
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(text)))
	dst = append(dst, text...)
	return append(dst, stack[:min(len(stack), mostStack)]...)
}

// textOf formats a panic's value, whose own methods may panic.
func textOf(v any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a %T whose Error method panics", v)
		}
	}()
	if err, ok := v.(error); ok {
		return err.Error()
	}
	return fmt.Sprint(v)
}

// failure is the error that a failed item's bytes say.
func (f *function) failure(s status, b []byte) error {
	switch s {
	case statusPanic:
		n := 0
		if len(b) >= 4 {
			n = int(min(binary.LittleEndian.Uint32(b), uint32(len(b)-4)))
			b = b[4:]
		}
		return &PanicError{Func: f.name, Value: string(b[:n]), Stack: string(b[n:])}
	case statusArgument:
		return &RemoteError{Func: f.name, Text: string(b), Err: ErrArgument}
	case statusResult:
		return &RemoteError{Func: f.name, Text: string(b), Err: ErrResult}
	case statusTooLarge:
		return &RemoteError{Func: f.name, Text: string(b), Err: ErrTooLarge}
	default:
		return &RemoteError{Func: f.name, Text: string(b)}
	}
}

// function is a Func without its type parameters.
type function struct {
	name  string
	form  string // the types
	index int    // in the order of names; by registry.list
	run   func(ctx context.Context, arg, dst []byte) (status, []byte)
}

// registry holds the program's functions. It is filled while package variables
// are initialised, and read afterwards.
type registry struct {
	mu     sync.Mutex
	byName map[string]*function
	sorted []*function // by list
	sum    uint64      // by list
}

var functions registry

func (r *registry) add(f *function) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case f.name == "":
		panic("pool: Register: empty name")
	case r.byName[f.name] != nil:
		panic(fmt.Sprintf("pool: Register %q: name is taken", f.name))
	case process.Current().Name != "":
		panic(fmt.Sprintf("pool: Register %q after process.Main: a worker would not know it; register it in a package variable", f.name))
	case len(r.byName) == maxFunctions:
		panic(fmt.Sprintf("pool: Register %q: more than %d functions", f.name, maxFunctions))
	}
	if r.byName == nil {
		r.byName = make(map[string]*function)
	}
	r.byName[f.name] = f
}

// list returns the functions in the order of their names, and a fingerprint
// that is equal in programs that have the same ones. It is called when no more
// can be added: after process.Main.
func (r *registry) list() ([]*function, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sorted == nil {
		r.sorted = slices.SortedFunc(maps.Values(r.byName), func(a, b *function) int { return cmp.Compare(a.name, b.name) })
		h := fnv.New64a()
		for i, f := range r.sorted {
			f.index = i
			io.WriteString(h, f.name+"\x00"+f.form+"\x00")
		}
		r.sum = h.Sum64()
	}
	return r.sorted, r.sum
}
