package main

import "time"

// timeOf returns t in UTC; nil for no time, also that of a zero word in a file.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() || t.UnixNano() == 0 {
		return nil
	}
	t = t.UTC()
	return &t
}

// since says how long ago something was.
func since(t *time.Time) string {
	if t == nil {
		return none
	}
	return span(age(*t)) + " ago"
}

// age is how long ago t was; never negative, whatever the clocks say.
func age(t time.Time) time.Duration { return max(time.Since(t), 0) }
