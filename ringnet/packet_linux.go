package ringnet

// Packet sockets that are not connected.

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// A PacketConn sends and receives packets, udp or unixgram. Its methods may be called
// from any goroutine.
type PacketConn struct {
	d     desc
	kind  kind
	local net.Addr

	in  proactor.Message // the read side's lock guards it
	buf [1][]byte
	to  proactor.Sockaddr // and the write side's lock this
}

func newPacketConn(p *proactor.Proactor, k kind, fd int) *PacketConn {
	c := &PacketConn{kind: k, local: k.local(fd)}
	c.d.init(p, fd)
	return c
}

// ReadFrom receives a packet into b, and drops what b has no room for. It returns the
// sender's address: a *net.UDPAddr or *net.UnixAddr, the latter empty if the sender
// has no name.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	var from net.Addr
	n, err := c.receive(b, func(a *proactor.Sockaddr) {
		if a.Family() != unix.AF_UNSPEC || c.kind.family == unix.AF_UNIX {
			from = c.kind.addr(a)
		}
	})
	return n, from, err
}

// ReadFromUDPAddrPort is ReadFrom for udp, and allocates nothing.
func (c *PacketConn) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	n, err = c.receive(b, func(a *proactor.Sockaddr) { from = endpoint(a) })
	return n, from, err
}

func (c *PacketConn) receive(b []byte, sender func(*proactor.Sockaddr)) (n int, err error) {
	s := &c.d.read
	if err := c.d.begin(s); err != nil {
		return 0, c.wrap("read", nil, err)
	}
	defer c.d.end(s)
	c.buf[0] = b
	c.in = proactor.Message{Buffers: c.buf[:]}
	n, err = c.d.do(context.Background(), s, proactor.Recvmsg(c.d.fd, &c.in, 0), unix.POLLIN)
	c.buf[0] = nil
	if err != nil {
		return 0, c.wrap("read", nil, reason("recvmsg", err))
	}
	sender(&c.in.Addr)
	return n, nil
}

// WriteTo sends a packet to an address, a *net.UDPAddr or *net.UnixAddr.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	var why error
	switch a := to.(type) {
	case *net.UDPAddr:
		if a != nil && c.kind.family != unix.AF_UNIX {
			return c.send(b, to, a.AddrPort())
		}
	case *net.UnixAddr:
		if a != nil && c.kind.family == unix.AF_UNIX {
			return c.sendUnix(b, a)
		}
	case nil:
		return 0, c.wrap("write", nil, syscall.EDESTADDRREQ)
	}
	if why == nil {
		why = syscall.EINVAL
	}
	return 0, c.wrap("write", to, why)
}

// WriteToUDPAddrPort is WriteTo for udp, and allocates nothing.
func (c *PacketConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.kind.family == unix.AF_UNIX {
		return 0, c.wrap("write", net.UDPAddrFromAddrPort(to), syscall.EINVAL)
	}
	return c.send(b, nil, to)
}

func (c *PacketConn) send(b []byte, to net.Addr, ap netip.AddrPort) (int, error) {
	s := &c.d.write
	err := c.d.begin(s)
	if err == nil {
		defer c.d.end(s)
		ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		if c.kind.family == unix.AF_INET && ap.Addr().Is6() {
			err = &net.AddrError{Err: "non-IPv4 address", Addr: ap.Addr().String()}
		} else if err = setIP(&c.to, ap, c.kind.family); err == nil {
			var n int
			if n, err = c.d.do(context.Background(), s, proactor.Sendto(c.d.fd, b, unix.MSG_NOSIGNAL, &c.to), unix.POLLOUT); err == nil {
				return n, nil
			}
			err = reason("sendto", err)
		}
	}
	if to == nil {
		to = net.UDPAddrFromAddrPort(ap)
	}
	return 0, c.wrap("write", to, err)
}

func (c *PacketConn) sendUnix(b []byte, to *net.UnixAddr) (int, error) {
	s := &c.d.write
	if err := c.d.begin(s); err != nil {
		return 0, c.wrap("write", to, err)
	}
	defer c.d.end(s)
	if err := c.to.SetUnix(to.Name); err != nil {
		return 0, c.wrap("write", to, err)
	}
	n, err := c.d.do(context.Background(), s, proactor.Sendto(c.d.fd, b, unix.MSG_NOSIGNAL, &c.to), unix.POLLOUT)
	if err != nil {
		return 0, c.wrap("write", to, reason("sendto", err))
	}
	return n, nil
}

// Close closes the socket, as Conn.Close does. The file of a unixgram socket stays, as
// with package net.
func (c *PacketConn) Close() error {
	if !c.d.shut() {
		return c.wrap("close", nil, net.ErrClosed)
	}
	c.d.finish()
	return nil
}

// LocalAddr returns the address that the socket is bound to.
func (c *PacketConn) LocalAddr() net.Addr { return c.local }

// SetDeadline sets the time after which calls fail with os.ErrDeadlineExceeded, also
// those in flight; zero is never.
func (c *PacketConn) SetDeadline(t time.Time) error {
	return c.wrap("set", nil, c.d.setDeadline(t, &c.d.read, &c.d.write))
}

// SetReadDeadline is SetDeadline for ReadFrom.
func (c *PacketConn) SetReadDeadline(t time.Time) error {
	return c.wrap("set", nil, c.d.setDeadline(t, &c.d.read))
}

// SetWriteDeadline is SetDeadline for WriteTo.
func (c *PacketConn) SetWriteDeadline(t time.Time) error {
	return c.wrap("set", nil, c.d.setDeadline(t, &c.d.write))
}

// SetReadBuffer sets the size of the kernel's buffer for what is received, in bytes.
func (c *PacketConn) SetReadBuffer(bytes int) error {
	return c.wrap("set", nil, c.d.set(unix.SOL_SOCKET, unix.SO_RCVBUF, bytes))
}

// SetWriteBuffer sets the size of the kernel's buffer for what is sent, in bytes.
func (c *PacketConn) SetWriteBuffer(bytes int) error {
	return c.wrap("set", nil, c.d.set(unix.SOL_SOCKET, unix.SO_SNDBUF, bytes))
}

// SyscallConn returns the socket for calls of the caller's own. It has O_NONBLOCK.
func (c *PacketConn) SyscallConn() (syscall.RawConn, error) {
	return raw{&c.d, func(op string, err error) error { return c.wrap(op, nil, err) }}, nil
}

// File returns a duplicate of the descriptor, which the caller closes. Neither's Close
// affects the other.
func (c *PacketConn) File() (*os.File, error) {
	f, err := c.d.file(c.kind.name + ":" + c.local.String())
	return f, c.wrap("file", nil, err)
}

func (c *PacketConn) wrap(op string, to net.Addr, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: c.kind.name, Source: c.local, Addr: to, Err: err}
}

var (
	_ net.PacketConn = (*PacketConn)(nil)
	_ syscall.Conn   = (*PacketConn)(nil)
)
