package uring

// The eventfd that the kernel signals when completions are there.

import (
	"errors"
	"fmt"
	"math"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// RegisterEventfd has the kernel add 1 to an eventfd(2) whenever it posts a
// completion; several at once may count as one. With async it does so only for
// completions that were not there when the submission returned (Linux 5.6). The
// descriptor may be closed afterwards.
//
// It is EBUSY if there is one already, EINVAL for a descriptor that is not an
// eventfd, EBADF for one that is not open.
//
// liburing: io_uring_register_eventfd, io_uring_register_eventfd_async
// kernel: 5.2
func (r *Ring) RegisterEventfd(fd int, async bool) error {
	if err := r.usable(); err != nil {
		return err
	}
	if fd < 0 || fd > math.MaxInt32 {
		return refuse("RegisterEventfd", "descriptor %d", fd)
	}
	op := sys.IORING_REGISTER_EVENTFD
	if async {
		op = sys.IORING_REGISTER_EVENTFD_ASYNC
	}
	arg := int32(fd)
	_, err := r.register(op, sys.PointerTo(&arg), 1)
	err = explain(err, syscall.EBUSY, "the ring has an eventfd already")
	return explain(err, syscall.EINVAL, "descriptor %d is not an eventfd", fd)
}

// UnregisterEventfd undoes RegisterEventfd. It is ENXIO if there is no eventfd.
//
// liburing: io_uring_unregister_eventfd   kernel: 5.2
func (r *Ring) UnregisterEventfd() error {
	_, err := r.register(sys.IORING_UNREGISTER_EVENTFD, nil, 0)
	return explain(err, syscall.ENXIO, "the ring has no eventfd")
}

// SetEventfdEnabled switches the notifications of the eventfd off and on again,
// without a system call. Status tells which it is. Kernels before 5.8 cannot: there,
// and with a backend that has no such method, off is errors.ErrUnsupported.
//
// liburing: io_uring_cq_eventfd_toggle
func (r *Ring) SetEventfdEnabled(on bool) error {
	if err := r.usable(); err != nil {
		return err
	}
	b, ok := r.b.(interface{ SetEventfdEnabled(on bool) error })
	if !ok {
		return fmt.Errorf("uring: this backend cannot switch an eventfd: %w", errors.ErrUnsupported)
	}
	return b.SetEventfdEnabled(on)
}
