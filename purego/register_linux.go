package purego

// Everything that goes through io_uring_register(2) and changes how this ring
// is driven; what only changes the kernel's side passes through Register.

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// RegisterRingFd puts the ring's descriptor into the calling thread's table of
// registered rings (Linux 5.18), which saves the lookup in every system call:
// some 80 ns. Until UnregisterRingFd the ring may be used on this thread only:
// the caller has called runtime.LockOSThread and stays locked. On another thread
// the same index can name another ring; build with the tag uringdebug to have
// every call checked.
//
// It is EEXIST if the descriptor is registered already.
//
// liburing: io_uring_register_ring_fd
func (r *Ring) RegisterRingFd() error {
	if r.closed {
		return os.ErrClosed
	}
	if r.registered {
		return sys.RegisterError(sys.IORING_REGISTER_RING_FDS, syscall.EEXIST)
	}
	up := &sys.RsrcUpdate{Offset: ^uint32(0), Data: uint64(r.fd)}
	n, errno := r.register(sys.IORING_REGISTER_RING_FDS, sys.PointerTo(up), 1)
	if errno != 0 {
		return sys.RegisterError(sys.IORING_REGISTER_RING_FDS, errno)
	}
	if n != 1 {
		return fmt.Errorf("uring: the kernel registered %d ring descriptors of 1", n)
	}
	r.enterFd, r.enterFlags, r.registered = int(up.Offset), sys.IORING_ENTER_REGISTERED_RING, true
	r.noteThread()
	return nil
}

// UnregisterRingFd undoes RegisterRingFd, on the same thread. It is EINVAL if
// the descriptor is not registered.
//
// liburing: io_uring_unregister_ring_fd
func (r *Ring) UnregisterRingFd() error {
	if r.closed {
		return os.ErrClosed
	}
	if !r.registered {
		return sys.RegisterError(sys.IORING_UNREGISTER_RING_FDS, syscall.EINVAL)
	}
	if err := r.checkThread(); err != nil {
		return err
	}
	_, err := r.unregisterRingFd()
	return err
}

func (r *Ring) unregisterRingFd() (int, error) {
	up := &sys.RsrcUpdate{Offset: uint32(r.enterFd)}
	n, errno := r.register(sys.IORING_UNREGISTER_RING_FDS, sys.PointerTo(up), 1)
	if errno != 0 {
		return n, sys.RegisterError(sys.IORING_UNREGISTER_RING_FDS, errno)
	}
	r.enterFd, r.enterFlags, r.registered = r.fd, 0, false
	return n, nil
}

// CloseRingFd closes the descriptor of a ring whose descriptor is registered;
// the ring lives on through its index (Linux 6.3).
//
// It is errors.ErrUnsupported without IORING_FEAT_REG_REG_RING, EINVAL if the
// descriptor is not registered, and EBADF if it is closed already.
//
// liburing: io_uring_close_ring_fd
func (r *Ring) CloseRingFd() error {
	switch {
	case r.closed:
		return os.ErrClosed
	case r.params.Features&sys.IORING_FEAT_REG_REG_RING == 0:
		return fmt.Errorf("uring: closing the ring's descriptor needs IORING_FEAT_REG_REG_RING (Linux 6.3): %w", errors.ErrUnsupported)
	case !r.registered:
		return fmt.Errorf("uring: the ring's descriptor is not registered: %w", os.NewSyscallError("close", syscall.EINVAL))
	case r.fd < 0:
		return os.NewSyscallError("close", syscall.EBADF)
	}
	return r.closeFd()
}

// Register is io_uring_register(2): the operation, its argument and the number
// that goes with it, as the man page has them. Memory that the argument names
// stays reachable until the call returns, and registered memory until it is
// unregistered. The result is the kernel's; an error is an *os.SyscallError.
//
// The argument is nil or points to the whole of what the operation takes. Where a
// table of files exceeds RLIMIT_NOFILE, the call raises the soft limit and tries
// once more, as liburing's functions do.
func (r *Ring) Register(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, error) {
	if r.closed {
		return 0, os.ErrClosed
	}
	if err := r.checkThread(); err != nil {
		return 0, err
	}
	res, errno := r.register(op, arg, n)
	if errno == syscall.EMFILE {
		if files, ok := tableSize(op, arg, n); ok {
			raiseFileLimit(uint64(files))
			res, errno = r.register(op, arg, n)
		}
	}
	if errno != 0 {
		return 0, sys.RegisterError(op, errno)
	}
	return res, nil
}

// RegisterRingless is io_uring_register(2) without a ring, for the operations
// that need none: IORING_REGISTER_QUERY, IORING_REGISTER_SEND_MSG_RING, and
// IORING_REGISTER_RESTRICTIONS and IORING_REGISTER_BPF_FILTER for the calling
// thread. A kernel before 6.13 has none of them and answers EBADF.
func RegisterRingless(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, error) {
	res, errno := register(-1, op, arg, n)
	if errno != 0 {
		return 0, sys.RegisterError(op, errno)
	}
	return res, nil
}

