package manager_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// bboltMap is a database in a file, of one process at a time. It does not wait for the disk.
func bboltMap(b *testing.B) benchMap {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "db"), 0o600, &bolt.Options{NoSync: true, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	must(b, err)
	b.Cleanup(func() { db.Close() })
	name := []byte("d")
	must(b, db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket(name)
		return err
	}))
	return benchMap{
		name: "bbolt", slow: true,
		get: func(k string, v *benchValue) (ok bool) {
			must(b, db.View(func(tx *bolt.Tx) error {
				got := tx.Bucket(name).Get([]byte(k))
				ok = got != nil
				copy(v[:], got)
				return nil
			}))
			return ok
		},
		set: func(k string, v *benchValue) {
			must(b, db.Update(func(tx *bolt.Tx) error { return tx.Bucket(name).Put([]byte(k), v[:]) }))
		},
		fill: func(keys []string, v *benchValue) {
			for len(keys) > 0 {
				n := min(10_000, len(keys))
				must(b, db.Update(func(tx *bolt.Tx) error {
					for _, k := range keys[:n] {
						if err := tx.Bucket(name).Put([]byte(k), v[:]); err != nil {
							return err
						}
					}
					return nil
				}))
				keys = keys[n:]
			}
		},
	}
}

// redisMap is a Redis of its own behind a Unix socket, without persistence; false if
// there is no redis-server.
func redisMap(b *testing.B) (benchMap, bool) {
	server, err := exec.LookPath("redis-server")
	if err != nil {
		b.Log("redis-server is not installed (apt-get install redis-server): no comparison with it")
		return benchMap{}, false
	}
	dir, err := os.MkdirTemp("", "bench") // a socket's path must be short
	must(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "redis")
	cmd := exec.Command(server, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	must(b, cmd.Start())
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var conn net.Conn
	for deadline := time.Now().Add(30 * time.Second); conn == nil; time.Sleep(time.Millisecond) {
		if conn, err = net.Dial("unix", socket); err != nil && time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() { conn.Close() })
	r := &resp{bufio.NewReader(conn), conn, nil}
	return benchMap{
		name: "redis", slow: true,
		get: func(k string, v *benchValue) bool {
			r.send("GET", k)
			must(b, r.flush())
			ok, err := r.receive(v[:])
			must(b, err)
			return ok
		},
		set: func(k string, v *benchValue) {
			r.send("SET", k, string(v[:]))
			must(b, r.flush())
			_, err := r.receive(nil)
			must(b, err)
		},
		add: func(k string) {
			r.send("INCR", "n"+k)
			must(b, r.flush())
			_, err := r.receive(nil)
			must(b, err)
		},
		fill: func(keys []string, v *benchValue) {
			for len(keys) > 0 {
				n := min(1000, len(keys))
				for _, k := range keys[:n] {
					r.send("SET", k, string(v[:]))
				}
				must(b, r.flush())
				for range n {
					_, err := r.receive(nil)
					must(b, err)
				}
				keys = keys[n:]
			}
		},
	}, true
}

// A resp is a connection that speaks Redis's protocol, as much of it as is needed here.
type resp struct {
	in  *bufio.Reader
	out io.Writer
	buf []byte
}

func (r *resp) send(args ...string) {
	r.buf = fmt.Appendf(r.buf, "*%d\r\n", len(args))
	for _, a := range args {
		r.buf = fmt.Appendf(r.buf, "$%d\r\n%s\r\n", len(a), a)
	}
}

func (r *resp) flush() error {
	_, err := r.out.Write(r.buf)
	r.buf = r.buf[:0]
	return err
}

// receive reads an answer; if it is a value, into v. It is false if there is none.
func (r *resp) receive(v []byte) (bool, error) {
	line, err := r.in.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	line = bytes.TrimSpace(line)
	switch line[0] {
	case '+', ':':
		return true, nil
	case '$':
		n, err := strconv.Atoi(string(line[1:]))
		if err != nil || n < 0 {
			return false, err
		}
		if n != len(v) {
			return false, fmt.Errorf("redis: %d bytes", n)
		}
		if _, err := io.ReadFull(r.in, v); err != nil {
			return false, err
		}
		_, err = r.in.Discard(2)
		return true, err
	}
	return false, fmt.Errorf("redis: %s", line)
}
