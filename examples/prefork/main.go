// Command prefork serves HTTP with several processes that share one listening socket
// and one cache: what one of them has computed, all of them have. The parent starts
// the workers, asks them many questions as a client would, and prints who has answered
// and how often the cache had the answer; with -kill it kills a worker in the
// middle of that, and nobody notices.
//
//	go run ./examples/prefork -kill
//	go run ./examples/prefork -serve   # and then: curl http://…/?n=97
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/process"
)

var (
	workers  = flag.Int("workers", 3, "how many processes serve")
	requests = flag.Int("requests", 3000, "how many questions the parent asks")
	kill     = flag.Bool("kill", false, "kill a worker in the middle, and start another")
	stay     = flag.Bool("serve", false, "serve until interrupted, instead of asking")
	addr     = flag.String("addr", "127.0.0.1:0", "where to listen")
)

// app is what all processes share: a worker gets it as its argument.
type app struct {
	Shared *manager.Manager
}

// tables opens the app's dicts.
func (a app) tables() (answers *manager.Dict[int, string], counts *manager.Dict[string, int], err error) {
	if answers, err = manager.NewDict[int, string](a.Shared, "answers"); err != nil {
		return nil, nil, err
	}
	counts, err = manager.NewDict[string, int](a.Shared, "counts")
	return answers, counts, err
}

// serve is a worker: it answers requests that come to the socket it was given.
var serve = process.Register("serve", func(ctx context.Context, a app) error {
	const firstExtra = 4 // see process.Options
	l, err := net.FileListener(os.NewFile(firstExtra, "listener"))
	if err != nil {
		return err
	}
	answers, counts, err := a.tables()
	if err != nil {
		return err
	}
	me := process.Current().Name
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil {
			http.Error(w, "n is not a number", http.StatusBadRequest)
			return
		}
		outcome := "hits"
		text, err := answers.GetOrCompute(r.Context(), n, func(context.Context) (string, error) {
			outcome = "misses"
			return factorial(n), nil
		}, manager.TTL(time.Hour))
		if err == nil {
			_, err = manager.Add(counts, outcome, 1)
		}
		if err == nil {
			_, err = manager.Add(counts, me, 1)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, text)
	})}
	context.AfterFunc(ctx, func() { s.Close() })
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
})

// factorial is something that is worth remembering.
func factorial(n int) string { return new(big.Int).MulRange(1, int64(n)).String() }

func main() {
	process.Main() // in a child: runs its function, and does not return
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	l.Close() // the workers have it: the parent does not accept
	defer socket.Close()
	m, err := manager.New(&manager.Options{MaxBytes: 64 << 20, Evict: true})
	if err != nil {
		return err
	}
	defer m.Close()
	a := app{m}
	start := func() (*process.Process, error) {
		return serve.Start(ctx, a, &process.Options{ExtraFiles: []*os.File{socket}})
	}
	ps := make([]*process.Process, *workers)
	for i := range ps {
		if ps[i], err = start(); err != nil {
			return err
		}
		defer func() {
			ps[i].Terminate()
			ps[i].Wait(context.Background())
		}()
	}
	where := "http://" + l.Addr().String() + "/"
	if *stay {
		fmt.Println("serving", where+"?n=10")
		<-ctx.Done()
		return report(a)
	}
	var asked atomic.Int64
	replaced := make(chan error, 1)
	go func() {
		if !*kill {
			replaced <- nil
			return
		}
		for asked.Load() < int64(*requests/2) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		err := ps[0].Kill()
		if err == nil {
			fmt.Println("killed", ps[0].Name())
			ps[0].Wait(context.Background())
			ps[0], err = start()
		}
		replaced <- err
	}()
	if err := ask(ctx, where, &asked); err != nil {
		return err
	}
	if err := <-replaced; err != nil {
		return err
	}
	return report(a)
}

// ask is some clients, of whom each asks one question after the other and checks the
// answer. A question that a killed worker had is asked again, as any client would.
func ask(ctx context.Context, where string, asked *atomic.Int64) error {
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			for asked.Add(1) <= int64(*requests) && ctx.Err() == nil {
				n := rand.IntN(300)
				got, err := get(ctx, client, where, n)
				if err != nil {
					errs <- err
					return
				}
				if got != factorial(n) {
					errs <- fmt.Errorf("a wrong answer for %d: %.40q", n, got)
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return ctx.Err()
	}
}

func get(ctx context.Context, client *http.Client, where string, n int) (answer string, err error) {
	const tries = 10
	for range tries {
		var r *http.Request
		r, err = http.NewRequestWithContext(ctx, "GET", where+"?"+url.Values{"n": {strconv.Itoa(n)}}.Encode(), nil)
		if err != nil {
			return "", err
		}
		var resp *http.Response
		if resp, err = client.Do(r); err != nil {
			continue
		}
		var b []byte
		b, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%s: %s", resp.Status, b)
		}
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
	}
	return "", err
}

// report prints what the processes have counted.
func report(a app) error {
	_, counts, err := a.tables()
	if err != nil {
		return err
	}
	got, err := counts.Snapshot()
	if err != nil {
		return err
	}
	fmt.Printf("%d answers: %d from the cache, %d computed\n", got["hits"]+got["misses"], got["hits"], got["misses"])
	for name, n := range got {
		if name != "hits" && name != "misses" {
			fmt.Printf("%s gave %d of them\n", name, n)
		}
	}
	return nil
}
