package uring

// Cancelling requests and waiting until they have ended, in one call.

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/uring-go/uring/sys"
)

// A Match says which requests SyncCancel is about. Of those that match it is about
// the first one found, unless All or MatchAny says otherwise.
//
//	uring.MatchFd(fd).All()                        everything on a descriptor
//	uring.MatchOp(op).And(uring.MatchUserData(u))  one request, by what it is and its name
type Match struct {
	flags    uint32 // IORING_ASYNC_CANCEL_; USERDATA also where the kernel wants none
	op       sys.Op
	fd       int
	userData uint64
	clash    bool // contradictory
}

// MatchAny matches all requests of the ring (Linux 6.0).
func MatchAny() Match { return Match{flags: sys.IORING_ASYNC_CANCEL_ANY} }

// MatchUserData matches requests by SQE.UserData (Linux 6.0).
func MatchUserData(userData uint64) Match {
	return Match{flags: sys.IORING_ASYNC_CANCEL_USERDATA, userData: userData}
}

// MatchFd matches requests on the file that a descriptor stands for (Linux 6.0).
func MatchFd(fd int) Match {
	return Match{flags: sys.IORING_ASYNC_CANCEL_FD, fd: fd}
}

// MatchDirect matches requests on the file in a slot of the ring's table of
// registered files (Linux 6.0).
func MatchDirect(slot int) Match {
	return Match{flags: sys.IORING_ASYNC_CANCEL_FD | sys.IORING_ASYNC_CANCEL_FD_FIXED, fd: slot}
}

// MatchOp matches requests by their operation (Linux 6.6).
func MatchOp(op sys.Op) Match { return Match{flags: sys.IORING_ASYNC_CANCEL_OP, op: op} }

// All makes it about every request that matches.
func (m Match) All() Match {
	m.flags |= sys.IORING_ASYNC_CANCEL_ALL
	return m
}

// And matches what both match. More than one criterion needs Linux 6.6. Two of a
// kind that differ cannot be had.
func (m Match) And(n Match) Match {
	const (
		anything = sys.IORING_ASYNC_CANCEL_ANY
		file     = sys.IORING_ASYNC_CANCEL_FD | sys.IORING_ASYNC_CANCEL_FD_FIXED
	)
	all := (m.flags | n.flags) & sys.IORING_ASYNC_CANCEL_ALL
	switch {
	case m.flags&anything != 0:
		m = n
	case n.flags&anything == 0:
		both := m.flags & n.flags
		m.clash = m.clash || n.clash ||
			both&sys.IORING_ASYNC_CANCEL_USERDATA != 0 && m.userData != n.userData ||
			both&sys.IORING_ASYNC_CANCEL_OP != 0 && m.op != n.op ||
			both&sys.IORING_ASYNC_CANCEL_FD != 0 && (m.fd != n.fd || (m.flags^n.flags)&file != 0)
		if n.flags&sys.IORING_ASYNC_CANCEL_USERDATA != 0 {
			m.userData = n.userData
		}
		if n.flags&sys.IORING_ASYNC_CANCEL_OP != 0 {
			m.op = n.op
		}
		if n.flags&sys.IORING_ASYNC_CANCEL_FD != 0 {
			m.fd = n.fd
		}
		m.flags |= n.flags
	}
	m.flags |= all
	return m
}

// many reports whether the match is about every request, so that the kernel's
// answer is a number.
func (m Match) many() bool {
	return m.flags&(sys.IORING_ASYNC_CANCEL_ALL|sys.IORING_ASYNC_CANCEL_ANY) != 0
}

// argument returns the match as the kernel takes it.
func (m Match) argument(method string) (*sys.SyncCancelReg, error) {
	const kinds = sys.IORING_ASYNC_CANCEL_ANY | sys.IORING_ASYNC_CANCEL_USERDATA | sys.IORING_ASYNC_CANCEL_FD | sys.IORING_ASYNC_CANCEL_OP
	switch {
	case m.flags&kinds == 0:
		return nil, refuse(method, "an empty Match")
	case m.clash:
		return nil, refuse(method, "a Match of two different descriptors, operations or user data")
	case m.fd < 0 || m.fd > math.MaxInt32:
		return nil, refuse(method, "descriptor %d", m.fd)
	}
	flags := m.flags
	if flags&kinds == sys.IORING_ASYNC_CANCEL_USERDATA {
		// The kernel's default, and the flag is newer than the operation.
		flags &^= sys.IORING_ASYNC_CANCEL_USERDATA
	}
	return &sys.SyncCancelReg{Addr: m.userData, Fd: int32(m.fd), Opcode: m.op, Flags: flags}, nil
}

// SyncCancel cancels requests that have been submitted, and returns how many it
// found. A request that a worker thread carries out already cannot be cancelled
// any more: if the match is for one request, SyncCancel waits until it has ended,
// for timeout at most; a timeout of 0 is none. With All or MatchAny it does not
// wait. The requests' completions, with ECANCELED or their own result, are reaped
// as ever.
//
// Only requests that wait for something can be cancelled: a poll, a timeout, a
// socket or pipe without data, a place in a worker's queue. A disk's read in flight
// is not found, and ends by itself. Under IORING_SETUP_SQPOLL neither are requests
// that the kernel thread's workers have: IORING_OP_ASYNC_CANCEL finds those.
//
// It is ENOENT if the match is for one request and there is none,
// os.ErrDeadlineExceeded after the timeout, EBADF for a descriptor that is not open,
// EINVAL for a kind of match that the kernel does not know.
//
// liburing: io_uring_register_sync_cancel   kernel: 6.0
func (r *Ring) SyncCancel(m Match, timeout time.Duration) (int, error) {
	const method = "SyncCancel"
	if err := r.usable(); err != nil {
		return 0, err
	}
	if timeout < 0 {
		return 0, refuse(method, "a timeout of %v", timeout)
	}
	arg, err := m.argument(method)
	if err != nil {
		return 0, err
	}
	start, again := time.Now(), false
	for {
		arg.Timeout = sys.Timespec{Sec: -1, Nsec: -1}
		if timeout > 0 {
			arg.Timeout = timespec(max(0, timeout-time.Since(start)))
		}
		n, err := r.b.Register(sys.IORING_REGISTER_SYNC_CANCEL, sys.PointerTo(arg), 1)
		switch {
		case err == nil && m.many():
			return n, nil
		case err == nil, again && errors.Is(err, syscall.ENOENT):
			return 1, nil
		case errors.Is(err, syscall.EINTR):
			// A signal, while the kernel waited for a request that it had found.
			again = true
		case errors.Is(err, errTimerExpired):
			return 0, fmt.Errorf("uring: a request still runs after %v: %w", timeout, os.ErrDeadlineExceeded)
		default:
			return 0, explain(r.ownerError(sys.IORING_REGISTER_SYNC_CANCEL, err), syscall.ENOENT, "no request in flight matches")
		}
	}
}

// timespec returns a duration that is not negative as the kernel takes it.
func timespec(d time.Duration) sys.Timespec {
	return sys.Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
}
