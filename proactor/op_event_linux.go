package proactor

// Operations that wait, and those of no file.

import (
	"time"

	"github.com/uring-go/uring/sys"
)

// Nop does nothing. The result is 0.
func Nop() (o Op) {
	o.sqe.PrepNop()
	return
}

// Poll waits until one of the events in mask (unix.POLLIN and others) is there on
// fd. The result is the mask of those that are.
func Poll(fd int, mask uint32) (o Op) {
	o.sqe.PrepPollAdd(fd, mask)
	return
}

// Timeout waits for d. The result is 0, without an error.
func Timeout(d time.Duration) (o Op) {
	o.sqe.PrepTimeout(nil, 0, 0)
	o.sqe.Addr = uint64(max(d, 0))
	o.needs = needsTime
	return
}

// Raw is an operation that this package has no constructor for: an entry as the
// Prep methods of sys.SQE fill it. keep is kept reachable until the operation's
// last completion; it must lead to all memory that the entry names. Flags that
// change how completions come are refused with EINVAL: IOSQE_CQE_SKIP_SUCCESS,
// IOSQE_IO_LINK, IOSQE_IO_HARDLINK and IOSQE_IO_DRAIN. It is run as it is, also
// where the fall-back would be used, and fails there with errors.ErrUnsupported.
func Raw(sqe sys.SQE, keep any) (o Op) {
	o.sqe = sqe
	o.needs, o.ref = needsRef, keep
	o.raw = true
	return
}

// MultishotPoll is Poll again and again, for Multishot: a result each time an event
// comes. Several events may come as one.
func MultishotPoll(fd int, mask uint32) (o Op) {
	o.sqe.PrepPollMultishot(fd, mask)
	o.multi = rearm
	return
}

// MultishotTimeout is Timeout n times in a row, for Multishot, or without end if n
// is 0. Each result is 0. A d of less than 10 µs is taken for that: the kernel cannot
// cancel a timer that has always just fired.
func MultishotTimeout(d time.Duration, n uint32) (o Op) {
	o = Timeout(max(d, 10*time.Microsecond))
	o.sqe.Off = uint64(n)
	o.sqe.OpFlags = sys.IORING_TIMEOUT_MULTISHOT
	o.multi = finite
	return
}

// plain returns a multishot operation as one that does not repeat itself.
func (o Op) plain() Op {
	switch o.sqe.Opcode {
	case sys.IORING_OP_ACCEPT:
		o.sqe.Ioprio &^= sys.IORING_ACCEPT_MULTISHOT
	case sys.IORING_OP_RECV, sys.IORING_OP_RECVMSG:
		o.sqe.Ioprio &^= sys.IORING_RECV_MULTISHOT
	case sys.IORING_OP_POLL_ADD:
		o.sqe.Len &^= sys.IORING_POLL_ADD_MULTI
	case sys.IORING_OP_TIMEOUT:
		o.sqe.OpFlags &^= sys.IORING_TIMEOUT_MULTISHOT
		o.sqe.Off = 0
	}
	if o.needs == needsRef {
		o.needs, o.ref = needsNothing, nil
	}
	o.multi = single
	return o
}

// lendBuffer gives a receive that had Buffers one of its own.
func (o *Op) lendBuffer(p []byte) {
	fd, flags := int(o.sqe.Fd), int(o.sqe.OpFlags)
	o.sqe.PrepRecv(fd, p, flags)
	o.buf = p
}
