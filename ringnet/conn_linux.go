package ringnet

// Connections.

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// A Conn is a connection: a stream (tcp, unix), or a packet socket that is connected
// (udp, unixgram), where each Read and Write is a packet. Its methods may be called
// from any goroutine.
type Conn struct {
	d             desc
	kind          kind
	local, remote net.Addr
	zeroCopy      int // the least to send without a copy
}

func (n *Net) newConn(p *proactor.Proactor, k kind, fd int, local, remote net.Addr) *Conn {
	c := &Conn{kind: k, local: local, remote: remote, zeroCopy: unlimited}
	if n.ZeroCopy > 0 && k.tcp() {
		c.zeroCopy = n.ZeroCopy
	}
	c.d.init(p, fd)
	return c
}

const unlimited = int(^uint(0) >> 1)

// atOnce is the most bytes of one operation.
const atOnce = 1 << 30

// Read reads into b, at least one byte if b has room. At the end of a stream it
// returns io.EOF.
func (c *Conn) Read(b []byte) (int, error) { return c.ReadContext(context.Background(), b) }

// ReadContext is Read, ended also by ctx.
func (c *Conn) ReadContext(ctx context.Context, b []byte) (int, error) {
	n, err := c.receive(ctx, b)
	if err != nil && err != io.EOF {
		err = c.wrap("read", reason("recv", err))
	}
	return n, err
}

func (c *Conn) receive(ctx context.Context, b []byte) (int, error) {
	s := &c.d.read
	if err := c.d.begin(s); err != nil {
		return 0, err
	}
	defer c.d.end(s)
	if len(b) == 0 && c.kind.stream() {
		return 0, nil
	}
	b = b[:min(len(b), atOnce)]
	var n int
	var err error
	if w := s.watch.Load(); w != nil {
		n, err = w.receive(ctx, c.d.fd, b)
	} else if err = s.gate.Err(); err == nil {
		n, err = c.d.do(ctx, s, proactor.Recv(c.d.fd, b, 0), unix.POLLIN)
		if err == os.ErrDeadlineExceeded && c.kind.tcp() {
			c.d.watched(s)
		}
	}
	if n == 0 && err == nil && c.kind.stream() {
		err = io.EOF
	}
	return n, err
}

// Write writes all of b, or returns how much it wrote and why not more.
func (c *Conn) Write(b []byte) (int, error) { return c.WriteContext(context.Background(), b) }

// WriteContext is Write, ended also by ctx.
func (c *Conn) WriteContext(ctx context.Context, b []byte) (int, error) {
	n, err := c.send(ctx, b)
	if err != nil {
		err = c.wrap("write", reason("send", err))
	}
	return n, err
}

func (c *Conn) send(ctx context.Context, b []byte) (n int, err error) {
	s := &c.d.write
	if err := c.d.begin(s); err != nil {
		return 0, err
	}
	defer c.d.end(s)
	if !c.kind.stream() {
		return c.d.do(ctx, s, proactor.Send(c.d.fd, b, unix.MSG_NOSIGNAL), unix.POLLOUT)
	}
	for n < len(b) {
		rest := b[n:min(len(b), n+atOnce)]
		if n == 0 && c.d.read.watch.Load() != nil && len(rest) < c.zeroCopy {
			m, err := c.d.trySend(s, rest)
			if n += m; err != nil || n == len(b) {
				return n, err
			}
			rest = rest[m:]
		}
		op := proactor.Send(c.d.fd, rest, unix.MSG_NOSIGNAL|unix.MSG_WAITALL)
		if len(rest) >= c.zeroCopy {
			op = proactor.SendZC(c.d.fd, rest, unix.MSG_NOSIGNAL|unix.MSG_WAITALL)
		}
		m, err := c.d.do(ctx, s, op, unix.POLLOUT)
		n += m
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, io.ErrUnexpectedEOF
		}
	}
	return n, nil
}

// WriteBuffers writes the buffers one after another, with one system call for up to
// 1024 of them, and takes what it wrote out of *v. net.Buffers.WriteTo does that for
// connections of package net only.
func (c *Conn) WriteBuffers(v *net.Buffers) (int64, error) {
	n, err := c.sendBuffers(v)
	if err != nil {
		err = c.wrap("writev", reason("sendmsg", err))
	}
	return n, err
}

// vectors is the most buffers of one operation (UIO_MAXIOV).
const vectors = 1024

