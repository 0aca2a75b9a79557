//go:build linux && cgo

package liburing

// One ring, used by threads of C's and goroutines of Go's at the same time. The
// work is done in uring_dispatch.h, which C programs include too; here are its
// calls for Go.

/*
#cgo noescape uring_dispatch_reap

#include "shim.h"
#include "uring_dispatch.h"
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"github.com/uring-go/uring/sys"
)

// A Dispatcher lets threads of C's and goroutines of Go's use one ring at the same
// time, of which none loses its completions to another: the upper bits of an
// entry's UserData are a tag that says whose it is. Each user reserves a tag,
// submits between Lock and Unlock, and takes its completions with Wait or Peek.
// Whoever waits reaps for all. C does the same with the functions of
// uring_dispatch.h, which lies in this package's directory and needs nothing but
// liburing.
//
// While a dispatcher exists the ring is not reaped but through it: no Peek of the
// Ring's, and no Submit that waits. The methods may be called by any goroutine at
// any time; Close only when no other call is under way. A ring with
// IORING_SETUP_SINGLE_ISSUER or IORING_SETUP_DEFER_TASKRUN belongs to one thread,
// and so does its dispatcher.
type Dispatcher struct {
	mu   sync.Mutex // the race detector does not see C's
	d    *C.struct_uring_dispatch
	ring *Ring
	made bool
}

// NewDispatcher makes a dispatcher whose tags are the upper bits of UserData: 1 to
// 10 of them, for 2^bits - 2 tags to reserve beside tag 0. It flushes, and from then
// on the ring counts as shared with C. A ring whose completions are not all of 16
// bytes is EOPNOTSUPP.
func NewDispatcher(r *Ring, bits int) (*Dispatcher, error) {
	if r == nil || r.h == nil {
		return nil, os.ErrClosed
	}
	if bits < 1 || bits > C.URING_DISPATCH_BITS {
		return nil, fmt.Errorf("uring: a dispatcher with tags of %d bits; they have 1 to %d: %w", bits, C.URING_DISPATCH_BITS, syscall.EINVAL)
	}
	ring := (*C.struct_io_uring)(r.Pointer())
	d := (*C.struct_uring_dispatch)(C.calloc(1, C.sizeof_struct_uring_dispatch))
	if ret := C.uring_dispatch_init(d, ring, C.uint(bits)); ret < 0 {
		C.free(unsafe.Pointer(d))
		return nil, fmt.Errorf("uring: a dispatcher for a ring with completions of 32 bytes: %w", syscall.Errno(-ret))
	}
	r.look = 0 // others reap while Submit would look
	return &Dispatcher{d: d, ring: r, made: true}, nil
}

// AdoptDispatcher is for a dispatcher that C made with uring_dispatch_init, given as
// a struct uring_dispatch *, and for its ring, which it adopts as Adopt does. Both
// stay C's.
func AdoptDispatcher(ptr unsafe.Pointer) (*Dispatcher, error) {
	switch at, align := uintptr(ptr), unsafe.Alignof(C.struct_uring_dispatch{}); {
	case at == 0:
		return nil, fmt.Errorf("uring: AdoptDispatcher of a nil pointer: %w", syscall.EINVAL)
	case at%align != 0:
		return nil, fmt.Errorf("uring: AdoptDispatcher of %#x, which is not aligned to %d bytes: %w", at, align, syscall.EINVAL)
	}
	d := (*C.struct_uring_dispatch)(ptr)
	if d.bits < 1 || d.bits > C.URING_DISPATCH_BITS || d.boxes != 1<<d.bits {
		return nil, fmt.Errorf("uring: AdoptDispatcher of a struct with tags of %d bits: was it passed to uring_dispatch_init? %w", d.bits, syscall.EINVAL)
	}
	r, err := Adopt(unsafe.Pointer(d.ring))
	if err != nil {
		return nil, err
	}
	r.look = 0
	return &Dispatcher{d: d, ring: r}, nil
}

// Pointer returns the struct uring_dispatch * for C; nil after Close.
func (d *Dispatcher) Pointer() unsafe.Pointer { return unsafe.Pointer(d.d) }

// Ring returns the ring, whose Queue, Advance, Flush and Submit are used between
// Lock and Unlock.
func (d *Dispatcher) Ring() *Ring { return d.ring }

// Reserve returns a tag that nobody else has: a number whose upper bits are the tag
// and whose others are zero, to be combined with a number of the caller's. It is
// ENOSPC when all tags are taken.
func (d *Dispatcher) Reserve() (tag uint64, err error) {
	if d.d == nil {
		return 0, os.ErrClosed
	}
	var c C.uint64_t
	if ret := C.uring_dispatch_reserve(d.d, &c); ret < 0 {
		return 0, fmt.Errorf("uring: all %d tags of this dispatcher are taken: %w", d.d.boxes-2, syscall.Errno(-ret))
	}
	return uint64(c), nil
}

// GiveBack ends a reservation. Completions that were not taken, and those that are
// still to come, go to tag 0. Other tags than Reserve gave are EINVAL.
func (d *Dispatcher) GiveBack(tag uint64) error {
	if d.d == nil {
		return os.ErrClosed
	}
	if ret := C.uring_dispatch_give_back(d.d, C.uint64_t(tag)); ret < 0 {
		return fmt.Errorf("uring: GiveBack of the tag %#x: %w", tag, syscall.Errno(-ret))
	}
	return nil
}

// Data returns what of a completion's UserData is not the tag.
func (d *Dispatcher) Data(c sys.CQE) uint64 {
	if d.d == nil {
		return 0
	}
	return c.UserData & (^uint64(0) >> d.d.bits)
}

// Lock keeps others, in C too, from the submission side until Unlock, which may
// happen on another thread.
func (d *Dispatcher) Lock() {
	d.mu.Lock()
	if d.d != nil {
		C.uring_dispatch_lock(d.d)
	}
}

// Unlock ends what Lock began.
func (d *Dispatcher) Unlock() {
	if d.d != nil {
		C.uring_dispatch_unlock(d.d)
	}
	d.mu.Unlock()
}

// Wait takes up to len(dst) completions of a tag, and waits until there is one; an
// empty dst is 0 at once. It holds a thread meanwhile. To end it from outside, submit a
// NOP with the tag.
//
// It is EINVAL for a tag that is not reserved, ENOMEM when the completions of others
// cannot be kept, and EEXIST on another thread than the one that the ring belongs
// to.
func (d *Dispatcher) Wait(tag uint64, dst []sys.CQE) (int, error) { return d.reap(tag, dst, true) }

// Peek is Wait that does not wait: without a completion it is 0. While another user
// waits, it finds what that one has sorted.
func (d *Dispatcher) Peek(tag uint64, dst []sys.CQE) (int, error) { return d.reap(tag, dst, false) }

func (d *Dispatcher) reap(tag uint64, dst []sys.CQE, wait bool) (int, error) {
	if d.d == nil {
		return 0, os.ErrClosed
	}
	n := C.uring_dispatch_reap(d.d, C.uint64_t(tag), (*C.struct_io_uring_cqe)(unsafe.Pointer(unsafe.SliceData(dst))), C.uint(min(len(dst), maxBatch)), C.bool(wait))
	switch {
	case n == -C.EINVAL:
		return 0, fmt.Errorf("uring: the tag %#x is not reserved: %w", tag, syscall.EINVAL)
	case n < 0:
		return 0, sys.EnterError(syscall.Errno(-n))
	}
	return int(n), nil
}

// Close releases the dispatcher, and completions that nobody took. One that
// NewDispatcher made leaves its ring open; one that AdoptDispatcher took stays C's,
// and its adopted ring is let go of. A second Close is os.ErrClosed.
func (d *Dispatcher) Close() error {
	if d.d == nil {
		return os.ErrClosed
	}
	c := d.d
	d.d = nil
	if !d.made {
		return d.ring.Close()
	}
	C.uring_dispatch_exit(c)
	C.free(unsafe.Pointer(c))
	return nil
}
