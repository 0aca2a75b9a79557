package ringnet

// Listeners, and sockets that are bound without one.

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// Listen listens on an address of a network: tcp, tcp4, tcp6 or unix. As in package
// net an empty host is every address of this machine, and port 0 any that is free.
func (n *Net) Listen(network, address string) (*Listener, error) {
	return n.ListenContext(context.Background(), network, address)
}

// ListenContext is Listen; ctx may end looking up the name.
func (n *Net) ListenContext(ctx context.Context, name, address string) (*Listener, error) {
	k, err := network(name)
	if err == nil && !k.stream() {
		err = net.UnknownNetworkError(name)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: name, Err: err}
	}
	p, k, fd, err := n.bound(ctx, k, address)
	if err != nil {
		return nil, err
	}
	backlog := n.Backlog
	if backlog <= 0 {
		backlog = 1<<16 - 1
	}
	if k.tcp() {
		n.tune(fd)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		unix.Close(fd)
		return nil, &net.OpError{Op: "listen", Net: name, Err: os.NewSyscallError("listen", err)}
	}
	return n.newListener(p, k, fd, k.family == unix.AF_UNIX && address != "" && address[0] != '@'), nil
}

// ListenPacket binds a socket for packets: udp, udp4, udp6 or unixgram.
func (n *Net) ListenPacket(network, address string) (*PacketConn, error) {
	return n.ListenPacketContext(context.Background(), network, address)
}

// ListenPacketContext is ListenPacket; ctx may end looking up the name.
func (n *Net) ListenPacketContext(ctx context.Context, name, address string) (*PacketConn, error) {
	k, err := network(name)
	if err == nil && k.stream() {
		err = net.UnknownNetworkError(name)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: name, Err: err}
	}
	p, k, fd, err := n.bound(ctx, k, address)
	if err != nil {
		return nil, err
	}
	return newPacketConn(p, k, fd), nil
}

// bound makes a socket and binds it.
func (n *Net) bound(ctx context.Context, k kind, address string) (p *proactor.Proactor, _ kind, fd int, err error) {
	fail := func(at net.Addr, err error) (*proactor.Proactor, kind, int, error) {
		return nil, k, -1, &net.OpError{Op: "listen", Net: k.name, Addr: at, Err: reason("listen", err)}
	}
	if p, err = n.proactor(); err != nil {
		return fail(nil, err)
	}
	if k.family == unix.AF_UNIX {
		at := &net.UnixAddr{Name: address, Net: k.name}
		fd, err := n.socket(k, address)
		if err != nil {
			return fail(at, err)
		}
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
			unix.Close(fd)
			return fail(at, os.NewSyscallError("bind", err))
		}
		return p, k, fd, nil
	}
	list, err := n.resolve(ctx, k, address)
	if err != nil {
		return fail(nil, err)
	}
	to := list[0]
	for _, a := range list { // IPv4 first, as package net does
		if a.Addr().Is4() {
			to = a
			break
		}
	}
	var at net.Addr = net.TCPAddrFromAddrPort(to)
	if !k.stream() {
		at = net.UDPAddrFromAddrPort(to)
	}
	both := k.family == 0 && !to.Addr().IsValid()
	if k.family == 0 {
		k.family = unix.AF_INET6
		if to.Addr().Is4() {
			k.family = unix.AF_INET
		}
	}
	fd, err = n.bind(k, to, both)
	if both && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		// There is no IPv6 here.
		k.family = unix.AF_INET
		fd, err = n.bind(k, to, false)
	}
	if err != nil {
		return fail(at, err)
	}
	return p, k, fd, nil
}