func (c *Conn) sendBuffers(v *net.Buffers) (n int64, err error) {
	s := &c.d.write
	if err := c.d.begin(s); err != nil {
		return 0, err
	}
	defer c.d.end(s)
	for len(*v) > 0 {
		if len((*v)[0]) == 0 {
			*v = (*v)[1:]
			continue
		}
		message := &proactor.Message{Buffers: (*v)[:min(len(*v), vectors)]}
		m, err := c.d.do(context.Background(), s, proactor.Sendmsg(c.d.fd, message, unix.MSG_NOSIGNAL), unix.POLLOUT)
		n += int64(m)
		for left := m; left > 0; {
			first := (*v)[0]
			if left < len(first) {
				(*v)[0] = first[left:]
				break
			}
			left -= len(first)
			(*v)[0] = nil
			*v = (*v)[1:]
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close closes the connection. Calls in flight end with net.ErrClosed, or with what
// they have done, before Close returns.
func (c *Conn) Close() error {
	if !c.d.shut() {
		return c.wrap("close", net.ErrClosed)
	}
	if c.zeroCopy != unlimited && !c.d.write.mu.TryLock() {
		// What a Write waits for without a copy it gets when the kernel throws away
		// what the peer has not acknowledged.
		disconnect(c.d.fd)
	} else if c.zeroCopy != unlimited {
		c.d.write.mu.Unlock()
	}
	c.d.read.unwatch()
	c.d.finish()
	return nil
}

// CloseRead says that nothing more will be read.
func (c *Conn) CloseRead() error { return c.shutdown(unix.SHUT_RD) }

// CloseWrite says that nothing more will be written: the peer's Read returns io.EOF
// when it has read everything.
func (c *Conn) CloseWrite() error { return c.shutdown(unix.SHUT_WR) }

func (c *Conn) shutdown(how int) error {
	return c.wrap("close", c.d.control(func(fd int) error {
		return os.NewSyscallError("shutdown", unix.Shutdown(fd, how))
	}))
}

// LocalAddr returns the connection's own address.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the peer's address. It is empty, but not nil, if the peer had
// reset the connection before it was accepted.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets the time after which Read and Write fail with
// os.ErrDeadlineExceeded, calls in flight too; zero is never.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.wrap("set", c.d.setDeadline(t, &c.d.read, &c.d.write))
}

// SetReadDeadline is SetDeadline for Read.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.wrap("set", c.d.setDeadline(t, &c.d.read))
}

// SetWriteDeadline is SetDeadline for Write. Part of a Write may have been done.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.wrap("set", c.d.setDeadline(t, &c.d.write))
}

// SetNoDelay says whether small packets are sent at once (TCP_NODELAY), as they are
// to begin with.
func (c *Conn) SetNoDelay(noDelay bool) error {
	value := 0
	if noDelay {
		value = 1
	}
	return c.wrap("set", c.d.set(unix.IPPROTO_TCP, unix.TCP_NODELAY, value))
}

// SetKeepAlive switches TCP keep-alive on or off.
func (c *Conn) SetKeepAlive(on bool) error {
	value := 0
	if on {
		value = 1
	}
	return c.wrap("set", c.d.set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, value))
}

// SetKeepAlivePeriod sets how long the connection is idle before the first probe and
// how long it is from one to the next.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: d, Count: -1})
}

// SetKeepAliveConfig sets all about TCP keep-alive.
func (c *Conn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	return c.wrap("set", c.d.control(func(fd int) error { return setKeepAlive(fd, k) }))
}

// SetLinger says what Close does with data that the peer has not acknowledged: with
// a negative sec it is sent in the background, with 0 it is thrown away and the
// connection reset, and otherwise it is sent for so many seconds.
func (c *Conn) SetLinger(sec int) error {
	l := &unix.Linger{Onoff: 1, Linger: int32(sec)}
	if sec < 0 {
		*l = unix.Linger{}
	}
	return c.wrap("set", c.d.control(func(fd int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, l))
	}))
}

// SetReadBuffer sets the size of the kernel's buffer for what is received, in bytes.
func (c *Conn) SetReadBuffer(bytes int) error {
	return c.wrap("set", c.d.set(unix.SOL_SOCKET, unix.SO_RCVBUF, bytes))
}

// SetWriteBuffer sets the size of the kernel's buffer for what is sent, in bytes.
func (c *Conn) SetWriteBuffer(bytes int) error {
	return c.wrap("set", c.d.set(unix.SOL_SOCKET, unix.SO_SNDBUF, bytes))
}

// SyscallConn returns the socket for calls of the caller's own. It has O_NONBLOCK.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return raw{&c.d, c.wrap}, nil }

// File returns a duplicate of the descriptor, which the caller closes. Neither's Close
// affects the other.
func (c *Conn) File() (*os.File, error) {
	f, err := c.d.file(c.kind.name + ":" + c.local.String() + "->" + c.remote.String())
	return f, c.wrap("file", err)
}

// wrap makes the error of a method.
func (c *Conn) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: c.kind.name, Source: c.local, Addr: c.remote, Err: err}
}

var (
	_ net.Conn      = (*Conn)(nil)
	_ syscall.Conn  = (*Conn)(nil)
	_ io.ReaderFrom = (*Conn)(nil)
	_ io.WriterTo   = (*Conn)(nil)
)
