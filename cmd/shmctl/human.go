package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// none stands in tables for what there is not.
const none = "-"

// size is a number of bytes, rounded.
func size[T int | int64 | uint64](n T) string { return humanize.IBytes(uint64(max(n, 0))) }

// exactSize is a number of bytes, rounded and not.
func exactSize[T int | int64 | uint64](n T) string {
	if n < 1024 {
		return size(n)
	}
	return size(n) + " (" + count(n) + " bytes)"
}

// count is a number in groups of three digits.
func count[T int | int64 | uint64](n T) string {
	if n > 0 && uint64(n) > math.MaxInt64 {
		return strconv.FormatUint(uint64(n), 10) // nonsense from a damaged file
	}
	return humanize.Comma(int64(n))
}

// span is a duration in its two largest units.
func span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	two := func(a int64, ua string, b int64, ub string) string {
		if b == 0 {
			return fmt.Sprint(a, ua)
		}
		return fmt.Sprint(a, ua, b, ub)
	}
	switch {
	case s < 60:
		return fmt.Sprint(s, "s")
	case s < 3600:
		return two(s/60, "m", s%60, "s")
	case s < 86400:
		return two(s/3600, "h", s%3600/60, "m")
	}
	return two(s/86400, "d", s%86400/3600, "h")
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if strings.HasSuffix(one, "s") {
		return strconv.Itoa(n) + " " + one + "es"
	}
	return strconv.Itoa(n) + " " + one + "s"
}
