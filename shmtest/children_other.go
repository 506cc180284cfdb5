//go:build !linux

package shmtest

func childProcesses() map[int]string { return make(map[int]string) }
