package sys

// Prep methods for what waits and what ends waiting: poll, epoll, timeouts,
// cancelling, futexes, child processes. prep_linux.go says what holds for all
// of them.

import "golang.org/x/sys/unix"

// pollMask returns the field that holds a mask of poll events: its lower half
// comes first in memory, whatever the machine's byte order, because the field
// once was that half alone.
func pollMask(mask uint32) uint32 {
	return pair16(uint16(mask), uint16(mask>>16))
}

// PrepPollAdd waits until one of the events in mask (unix.POLLIN and so on, also
// EPOLLET and EPOLLEXCLUSIVE) is there on fd. The result is the mask of those
// that are.
//
// liburing: io_uring_prep_poll_add   kernel: 5.1
func (s *SQE) PrepPollAdd(fd int, mask uint32) {
	s.prep(IORING_OP_POLL_ADD, fd, 0, 0, 0)
	s.OpFlags = pollMask(mask)
}

// PrepPollMultishot is PrepPollAdd that goes on: a completion each time an
// event comes, until one without CQE.More.
//
// liburing: io_uring_prep_poll_multishot   kernel: 5.13
func (s *SQE) PrepPollMultishot(fd int, mask uint32) {
	s.prep(IORING_OP_POLL_ADD, fd, 0, IORING_POLL_ADD_MULTI, 0)
	s.OpFlags = pollMask(mask)
}

// PrepPollRemove cancels the poll request with UserData userData, which then
// ends with -ECANCELED. The result is 0, -ENOENT if there is none, or -EALREADY
// if it is just completing.
//
// liburing: io_uring_prep_poll_remove   kernel: 5.1
func (s *SQE) PrepPollRemove(userData uint64) {
	s.prep(IORING_OP_POLL_REMOVE, -1, userData, 0, 0)
}

// PrepPollUpdate changes the poll request with UserData oldUserData, as flags
// says: with IORING_POLL_UPDATE_EVENTS the lower 16 bits of its mask, with
// IORING_POLL_UPDATE_USER_DATA its UserData, with IORING_POLL_ADD_MULTI besides
// UPDATE_EVENTS it becomes a multishot. The result is 0, -ENOENT, -EALREADY, or
// -ECANCELED if it could not be armed again and has ended.
//
// liburing: io_uring_prep_poll_update   kernel: 5.13
func (s *SQE) PrepPollUpdate(oldUserData, newUserData uint64, mask, flags uint32) {
	s.prep(IORING_OP_POLL_REMOVE, -1, oldUserData, flags, newUserData)
	s.OpFlags = pollMask(mask)
}

// PrepEpollCtl prepares an epoll_ctl(2): op is EPOLL_CTL_ADD, _MOD or _DEL. ev,
// nil for DEL, must stay reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_epoll_ctl   kernel: 5.6
func (s *SQE) PrepEpollCtl(epfd, fd, op int, ev *unix.EpollEvent) {
	s.prep(IORING_OP_EPOLL_CTL, epfd, addrOf(ev), uint32(op), uint64(uint32(fd)))
}

// PrepEpollWait waits for events of the epoll instance fd and writes them to
// events. flags must be 0. events must stay reachable until the CQE. The result
// is the number of events.
//
// liburing: io_uring_prep_epoll_wait   kernel: 6.15
func (s *SQE) PrepEpollWait(fd int, events []unix.EpollEvent, flags uint32) {
	addr, n := addrSlice(events)
	s.prep(IORING_OP_EPOLL_WAIT, fd, addr, n, 0)
	s.OpFlags = flags
}

