//go:build linux

package main

// The backends, and what the kernel behind a ring offers.

import (
	"errors"
	"fmt"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

type backend struct {
	name string
	open func(entries uint32) (uring.Backend, error)
}

// Both, whichever this build would choose by itself. Without cgo, package
// liburing is there and answers that it is not supported.
var backends = []backend{
	{"purego", func(entries uint32) (uring.Backend, error) {
		r, err := purego.New(entries, nil)
		if err != nil {
			return nil, err
		}
		return r, nil
	}},
	{"liburing", func(entries uint32) (uring.Backend, error) {
		r, err := liburing.New(entries, nil)
		if err != nil {
			return nil, err
		}
		return r, nil
	}},
}

func (b backend) ring(entries uint32) (*uring.Ring, error) {
	carrier, err := b.open(entries)
	if err != nil {
		return nil, err
	}
	return uring.NewRing(carrier), nil
}

// needs returns an error if the kernel lacks one of the operations.
func needs(r *uring.Ring, ops ...sys.Op) error {
	p, err := r.Probe()
	if err != nil {
		return err
	}
	for _, op := range ops {
		if !p.Supports(op) {
			return fmt.Errorf("this kernel has no %v (Linux %s): %w", op, op.Since(), errors.ErrUnsupported)
		}
	}
	return nil
}
