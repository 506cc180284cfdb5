package cli

// Exit statuses.
const (
	OK      = 0
	Failure = 1 // something could not be done
	Usage   = 2 // the command line makes no sense
)
