package shm_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/shmkit/shmkit/shm"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	o := &shm.Options{Dir: dir}

	block, err := shm.Create("greeting", 64, o)
	if err != nil {
		panic(err)
	}
	copy(block.Bytes(), "hello")

	// Here it would be another process that opens it.
	same, err := shm.Open("greeting", o)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s, %d bytes\n", same.Bytes()[:5], same.Size())

	block.Close()
	same.Close() // the last one removes it
	_, err = shm.Open("greeting", o)
	fmt.Println(errors.Is(err, shm.ErrNotExist))
	// Output:
	// hello, 64 bytes
	// true
}

func ExampleSegment_Handle() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	block, err := shm.Create("", 8, &shm.Options{Dir: dir}) // a random name
	if err != nil {
		panic(err)
	}
	defer block.Close()

	// The text goes to another process, as an argument or in a message.
	same, err := shm.OpenHandle(block.Handle(), nil, nil)
	if err != nil {
		panic(err)
	}
	defer same.Close()
	fmt.Println(same.ID() == block.ID())
	// Output: true
}

func ExampleDir_List() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	block, err := shm.Create("numbers", 1000, &shm.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	defer block.Close()

	infos, err := shm.Dir(dir).List()
	if err != nil {
		panic(err)
	}
	for _, info := range infos {
		fmt.Println(info.Name, info.Kind, info.Size, info.Holders)
	}
	// Output: numbers block 1000 1
}
