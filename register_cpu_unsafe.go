//go:build linux

package uring

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxCPUs returns how many CPUs the kernel's masks have room for: what
// sched_getaffinity(2) copies, which its wrappers do not tell.
func maxCPUs() int {
	var mask [8192]byte
	n, _, errno := syscall.RawSyscall(unix.SYS_SCHED_GETAFFINITY, 0, uintptr(len(mask)), uintptr(unsafe.Pointer(&mask)))
	if errno != 0 {
		return len(mask) * 8
	}
	return int(n) * 8
}
