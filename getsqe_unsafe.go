package uring

// GetSQE, and the steps between the 64-byte slots of a window. They are pointers
// and not slices so that GetSQE stays small enough for the compiler to inline it
// into the caller's loop: it costs exactly as much as the compiler allows, which
// a test holds.

import (
	"unsafe"

	"github.com/uring-go/uring/sys"
)

// GetSQE returns the next free entry, zeroed, user_data included; nil when the
// queue is full. The next Submit submits it, whatever it holds by then. On a
// ring with IORING_SETUP_SQE128 it is the first half of the entry; GetSQE128
// gives the whole.
//
// liburing: io_uring_get_sqe
func (r *Ring) GetSQE() (s *SQE) {
	if r != nil {
		if s = r.next; s == r.last {
			return r.refill()
		}
		r.next = (*SQE)(unsafe.Add(unsafe.Pointer(s), unsafe.Sizeof(*s)))
	}
	return
}

// double returns the two slots that begin with s as one entry.
func double(s *SQE) *sys.SQE128 { return (*sys.SQE128)(unsafe.Pointer(s)) }

// slotsBetween returns how many slots lie between two slots of one window.
func slotsBetween(first, s *SQE) int {
	return int((uintptr(unsafe.Pointer(s)) - uintptr(unsafe.Pointer(first))) / unsafe.Sizeof(*s)) // unsigned: a shift
}
