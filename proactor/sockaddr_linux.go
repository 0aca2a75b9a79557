package proactor

// Socket addresses and messages, as operations take them and fill them in.

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// A Sockaddr is a socket address of any family. The zero value is no address.
type Sockaddr struct {
	raw unix.RawSockaddrAny
	n   uint32
}

// InetSockaddr returns the address of an IP endpoint. A zone must be the number
// of an interface. An address that cannot be one gives the zero value, which the
// kernel refuses with EINVAL.
func InetSockaddr(ap netip.AddrPort) (a Sockaddr) {
	a.SetInet(ap)
	return a
}

// SetInet makes a the address of an IP endpoint, with the errors of
// sys.SockaddrInet; after an error a is the zero value.
func (a *Sockaddr) SetInet(ap netip.AddrPort) (err error) {
	if a.n, err = sys.SockaddrInet(ap, &a.raw); err != nil {
		*a = Sockaddr{}
	}
	return err
}

// SetUnix makes a the address of a unix socket: a path, an abstract name that
// begins with @, or nothing. Its errors are those of sys.SockaddrUnix; after one
// a is the zero value.
func (a *Sockaddr) SetUnix(path string) (err error) {
	if a.n, err = sys.SockaddrUnix(path, &a.raw); err != nil {
		*a = Sockaddr{}
	}
	return err
}

// UnixSockaddr returns the address of a unix socket. A path that cannot be one
// gives the zero value, which the kernel refuses with EINVAL.
func UnixSockaddr(path string) (a Sockaddr) {
	a.SetUnix(path)
	return a
}

// Inet returns the IP endpoint in a, with the errors of sys.ParseSockaddrInet.
func (a *Sockaddr) Inet() (netip.AddrPort, error) { return sys.ParseSockaddrInet(&a.raw, a.n) }

// Unix returns the path in a, with the errors of sys.ParseSockaddrUnix.
func (a *Sockaddr) Unix() (string, error) { return sys.ParseSockaddrUnix(&a.raw, a.n) }

// Family returns the address family, an AF_ constant; 0 of the zero value.
func (a *Sockaddr) Family() int { return int(a.raw.Addr.Family) }

// Raw returns the kernel's form and its length in bytes.
func (a *Sockaddr) Raw() (unix.RawSockaddrAny, int) { return a.raw, int(a.n) }

// A Message is what Sendmsg sends and Recvmsg receives.
type Message struct {
	// Buffers are the data, or room for it: at most 1024.
	Buffers [][]byte
	// Addr is the destination; zero for a connected socket. Recvmsg sets it to
	// the sender.
	Addr Sockaddr
	// Control are the control messages, or room for them.
	Control []byte
	// ControlLen is set by Recvmsg: how many bytes of Control it has filled.
	ControlLen int
	// Flags is set by Recvmsg: MSG_TRUNC and other MSG_ flags.
	Flags int
}
