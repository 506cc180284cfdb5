//go:build portable || !linux

package pool_test

// manyWorkers is as many as the portable engine takes easily: there each look
// at a process takes the directory's lock, and everybody looks at everybody.
const manyWorkers = 24
