//go:build !linux

package ringloop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
)

// Config and Handler are here so that programs which name them compile.
type Config struct {
	Buffers, BufferSize, Entries, SendLimit int
	Fallback                                Fallback
}

// A Fallback has no meaning on this system.
type Fallback int

// They are there for programs that name them.
const (
	FallbackAuto Fallback = iota
	FallbackNever
	FallbackAlways
)

// ErrClosed is never returned on this system.
var ErrClosed = errors.New("ringloop: closed")

// A Handler is never called on this system.
type Handler struct {
	Open    func(c *Conn)
	Data    func(c *Conn, b []byte)
	Drained func(c *Conn)
	Close   func(c *Conn, err error)
}

// A Loop cannot exist on this system; all of its methods answer errors.ErrUnsupported.
type Loop struct{}

func unsupported() error {
	return fmt.Errorf("ringloop: it is for Linux, not for %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// New answers errors.ErrUnsupported.
func New(*Config) (*Loop, error) { return nil, unsupported() }

func (*Loop) Run(context.Context) error          { return unsupported() }
func (*Loop) Serve(net.Listener, *Handler) error { return unsupported() }
func (*Loop) Adopt(net.Conn, *Handler) error     { return unsupported() }
func (*Loop) Post(func()) error                  { return unsupported() }
func (*Loop) Stop() error                        { return unsupported() }
func (*Loop) Close() error                       { return unsupported() }
func (*Loop) Ring() bool                         { return false }
func (*Loop) Conns() int                         { return 0 }

// A Conn cannot exist on this system.
type Conn struct{ Context any }

func (*Conn) Loop() *Loop       { return nil }
func (*Conn) Fd() int           { return -1 }
func (*Conn) Send([]byte) error { return unsupported() }
func (*Conn) Buffered() int     { return 0 }
func (*Conn) Close()            {}
func (*Conn) Abort()            {}
