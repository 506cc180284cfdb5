//go:build unix

package ringqueue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// The benchmarks measure between two processes, and beside each figure the
// limit: a raw ring, or a raw ping-pong, written below with no crash safety at
// all, in turn with it in the same run. They print medians of several rounds and
// the ratio; ns/op is the whole measurement's and means nothing.

const rounds = 7

// msg is the message of 64 bytes.
type msg struct {
	seq  uint64
	Rest [7]uint64
}

// rawRing is the limit for one producer and one consumer: slots of 64 bytes, two
// cursors that each side caches, nothing more. It dies with its users.
type rawRing struct {
	mem   *rawMemory
	slots []msg
	mine  uint64 // my cursor
	seen  uint64 // the other's, as last seen
}

const rawSlots = 16384 // as many as a queue of 1 MiB has

type rawMemory struct {
	head atomic.Uint64 // producer
	_    [120]byte
	tail atomic.Uint64 // consumer
	_    [120]byte
	ping atomic.Uint32
	_    [124]byte
	pong atomic.Uint32
	_    [124]byte
}

const rawHeader = 4096

func newRawRing(seg *shm.Segment) *rawRing {
	m, err := mem.At[rawMemory](seg.Bytes(), 0)
	must(err)
	slots, err := mem.Slice[msg](seg.Bytes(), rawHeader, rawSlots)
	must(err)
	return &rawRing{mem: m, slots: slots, mine: m.head.Load(), seen: m.tail.Load()}
}

func (r *rawRing) put(vs []msg) {
	for r.mine+uint64(len(vs))-r.seen > rawSlots {
		if r.seen = r.mem.tail.Load(); r.mine+uint64(len(vs))-r.seen > rawSlots {
			mem.Pause()
		}
	}
	for i := range vs {
		r.slots[(r.mine+uint64(i))%rawSlots] = vs[i]
	}
	r.mine += uint64(len(vs))
	r.mem.head.Store(r.mine)
}

func (r *rawRing) get(dst []msg) int {
	for r.seen == r.mine {
		if r.seen = r.mem.head.Load(); r.seen == r.mine {
			mem.Pause()
		}
	}
	n := min(len(dst), int(r.seen-r.mine))
	for i := range dst[:n] {
		dst[i] = r.slots[(r.mine+uint64(i))%rawSlots]
	}
	r.mine += uint64(n)
	r.mem.tail.Store(r.mine)
	return n
}

// childBenchServe is the other process. Each line is a task; "ready" is said
// before it, "done" after.
func childBenchServe([]string) {
	var line string
	for {
		if _, err := fmt.Scanln(&line); err != nil {
			return
		}
		f := strings.Split(line, "|")
		n, err := strconv.Atoi(f[1])
		must(err)
		serveTask(f[0], n, f[2], f[3:])
		fmt.Println("done")
	}
}

