package uring

// Registration: what a ring is told once so that its requests need not say it
// each time (buffers, files, buffer rings), and how it is to behave. This file has
// what all registrations share; register_*.go have them by subject, bufring.go the
// rings of provided buffers, cancel.go and drain.go what ends requests.
//
// Every method here goes through Backend.Register and is therefore the same on
// both backends. What is wrong with the arguments on every kernel is refused before
// the kernel sees it, in a sentence with syscall.EINVAL inside. What the kernel
// refuses is an *os.SyscallError that names the operation, in a sentence where the
// errno alone does not say enough. A kernel that does not know the operation
// answers EINVAL. The methods of a nil Ring answer os.ErrInvalid and those of a
// closed one os.ErrClosed.

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// registrations is what a ring remembers of its registrations: above all the
// memory that the kernel may use until they end.
type registrations struct {
	closed  bool
	buffers []fixedBuffer       // the table of registered buffers, as far as it is known
	groups  map[uint16]*BufRing // the buffer rings by group
	waits   *WaitRegion         // the ring's registered waits
	maps    [][]byte            // mappings that live as long as the ring
}

// ringClosed lets go of everything once the backend is closed; before, it does
// nothing.
func (g *registrations) ringClosed(b Backend) {
	if g.closed || !errors.Is(b.Wait(Wait{}), os.ErrClosed) {
		return
	}
	for i := range g.buffers {
		g.buffers[i].release()
	}
	for _, br := range g.groups {
		br.release()
	}
	for _, m := range g.maps {
		unmapMemory(m)
	}
	*g = registrations{closed: true}
}

// usable tells why nothing can be registered with the ring at all.
func (r *Ring) usable() error {
	switch {
	case r == nil:
		return os.ErrInvalid
	case r.reg.closed:
		return os.ErrClosed
	}
	return nil
}

// register is Backend.Register for a whole registration. On older kernels some
// operations wait until requests have ended, and a signal ends that wait before
// anything has changed: they begin again.
func (r *Ring) register(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, error) {
	if err := r.usable(); err != nil {
		return 0, err
	}
	for {
		res, err := r.b.Register(op, arg, n)
		if !errors.Is(err, syscall.EINTR) {
			return res, r.ownerError(op, err)
		}
	}
}

// ownerError explains EEXIST on a ring that belongs to one thread. Where an
// operation has another use for that errno it is left alone.
func (r *Ring) ownerError(op sys.RegisterOp, err error) error {
	if !errors.Is(err, syscall.EEXIST) || r.b.Params().Flags&sys.IORING_SETUP_SINGLE_ISSUER == 0 {
		return err
	}
	switch op {
	case sys.IORING_REGISTER_ENABLE_RINGS: // has its sentence already
	case sys.IORING_REGISTER_PBUF_RING: // the group is in use
	case sys.IORING_REGISTER_NAPI: // the id is there
	default:
		return fmt.Errorf("uring: this ring belongs to another thread (IORING_SETUP_SINGLE_ISSUER): %w", err)
	}
	return err
}

// A ringless calls io_uring_register(2) without a ring; each backend has one.
type ringless func(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, error)

// unsupportedRingless turns what a kernel without an operation answers, to
// arguments that every kernel with it takes, into errors.ErrUnsupported. Before
// Linux 6.13 there was no call without a ring at all: that is EBADF.
func unsupportedRingless(op sys.RegisterOp, since string, err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EBADF) {
		return fmt.Errorf("uring: this kernel has no %v without a ring (Linux %s): %w: %w", op, since, errors.ErrUnsupported, err)
	}
	return err
}

// refuse is the error of an argument that is wrong on every kernel.
func refuse(method, format string, args ...any) error {
	return fmt.Errorf("uring: "+method+": "+format+": %w", append(args, syscall.EINVAL)...)
}

// explain puts a sentence before the kernel's answer if that is the given errno.
func explain(err error, errno syscall.Errno, format string, args ...any) error {
	if !errors.Is(err, errno) {
		return err
	}
	return fmt.Errorf("uring: "+format+": %w", append(args, err)...)
}

// indices checks a range of table indices and returns it in the kernel's type.
func indices(method, what string, first, n int) (uint32, error) {
	switch {
	case first < 0:
		return 0, refuse(method, "%s %d; the first is 0", what, first)
	case uint64(first)+uint64(n) > math.MaxUint32:
		return 0, refuse(method, "%ss %d to %d; the last possible is %d", what, first, uint64(first)+uint64(n)-1, uint32(math.MaxUint32))
	}
	return uint32(first), nil
}

// tagged checks that there are as many tags as resources. No tags at all is
// right too.
func tagged(method, what string, n int, tags []uint64) error {
	if tags != nil && len(tags) != n {
		return refuse(method, "%d %ss and %d tags; there must be one for each, or none", n, what, len(tags))
	}
	return nil
}
