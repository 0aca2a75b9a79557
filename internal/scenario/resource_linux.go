package scenario

// Files, pipes and sockets for scenarios.

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// CloseLater closes a descriptor at the end of the run.
func (r *Run) CloseLater(fd int) {
	r.Cleanup(func() { unix.Close(fd) })
}

// Dir returns an empty temporary directory.
func (r *Run) Dir() string {
	if r.dir == "" {
		dir, err := os.MkdirTemp(r.parent, "uring-scenario-")
		r.Must("temporary directory", err)
		r.Cleanup(func() { os.RemoveAll(dir) })
		r.dir = dir
	}
	return r.dir
}

// DirFd returns a descriptor of the temporary directory.
func (r *Run) DirFd() int {
	fd, err := unix.Open(r.Dir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	r.Must("open directory", err)
	r.CloseLater(fd)
	return fd
}

// File makes a file in the temporary directory and returns a descriptor to read
// and write it, at its beginning.
func (r *Run) File(name, content string) int {
	path := filepath.Join(r.Dir(), name)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	r.Must("create file", err)
	r.CloseLater(fd)
	_, err = unix.Pwrite(fd, []byte(content), 0)
	r.Must("write file", err)
	return fd
}

// Content returns what is in a file, and does not move its position.
func (r *Run) Content(fd int) string {
	b := make([]byte, 1<<16)
	n, err := unix.Pread(fd, b, 0)
	r.Must("read file", err)
	return string(b[:n])
}

// Pipe returns both ends of a pipe.
func (r *Run) Pipe() (rd, wr int) {
	var p [2]int
	r.Must("pipe", unix.Pipe2(p[:], unix.O_CLOEXEC))
	r.CloseLater(p[0])
	r.CloseLater(p[1])
	return p[0], p[1]
}

// Write writes all of s to a pipe, socket or eventfd by a plain system call.
func (r *Run) Write(fd int, s string) {
	n, err := unix.Write(fd, []byte(s))
	if err == nil && n != len(s) {
		err = fmt.Errorf("%d bytes of %d", n, len(s))
	}
	r.Must("write", err)
}

// Read reads up to n bytes by a plain system call. If there is nothing to read
// it is "-EAGAIN": it does not wait, and leaves the descriptor's flags alone,
// which requests may depend on.
func (r *Run) Read(fd, n int) string {
	ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	if err == nil && ready == 0 {
		err = unix.EAGAIN
	}
	b := make([]byte, n)
	if err == nil {
		n, err = unix.Read(fd, b)
	}
	if err != nil {
		return verdict(err)
	}
	return string(b[:n])
}

// Eventfd returns an eventfd.
func (r *Run) Eventfd(value uint, flags int) int {
	fd, err := unix.Eventfd(value, flags|unix.EFD_CLOEXEC)
	r.Must("eventfd", err)
	r.CloseLater(fd)
	return fd
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Listener returns a listening socket on the loopback interface and its address.
func (r *Run) Listener() (fd int, addr netip.AddrPort) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	r.Must("socket", err)
	r.CloseLater(fd)
	r.Must("bind", unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback.As4()}))
	r.Must("listen", unix.Listen(fd, 16))
	return fd, r.Addr(fd)
}

// Addr returns the address of an IPv4 socket.
func (r *Run) Addr(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	r.Must("getsockname", err)
	in, ok := sa.(*unix.SockaddrInet4)
	if !ok {
		r.Must("getsockname", fmt.Errorf("%T", sa))
	}
	return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
}

// Connect returns a socket that is connected to addr.
func (r *Run) Connect(addr netip.AddrPort) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	r.Must("socket", err)
	r.CloseLater(fd)
	r.Must("connect", unix.Connect(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}))
	return fd
}

// TCP returns two sockets that are connected to each other.
func (r *Run) TCP() (client, server int) {
	l, addr := r.Listener()
	client = r.Connect(addr)
	server, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	r.Must("accept", err)
	r.CloseLater(server)
	// A small message goes out at once, so that what a scenario sends is there.
	r.Must("TCP_NODELAY", unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	r.Must("TCP_NODELAY", unix.SetsockoptInt(server, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	return client, server
}

// UDP returns a socket bound to a port of the loopback interface.
func (r *Run) UDP() (fd int, addr netip.AddrPort) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	r.Must("socket", err)
	r.CloseLater(fd)
	r.Must("bind", unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback.As4()}))
	return fd, r.Addr(fd)
}

// Pair returns two unix sockets that are connected to each other. Unlike TCP,
// what one sends the other has at once.
func (r *Run) Pair(typ int) (a, b int) {
	p, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	r.Must("socketpair", err)
	r.CloseLater(p[0])
	r.CloseLater(p[1])
	return p[0], p[1]
}

// Sockaddr returns an address as requests take it, and its length.
func (r *Run) Sockaddr(addr netip.AddrPort) (*unix.RawSockaddrAny, uint32) {
	sa := new(unix.RawSockaddrAny)
	r.Keep(sa)
	n, err := sys.SockaddrInet(addr, sa)
	r.Must("socket address", err)
	return sa, n
}

// Iovecs returns buffers as requests take them.
func (r *Run) Iovecs(bufs ...[]byte) []unix.Iovec {
	v := make([]unix.Iovec, len(bufs))
	for i, b := range bufs {
		if len(b) > 0 {
			v[i].Base = &b[0]
		}
		v[i].SetLen(len(b))
	}
	r.Keep(v)
	return v
}