func serveTask(task string, n int, handle string, rest []string) {
	switch task {
	case "raw", "rawspin", "rawfutex":
		seg, err := shm.Open("raw", &shm.Options{Dir: handle, Prefault: true})
		must(err)
		defer seg.Close()
		r := newRawRing(seg)
		fmt.Println("ready")
		switch task {
		case "raw":
			batch, err := strconv.Atoi(rest[0])
			must(err)
			r.mine = r.mem.tail.Load()
			r.seen = r.mine
			buf := make([]msg, batch)
			for got := 0; got < n; {
				k := r.get(buf)
				for i := range buf[:k] {
					checkSeq(buf[i].seq, got+i)
				}
				got += k
			}
		case "rawspin":
			for range n {
				v := spinChange(&r.mem.ping, r.mem.pong.Load())
				r.mem.pong.Store(v)
			}
		case "rawfutex":
			for range n {
				v := futexChange(&r.mem.ping, r.mem.pong.Load())
				r.mem.pong.Store(v)
				futex.Wake(&r.mem.pong, 1)
			}
		}
	case "queue", "ring":
		batch, err := strconv.Atoi(rest[0])
		must(err)
		q, err := ringqueue.Attach[msg](handle, &ringqueue.Options{Wait: shm.Spin, Prefault: true})
		must(err)
		defer q.Close()
		fmt.Println("ready")
		switch {
		case task == "ring":
			dst := make([]byte, batch)
			for range n {
				l, err := q.Ring().Borrow(bg)
				must(err)
				copy(dst, l.Bytes())
				l.Release()
			}
		case batch == 1:
			for i := range n {
				v, err := q.Get(bg)
				must(err)
				checkSeq(v.seq, i)
			}
		default:
			buf := make([]msg, batch)
			for got := 0; got < n; {
				k, err := q.GetMany(bg, buf)
				must(err)
				for i := range buf[:k] {
					checkSeq(buf[i].seq, got+i)
				}
				got += k
			}
		}
	case "echo":
		policy, err := strconv.Atoi(rest[1])
		must(err)
		o := &ringqueue.Options{Wait: shm.WaitPolicy(policy), Prefault: true}
		in, err := ringqueue.Attach[msg](handle, o)
		must(err)
		defer in.Close()
		out, err := ringqueue.Attach[msg](rest[0], o)
		must(err)
		defer out.Close()
		fmt.Println("ready")
		for range n {
			v, err := in.Get(bg)
			must(err)
			must(out.Put(bg, v))
		}
	}
}

func checkSeq(got uint64, want int) {
	if got != uint64(want) {
		fmt.Fprintf(os.Stderr, "message %d where %d was due\n", got, want)
		os.Exit(1)
	}
}

// spinChange waits until *w is not old, and returns it.
func spinChange(w *atomic.Uint32, old uint32) uint32 {
	for {
		if v := w.Load(); v != old {
			return v
		}
		mem.Pause()
	}
}

// futexChange is spinChange asleep.
func futexChange(w *atomic.Uint32, old uint32) uint32 {
	for {
		if v := w.Load(); v != old {
			return v
		}
		futex.Wait(w, old, time.Second)
	}
}

