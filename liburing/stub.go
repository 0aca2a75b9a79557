//go:build !linux || !cgo

// Package liburing is the io_uring backend that calls the C library of that
// name. In a build without cgo, as this one is, its New answers
// errors.ErrUnsupported; package purego needs no C.
package liburing

import (
	"errors"
	"fmt"

	"github.com/uring-go/uring/sys"
)

// A Ring cannot exist in this build. The type is here so that programs which
// name it compile; New always fails.
type Ring struct{}

func unsupported() error {
	return fmt.Errorf("uring: this program was built without cgo, so it has no liburing: %w", errors.ErrUnsupported)
}

// New answers errors.ErrUnsupported.
func New(entries uint32, p *sys.Params) (*Ring, error) { return nil, unsupported() }

// NewMem answers errors.ErrUnsupported.
func NewMem(entries uint32, p *sys.Params, mem []byte) (*Ring, int, error) {
	return nil, 0, unsupported()
}

// Adopt answers errors.ErrUnsupported.
func Adopt(ptr sys.Pointer) (*Ring, error) { return nil, unsupported() }

// A StagedError is what Close of an adopted ring would answer.
type StagedError struct{ N int }

func (e *StagedError) Error() string { return unsupported().Error() }

// Version returns the empty string: there is no library.
func Version() string { return "" }

// HeaderVersion returns the empty string: there was no header.
func HeaderVersion() string { return "" }

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
func (*Ring) Pointer() sys.Pointer                                      { return nil }
func (*Ring) Shared() bool                                              { return false }
func (*Ring) Adopted() bool                                             { return false }
