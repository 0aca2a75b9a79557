package ringnet

// Net: which proactor the sockets belong to, and how they begin. dial_linux.go and
// listen_linux.go make them.

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/uring-go/uring/proactor"
)

// A Net makes sockets. The zero value is ready; fields must not change after the
// first call. Its methods may be called from any goroutine.
type Net struct {
	// Proactor carries out the calls of all sockets that this Net makes. nil is one
	// of its own, made by the first call with the default configuration; Close closes
	// it.
	Proactor *proactor.Proactor

	// Resolver looks names up. nil is net.DefaultResolver.
	Resolver *net.Resolver

	// Timeout is the most time that a Dial takes, all addresses together. 0 is no
	// limit but the kernel's.
	Timeout time.Duration

	// FallbackDelay is how long the addresses of the family that the resolver
	// prefers have before those of the other begin to race with them. 0 is 300 ms,
	// and negative is no race: one address after another.
	FallbackDelay time.Duration

	// LocalAddr is the address that a Dial binds the socket to: a *net.TCPAddr,
	// *net.UDPAddr or *net.UnixAddr, as the network asks for. nil lets the kernel
	// choose.
	LocalAddr net.Addr

	// KeepAlive configures keep-alive of TCP connections, dialled and accepted. The
	// zero value is as in net.KeepAliveConfig with Enable: 15 s, 15 s, 9 probes.
	// Idle -1 switches keep-alive off.
	KeepAlive net.KeepAliveConfig

	// Control, if not nil, is called for every socket after it is made and before
	// it is bound or connected. As in net.Dialer the network says the family:
	// tcp4, tcp6 and so on.
	Control func(network, address string, c syscall.RawConn) error

	// Backlog is how many connections that nobody has accepted a listener keeps. The
	// kernel cuts it to net.core.somaxconn. 0 is as many as that.
	Backlog int

	// ZeroCopy is the size in bytes from which on a Write to a TCP connection has the
	// kernel send from the caller's memory (Linux 6.0). Such a Write returns when the
	// peer has acknowledged everything, which no deadline hastens; Close meanwhile
	// resets the connection. 0 is never: it did not pay where it was measured.
	ZeroCopy int

	mu     sync.Mutex
	own    *proactor.Proactor
	closed bool
}

// proactor returns the proactor for the next socket.
func (n *Net) proactor() (*proactor.Proactor, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return nil, errClosed
	case n.Proactor != nil:
		return n.Proactor, nil
	case n.own == nil:
		p, err := proactor.New(nil)
		if err != nil {
			return nil, err
		}
		n.own = p
	}
	return n.own, nil
}

// Close closes the proactor that the Net made for itself, if it did: all calls on
// its sockets end, but the sockets still want to be closed. A Proactor that was given
// is left alone. After Close the Net makes no sockets.
func (n *Net) Close() error {
	n.mu.Lock()
	own := n.own
	n.closed, n.own = true, nil
	n.mu.Unlock()
	if own == nil {
		return nil
	}
	return own.Close()
}

// errClosed is the error of calls on sockets whose proactor is closed.
var errClosed error = bothClosed{}

type bothClosed struct{}

func (bothClosed) Error() string { return proactor.ErrClosed.Error() }

func (bothClosed) Unwrap() []error { return []error{net.ErrClosed, proactor.ErrClosed} }

// reason turns what a proactor's call answers into what package net has within its
// OpError. call is the system call's name.
func reason(call string, err error) error {
	switch errno, ok := err.(syscall.Errno); {
	case ok:
		return os.NewSyscallError(call, errno)
	case errors.Is(err, proactor.ErrClosed):
		return errClosed
	}
	return err
}
