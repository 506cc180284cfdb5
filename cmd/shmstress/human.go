package main

import (
	"time"

	"github.com/dustin/go-humanize"
)

// count is a number in groups of three digits.
func count[T int | uint64](n T) string { return humanize.Comma(int64(n)) }

// span is a number of seconds.
func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	return d.Round(100 * time.Millisecond).String()
}
