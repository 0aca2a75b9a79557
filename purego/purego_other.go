//go:build !linux

package purego

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/uring-go/uring/sys"
)

// A Ring cannot exist on this system. The type is here so that programs which
// name it compile everywhere; New always fails.
type Ring struct{}

func unsupported() error {
	return fmt.Errorf("uring: io_uring exists on Linux, not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// New answers errors.ErrUnsupported.
func New(entries uint32, p *sys.Params) (*Ring, error) { return nil, unsupported() }

// NewMem answers errors.ErrUnsupported.
func NewMem(entries uint32, p *sys.Params, mem []byte) (*Ring, int, error) {
	return nil, 0, unsupported()
}

// Map answers errors.ErrUnsupported.
func Map(fd int, p *sys.Params) (*Ring, error) { return nil, unsupported() }

func (*Ring) Queue() []sys.SQE                                          { return nil }
func (*Ring) Advance(n int)                                             {}
func (*Ring) Submit(w sys.Wait) (int, error)                            { return 0, unsupported() }
func (*Ring) Wait(w sys.Wait) error                                     { return unsupported() }
func (*Ring) Ready() int                                                { return 0 }
func (*Ring) Peek(dst []sys.CQE) int                                    { return 0 }
func (*Ring) Peek32(dst []sys.CQE32) int                                { return 0 }
func (*Ring) Register(sys.RegisterOp, sys.Pointer, uint32) (int, error) { return 0, unsupported() }
func (*Ring) RegisterRingFd() error                                     { return unsupported() }
func (*Ring) UnregisterRingFd() error                                   { return unsupported() }
func (*Ring) CloseRingFd() error                                        { return unsupported() }
func (*Ring) Resize(entries uint32, p *sys.Params) error                { return unsupported() }
func (*Ring) Status() sys.Status                                        { return sys.Status{} }
func (*Ring) Params() sys.Params                                        { return sys.Params{} }
func (*Ring) Fd() int                                                   { return -1 }
func (*Ring) Close() error                                              { return unsupported() }
func (*Ring) Flush() error                                              { return unsupported() }
func (*Ring) DontFork() error                                           { return unsupported() }
func (*Ring) Shared() bool                                              { return false }
