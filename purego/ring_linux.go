package purego

// The ring: when to enter the kernel, and with what. The conditions follow
// liburing's, since a Submit that enters where the other backend does not would
// give another stream.

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// A Ring is one io_uring instance. It has no locks: one goroutine at a time
// uses its submission side (Queue, Advance, Submit) and one its completion side
// (Wait, Peek, Peek32), as long as the ring was not made with
// IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN or IORING_SETUP_IOPOLL,
// whose completions are reaped by the thread that submits. Everything else needs
// the ring to itself.
type Ring struct {
	brisk  bool // Submit may take its shortest way
	sq     sq
	pace   pacer
	sqWait waitArg

	cq     cq
	cqWait waitArg

	enterFd    int            // descriptor, or index if registered
	enterFlags sys.EnterFlags // IORING_ENTER_REGISTERED_RING if registered
	polls      bool           // completions are found by entering only (IOPOLL)
	closed     bool

	fd         int // -1 when there is none, or no longer
	registered bool
	thread     int // the thread that registered the descriptor (tag uringdebug)
	params     sys.Params
	maps       mappings
	dontFork   bool // a resized ring must have it again
}

// Queue returns the free entries at the tail, zeroed, up to the point where the
// ring wraps. They are ring memory: what is written there is what the kernel
// reads. Slots that were written to and not handed over keep what was written.
func (r *Ring) Queue() []sys.SQE {
	if r.closed {
		return nil
	}
	return r.sq.window()
}

// Advance hands over the first n slots of Queue. Nothing becomes visible to the
// kernel before Submit.
func (r *Ring) Advance(n int) {
	if !r.closed {
		r.sq.advance(n)
	}
}

// Submit tells the kernel about all that was handed over and makes one attempt
// to wait as w says: it may come back early, which Ready tells. It returns how
// many entries the kernel took, and under IORING_SETUP_SQPOLL how many were
// newly handed to its thread. What the kernel did not take stays queued.
//
// The error is os.ErrDeadlineExceeded if nothing was taken and the wait timed
// out, sys.ErrInterrupted for a signal, what Wait.Check says of w, or an
// *os.SyscallError.
func (r *Ring) Submit(w sys.Wait) (int, error) {
	// The shortest way, for what cannot wait or has hardly ever waited. It is
	// written out in one function: on some machines every return that follows a
	// system call is mispredicted, some 5 ns each.
	if r.brisk && w.Timeout|w.MinTimeout == 0 && w.Sigmask == nil && w.Flags&^sys.IORING_ENTER_GETEVENTS == 0 {
		pending, _ := r.sq.publish()
		if pending-1 < r.pace.brief && r.pace.left != 0 {
			r.pace.left--
			flags := r.enterFlags
			if w.N != 0 || w.Flags != 0 || r.flushes() {
				flags |= sys.IORING_ENTER_GETEVENTS
			}
			n, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.enterFd), uintptr(pending), 0, uintptr(flags), 0, 0)
			if errno == 0 && r.cq.ready() >= w.N {
				r.pace.blocks = 0
				return int(n), nil
			}
			return entered(r.pace.goOn(r, pending, min(w.N, r.cq.entries), uint32(n), flags, errno))
		}
	}
	return r.submit(w)
}

// submit is Submit at its full length.
func (r *Ring) submit(w sys.Wait) (int, error) {
	if r.closed {
		return 0, os.ErrClosed
	}
	if err := w.Check(r.params.Features); err != nil {
		return 0, err
	}
	w.N = min(w.N, r.cq.entries) // the kernel takes it for a signed number
	if debugThreads {
		if err := r.checkThread(); err != nil {
			return 0, err
		}
	}
	if r.sq.foreign {
		if err := r.follow(); err != nil {
			return 0, err
		}
	}
	pending, fresh := r.sq.publish()
	if r.sq.sqpoll {
		return r.submitToThread(&w, pending, fresh)
	}
	flags := r.enterFlags | w.Flags&sys.IORING_ENTER_NO_IOWAIT
	var n uint32
	var errno syscall.Errno
	switch {
	case w.N != 0 && !w.Plain():
		n, errno = r.enterArg(&r.sqWait, pending, &w, flags)
	case w.N != 0 || w.Flags&sys.IORING_ENTER_GETEVENTS != 0 || r.flushes():
		n, errno = r.pace.enter(r, pending, w.N, flags|sys.IORING_ENTER_GETEVENTS)
	case pending != 0:
		n, errno = r.pace.enter(r, pending, 0, flags)
	}
	return entered(n, errno)
}

