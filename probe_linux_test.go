package uring

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// TestProbe asks the running kernel through each backend, and runs an operation
// that it says to have and one that it says not to have.
func TestProbe(t *testing.T) {
	needRing(t)
	for _, backend := range []struct {
		name string
		open func() (Backend, error)
	}{
		{"purego", func() (Backend, error) { return purego.New(4, nil) }},
		{"liburing", func() (Backend, error) { return liburing.New(4, nil) }},
	} {
		t.Run(backend.name, func(t *testing.T) {
			b, err := backend.open()
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			r := NewRing(b)
			p, err := r.Probe()
			if err != nil {
				t.Fatal(err)
			}
			highest := sys.Op(0)
			for op := range p.Ops() {
				highest = op
			}
			for op, want := range map[sys.Op]int32{sys.IORING_OP_NOP: 0, highest + 1: -int32(syscall.EINVAL)} {
				if got := p.Supports(op); got != (want == 0) {
					t.Errorf("Supports(%v) is %v", op, got)
				}
				s := r.GetSQE()
				s.Opcode, s.UserData = op, uint64(op)
				if n, err := r.SubmitWait(Wait{N: 1}); n != 1 || err != nil {
					t.Fatalf("%v: SubmitWait = %d, %v", op, n, err)
				}
				var c [1]CQE
				if n := r.Peek(c[:]); n != 1 || c[0].UserData != uint64(op) || c[0].Res != want {
					t.Errorf("%v: completion %+v, want result %d", op, c[0], want)
				}
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Probe(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("the probe of a closed ring: %v", err)
			}
		})
	}
}
