// Command wordcount counts the words of every text file under a directory on a
// pool of worker processes.
//
//	go run ./examples/wordcount [flags] [directory]
//
// The default directory is the source tree of the Go distribution. This process
// finds the files; the workers read them and count; the counts are merged here.
// With -kill N it kills N of the workers while they are at it, and with -verify
// it counts once more without any workers and compares.
package main