func entered(n uint32, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, sys.EnterError(errno)
	}
	return int(n), nil
}

// submitToThread is Submit under IORING_SETUP_SQPOLL. The kernel's thread finds
// the entries by itself; the kernel is entered to wake it, to wait, and to bring
// completions over. The tail was stored before the flags are loaded here, and
// both are sequentially consistent: either the thread sees the entries, or we see
// that it went to sleep.
func (r *Ring) submitToThread(w *sys.Wait, pending, fresh uint32) (int, error) {
	flags := r.enterFlags | w.Flags&sys.IORING_ENTER_NO_IOWAIT
	wake := pending != 0 && r.sq.has(sys.IORING_SQ_NEED_WAKEUP)
	if wake {
		flags |= sys.IORING_ENTER_SQ_WAKEUP
	}
	var errno syscall.Errno
	switch {
	case w.N != 0 && !w.Plain() && w.N > r.cq.ready():
		_, errno = r.enterArg(&r.sqWait, pending, w, flags)
	case w.N != 0 && w.Plain() || w.Flags&sys.IORING_ENTER_GETEVENTS != 0 || r.flushes():
		_, errno = enterWait(r.enterFd, pending, w.N, flags|sys.IORING_ENTER_GETEVENTS)
	case wake:
		_, errno = enterWait(r.enterFd, pending, 0, flags)
	}
	return int(fresh), sys.EnterError(errno)
}

// Wait is the completion side of Submit: it waits as w says and leaves the
// submission queue alone. Like Submit it makes one attempt.
func (r *Ring) Wait(w sys.Wait) error {
	if r.closed {
		return os.ErrClosed
	}
	if err := w.Check(r.params.Features); err != nil {
		return err
	}
	w.N = min(w.N, r.cq.entries)
	if debugThreads {
		if err := r.checkThread(); err != nil {
			return err
		}
	}
	flags := r.enterFlags | w.Flags&sys.IORING_ENTER_NO_IOWAIT | sys.IORING_ENTER_GETEVENTS
	var errno syscall.Errno
	switch {
	case w.N <= r.cq.ready() && w.N != 0:
		// Already there: the kernel is not asked.
	case w.N != 0 && !w.Plain():
		_, errno = r.enterArg(&r.cqWait, 0, &w, flags&^sys.IORING_ENTER_GETEVENTS)
	case w.N != 0 || w.Flags&sys.IORING_ENTER_GETEVENTS != 0 || r.flushes():
		_, errno = enterWait(r.enterFd, 0, w.N, flags)
	}
	return sys.EnterError(errno)
}

// enterArg is the kernel entry of a timed or masked wait. Like liburing it does
// not look for completions if enough are at hand.
func (r *Ring) enterArg(a *waitArg, submit uint32, w *sys.Wait, flags sys.EnterFlags) (uint32, syscall.Errno) {
	if w.N <= r.cq.ready() {
		if submit == 0 {
			return 0, 0
		}
		return r.pace.enter(r, submit, 0, flags)
	}
	flags |= sys.IORING_ENTER_GETEVENTS
	if w.Flags&sys.IORING_ENTER_EXT_ARG_REG != 0 {
		return enterRegistered(r.enterFd, submit, w, flags)
	}
	if r.params.Features&sys.IORING_FEAT_EXT_ARG == 0 {
		return a.enterMasked(r.enterFd, submit, w, flags)
	}
	return a.enterTimed(r.enterFd, submit, w, flags)
}