// PrepTimeout completes after the time ts, or once count completions were
// posted after it, whichever is first; with count 0 only the time matters.
// flags has IORING_TIMEOUT_ flags: ABS for a point in time; BOOTTIME or REALTIME
// for a clock that is not CLOCK_MONOTONIC; ETIME_SUCCESS so that expiry does
// not break a link; MULTISHOT (Linux 6.4), where count is the number of
// expiries, 0 for no end, and CQE.More is set on all but the last. ts must stay
// reachable until the CQE, of a multishot the last CQE. With
// IORING_TIMEOUT_IMMEDIATE_ARG (Linux 7.1) pass nil and set Addr to a number of
// nanoseconds afterwards. The result is -ETIME on expiry, 0 if count was
// reached, -ECANCELED if it was removed.
//
// liburing: io_uring_prep_timeout   kernel: 5.4
func (s *SQE) PrepTimeout(ts *unix.KernelTimespec, count, flags uint32) {
	s.prep(IORING_OP_TIMEOUT, -1, addrOf(ts), 1, uint64(count))
	s.OpFlags = flags
}

// PrepTimeoutRemove removes the timeout with UserData userData, which then ends
// with -ECANCELED. flags must be 0. The result is 0, -ENOENT if there is none,
// or -EALREADY if it is just expiring.
//
// liburing: io_uring_prep_timeout_remove   kernel: 5.5
func (s *SQE) PrepTimeoutRemove(userData uint64, flags uint32) {
	s.prep(IORING_OP_TIMEOUT_REMOVE, -1, userData, 0, 0)
	s.OpFlags = flags
}

// PrepTimeoutUpdate gives the timeout with UserData userData a new time ts,
// counted from now unless flags has IORING_TIMEOUT_ABS; with
// IORING_LINK_TIMEOUT_UPDATE it is a linked timeout. ts must stay reachable
// until the CQE. The result is 0, -ENOENT if there is none, or -EALREADY if it
// is just expiring.
//
// liburing: io_uring_prep_timeout_update   kernel: 5.11
func (s *SQE) PrepTimeoutUpdate(ts *unix.KernelTimespec, userData uint64, flags uint32) {
	s.prep(IORING_OP_TIMEOUT_REMOVE, -1, userData, 0, addrOf(ts))
	s.OpFlags = flags | IORING_TIMEOUT_UPDATE
}

// PrepLinkTimeout limits the request before it, which has IOSQE_IO_LINK in
// Flags, to the time ts: on expiry that request is cancelled. flags has
// IORING_TIMEOUT_ flags as for PrepTimeout: ABS, BOOTTIME, REALTIME,
// ETIME_SUCCESS. ts must stay reachable until the CQE. The result is -ETIME if
// the time came first, -ECANCELED if the request did, and -ENOENT or -EALREADY
// if the request was completing when the time came.
//
// liburing: io_uring_prep_link_timeout   kernel: 5.5
func (s *SQE) PrepLinkTimeout(ts *unix.KernelTimespec, flags uint32) {
	s.prep(IORING_OP_LINK_TIMEOUT, -1, addrOf(ts), 1, 0)
	s.OpFlags = flags
}

// PrepCancel is PrepCancel64 for requests whose UserData is an address. The
// type is uintptr because nothing is read from there.
//
// liburing: io_uring_prep_cancel   kernel: 5.5
func (s *SQE) PrepCancel(userData uintptr, flags int) {
	s.PrepCancel64(uint64(userData), flags)
}