// bind makes a socket and binds it to an IP address. One of IPv6 takes IPv4 too if
// both says so.
func (n *Net) bind(k kind, to netip.AddrPort, both bool) (fd int, err error) {
	sa, err := bindable(to, k.family)
	if err != nil {
		return -1, err
	}
	if fd, err = n.socket(k, to.String()); err != nil {
		return -1, err
	}
	if k.family == unix.AF_INET6 {
		only := 1
		if both {
			only = 0
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if k.stream() {
		err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, sa))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// A Listener accepts connections. Its methods may be called from any goroutine.
type Listener struct {
	d      desc
	n      *Net
	kind   kind
	local  net.Addr
	shared bool // connections have the listener's own address, for it is no wildcard
	unlink atomic.Bool

	stream *proactor.Stream // of descriptors; the read side's lock guards it
	turn   sync.Mutex       // of Close
}

func (n *Net) newListener(p *proactor.Proactor, k kind, fd int, unlink bool) *Listener {
	l := &Listener{n: n, kind: k, local: k.local(fd)}
	l.d.init(p, fd)
	l.unlink.Store(unlink)
	ap := ipOf(l.local).Addr()
	l.shared = k.family == unix.AF_UNIX || ap.IsValid() && !ap.IsUnspecified()
	l.stream = p.OpenStream(proactor.MultishotAccept(fd, unix.SOCK_NONBLOCK).Through(&l.d.read.gate))
	return l
}

// Accept returns the next connection, which is a *Conn.
//
// An error that may pass, such as EMFILE, leaves the listener usable.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptContext(context.Background())
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptContext is Accept, ended also by ctx.
func (l *Listener) AcceptContext(ctx context.Context) (*Conn, error) {
	fd, err := l.accept(ctx)
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: l.kind.name, Addr: l.local, Err: reason("accept", err)}
	}
	local := l.local
	if !l.shared {
		local = l.kind.local(fd)
	}
	return l.n.newConn(l.d.p, l.kind, fd, local, l.kind.remote(fd)), nil
}

func (l *Listener) accept(ctx context.Context) (int, error) {
	if err := l.d.begin(&l.d.read); err != nil {
		return -1, err
	}
	defer l.d.end(&l.d.read)
	for {
		c, err := l.stream.Next(ctx)
		switch err {
		case nil:
			return c.N, nil
		case unix.ECONNABORTED: // it was reset before it was accepted
			continue
		case unix.EAGAIN: // as in desc.do
			if err := l.d.wait(ctx, &l.d.read, unix.POLLIN); err != nil {
				return -1, err
			}
			continue
		case io.EOF:
			return -1, net.ErrClosed
		}
		return -1, err
	}
}

// Conns ranges over the connections that come, until an error or ctx ends it. A
// break leaves the listener open.
func (l *Listener) Conns(ctx context.Context) iter.Seq2[*Conn, error] {
	return func(yield func(*Conn, error) bool) {
		for {
			c, err := l.AcceptContext(ctx)
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// Close stops listening: calls in flight end, and connections that nobody has
// accepted are closed. The file of a unix socket that Listen made is removed.
func (l *Listener) Close() error {
	l.turn.Lock()
	defer l.turn.Unlock()
	if !l.d.shut() {
		return l.wrap("close", net.ErrClosed)
	}
	// The gate is shut, so whoever accepts is about to leave.
	l.d.read.mu.Lock()
	l.stream.Close()
	l.d.read.mu.Unlock()
	if a, ok := l.local.(*net.UnixAddr); ok && l.unlink.Load() {
		unix.Unlink(a.Name)
	}
	l.d.finish()
	return nil
}

// Addr returns the address that the listener is bound to.
func (l *Listener) Addr() net.Addr { return l.local }

// SetDeadline sets the time after which Accept fails with os.ErrDeadlineExceeded; zero
// is never.
func (l *Listener) SetDeadline(t time.Time) error {
	return l.wrap("set", l.d.setDeadline(t, &l.d.read))
}

// SetUnlinkOnClose says whether Close removes the file of a unix socket.
func (l *Listener) SetUnlinkOnClose(unlink bool) { l.unlink.Store(unlink) }

// SyscallConn returns the socket for calls of the caller's own.
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return raw{&l.d, l.wrap}, nil }

// File returns a duplicate of the descriptor, which the caller closes. Neither's Close
// affects the other.
func (l *Listener) File() (*os.File, error) {
	f, err := l.d.file(l.kind.name + ":" + l.local.String())
	return f, l.wrap("file", err)
}

func (l *Listener) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: l.kind.name, Addr: l.local, Err: err}
}

var (
	_ net.Listener = (*Listener)(nil)
	_ syscall.Conn = (*Listener)(nil)
)
