package shmtest

// UntilFor is Until with another patience.
var UntilFor = until
