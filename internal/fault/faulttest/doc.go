// Package faulttest helps tests to bring faults about: it tells which crash points
// a package has, from its source, makes a process die at one of them, and has
// system calls refused. Only tests import it.
package faulttest
