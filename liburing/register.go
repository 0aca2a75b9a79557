//go:build linux && cgo

package liburing

// Everything that goes through io_uring_register(2). What changes how the
// library drives the ring has a method of its own.

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/uring-go/uring/sys"
)

// Register is io_uring_register(2): the operation, its argument and the number
// that goes with it, as the man page has them. Memory that the argument names
// stays reachable until the call returns, and registered memory until it is
// unregistered. The result is the kernel's; an error is an *os.SyscallError.
//
// The library's own function for the operation makes the call where it can: the
// argument is nil or points to the whole of what the operation takes, for C looks
// into it. A call with reserved fields set, or of an operation that the library
// does not know, goes to the kernel as it is.
func (r *Ring) Register(op sys.RegisterOp, arg unsafe.Pointer, n uint32) (int, error) {
	if r.h == nil {
		return 0, os.ErrClosed
	}
	ret := C.uring_register(r.h, C.uint(op), address(arg), C.uint(n))
	runtime.KeepAlive(arg)
	return answer(op, ret)
}

// RegisterRingless is io_uring_register(2) without a ring, for the operations
// that need none: IORING_REGISTER_QUERY, IORING_REGISTER_SEND_MSG_RING, and
// IORING_REGISTER_RESTRICTIONS and IORING_REGISTER_BPF_FILTER for the calling
// thread. A kernel before 6.13 has none of them and answers EBADF.
func RegisterRingless(op sys.RegisterOp, arg unsafe.Pointer, n uint32) (int, error) {
	ret := C.uring_register_ringless(C.uint(op), address(arg), C.uint(n))
	runtime.KeepAlive(arg)
	return answer(op, ret)
}

// escape.never is false for as long as the program runs, which the compiler does
// not know.
var escape struct {
	never bool
	sink  unsafe.Pointer
}

// address returns an argument as an integer: it may be a table of Go addresses,
// which is the kernel's business and not C's. The integer does not follow a stack
// that grows on the way into C, so the argument is forced to the heap.
func address(arg unsafe.Pointer) C.uintptr_t {
	if escape.never {
		escape.sink = arg
	}
	return C.uintptr_t(uintptr(arg))
}

// SetEventfdEnabled switches the notifications of the registered eventfd on or
// off. It makes no system call: it is a flag in ring memory. Kernels before 5.8
// do not have it; there it is errors.ErrUnsupported.
//
// liburing: io_uring_cq_eventfd_toggle
func (r *Ring) SetEventfdEnabled(on bool) error {
	if r.h == nil {
		return os.ErrClosed
	}
	if ret := C.uring_enable_eventfd(r.h, C.bool(on)); ret < 0 {
		return fmt.Errorf("uring: this kernel cannot switch off an eventfd (Linux 5.8): %w", errors.ErrUnsupported)
	}
	return nil
}

func answer(op sys.RegisterOp, ret C.int) (int, error) {
	switch {
	case ret >= 0:
		return int(ret), nil
	case ret == C.URING_WRONG_THREAD:
		return 0, wrongThread("io_uring_register")
	}
	return 0, sys.RegisterError(op, syscall.Errno(-ret))
}

// RegisterRingFd puts the ring's descriptor into the calling thread's table of
// registered rings (Linux 5.18), which saves the lookup in every system call:
// some 80 ns. Until UnregisterRingFd the ring may be used on this thread only:
// the caller has called runtime.LockOSThread and stays locked. On another thread
// the same index can name another ring; every call checks the thread.
//
// It is EEXIST if the descriptor is registered already.
//
// liburing: io_uring_register_ring_fd
func (r *Ring) RegisterRingFd() error {
	if r.h == nil {
		return os.ErrClosed
	}
	n, err := answer(sys.IORING_REGISTER_RING_FDS, C.uring_register_ring_fd(r.h))
	if err == nil && n != 1 {
		err = fmt.Errorf("uring: the kernel registered %d ring descriptors of 1", n)
	}
	return err
}

// UnregisterRingFd undoes RegisterRingFd, on the same thread. It is EINVAL if
// the descriptor is not registered.
//
// liburing: io_uring_unregister_ring_fd
func (r *Ring) UnregisterRingFd() error {
	if r.h == nil {
		return os.ErrClosed
	}
	_, err := answer(sys.IORING_UNREGISTER_RING_FDS, C.uring_unregister_ring_fd(r.h))
	return err
}