// SetEventfdEnabled switches the notifications of the registered eventfd on or
// off. It makes no system call: it is a flag in ring memory. Kernels before 5.8
// do not have it; there it is errors.ErrUnsupported.
//
// liburing: io_uring_cq_eventfd_toggle
func (r *Ring) SetEventfdEnabled(on bool) error {
	switch {
	case r.closed:
		return os.ErrClosed
	case r.cq.flags != nil && on:
		r.cq.flags.And(^uint32(sys.IORING_CQ_EVENTFD_DISABLED))
	case r.cq.flags != nil:
		r.cq.flags.Or(uint32(sys.IORING_CQ_EVENTFD_DISABLED))
	case !on:
		return fmt.Errorf("uring: this kernel cannot switch off an eventfd (Linux 5.8): %w", errors.ErrUnsupported)
	}
	return nil
}

// register makes the call by descriptor, or by index where the kernel takes one.
func (r *Ring) register(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, syscall.Errno) {
	if r.registered && r.params.Features&sys.IORING_FEAT_REG_REG_RING != 0 {
		return register(r.enterFd, op|sys.IORING_REGISTER_USE_REGISTERED_RING, arg, n)
	}
	return register(r.fd, op, arg, n)
}

// Resize gives the ring new sizes while requests are in flight (Linux 6.13,
// IORING_SETUP_DEFER_TASKRUN only). p.CQEntries counts with IORING_SETUP_CQSIZE
// in p.Flags; on return p holds the new sizes. Entries handed over and
// completions not yet consumed are kept; if they do not fit, it is EOVERFLOW
// and nothing changes. What Queue returned before is no longer valid.
//
// If the kernel resized the ring and the new memory cannot be mapped, the ring
// is lost: it is closed, and the error says so.
//
// liburing: io_uring_resize_rings
func (r *Ring) Resize(entries uint32, p *sys.Params) error {
	if r.closed {
		return os.ErrClosed
	}
	if r.params.Flags&sys.IORING_SETUP_NO_MMAP != 0 {
		return fmt.Errorf("uring: a ring in the caller's memory (IORING_SETUP_NO_MMAP) cannot be resized: %w", syscall.EINVAL)
	}
	if r.sq.foreign {
		return fmt.Errorf("uring: a ring that Map took cannot be resized, for its other view would keep the old memory: %w", syscall.EINVAL)
	}
	if r.fd < 0 {
		return fmt.Errorf("uring: a ring whose descriptor is closed cannot be resized, for its memory cannot be mapped: %w", syscall.EBADF)
	}
	if err := r.checkThread(); err != nil {
		return err
	}
	p.SQEntries = entries
	if want, _ := sys.RingEntries(max(entries, 1), p); r.sq.ready() > want {
		return fmt.Errorf("uring: %d entries wait to be submitted and do not fit a queue of %d: %w", r.sq.ready(), want, syscall.EOVERFLOW)
	}
	p.SQOff, p.CQOff = sys.SQRingOffsets{}, sys.CQRingOffsets{}
	flags := p.Flags
	_, errno := r.register(sys.IORING_REGISTER_RESIZE_RINGS, sys.PointerTo(p), 1)
	p.Flags = flags // the kernel adds the ring's own, which it would refuse next time
	if errno != 0 {
		return sys.RegisterError(sys.IORING_REGISTER_RESIZE_RINGS, errno)
	}
	next := *r
	next.maps = mappings{}
	next.params.SQEntries, next.params.CQEntries = p.SQEntries, p.CQEntries
	next.params.SQOff, next.params.CQOff = p.SQOff, p.CQOff
	err := next.maps.mmap(r.fd, &next.params)
	if err == nil {
		err = next.attach()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("uring: the ring was resized and its new memory cannot be mapped, so it is closed: %w", err), next.maps.release(), r.Close())
	}
	// The kernel carried over what it had been told of. What was only handed
	// over is ours to carry.
	old := r.sq
	next.sq.shared, next.sq.local = old.shared, old.local
	for i := old.shared; i != old.local; i++ {
		from, to := (i&old.mask)<<old.shift, (i&next.sq.mask)<<next.sq.shift
		copy(next.sq.slots[to:to+1<<next.sq.shift], old.slots[from:])
	}
	next.sq.zeroed = next.sq.local
	if r.dontFork {
		err = next.maps.dontFork()
	}
	oldMaps := r.maps
	r.sq, r.cq, r.maps, r.params = next.sq, next.cq, next.maps, next.params
	return errors.Join(err, oldMaps.release())
}
