//go:build linux

package ringnet

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disconnect resets a TCP connection, whatever else refers to its descriptor: that is
// what connecting to no address does.
func disconnect(fd int) {
	var none unix.RawSockaddr // AF_UNSPEC is 0
	syscall.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none))
}
