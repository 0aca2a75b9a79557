package purego

// A ring that somebody else made and also uses: a C program with liburing, or
// another process that passed its descriptor. Each view of such a ring has its own
// mapping and its own idea of the tail; what is shared is the memory.

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// Map makes a Ring of one that exists, from its descriptor and what
// io_uring_setup(2) answered when it was made. The Ring is a second view of the
// same queues.
//
// It keeps a duplicate of fd, and mappings of its own. Close releases these, and
// neither fd nor the other view is touched; the ring itself ends when both
// descriptors are closed. p is only read.
//
// The views take turns, and one ends its turn by publishing what it prepared:
// here with Submit or Flush, in C with io_uring_submit. What the other view did in
// its turn is found by the next call of Queue. A Submit or Flush that finds
// that the tail was moved while entries were handed over here answers EBUSY, and
// these entries are gone: the kernel is not made to read what lies in their place.
// Either view may reap; a completion goes to the one that does.
//
// Like io_uring_queue_mmap it cannot map a ring in its maker's memory
// (IORING_SETUP_NO_MMAP): that is EINVAL, as are parameters that are not those of
// the ring, as far as the ring's own memory tells. The setup flags are in nobody's
// memory but the maker's, and are believed. A descriptor that is closed is EBADF,
// one of something else EOPNOTSUPP.
//
// liburing: io_uring_queue_mmap, and the index array that it leaves to its caller
func Map(fd int, p *sys.Params) (*Ring, error) {
	if err := mappable(fd, p); err != nil {
		return nil, err
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	r := &Ring{fd: own, enterFd: own, params: *p}
	if err = r.maps.mmap(own, p); errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENXIO) {
		err = fmt.Errorf("uring: descriptor %d is not of a ring with %d and %d entries and the flags %v: %w", fd, p.SQEntries, p.CQEntries, p.Flags, err)
	}
	if err == nil {
		err = r.join()
	}
	if err != nil {
		return nil, errors.Join(err, r.maps.release(), r.closeFd())
	}
	return r, nil
}

// mappable tells what is wrong with a descriptor or parameters before anything is
// made of them. The numbers bound all arithmetic with offsets.
func mappable(fd int, p *sys.Params) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("uring: Map of descriptor %d: %s: %w", fd, fmt.Sprintf(format, args...), syscall.EINVAL)
	}
	power := func(n, most uint32) bool { return n != 0 && n&(n-1) == 0 && n <= most }
	const room = 1 << 24 // no offset of the kernel's comes near it
	switch {
	case p == nil:
		return wrong("no parameters")
	case p.Flags&sys.IORING_SETUP_NO_MMAP != 0:
		return wrong("the ring lies in the memory of its maker (IORING_SETUP_NO_MMAP)")
	case p.Flags&sys.IORING_SETUP_REGISTERED_FD_ONLY != 0:
		return wrong("the ring has no descriptor (IORING_SETUP_REGISTERED_FD_ONLY)")
	case !power(p.SQEntries, sys.MaxEntries):
		return wrong("a submission queue of %d entries; it is a power of two up to %d", p.SQEntries, sys.MaxEntries)
	case !power(p.CQEntries, sys.MaxCQEntries) || p.CQEntries < p.SQEntries:
		return wrong("a completion queue of %d entries; it is a power of two from %d up to %d", p.CQEntries, p.SQEntries, sys.MaxCQEntries)
	}
	for _, off := range []uint32{
		p.SQOff.Head, p.SQOff.Tail, p.SQOff.RingMask, p.SQOff.RingEntries, p.SQOff.Flags, p.SQOff.Dropped, p.SQOff.Array,
		p.CQOff.Head, p.CQOff.Tail, p.CQOff.RingMask, p.CQOff.RingEntries, p.CQOff.Overflow, p.CQOff.CQEs, p.CQOff.Flags,
	} {
		if off >= room || off%4 != 0 {
			return wrong("an offset of %d in the parameters; were they filled in by io_uring_setup?", off)
		}
	}
	words := []uint32{p.SQOff.Head, p.SQOff.Tail, p.SQOff.RingMask, p.SQOff.RingEntries, p.CQOff.Head, p.CQOff.Tail, p.CQOff.RingMask, p.CQOff.RingEntries}
	if p.Features&sys.IORING_FEAT_SINGLE_MMAP != 0 {
		for i, a := range words {
			for _, b := range words[:i] {
				if a == b {
					return wrong("two words at offset %d in the parameters; were they filled in by io_uring_setup?", a)
				}
			}
		}
		if end := p.CQOff.CQEs + p.CQEntries*cqeSize(p.Flags); p.Flags&sys.IORING_SETUP_NO_SQARRAY == 0 && p.SQOff.Array < end {
			return wrong("the index array at offset %d lies among the completions, which end at %d: other sizes or flags than the ring's", p.SQOff.Array, end)
		}
	}
	// Entering with nothing to do tells a ring from anything else. One that is
	// disabled answers EBADFD.
	if _, errno := enterNow(fd, 0, 0, 0); errno != 0 && errno != syscall.EBADFD {
		return fmt.Errorf("uring: Map of descriptor %d: it is not a ring: %w", fd, os.NewSyscallError("io_uring_enter", errno))
	}
	return nil
}

