package cli

import "fmt"

// A UsageError is a command line that makes no sense.
type UsageError struct{ Err error }

func (u *UsageError) Error() string { return u.Err.Error() }
func (u *UsageError) Unwrap() error { return u.Err }

// Usagef makes a [UsageError], as fmt.Errorf does.
func Usagef(f string, args ...any) error { return &UsageError{fmt.Errorf(f, args...)} }
