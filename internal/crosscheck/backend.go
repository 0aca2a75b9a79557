//go:build linux

package main

// The backends, and what the kernel behind a ring offers.

import (
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

// lacks returns the first of the operations that the kernel does not have, ok if
// there is one. A kernel that cannot be asked (before Linux 5.6) has too few for
// us anyway.
func lacks(r *uring.Ring, ops ...sys.Op) (op sys.Op, lacking bool) {
	var answer struct {
		sys.Probe
		ops [256]sys.ProbeOp
	}
	_, err := r.Backend().Register(sys.IORING_REGISTER_PROBE, sys.PointerTo(&answer), uint32(len(answer.ops)))
	for _, op := range ops {
		if err != nil || op > answer.LastOp || answer.ops[op].Flags&sys.IO_URING_OP_SUPPORTED == 0 {
			return op, true
		}
	}
	return 0, false
}

// fileTable gives the ring a table of n empty slots for direct descriptors.
func fileTable(r *uring.Ring, n int) error {
	empty := make([]int32, n)
	for i := range empty {
		empty[i] = -1
	}
	_, err := r.Backend().Register(sys.IORING_REGISTER_FILES, sys.PointerTo(&empty[0]), uint32(n))
	return err
}
