//go:build faultpoints

package manager_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/manager"
)

var _ = addChild("stop in tx", childStopInTx)

// childStopInTx moves 1 from "a" to "b" in a transaction, and stands still between the
// two stores by which that is seen, until it is told to go on.
func childStopInTx(args []string) {
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[0]})
	check(err)
	d, err := countsOf(m)
	check(err)
	slots := 0
	fault.SetHook(func(name string) {
		if name == "dict.tx.slot" {
			if slots++; slots == 2 {
				fmt.Println("half")
				bufio.NewScanner(os.Stdin).Scan()
			}
		}
	})
	check(m.Tx(bg, func(tx *manager.Tx) error {
		x := d.In(tx)
		return errors.Join(x.Set("a", 99), x.Set("b", 101))
	}))
	fmt.Println("through")
	select {}
}

// TestTxReadsFit reads in a transaction while another one's changes are half in place,
// because its process stands still there, and then goes on or is killed. What a
// transaction reads must fit together each time that its function is called: it may
// return an error that comes of it.
func TestTxReadsFit(t *testing.T) {
	for name, then := range map[string]func(c *child){
		"goes on": func(c *child) { c.say("go on") },
		"killed":  func(c *child) { c.kill() },
	} {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			m := open(t, &manager.Options{Dir: dir})
			d := newDict[string, int](t, m, "counts")
			must(t, d.Set("a", 100))
			must(t, d.Set("b", 100))
			c := startChild(t, "stop in tx", dir)
			c.hear("half")
			read := make(chan error, 1)
			go func() {
				read <- m.Tx(bg, func(tx *manager.Tx) error {
					x := d.In(tx)
					b, _, err := x.Get("b") // which is stored after the other one
					if err != nil {
						return err
					}
					a, _, err := x.Get("a")
					if err == nil && a+b != 200 {
						err = fmt.Errorf("%d + %d", a, b)
					}
					return err
				})
			}()
			select {
			case err := <-read:
				t.Fatalf("a transaction did not wait for the one that is half in place: %v", err)
			case <-time.After(20 * time.Millisecond):
			}
			then(c)
			must(t, <-read)
			if v, _, err := d.Get("b"); v != 101 || err != nil {
				t.Errorf("a transaction that was committed has left %d, %v", v, err)
			}
			c.kill()
			m.Segment().RecoverDead()
			clean(t, m)
		})
	}
}
