//go:build !linux || !cgo

package liburing

import "github.com/uring-go/uring/sys"

// A Dispatcher cannot exist in this build: NewDispatcher always fails.
type Dispatcher struct{}

// NewDispatcher answers errors.ErrUnsupported.
func NewDispatcher(r *Ring, bits int) (*Dispatcher, error) { return nil, unsupported() }

// AdoptDispatcher answers errors.ErrUnsupported.
func AdoptDispatcher(ptr sys.Pointer) (*Dispatcher, error) { return nil, unsupported() }

func (*Dispatcher) Pointer() sys.Pointer                { return nil }
func (*Dispatcher) Ring() *Ring                         { return nil }
func (*Dispatcher) Reserve() (uint64, error)            { return 0, unsupported() }
func (*Dispatcher) GiveBack(uint64) error               { return unsupported() }
func (*Dispatcher) Data(sys.CQE) uint64                 { return 0 }
func (*Dispatcher) Lock()                               {}
func (*Dispatcher) Unlock()                             {}
func (*Dispatcher) Wait(uint64, []sys.CQE) (int, error) { return 0, unsupported() }
func (*Dispatcher) Peek(uint64, []sys.CQE) (int, error) { return 0, unsupported() }
func (*Dispatcher) Close() error                        { return unsupported() }