// timed runs f in this process while the child does the task, and returns the
// time of one of n.
func timed(c *child, n int, f func(), task string, args ...any) float64 {
	c.say("%s|%d%s", task, n, fmt.Sprintf(strings.Repeat("|%v", len(args)), args...))
	if got := c.hear(); got != "ready" {
		c.t.Fatalf("child: %s", got)
	}
	start := time.Now()
	f()
	if got := c.hear(); got != "done" {
		c.t.Fatalf("child: %s", got)
	}
	return float64(time.Since(start)) / float64(n)
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// interleave runs ours and raw in turn and reports medians and their ratio.
func interleave(b *testing.B, unit string, ours, raw func() float64) {
	b.Helper()
	var os, rs, ratio []float64
	for range rounds {
		r, o := raw(), ours()
		rs, os, ratio = append(rs, r), append(os, o), append(ratio, o/r)
	}
	b.ReportMetric(median(os), unit)
	b.ReportMetric(median(rs), "raw-"+unit)
	b.ReportMetric(median(ratio), "x-raw")
	b.ReportMetric(0, "ns/op")
}

func rawSegment(b *testing.B) (*shm.Segment, *rawRing) {
	b.Helper()
	seg, err := shm.Create("raw", rawHeader+rawSlots*64, &shm.Options{Dir: tempDir(b), Prefault: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { seg.Close() })
	return seg, newRawRing(seg)
}

var roles = []struct {
	name string
	sole bool
}{{"exclusive", true}, {"mpmc", false}}

func BenchmarkOneWay(b *testing.B) {
	const n = 1 << 20
	for _, role := range roles {
		for _, batch := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/batch=%d", role.name, batch), func(b *testing.B) {
				c := startChild(b, "benchServe")
				seg, raw := rawSegment(b)
				q := create[msg](b, tempDir(b), &ringqueue.Options{
					SingleProducer: role.sole, SingleConsumer: role.sole, Wait: shm.Spin, Prefault: true,
				})
				buf := make([]msg, batch)
				send := func(put func()) func() {
					return func() {
						for sent := 0; sent < n; sent += batch {
							for i := range buf {
								buf[i].seq = uint64(sent + i)
							}
							put()
						}
					}
				}
				interleave(b, "ns/msg", func() float64 {
					return timed(c, n, send(func() {
						if batch == 1 {
							must(q.Put(bg, buf[0]))
						} else if _, err := q.PutMany(bg, buf); err != nil {
							b.Fatal(err)
						}
					}), "queue", q.Handle(), batch)
				}, func() float64 {
					return timed(c, n, send(func() { raw.put(buf) }), "raw", filepath.Dir(seg.Path()), batch)
				})
			})
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, role := range roles {
		for _, wait := range []struct {
			name   string
			policy shm.WaitPolicy
			raw    string
			n      int
		}{{"spin", shm.Spin, "rawspin", 200000}, {"block", shm.Block, "rawfutex", 3000}, {"adaptive", shm.Adaptive, "rawspin", 100000}} {
			b.Run(role.name+"/"+wait.name, func(b *testing.B) {
				c := startChild(b, "benchServe")
				seg, raw := rawSegment(b)
				o := ringqueue.Options{SingleProducer: role.sole, SingleConsumer: role.sole, Wait: wait.policy, Prefault: true}
				there, back := create[msg](b, tempDir(b), &o), create[msg](b, tempDir(b), &o)
				interleave(b, "ns/trip", func() float64 {
					return timed(c, wait.n, func() {
						for i := range wait.n {
							must(there.Put(bg, msg{seq: uint64(i)}))
							v, err := back.Get(bg)
							must(err)
							checkSeq(v.seq, i)
						}
					}, "echo", there.Handle(), back.Handle(), int(wait.policy))
				}, func() float64 {
					return timed(c, wait.n, func() {
						m := raw.mem
						for range wait.n {
							v := m.pong.Load() + 1
							m.ping.Store(v)
							if wait.policy == shm.Block {
								futex.Wake(&m.ping, 1)
								futexChange(&m.pong, v-1)
							} else {
								spinChange(&m.pong, v-1)
							}
						}
					}, wait.raw, filepath.Dir(seg.Path()))
				})
			})
		}
	}
}

// BenchmarkThroughput copies records into the ring and out of it. The limit is
// memmove: the payload copied once, in one process.
func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		for _, role := range roles {
			b.Run(fmt.Sprintf("%s/%dKiB", role.name, size>>10), func(b *testing.B) {
				n := 512 << 20 / size
				c := startChild(b, "benchServe")
				q := create[msg](b, tempDir(b), &ringqueue.Options{
					Capacity: 4 << 20, SingleProducer: role.sole, SingleConsumer: role.sole, Wait: shm.Spin, Prefault: true,
				})
				src := make([]byte, size)
				dst := make([]byte, 4<<20)
				var ours, moves, ratio []float64
				for range rounds {
					o := float64(size) / timed(c, n, func() {
						for range n {
							s, err := q.Ring().Reserve(bg, size)
							must(err)
							copy(s.Bytes(), src)
							must(s.Commit(size))
						}
					}, "ring", q.Handle(), size)
					start := time.Now()
					for i := range n {
						copy(dst[i*size%len(dst):], src)
					}
					m := float64(size) * float64(n) / float64(time.Since(start))
					ours, moves, ratio = append(ours, o), append(moves, m), append(ratio, o/m)
				}
				b.ReportMetric(median(ours), "GB/s")
				b.ReportMetric(median(moves), "memmove-GB/s")
				b.ReportMetric(median(ratio), "x-memmove")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkOneProcess is the cost of a Put and a Get without any contention.
func BenchmarkOneProcess(b *testing.B) {
	for _, role := range roles {
		b.Run(role.name, func(b *testing.B) {
			q := create[msg](b, tempDir(b), &ringqueue.Options{SingleProducer: role.sole, SingleConsumer: role.sole})
			b.ReportAllocs()
			for range b.N {
				if err := q.Put(bg, msg{}); err != nil {
					b.Fatal(err)
				}
				if _, err := q.Get(bg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
