//go:build linux && cgo

package liburing

// One ring, used by C and by Go: a ring that C made (Adopt), a ring that C is
// given (Pointer), and what both sides owe each other in between. The pages that
// explain it with pictures are in docs/mixed.md.

/*
#include "submit.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"github.com/uring-go/uring/sys"
)

// Adopt makes a Ring of a struct io_uring that C made and owns: one that
// io_uring_queue_init and its like have set up, with the library that this
// program runs with. Both sides may use it, by turns (see Flush).
//
// The struct and the ring stay C's: it must not move and must not be passed to
// io_uring_queue_exit before the Ring's Close, which lets go of it and releases
// nothing of C's. Memory and files that Go registers with the ring are registered
// with C's ring, and stay so. C may register the ring's descriptor, before or after:
// Go's calls must then come from the thread that did, as a C program's must; call
// Adopt on that thread, which a function exported to C is.
//
// What C prepared and did not submit is submitted by whoever submits next.
//
// A pointer that is nil, not aligned, or does not lead to a ring that is set up is
// an error with syscall.EINVAL inside; a descriptor that is closed is EBADF, and
// one that is something else than a ring EOPNOTSUPP. A struct of a library with
// another layout, or older than the header, is refused with a sentence. What
// cannot be noticed is a pointer to memory that holds anything else at all.
func Adopt(ptr unsafe.Pointer) (*Ring, error) {
	switch at, align := uintptr(ptr), unsafe.Alignof(C.struct_io_uring{}); {
	case at == 0:
		return nil, fmt.Errorf("uring: Adopt of a nil pointer: %w", syscall.EINVAL)
	case at%align != 0:
		return nil, fmt.Errorf("uring: Adopt of %#x, which is not aligned to %d bytes: %w", at, align, syscall.EINVAL)
	}
	ring := (*C.struct_io_uring)(ptr)
	p, err := adoptable(ring)
	if err != nil {
		return nil, err
	}
	r := &Ring{params: *p, shared: true, adopted: true}
	if ret := C.uring_adopt(&r.h, ring); ret < 0 {
		return nil, fmt.Errorf("uring: no memory to stage %d entries: %w", p.SQEntries, syscall.Errno(-ret))
	}
	r.handle = C.uintptr_t(uintptr(unsafe.Pointer(r.h)))
	r.attach()
	return r, nil
}

// adoptable looks at a struct io_uring of C's, in an order in which nothing is
// followed before it is known to lead somewhere.
func adoptable(ring *C.struct_io_uring) (*sys.Params, error) {
	wrong := func(errno error, format string, args ...any) (*sys.Params, error) {
		return nil, fmt.Errorf("uring: Adopt of the struct io_uring at %p: %s: %w", ring, fmt.Sprintf(format, args...), errno)
	}
	if C.uring_mapped(unsafe.Pointer(ring)) == 0 {
		return wrong(syscall.EINVAL, "there is no memory")
	}
	if err := usable(sys.SetupFlags(ring.flags)); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		at   unsafe.Pointer
	}{
		{"sq.khead", unsafe.Pointer(ring.sq.khead)},
		{"sq.ktail", unsafe.Pointer(ring.sq.ktail)},
		{"sq.kring_mask", unsafe.Pointer(ring.sq.kring_mask)},
		{"sq.kring_entries", unsafe.Pointer(ring.sq.kring_entries)},
		{"sq.kflags", unsafe.Pointer(ring.sq.kflags)},
		{"sq.kdropped", unsafe.Pointer(ring.sq.kdropped)},
		{"sq.sqes", unsafe.Pointer(ring.sq.sqes)},
		{"cq.khead", unsafe.Pointer(ring.cq.khead)},
		{"cq.ktail", unsafe.Pointer(ring.cq.ktail)},
		{"cq.kring_mask", unsafe.Pointer(ring.cq.kring_mask)},
		{"cq.kring_entries", unsafe.Pointer(ring.cq.kring_entries)},
		{"cq.koverflow", unsafe.Pointer(ring.cq.koverflow)},
		{"cq.cqes", unsafe.Pointer(ring.cq.cqes)},
	} {
		if f.at == nil {
			return wrong(syscall.EINVAL, "its %s is NULL, so it is not set up", f.name)
		}
		if C.uring_mapped(f.at) == 0 {
			return wrong(syscall.EINVAL, "its %s leads nowhere: was it passed to io_uring_queue_exit?", f.name)
		}
	}
	if ret := C.uring_probe(ring); ret < 0 && ret != -C.EBADFD {
		// A ring that is disabled answers EBADFD, and is one.
		return wrong(os.NewSyscallError("io_uring_enter", syscall.Errno(-ret)), "its descriptor %d is not a ring that this thread can enter", ring.enter_ring_fd)
	}
	for _, q := range []struct {
		name                              string
		entries, mask, copied, copiedMask uint32
		most                              uint32
	}{
		{"submission queue", uint32(*ring.sq.kring_entries), uint32(*ring.sq.kring_mask), uint32(ring.sq.ring_entries), uint32(ring.sq.ring_mask), sys.MaxEntries},
		{"completion queue", uint32(*ring.cq.kring_entries), uint32(*ring.cq.kring_mask), uint32(ring.cq.ring_entries), uint32(ring.cq.ring_mask), sys.MaxCQEntries},
	} {
		if q.entries == 0 || q.entries&(q.entries-1) != 0 || q.entries > q.most || q.mask != q.entries-1 {
			return wrong(syscall.EINVAL, "its %s has %d entries and the mask %#x", q.name, q.entries, q.mask)
		}
		if q.copied != q.entries || q.copiedMask != q.mask {
			return wrong(syscall.EINVAL, "its %s has %d entries and the mask %#x in ring memory, %d and %#x in the struct: it was made by a library that lays it out differently", q.name, q.entries, q.mask, q.copied, q.copiedMask)
		}
	}
	p := &sys.Params{
		SQEntries: uint32(*ring.sq.kring_entries),
		CQEntries: uint32(*ring.cq.kring_entries),
		Flags:     sys.SetupFlags(ring.flags),
		Features:  sys.FeatFlags(ring.features),
	}
	if n := uint32(ring.sq.sqe_tail - *ring.sq.khead); n > p.SQEntries && p.Flags&sys.IORING_SETUP_SQ_REWIND == 0 {
		return wrong(syscall.EINVAL, "%d entries wait in its queue of %d", int32(n), p.SQEntries)
	}
	return p, nil
}

// A StagedError is what Close of an adopted ring answers when entries that were
// handed over never came into C's queue. They are gone; the ring is let go of.
type StagedError struct {
	N int // entries
}

func (e *StagedError) Error() string {
	return fmt.Sprintf("uring: %d entries were handed over and neither flushed nor submitted before the ring went back to C: they are dropped", e.N)
}

// Pointer flushes, and returns the ring as C knows it: a struct io_uring *, to be
// used with the functions of liburing until Close. From then on the ring counts
// as shared with C. It is nil after Close.
//
// C does not pass it to io_uring_queue_exit, unless the ring is one that it made.
func (r *Ring) Pointer() unsafe.Pointer {
	if r.h == nil {
		return nil
	}
	r.shared = true
	r.Flush()
	return unsafe.Pointer(r.h.ring)
}

// Shared reports whether C may use the ring too: it was made in C, or given to C.
func (r *Ring) Shared() bool { return r.shared }

// Adopted reports whether the ring is one that C made and owns.
func (r *Ring) Adopted() bool { return r.adopted }

// Flush moves what was handed over from Go's staging area into the library's
// queue, where C's entries are, and does not submit it: whoever submits next
// does. The queue holds entries in the order in which they came into it, so a
// flush is where Go's entries stand among C's. Flush before C takes its turn.
//
// It is EAGAIN, in a sentence, if the queue has no room for all of them. The rest
// stays staged for the next Flush or Submit.
func (r *Ring) Flush() error {
	if r.h == nil {
		return os.ErrClosed
	}
	if r.staged == 0 {
		return nil
	}
	offered := r.staged
	C.uring_flush(r.handle, C.uint(r.local-r.staged), C.uint(r.staged))
	r.staged -= uint32(r.h.moved)
	r.passed += uint32(r.h.moved)
	if r.staged > 0 {
		return fmt.Errorf("uring: %d of %d entries stay staged, for the queue of %d is full: %w", r.staged, offered, r.params.SQEntries, syscall.EAGAIN)
	}
	return nil
}

// DontFork keeps the ring's memory out of children that fork(2) makes from now on,
// also after Resize. A child that touches the ring dies of SIGSEGV then, where it
// would share the queues with its parent and submit the parent's entries. It does
// not matter to os/exec. Memory registered with the ring is not part of it.
//
// liburing: io_uring_ring_dontfork
func (r *Ring) DontFork() error {
	if r.h == nil {
		return os.ErrClosed
	}
	switch ret := C.uring_dontfork(r.h); {
	case ret == -C.EINVAL:
		return fmt.Errorf("uring: liburing knows no memory of this ring: %w", errors.ErrUnsupported)
	case ret < 0:
		return os.NewSyscallError("madvise", syscall.Errno(-ret))
	}
	return nil
}
