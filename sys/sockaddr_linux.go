package sys

// Socket addresses between Go's types and the kernel's. The structs stay in the
// caller's hands, so that nothing is allocated per request: to is written, and
// the length that goes with it to PrepConnect, PrepBind or PrepSendto is
// returned.

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Offsets in struct sockaddr_in, sockaddr_in6 and sockaddr_un. The family, two
// bytes in the machine's order, begins all of them.
const (
	familyLen  = 2
	portOff    = 2 // two bytes, big endian
	addr4Off   = 4
	addr6Off   = 8
	scopeIDOff = 24
	pathOff    = 2
	pathMax    = unix.SizeofSockaddrUnix - pathOff // 108
)

// SockaddrInet writes ap to to and returns the number of bytes that count. An
// IPv4 address gives AF_INET; an IPv6 address, an IPv4 address mapped into IPv6
// among them, gives AF_INET6. A zone must be the number of an interface: a name
// is an error, for looking it up takes system calls.
func SockaddrInet(ap netip.AddrPort, to *unix.RawSockaddrAny) (uint32, error) {
	addr := ap.Addr()
	b := sockaddrBytes(to)
	switch {
	case addr.Is4():
		clear(b[:unix.SizeofSockaddrInet4])
		binary.NativeEndian.PutUint16(b[:], unix.AF_INET)
		binary.BigEndian.PutUint16(b[portOff:], ap.Port())
		a := addr.As4()
		copy(b[addr4Off:], a[:])
		return unix.SizeofSockaddrInet4, nil
	case addr.Is6():
		var scope uint64
		if zone := addr.Zone(); zone != "" {
			var err error
			if scope, err = strconv.ParseUint(zone, 10, 32); err != nil {
				return 0, fmt.Errorf("uring: the zone of %v is not the number of an interface (0 to %d): %w", addr, uint32(1<<32-1), unix.EINVAL)
			}
		}
		clear(b[:unix.SizeofSockaddrInet6])
		binary.NativeEndian.PutUint16(b[:], unix.AF_INET6)
		binary.BigEndian.PutUint16(b[portOff:], ap.Port())
		a := addr.As16()
		copy(b[addr6Off:], a[:])
		binary.NativeEndian.PutUint32(b[scopeIDOff:], uint32(scope))
		return unix.SizeofSockaddrInet6, nil
	}
	return 0, fmt.Errorf("uring: a socket address from no IP address: %w", unix.EINVAL)
}

// ParseSockaddrInet is the reverse of SockaddrInet, for n bytes that the kernel
// wrote to from. A scope becomes a zone in digits. A family that is neither
// AF_INET nor AF_INET6 is an error, in which errors.Is finds EAFNOSUPPORT.
func ParseSockaddrInet(from *unix.RawSockaddrAny, n uint32) (netip.AddrPort, error) {
	b, family, err := sockaddrFamily(from, n)
	if err != nil {
		return netip.AddrPort{}, err
	}
	switch family {
	case unix.AF_INET:
		if len(b) < unix.SizeofSockaddrInet4 {
			return netip.AddrPort{}, fmt.Errorf("uring: an IPv4 socket address of %d bytes; it needs %d: %w", n, unix.SizeofSockaddrInet4, unix.EINVAL)
		}
		addr := netip.AddrFrom4([4]byte(b[addr4Off:]))
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[portOff:])), nil
	case unix.AF_INET6:
		if len(b) < unix.SizeofSockaddrInet6 {
			return netip.AddrPort{}, fmt.Errorf("uring: an IPv6 socket address of %d bytes; it needs %d: %w", n, unix.SizeofSockaddrInet6, unix.EINVAL)
		}
		addr := netip.AddrFrom16([16]byte(b[addr6Off:]))
		if scope := binary.NativeEndian.Uint32(b[scopeIDOff:]); scope != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[portOff:])), nil
	}
	return netip.AddrPort{}, fmt.Errorf("uring: the socket address has family %d, not AF_INET or AF_INET6: %w", family, unix.EAFNOSUPPORT)
}

// SockaddrUnix writes the path of a unix socket to to and returns the number of
// bytes that count. As in package net, a leading @ stands for the zero byte of
// an abstract name, and the empty path lets the kernel choose one on bind. A
// path has at most 107 bytes, an abstract name 108 with its @; a path with a
// zero byte is an error.
func SockaddrUnix(path string, to *unix.RawSockaddrAny) (uint32, error) {
	b := sockaddrBytes(to)
	abstract := strings.HasPrefix(path, "@")
	limit := pathMax - 1 // the zero byte at the end
	if abstract {
		limit = pathMax
	}
	if len(path) > limit {
		return 0, fmt.Errorf("uring: the unix socket path %q has %d bytes, more than %d: %w", path, len(path), limit, unix.EINVAL)
	}
	if !abstract && strings.IndexByte(path, 0) >= 0 {
		return 0, fmt.Errorf("uring: the unix socket path %q has a zero byte: %w", path, unix.EINVAL)
	}
	clear(b[:unix.SizeofSockaddrUnix])
	binary.NativeEndian.PutUint16(b[:], unix.AF_UNIX)
	n := familyLen + copy(b[pathOff:], path)
	switch {
	case abstract:
		b[pathOff] = 0
	case path != "":
		n++
	}
	return uint32(n), nil
}

// ParseSockaddrUnix is the reverse of SockaddrUnix, for n bytes that the kernel
// wrote to from; an unnamed socket gives the empty path. A family other than
// AF_UNIX is an error, in which errors.Is finds EAFNOSUPPORT.
func ParseSockaddrUnix(from *unix.RawSockaddrAny, n uint32) (string, error) {
	b, family, err := sockaddrFamily(from, n)
	if err != nil {
		return "", err
	}
	if family != unix.AF_UNIX {
		return "", fmt.Errorf("uring: the socket address has family %d, not AF_UNIX: %w", family, unix.EAFNOSUPPORT)
	}
	// The kernel counts the zero byte of a path that fills all 108 as a 109th,
	// which is not in the struct.
	name := b[pathOff:min(len(b), unix.SizeofSockaddrUnix)]
	if len(name) == 0 {
		return "", nil
	}
	if name[0] == 0 {
		return "@" + string(name[1:]), nil
	}
	path, _, _ := strings.Cut(string(name), "\x00")
	return path, nil
}

// sockaddrFamily returns those of n bytes that are in from, at least the
// family.
func sockaddrFamily(from *unix.RawSockaddrAny, n uint32) (b []byte, family uint16, err error) {
	if n < familyLen {
		return nil, 0, fmt.Errorf("uring: a socket address of %d bytes has no family: %w", n, unix.EINVAL)
	}
	b = sockaddrBytes(from)[:min(n, unix.SizeofSockaddrAny)]
	return b, binary.NativeEndian.Uint16(b), nil
}
