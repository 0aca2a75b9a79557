package sys

// Durations as the kernel's timeouts take them.

import (
	"time"

	"golang.org/x/sys/unix"
)

// KernelTimespec returns d as the kernel takes it for a timeout. A negative d
// gives a value that the kernel refuses with -EINVAL.
func KernelTimespec(d time.Duration) unix.KernelTimespec {
	sec, nsec := d/time.Second, d%time.Second
	if nsec < 0 {
		sec, nsec = sec-1, nsec+time.Second
	}
	return unix.KernelTimespec{Sec: int64(sec), Nsec: int64(nsec)}
}
