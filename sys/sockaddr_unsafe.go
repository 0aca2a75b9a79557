//go:build linux

package sys

// The bytes of a socket address, so that sockaddr_linux.go can read and write
// them without a pointer cast per family.

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddrBytes returns the memory of a.
func sockaddrBytes(a *unix.RawSockaddrAny) *[unix.SizeofSockaddrAny]byte {
	return (*[unix.SizeofSockaddrAny]byte)(unsafe.Pointer(a))
}

// The conversion above is sound only if the sizes agree; otherwise this index
// is out of range and does not compile.
var _ = [1]struct{}{}[unsafe.Sizeof(unix.RawSockaddrAny{})-unix.SizeofSockaddrAny]