// flushes reports whether completions can appear only by entering the kernel.
func (r *Ring) flushes() bool {
	return r.polls || r.sq.has(sys.IORING_SQ_CQ_OVERFLOW|sys.IORING_SQ_TASKRUN)
}

// Ready returns the number of completions in the kernel's queue, without
// entering it. Padding of an IORING_SETUP_CQE_MIXED ring counts, and a 32-byte
// completion there counts twice.
func (r *Ring) Ready() int {
	if r.closed {
		return 0
	}
	return int(r.cq.ready())
}

// Peek copies completions that are ready into dst, consumes them and returns
// their number. It never waits. It enters the kernel once, and only if nothing
// is ready while completions wait for an entry: after an overflow, for pending
// task work, or on a polling ring.
func (r *Ring) Peek(dst []sys.CQE) int {
	if r.closed || len(dst) == 0 {
		return 0
	}
	if n := r.cq.peek(dst); n > 0 || !r.flush() {
		return n
	}
	return r.cq.peek(dst)
}

// Peek32 is Peek with the second half of 32-byte completions.
func (r *Ring) Peek32(dst []sys.CQE32) int {
	if r.closed || len(dst) == 0 {
		return 0
	}
	if n := r.cq.peek32(dst); n > 0 || !r.flush() {
		return n
	}
	return r.cq.peek32(dst)
}

// flush enters the kernel to bring completions over, if that can bring any.
// An error is not lost: the next Submit or Wait meets the same.
func (r *Ring) flush() bool {
	if !r.flushes() {
		return false
	}
	_, errno := enterWait(r.enterFd, 0, 0, r.enterFlags|sys.IORING_ENTER_GETEVENTS)
	return errno == 0
}

// Status returns the ring's counters and flags.
func (r *Ring) Status() sys.Status {
	if r.closed {
		return sys.Status{}
	}
	ready := r.sq.ready()
	s := sys.Status{
		SQReady:    int(ready),
		SQSpace:    int(r.sq.entries - ready),
		CQReady:    int(r.cq.ready()),
		SQDropped:  r.sq.dropped.Load(),
		CQOverflow: r.cq.overflow.Load(),
		NeedWakeup: r.sq.has(sys.IORING_SQ_NEED_WAKEUP),
		Overflow:   r.sq.has(sys.IORING_SQ_CQ_OVERFLOW),
		TaskRun:    r.sq.has(sys.IORING_SQ_TASKRUN),
	}
	if r.cq.flags != nil {
		s.EventfdDisabled = sys.CQRingFlags(r.cq.flags.Load())&sys.IORING_CQ_EVENTFD_DISABLED != 0
	}
	return s
}

// Params returns what the kernel made of the setup parameters.
func (r *Ring) Params() sys.Params { return r.params }

// Fd returns the ring's descriptor, or -1 if it has none
// (IORING_SETUP_REGISTERED_FD_ONLY, CloseRingFd) or is closed.
func (r *Ring) Fd() int { return r.fd }

// Close unmaps and closes the ring. It is io_uring_queue_exit: requests in
// flight are cancelled by the kernel in its own time, and may still write to
// their memory after Close has returned. A second Close gives os.ErrClosed.
//
// A ring whose descriptor is registered is closed by the thread that registered
// it; from another one Close fails and the ring stays open.
func (r *Ring) Close() error {
	if r.closed {
		return os.ErrClosed
	}
	if err := r.checkThread(); err != nil {
		return err
	}
	r.closed, r.brisk = true, false
	var err error
	if r.registered {
		_, err = r.unregisterRingFd()
	}
	return errors.Join(err, r.maps.release(), r.closeFd())
}

func (r *Ring) closeFd() error {
	fd := r.fd
	r.fd = -1
	if fd < 0 {
		return nil
	}
	return os.NewSyscallError("close", syscall.Close(fd))
}
