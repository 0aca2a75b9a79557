package uring

// A ring that C, or another view, uses too. liburing.Adopt, liburing.Ring.Pointer
// and purego.Map make such rings; what the sides owe each other is in docs/mixed.md.

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// count asks the backend how many entries the kernel is offered: on a shared ring
// they are not all ours, and of ours some may have been submitted by others.
func (r *Ring) count() { r.pending = r.b.Status().SQReady }

// submitShared is SubmitWait on a shared ring.
func (r *Ring) submitShared(w Wait) (int, error) {
	r.count()
	if !w.Plain() {
		return r.submitTimed(w)
	}
	n, err := r.b.Submit(w)
	return r.finish(w, time.Time{}, r.pending, n, err)
}

// Flush ends Go's turn on a ring that C or another view uses too: what GetSQE gave
// out goes into the queue behind the entries that are there, and is submitted by
// whoever submits next. It does not enter the kernel. Entries may be prepared
// until then; a GetSQE after Flush gives new ones.
//
// It is EAGAIN if the queue has no room for all; the rest stays for the next Flush
// or Submit. A backend that cannot share its ring answers errors.ErrUnsupported.
func (r *Ring) Flush() error {
	if r == nil {
		return os.ErrInvalid
	}
	f, ok := r.b.(interface{ Flush() error })
	if !ok {
		return fmt.Errorf("uring: this backend cannot share its ring: %w", errors.ErrUnsupported)
	}
	r.handOver()
	err := f.Flush()
	r.shared = true
	r.drop()
	return err
}

// DontFork keeps the ring's memory out of children that fork(2) makes from now on;
// a child that touches the ring then dies of SIGSEGV. Without it parent and child
// share the queues, and the child submits what its parent prepared. Children of
// os/exec need it not: they start with new memory, and the ring's descriptor is
// closed in them.
//
// liburing: io_uring_ring_dontfork
func (r *Ring) DontFork() error {
	if r == nil {
		return os.ErrInvalid
	}
	f, ok := r.b.(interface{ DontFork() error })
	if !ok {
		return fmt.Errorf("uring: this backend cannot keep its memory out of children: %w", errors.ErrUnsupported)
	}
	return f.DontFork()
}

// mayDetach tells why a ring that C owns cannot be let go of: the kernel would go
// on using memory that the garbage collector takes back.
func (r *Ring) mayDetach() error {
	a, ok := r.b.(interface{ Adopted() bool })
	if !ok || !a.Adopted() {
		return nil
	}
	inUse := func(b fixedBuffer) bool { return b.mem != nil }
	if len(r.reg.groups) > 0 || slices.ContainsFunc(r.reg.buffers, inUse) {
		return fmt.Errorf("uring: buffers of Go's are registered with this ring, which is C's and lives on: unregister them and close its buffer rings first: %w", syscall.EBUSY)
	}
	r.reg.maps = nil // shared with the kernel for as long as C's ring lives
	return nil
}
