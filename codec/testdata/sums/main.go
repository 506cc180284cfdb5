// Sums prints the fingerprints of a few types. The test of package codec
// builds it to see that another program comes to the same ones.
package main

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/shmkit/shmkit/codec"
)

type point struct {
	X int32
	Y float64
}

type node struct {
	Name string
	When time.Time
	Next *node
	Tags map[string][]point
	Any  any
}

func show[T any](name string) {
	c, err := codec.For[T]()
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s %#016x\n", name, c.Sum())
}

func main() {
	show[int]("int")
	show[point]("point")
	show[string]("string")
	show[[]byte]("bytes")
	show[node]("node")
	show[netip.Addr]("addr")
	show[time.Time]("time")
}
