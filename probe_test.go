package uring

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/uring-go/uring/sys"
)

// probed is a backend whose kernel answers IORING_REGISTER_PROBE as told.
type probed struct {
	Backend
	answer func(p *sys.Probe, ops *[probeSize]sys.ProbeOp) error
}

func (b probed) Register(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, error) {
	if op != sys.IORING_REGISTER_PROBE || n != probeSize {
		return 0, os.NewSyscallError("io_uring_register", syscall.EFAULT)
	}
	a := probeArgOf(arg)
	return 0, b.answer(&a.Probe, &a.ops)
}

// TestProbeAnswer: how an answer is read, whatever its size.
func TestProbeAnswer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		last  sys.Op
		len   uint8
		has   []sys.Op
		yes   []sys.Op
		never []sys.Op
	}{
		{"an old kernel with a hole", 5, 6, []sys.Op{0, 1, 3, 5}, []sys.Op{0, 1, 3, 5}, []sys.Op{2, 4, 6, 64, 255}},
		{"a newer kernel than this package", 254, 255, []sys.Op{0, 200, 254}, []sys.Op{0, 200, 254}, []sys.Op{1, 253, 255}},
		// What lies behind the end of the answer does not count.
		{"leftovers behind the end", 1, 2, []sys.Op{0, 1, 2, 3}, []sys.Op{0, 1}, []sys.Op{2, 3}},
		{"nothing at all", 0, 0, []sys.Op{0}, nil, []sys.Op{0, 1, 255}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Ring{b: probed{answer: func(p *sys.Probe, ops *[probeSize]sys.ProbeOp) error {
				p.LastOp, p.OpsLen = tt.last, tt.len
				for _, op := range tt.has {
					ops[op] = sys.ProbeOp{Op: op, Flags: sys.IO_URING_OP_SUPPORTED}
				}
				return nil
			}}}
			p, err := r.Probe()
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Collect(p.Ops()); !slices.Equal(got, tt.yes) {
				t.Errorf("Ops yields %v, want %v", got, tt.yes)
			}
			for _, op := range tt.yes {
				if !p.Supports(op) {
					t.Errorf("Supports(%v) is false", op)
				}
			}
			for _, op := range tt.never {
				if p.Supports(op) {
					t.Errorf("Supports(%v) is true", op)
				}
			}
			for range p.Ops() {
				break // must not yield again
			}
		})
	}
}

func TestProbeErrors(t *testing.T) {
	fails := func(errno syscall.Errno) *Ring {
		return &Ring{b: probed{answer: func(*sys.Probe, *[probeSize]sys.ProbeOp) error {
			return sys.RegisterError(sys.IORING_REGISTER_PROBE, errno)
		}}}
	}
	if _, err := fails(syscall.EINVAL).Probe(); !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("on a kernel without the call: %v", err)
	}
	if _, err := fails(syscall.EACCES).Probe(); !errors.Is(err, syscall.EACCES) || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("on a restricted ring: %v", err)
	}
	if _, err := (*Ring)(nil).Probe(); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("of a nil ring: %v", err)
	}
	var none *Probe
	if none.Supports(sys.IORING_OP_NOP) || len(slices.Collect(none.Ops())) != 0 {
		t.Error("a nil Probe has operations")
	}
}
