//go:build !unix

package shmtest

func openFiles() map[int]string { return nil }
