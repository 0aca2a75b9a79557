//go:build !linux

package purego

import "github.com/uring-go/uring/sys"

// RegisterRingless answers errors.ErrUnsupported.
func RegisterRingless(sys.RegisterOp, sys.Pointer, uint32) (int, error) { return 0, unsupported() }

func (*Ring) SetEventfdEnabled(on bool) error { return unsupported() }
