// Package faulttest helps tests to kill processes at crash points: it tells
// which crash points a package has, from its source, and makes a process die at
// one of them. Only tests import it.
package faulttest
