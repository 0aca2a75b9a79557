//go:build !linux

package ringnet

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"runtime"
	"syscall"
	"time"

	"github.com/uring-go/uring/proactor"
)

// Net is here so that programs which name it compile; io_uring exists on Linux only,
// and all of its methods answer errors.ErrUnsupported.
type Net struct {
	Proactor      *proactor.Proactor
	Resolver      *net.Resolver
	Timeout       time.Duration
	FallbackDelay time.Duration
	LocalAddr     net.Addr
	KeepAlive     net.KeepAliveConfig
	Control       func(network, address string, c syscall.RawConn) error
	Backlog       int
	ZeroCopy      int
}

// Conn, Listener and PacketConn cannot exist on this system.
type (
	Conn       struct{ net.Conn }
	Listener   struct{ net.Listener }
	PacketConn struct{ net.PacketConn }
)

// Conns yields errors.ErrUnsupported.
func (*Listener) Conns(context.Context) iter.Seq2[*Conn, error] {
	return func(yield func(*Conn, error) bool) { yield(nil, unsupported("accept", "")) }
}

func unsupported(op, network string) error {
	return &net.OpError{Op: op, Net: network, Err: fmt.Errorf("io_uring exists on Linux, not on %s: %w", runtime.GOOS, errors.ErrUnsupported)}
}

func (*Net) Close() error { return nil }

func (*Net) Dial(network, address string) (*Conn, error) { return nil, unsupported("dial", network) }

func (*Net) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return nil, unsupported("dial", network)
}

func (*Net) Listen(network, address string) (*Listener, error) {
	return nil, unsupported("listen", network)
}

func (*Net) ListenContext(ctx context.Context, network, address string) (*Listener, error) {
	return nil, unsupported("listen", network)
}

func (*Net) ListenPacket(network, address string) (*PacketConn, error) {
	return nil, unsupported("listen", network)
}

func (*Net) ListenPacketContext(ctx context.Context, network, address string) (*PacketConn, error) {
	return nil, unsupported("listen", network)
}
