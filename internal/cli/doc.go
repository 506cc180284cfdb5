// Package cli is what the module's commands have in common: their exit statuses,
// the format of their output, and errors of the command line.
package cli
