package codec_test

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/codec"
)

type Task struct {
	ID   int
	Path string
	Tags []string
}

func Example() {
	c, err := codec.For[Task]()
	if err != nil {
		fmt.Println(err)
		return
	}
	in := Task{ID: 7, Path: "/etc/hosts", Tags: []string{"small"}}
	b, err := c.Append(nil, &in)
	if err != nil {
		fmt.Println(err)
		return
	}
	var out Task
	if err := c.Decode(b, &out); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", out)
	// Output: {ID:7 Path:/etc/hosts Tags:[small]}
}

func ExampleFor() {
	type order struct {
		ID   int
		Done chan bool
	}
	_, err := codec.For[order]()
	fmt.Println(errors.Is(err, codec.ErrUnsupportedType))
	fmt.Println(err)
	// Output:
	// true
	// encode codec_test.order.Done: type not supported: a chan means nothing in another process
}

func ExampleCodec_Append() {
	c, err := codec.For[uint16]()
	if err != nil {
		fmt.Println(err)
		return
	}
	b := []byte{0xff}
	for _, v := range []uint16{1, 2} {
		if b, err = c.Append(b, &v); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("% x\n", b)
	// Output: ff 01 00 02 00
}

func ExampleCodec_Decode() {
	c, err := codec.For[[2]uint16]()
	if err != nil {
		fmt.Println(err)
		return
	}
	var v [2]uint16
	fmt.Println(c.Decode([]byte{1, 0, 2, 0}, &v), v)
	fmt.Println(c.Decode([]byte{1, 0, 2}, &v))
	// Output:
	// <nil> [1 2]
	// decode plain [2]uint16 (4 bytes): bytes don't encode a value of this type: 3 bytes instead of 4
}

func ExampleCodec_Type() {
	type point struct {
		X int32
		Y float64
	}
	c, err := codec.For[point]()
	if err != nil {
		fmt.Println(err)
		return
	}
	size, plain := c.Fixed()
	fmt.Println(c.Type(), size, plain)
	// Output: plain struct codec_test.point{X int32; Y float64} (16 bytes) 16 true
}
