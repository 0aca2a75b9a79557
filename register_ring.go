package uring

// The ring itself: its descriptor, its sizes, its clock.

import (
	"fmt"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// RegisterRingFd puts the ring's descriptor into the calling thread's table of
// registered rings, which saves the kernel a lookup, some 80 ns, in every call.
// Until UnregisterRingFd the ring may be used on this thread only: the caller has
// called runtime.LockOSThread and stays locked, for on another thread the same
// index can name another ring. It is EEXIST if the descriptor is registered
// already.
//
// liburing: io_uring_register_ring_fd   kernel: 5.18
func (r *Ring) RegisterRingFd() error {
	if err := r.usable(); err != nil {
		return err
	}
	return r.b.RegisterRingFd()
}

// TryRegisterRingFd is RegisterRingFd for those who can do without: it reports
// whether the descriptor is registered, and if it is not the ring works on as
// before. The caller's promise to stay on the thread counts only if it is.
func (r *Ring) TryRegisterRingFd() bool { return r.RegisterRingFd() == nil }

// UnregisterRingFd undoes RegisterRingFd, on the same thread. It is EINVAL if the
// descriptor is not registered.
//
// liburing: io_uring_unregister_ring_fd   kernel: 5.18
func (r *Ring) UnregisterRingFd() error {
	if err := r.usable(); err != nil {
		return err
	}
	return r.b.UnregisterRingFd()
}

// CloseRingFd closes the descriptor of a ring whose descriptor is registered. The
// ring lives on through its index; Fd is -1. It is errors.ErrUnsupported without
// IORING_FEAT_REG_REG_RING, EINVAL if the descriptor is not registered, EBADF if it
// is closed already.
//
// liburing: io_uring_close_ring_fd   kernel: 6.3
func (r *Ring) CloseRingFd() error {
	if err := r.usable(); err != nil {
		return err
	}
	return r.b.CloseRingFd()
}

// Resize gives the ring new sizes while requests are in flight: it needs
// IORING_SETUP_DEFER_TASKRUN. Both are rounded up to powers of two; a cqEntries of 0
// is twice entries. Completions and submitted entries are kept. So are entries that
// GetSQE gave out, which must be filled in by now: pointers to them are no longer
// valid.
//
// It is EOVERFLOW, and nothing changes, if what the queues hold does not fit, and
// EINVAL for a ring without that flag or with IORING_SETUP_NO_MMAP. With liburing
// it needs version 2.9, else it is errors.ErrUnsupported. If the new queues cannot
// be mapped the ring is lost, closed, and the error says so.
//
// liburing: io_uring_resize_rings   kernel: 6.13
func (r *Ring) Resize(entries, cqEntries uint32) error {
	if err := r.usable(); err != nil {
		return err
	}
	old := r.b.Params()
	if old.Flags&sys.IORING_SETUP_DEFER_TASKRUN == 0 {
		return refuse("Resize", "only a ring with IORING_SETUP_DEFER_TASKRUN can be resized")
	}
	p := sys.Params{CQEntries: cqEntries}
	if cqEntries != 0 {
		p.Flags = sys.IORING_SETUP_CQSIZE
	}
	if err := sys.CheckSetup(entries, &p); err != nil {
		return fmt.Errorf("uring: Resize: %w", err)
	}
	r.handOver()
	err := r.b.Resize(entries, &p)
	if err != nil {
		r.reg.ringClosed(r.b)
		if r.reg.closed {
			r.drop()
		}
		return explain(err, syscall.EOVERFLOW, "what the ring holds does not fit queues of %d and %d entries", entries, cqEntries)
	}
	r.drop()
	r.cqEntries = int(p.CQEntries)
	return nil
}

// RegisterClock chooses the clock of the ring's timeouts in waits, Wait.Timeout
// among them: unix.CLOCK_MONOTONIC, which is the default, or unix.CLOCK_BOOTTIME,
// which goes on while the system sleeps. Others are EINVAL. The clock of an
// IORING_OP_TIMEOUT is in its own flags.
//
// liburing: io_uring_register_clock   kernel: 6.12
func (r *Ring) RegisterClock(id int32) error {
	arg := &sys.ClockRegister{Clockid: uint32(id)}
	_, err := r.register(sys.IORING_REGISTER_CLOCK, sys.PointerTo(arg), 0)
	return explain(err, syscall.EINVAL, "clock %d; rings have CLOCK_MONOTONIC (1) and CLOCK_BOOTTIME (7)", id)
}