// PrepCancel64 cancels the request with UserData userData, which then ends with
// -ECANCELED or, if it was running, -EINTR or its own result. flags has
// IORING_ASYNC_CANCEL_ flags (Linux 5.19): ALL for every match, ANY for every
// request of the ring; USERDATA and OP (Linux 6.6) to match the UserData, and
// the operation that is put into Len afterwards. The result is 0, with ALL or
// ANY the number of requests cancelled, -ENOENT if none was found, or -EALREADY
// if it runs and cannot be stopped: its completion comes when it is done. The
// memory of the cancelled request is free only at that request's own last CQE.
//
// liburing: io_uring_prep_cancel64   kernel: 5.5
func (s *SQE) PrepCancel64(userData uint64, flags int) {
	s.prep(IORING_OP_ASYNC_CANCEL, -1, userData, 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepCancelFd is PrepCancel64 for a request that uses the descriptor fd,
// instead of one with a certain UserData; with IORING_ASYNC_CANCEL_FD_FIXED
// (Linux 6.0) in flags fd is a direct descriptor. It adds
// IORING_ASYNC_CANCEL_FD to flags.
//
// liburing: io_uring_prep_cancel_fd   kernel: 5.19
func (s *SQE) PrepCancelFd(fd int, flags uint32) {
	s.prep(IORING_OP_ASYNC_CANCEL, fd, 0, 0, 0)
	s.OpFlags = flags | IORING_ASYNC_CANCEL_FD
}

// PrepFutexWait waits until futex is woken, if it holds val now: otherwise the
// result is -EAGAIN. Only wakes whose mask shares a bit with mask count
// (FUTEX_BITSET_MATCH_ANY: all). futexFlags has the FUTEX2_ flags, of which
// FUTEX2_SIZE_U32 is a must; flags must be 0. futex must stay reachable until
// the CQE. The result is 0.
//
// liburing: io_uring_prep_futex_wait   kernel: 6.7
func (s *SQE) PrepFutexWait(futex *uint32, val, mask uint64, futexFlags, flags uint32) {
	s.prepFutex(IORING_OP_FUTEX_WAIT, addrOf(futex), val, mask, futexFlags, flags)
}

// PrepFutexWake wakes up to val waiters of futex whose mask shares a bit with
// mask. futexFlags and flags are as for PrepFutexWait. futex must stay
// reachable until the CQE. The result is the number woken.
//
// liburing: io_uring_prep_futex_wake   kernel: 6.7
func (s *SQE) PrepFutexWake(futex *uint32, val, mask uint64, futexFlags, flags uint32) {
	s.prepFutex(IORING_OP_FUTEX_WAKE, addrOf(futex), val, mask, futexFlags, flags)
}

func (s *SQE) prepFutex(op Op, futex, val, mask uint64, futexFlags, flags uint32) {
	s.Opcode = op
	s.Fd = int32(futexFlags)
	s.Off = val
	s.Addr = futex
	s.Len = 0
	s.OpFlags = flags
	s.Addr3 = mask
}

// PrepFutexWaitv waits until one of the futexes is woken, at most 128 of them;
// FutexWaitv.Set fills an element. flags must be 0. futexes and the words they
// point to must stay reachable until the CQE. The result is the index of the
// one that was woken.
//
// liburing: io_uring_prep_futex_waitv   kernel: 6.7
func (s *SQE) PrepFutexWaitv(futexes []FutexWaitv, flags uint32) {
	addr, n := addrSlice(futexes)
	s.prep(IORING_OP_FUTEX_WAITV, 0, addr, n, 0)
	s.OpFlags = flags
}

// Set makes w wait on futex, if it holds val, with FUTEX2_ flags
// (FUTEX2_SIZE_U32 is a must). w holds the address as an integer: keep futex
// reachable as long as w is in use.
func (w *FutexWaitv) Set(futex *uint32, val uint64, flags uint32) {
	w.Val = val
	w.Uaddr = addrOf(futex)
	w.Flags = flags
}

// PrepWaitid prepares a waitid(2): idtype is P_PID, P_PGID, P_PIDFD or P_ALL,
// id what it says, options WEXITED and others. The kernel describes the child
// in info, which may be nil and must stay reachable until the CQE. flags must
// be 0. The result is 0.
//
// liburing: io_uring_prep_waitid   kernel: 6.7
func (s *SQE) PrepWaitid(idtype int, id uint32, info *unix.Siginfo, options int, flags uint32) {
	s.prep(IORING_OP_WAITID, int(id), 0, uint32(idtype), addrOf(info))
	s.OpFlags = flags
	s.FileIndex = uint32(options)
}
