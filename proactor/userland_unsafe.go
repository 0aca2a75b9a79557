//go:build linux

package proactor

// System calls on sockets with addresses and messages as this package has them. None
// of them waits.

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pollEvents returns the events of a poll request: the field's first two bytes, then
// the others, whatever the machine's order.
func pollEvents(field uint32) uint32 {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], field)
	return uint32(binary.NativeEndian.Uint16(b[:]))
}

// first returns the address of a buffer.
func first(p []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(p)) }

func bind(fd int, a *Sockaddr) syscall.Errno {
	_, _, errno := syscall.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&a.raw)), uintptr(a.n))
	return errno
}

func connect(fd int, a *Sockaddr) syscall.Errno {
	_, _, errno := syscall.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&a.raw)), uintptr(a.n))
	return errno
}

func accept(fd int, peer *Sockaddr, flags int) (int, syscall.Errno) {
	if peer == nil {
		n, _, errno := syscall.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, uintptr(flags), 0, 0)
		return int(n), errno
	}
	peer.n = unix.SizeofSockaddrAny
	n, _, errno := syscall.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&peer.raw)), uintptr(unsafe.Pointer(&peer.n)), uintptr(flags), 0, 0)
	return int(n), errno
}

func send(fd int, p []byte, flags int, to *Sockaddr) (int, syscall.Errno) {
	if to == nil {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(first(p)), uintptr(len(p)), uintptr(flags), 0, 0)
		return int(n), errno
	}
	n, _, errno := syscall.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(first(p)), uintptr(len(p)), uintptr(flags), uintptr(unsafe.Pointer(&to.raw)), uintptr(to.n))
	return int(n), errno
}

func recv(fd int, p []byte, flags int) (int, syscall.Errno) {
	n, _, errno := syscall.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(first(p)), uintptr(len(p)), uintptr(flags), 0, 0)
	return int(n), errno
}

func sendmsg(fd int, msg *Message, skip, flags int) (int, syscall.Errno) {
	m := new(memory)
	rest := *msg
	rest.Buffers = tail(msg.Buffers, skip)
	if skip > 0 {
		rest.Control = nil // it went with the first part
	}
	m.message(&rest, false)
	n, _, errno := syscall.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.msg)), uintptr(flags))
	return int(n), errno
}

func recvmsg(fd int, msg *Message, skip, flags int) (int, syscall.Errno) {
	m := new(memory)
	rest := *msg
	rest.Buffers = tail(msg.Buffers, skip)
	if skip > 0 {
		rest.Control = nil // it came with the first part
	}
	m.message(&rest, true)
	n, _, errno := syscall.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.msg)), uintptr(flags))
	if errno == 0 && skip == 0 {
		msg.received(m)
	}
	return int(n), errno
}
