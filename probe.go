package uring

// Which operations the kernel behind a ring has. Package features answers wider
// questions, and needs no ring.

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// A Probe is the kernel's list of operations.
type Probe struct {
	ops []sys.ProbeOp // one for each operation that the kernel knows, in order
}

// probeSize is the most that the kernel can be asked for: an operation is one
// byte. It is a request, not an expectation; the answer says how many there are.
const probeSize = 256

type probeArg struct {
	sys.Probe
	ops [probeSize]sys.ProbeOp
}

// Probe asks the kernel which operations it has (Linux 5.6). An operation that
// this kernel was built without, such as those of a missing network stack, is
// not among them.
//
// The error is errors.ErrUnsupported before Linux 5.6, and EACCES on a ring whose
// restrictions do not allow IORING_REGISTER_PROBE.
//
// liburing: io_uring_get_probe_ring
func (r *Ring) Probe() (*Probe, error) {
	if r == nil {
		return nil, os.ErrInvalid
	}
	var arg probeArg
	_, err := r.b.Register(sys.IORING_REGISTER_PROBE, sys.PointerTo(&arg), probeSize)
	if errors.Is(err, syscall.EINVAL) {
		// The argument is right on every kernel that knows the call.
		return nil, fmt.Errorf("uring: IORING_REGISTER_PROBE needs Linux 5.6, which this kernel is older than: %w (%w)", errors.ErrUnsupported, err)
	}
	if err != nil {
		return nil, err
	}
	return &Probe{ops: slices.Clone(arg.ops[:arg.OpsLen])}, nil
}

// Supports reports whether the kernel has the operation. Of one that the kernel
// has never heard of it says no.
//
// liburing: io_uring_opcode_supported
func (p *Probe) Supports(op sys.Op) bool {
	return p != nil && int(op) < len(p.ops) && p.ops[op].Flags&sys.IO_URING_OP_SUPPORTED != 0
}

// Ops yields the operations that the kernel has, in order. Some may be newer
// than this package and have no name in it.
func (p *Probe) Ops() iter.Seq[sys.Op] {
	return func(yield func(sys.Op) bool) {
		if p == nil {
			return
		}
		for i := range p.ops {
			if op := sys.Op(i); p.Supports(op) && !yield(op) {
				return
			}
		}
	}
}
