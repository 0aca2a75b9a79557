package scenario

// Polling.

import "golang.org/x/sys/unix"

const (
	pollIn  = unix.POLLIN
	pollOut = unix.POLLOUT
)