// join is attach for a ring that is in use.
func (r *Ring) join() error {
	p := &r.params
	head, err := word(r.maps.sq, p.SQOff.Head)
	if err != nil {
		return err
	}
	tail, err := word(r.maps.sq, p.SQOff.Tail)
	if err != nil {
		return err
	}
	if n := tail.Load() - head.Load(); n > p.SQEntries && p.Flags&sys.IORING_SETUP_SQ_REWIND == 0 {
		return fmt.Errorf("uring: %d entries wait in a queue of %d: the parameters are not the ring's: %w", int32(n), p.SQEntries, syscall.EINVAL)
	}
	// The index array belongs to whoever fills it. liburing fills it once, as attach
	// does; entries that wait under other indices are somebody else's way.
	if p.Flags&sys.IORING_SETUP_NO_SQARRAY == 0 {
		for i := head.Load(); i != tail.Load(); i++ {
			at := i & (p.SQEntries - 1)
			w, err := word(r.maps.sq, p.SQOff.Array+4*at)
			if err != nil {
				return err
			}
			if got := w.Load(); got != at {
				return fmt.Errorf("uring: slot %d of the index array names entry %d, which waits to be submitted; the ring's maker uses the array as Map cannot: %w", at, got, syscall.EBUSY)
			}
		}
	}
	if err := r.attach(); err != nil {
		return errors.Join(err, syscall.EINVAL)
	}
	if n := r.cq.ready(); n > r.cq.entries {
		return fmt.Errorf("uring: %d completions wait in a queue of %d: the parameters are not the ring's: %w", int32(n), p.CQEntries, syscall.EINVAL)
	}
	r.sq.foreign, r.brisk = true, false
	r.sq.zeroed = r.sq.local // the other view left its entries in the memory
	return nil
}

// follow takes over the tail of another view and tells if entries were lost by it.
func (r *Ring) follow() error {
	if lost := r.sq.follow(); lost > 0 {
		return fmt.Errorf("uring: another view of this ring moved the tail of the submission queue while %d entries were handed over here; they are gone. Flush or Submit before the other view's turn: %w", lost, syscall.EBUSY)
	}
	return nil
}

// Flush publishes what was handed over in ring memory without entering the kernel:
// whoever enters it next, through whatever view, submits it. Under
// IORING_SETUP_SQPOLL the kernel's thread takes it at once, if it is awake. Flush
// before another view takes its turn (see Map).
//
// With IORING_SETUP_SQ_REWIND the number of entries goes with the system call and
// with nothing else; there it is errors.ErrUnsupported.
func (r *Ring) Flush() error {
	switch {
	case r.closed:
		return os.ErrClosed
	case r.sq.rewind && r.sq.local != 0:
		return fmt.Errorf("uring: a ring with IORING_SETUP_SQ_REWIND cannot hand entries over without submitting them: %w", errors.ErrUnsupported)
	case r.sq.rewind:
		return nil
	case r.sq.foreign:
		if err := r.follow(); err != nil {
			return err
		}
	}
	r.sq.publish()
	return nil
}

// Shared reports whether others use the ring too: Map took it.
func (r *Ring) Shared() bool { return r.sq.foreign }

// DontFork keeps the ring's memory out of children that fork(2) makes from now on,
// also after Resize. A child that touches the ring dies of SIGSEGV then, where it
// would share the queues with its parent and submit the parent's entries. It does
// not matter to os/exec. Memory registered with the ring is not part of it.
//
// liburing: io_uring_ring_dontfork
func (r *Ring) DontFork() error {
	if r.closed {
		return os.ErrClosed
	}
	if err := r.maps.dontFork(); err != nil {
		return err
	}
	r.dontFork = true
	return nil
}

// dontFork marks the mappings, and of lent memory the part in use.
func (m *mappings) dontFork() error {
	parts := m.owned
	if len(parts) == 0 {
		parts = [][]byte{m.sqes, m.sq[:m.used-len(m.sqes)]}
	}
	for _, mem := range parts {
		if err := unix.Madvise(mem, unix.MADV_DONTFORK); err != nil {
			return os.NewSyscallError("madvise", err)
		}
	}
	return nil
}