// CloseRingFd closes the descriptor of a ring whose descriptor is registered;
// the ring lives on through its index (Linux 6.3, liburing 2.4).
//
// It is errors.ErrUnsupported without IORING_FEAT_REG_REG_RING, EINVAL if the
// descriptor is not registered, and EBADF if it is closed already.
//
// liburing: io_uring_close_ring_fd
func (r *Ring) CloseRingFd() error {
	if r.h == nil {
		return os.ErrClosed
	}
	if r.params.Features&sys.IORING_FEAT_REG_REG_RING == 0 {
		return fmt.Errorf("uring: closing the ring's descriptor needs IORING_FEAT_REG_REG_RING (Linux 6.3): %w", errors.ErrUnsupported)
	}
	switch ret := C.uring_close_ring_fd(r.h); {
	case ret == C.URING_TOO_OLD:
		return tooOld("CloseRingFd", "2.4")
	case ret == -C.EINVAL:
		return fmt.Errorf("uring: the ring's descriptor is not registered: %w", os.NewSyscallError("close", syscall.EINVAL))
	case ret < 0:
		return os.NewSyscallError("close", syscall.Errno(-ret))
	}
	return nil
}

// Resize gives the ring new sizes while requests are in flight (Linux 6.13,
// liburing 2.9, IORING_SETUP_DEFER_TASKRUN only). p.CQEntries counts with
// IORING_SETUP_CQSIZE in p.Flags; on return p holds the new sizes. Entries
// handed over and completions not yet consumed are kept; if they do not fit, it
// is EOVERFLOW and nothing changes. What Queue returned before is no longer
// valid.
//
// If the kernel resized the ring and the new memory cannot be mapped, the ring
// is lost: it is closed, and the error says so.
//
// liburing: io_uring_resize_rings
func (r *Ring) Resize(entries uint32, p *sys.Params) error {
	if r.h == nil {
		return os.ErrClosed
	}
	if r.params.Flags&sys.IORING_SETUP_NO_MMAP != 0 {
		return fmt.Errorf("uring: a ring in the caller's memory (IORING_SETUP_NO_MMAP) cannot be resized: %w", syscall.EINVAL)
	}
	if r.Fd() < 0 {
		return fmt.Errorf("uring: a ring whose descriptor is closed cannot be resized, for its memory cannot be mapped: %w", syscall.EBADF)
	}
	p.SQEntries = entries
	waiting := uint32(r.Status().SQReady)
	if want, _ := sys.RingEntries(max(entries, 1), p); waiting > want {
		return fmt.Errorf("uring: %d entries wait to be submitted and do not fit a queue of %d: %w", waiting, want, syscall.EOVERFLOW)
	}
	// The library keeps the order of the entries that it was given; those still
	// staged are ours to carry over.
	staged := make([]sys.SQE, 0, r.staged<<r.shift)
	for i := r.local - r.staged; i != r.local; i++ {
		at := (i & r.mask) << r.shift
		staged = append(staged, r.stage[at:at+1<<r.shift]...)
	}
	flags := p.Flags
	switch ret := C.uring_resize(r.h, (*C.struct_io_uring_params)(unsafe.Pointer(p))); {
	case ret == C.URING_TOO_OLD:
		return tooOld("Resize", "2.9")
	case ret == C.URING_WRONG_THREAD:
		return wrongThread("io_uring_resize_rings")
	case ret == C.URING_LOST:
		return errors.Join(errors.New("uring: the ring was resized and its new memory cannot be mapped, so it is closed"), r.Close())
	case ret < 0:
		p.Flags = flags
		return sys.RegisterError(sys.IORING_REGISTER_RESIZE_RINGS, syscall.Errno(-ret))
	}
	p.Flags = flags
	r.params.SQEntries, r.params.CQEntries = p.SQEntries, p.CQEntries
	r.params.SQOff, r.params.CQOff = p.SQOff, p.CQOff
	local, n := r.local, r.staged
	r.next, r.end = 0, 0
	r.attach()
	r.local, r.zeroed = local, local
	for i := range n {
		at := ((local - n + i) & r.mask) << r.shift
		copy(r.stage[at:at+1<<r.shift], staged[i<<r.shift:])
	}
	return nil
}
