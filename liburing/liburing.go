//go:build linux && cgo

// Package liburing is the io_uring backend that calls the C library of that
// name. It is what package uring opens in builds with cgo, and it shares no
// ring logic with package purego: comparing the two is worth something because
// of that.
//
// A call into C costs as much as half a NOP, so no call moves a single entry. Go
// fills a staging area that mirrors the submission queue; Submit makes one call,
// in which C moves the staged entries into the queue, submits, waits, and notes
// where the library finds the completions at hand, for Go to read. That consumes
// nothing: Peek does, with one store, when it is asked.
//
// It compiles with liburing 2.3 and newer. What the installed header lacks
// answers errors.ErrUnsupported and names the version that has it. A library
// older than the header it was compiled with would run and silently do something
// else, so New refuses it; a newer one is fine.
//
// The library is linked dynamically; the build tag uringstatic links
// liburing.a instead.
package liburing

/*
#cgo CFLAGS: -D_GNU_SOURCE -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare
#cgo !uringstatic LDFLAGS: -luring -ldl
#cgo uringstatic CFLAGS: -DURING_STATIC
#cgo uringstatic LDFLAGS: -l:liburing.a
#cgo noescape uring_peek

#include "submit.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/uring-go/uring/internal/release"
	"github.com/uring-go/uring/internal/yield"
	"github.com/uring-go/uring/sys"
)

// A Ring is one io_uring instance, set up, driven and torn down by the C
// library. Who may use it when is as for purego.Ring.
type Ring struct {
	h      *C.struct_uring_ring
	handle C.uintptr_t // h for calls of the hot path

	// The submission side.
	khead  *atomic.Uint32 // the kernel's, read for the free space
	ltail  *uint32        // the library's tail, which C moves too on a shared ring
	stage  []sys.SQE
	mask   uint32
	shift  uint8
	rewind bool
	sqpoll bool
	local  uint32 // the tail up to which entries were handed over
	staged uint32 // of those, entries still in the staging area
	passed uint32 // entries that Flush moved since the last Submit
	zeroed uint32 // entries from local up to here hold zeros
	dirty  uint32 // with rewind: the first entries, used by the last submission
	look   C.uint // URING_LOOK, or 0 where completions are not all 16 bytes
	yield  yield.Gate

	// The completion side.
	chead, ctail *atomic.Uint32
	kflags       *atomic.Uint32
	polls        bool
	found        *[C.URING_FOUND]*sys.CQE // what the last submission found ready:
	next, end    uint32                   // found[next:end] is not consumed, and
	foundHead    uint32                   // found[next] is at this index of the queue

	params  sys.Params
	shared  bool // C may use the ring too
	adopted bool // and owns it
}

// New creates a ring of at least entries submission queue entries with
// io_uring_queue_init_params. p may be nil; on return it holds what the kernel
// answered.
//
// Errors are an *os.SyscallError, errors.ErrUnsupported in a sentence where this
// build's liburing is too old, or a sentence with syscall.EINVAL inside for what
// is wrong on every kernel.
func New(entries uint32, p *sys.Params) (*Ring, error) {
	r, _, err := open(entries, p, nil)
	return r, err
}

// NewMem is New for a ring whose queues lie in the caller's memory
// (IORING_SETUP_NO_MMAP, Linux 6.5, liburing 2.5). mem must be page aligned,
// must not be Go heap memory, and must stay mapped until the ring is closed.
// used is how much of it the ring takes.
//
// liburing: io_uring_queue_init_mem
func NewMem(entries uint32, p *sys.Params, mem []byte) (r *Ring, used int, err error) {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	if len(mem) == 0 || at%uintptr(os.Getpagesize()) != 0 {
		return nil, 0, fmt.Errorf("uring: ring memory of %d bytes at %#x: it must be page aligned and not empty: %w", len(mem), at, syscall.EINVAL)
	}
	if p == nil {
		p = new(sys.Params)
	}
	p.Flags |= sys.IORING_SETUP_NO_MMAP
	if sys.CheckSetup(entries, p) == nil {
		// Before Linux 6.18 the kernel takes indices and flags as it finds them, and
		// the library lets it. They lie behind the entries.
		sq, _ := sys.RingEntries(entries, p)
		entry := 64
		if p.Flags&sys.IORING_SETUP_SQE128 != 0 {
			entry = 128
		}
		page := os.Getpagesize()
		if at := (int(sq)*entry + page - 1) &^ (page - 1); at < len(mem) {
			clear(mem[at:min(at+page, len(mem))])
		}
	}
	return open(entries, p, mem)
}

func open(entries uint32, p *sys.Params, mem []byte) (*Ring, int, error) {
	if p == nil {
		p = new(sys.Params)
	}
	if err := sys.CheckSetup(entries, p); err != nil {
		return nil, 0, err
	}
	if err := usable(p.Flags); err != nil {
		return nil, 0, err
	}
	asked := *p
	r := new(Ring)
	ret := C.uring_open(&r.h, C.uint(entries), (*C.struct_io_uring_params)(unsafe.Pointer(p)), unsafe.Pointer(unsafe.SliceData(mem)), C.size_t(len(mem)))
	if ret < 0 {
		*p = asked
		switch ret {
		case C.URING_TOO_OLD:
			return nil, 0, tooOld("a ring in the caller's memory", "2.5")
		case C.URING_LARGER, C.URING_SMALLER:
			return nil, 0, otherSize(ret == C.URING_LARGER)
		}
		return nil, 0, os.NewSyscallError("io_uring_queue_init", syscall.Errno(-ret))
	}
	r.handle = C.uintptr_t(uintptr(unsafe.Pointer(r.h)))
	r.params = *p
	if err := r.check(); err != nil {
		C.uring_close(r.h)
		return nil, 0, err
	}
	r.attach()
	return r, int(ret), nil
}

// check holds the fields of the library's ring against the kernel's answer: with a
// header and a library that disagree about struct io_uring, they would differ. Its
// fields came out of its padding one by one over the years.
func (r *Ring) check() error {
	ring, p := r.h.ring, &r.params
	enter := ring.ring_fd
	if p.Flags&sys.IORING_SETUP_REGISTERED_FD_ONLY != 0 {
		enter = ring.enter_ring_fd
	}
	for _, c := range []struct {
		what      string
		got, want uint32
	}{
		{"flags", uint32(ring.flags), uint32(p.Flags)},
		{"features", uint32(ring.features), uint32(p.Features)},
		{"submission queue size", uint32(*ring.sq.kring_entries), p.SQEntries},
		{"submission queue mask", uint32(*ring.sq.kring_mask), p.SQEntries - 1},
		{"copy of the submission queue's size", uint32(ring.sq.ring_entries), p.SQEntries},
		{"copy of the submission queue's mask", uint32(ring.sq.ring_mask), p.SQEntries - 1},
		{"completion queue size", uint32(*ring.cq.kring_entries), p.CQEntries},
		{"completion queue mask", uint32(*ring.cq.kring_mask), p.CQEntries - 1},
		{"copy of the completion queue's size", uint32(ring.cq.ring_entries), p.CQEntries},
		{"copy of the completion queue's mask", uint32(ring.cq.ring_mask), p.CQEntries - 1},
		{"entries at the start", uint32(ring.sq.sqe_tail), uint32(*ring.sq.ktail)},
		{"descriptor to enter by", uint32(ring.enter_ring_fd), uint32(enter)},
	} {
		if c.got != c.want {
			return fmt.Errorf("uring: liburing's %s reads %#x where the kernel answered %#x: the library and the header that this program was compiled with disagree about struct io_uring; compile it with the header of the library it runs with", c.what, c.got, c.want)
		}
	}
	return nil
}

func otherSize(larger bool) error {
	word := "smaller"
	if larger {
		word = "larger"
	}
	return fmt.Errorf("uring: the library's struct io_uring is %s than the %d bytes of the header that this program was compiled with: compile it with the header of the library it runs with", word, C.sizeof_struct_io_uring)
}

// attach finds the fields that Go reads in the library's ring.
func (r *Ring) attach() {
	ring, p := r.h.ring, &r.params
	wide := p.Flags&(sys.IORING_SETUP_CQE32|sys.IORING_SETUP_CQE_MIXED) != 0
	r.khead, r.kflags = word(ring.sq.khead), word(ring.sq.kflags)
	r.ltail = (*uint32)(unsafe.Pointer(&ring.sq.sqe_tail))
	r.chead, r.ctail = word(ring.cq.khead), word(ring.cq.ktail)
	r.mask = p.SQEntries - 1
	r.shift = 0
	if p.Flags&sys.IORING_SETUP_SQE128 != 0 {
		r.shift = 1
	}
	r.stage = unsafe.Slice((*sys.SQE)(unsafe.Pointer(r.h.stage)), p.SQEntries<<r.shift)
	r.rewind = p.Flags&sys.IORING_SETUP_SQ_REWIND != 0
	r.sqpoll = p.Flags&sys.IORING_SETUP_SQPOLL != 0
	r.polls = p.Flags&(sys.IORING_SETUP_IOPOLL|sys.IORING_SETUP_SQPOLL) == sys.IORING_SETUP_IOPOLL
	r.look = 0
	if !wide {
		r.look = C.URING_LOOK
	}
	r.found = (*[C.URING_FOUND]*sys.CQE)(unsafe.Pointer(&r.h.cqes))
	r.next, r.end = 0, 0
	r.local = uint32(ring.sq.sqe_tail)
	r.zeroed = r.local + p.SQEntries
}

func word(p *C.uint) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(p)) }

// Queue returns the free part of the staging area, zeroed, up to the point where
// the ring wraps. Slots that were written to and not handed over keep what was
// written.
func (r *Ring) Queue() []sys.SQE {
	if r.h == nil {
		return nil
	}
	if r.dirty > 0 {
		clear(r.stage[:r.dirty<<r.shift])
		r.dirty = 0
	}
	// Entries that C took from a shared ring count too, and may leave less room
	// than what is staged needs.
	free := int32(r.mask + 1 - (*r.ltail + r.staged - r.khead.Load()))
	first := r.local & r.mask
	n := min(uint32(max(free, 0)), r.mask+1-first)
	w := r.stage[first<<r.shift : (first+n)<<r.shift]
	if known := int32(r.zeroed - r.local); known < int32(n) {
		clear(w[max(known, 0)<<r.shift:])
		r.zeroed = r.local + n
	}
	return w
}

// Advance hands over the first n slots of Queue. The library sees them at the
// next Submit.
func (r *Ring) Advance(n int) {
	entries := uint32(n) >> r.shift
	r.local += entries
	r.staged += entries
}

// Submit moves what was handed over into the library's queue, submits it, and
// makes one attempt to wait as w says. Its results are those of
// purego.Ring.Submit.
func (r *Ring) Submit(w sys.Wait) (int, error) {
	if r.h == nil {
		return 0, os.ErrClosed
	}
	// A Wait that is copied costs 7 ns; so its fields are looked at one by one.
	want, how := min(w.N, r.params.CQEntries), C.uint(0) // the kernel takes it for a signed number
	switch {
	case w.Timeout|w.MinTimeout != 0 || w.Sigmask != nil || w.Flags&^sys.IORING_ENTER_GETEVENTS != 0:
		var err error
		if how, err = r.argue(w, &r.h.submit_arg); err != nil {
			return 0, err
		}
		how |= r.look
	case w.Flags != 0:
		how = C.URING_GETEVENTS | r.look
	case want != 0:
		how = r.look
	}
	r.yield.Tick()
	C.uring_submit(r.handle, C.uint(r.local-r.staged), C.uint(r.staged), C.uint(want), how)
	ret, fresh := r.h.ret, uint32(r.h.moved)
	r.staged -= fresh
	if how&C.URING_LOOK != 0 {
		r.foundHead, r.next, r.end = r.chead.Load(), 0, uint32(r.h.found)
	}
	if ret >= 0 && !r.sqpoll && !r.rewind {
		r.passed = 0
		return int(ret), nil
	}
	return r.came(ret, fresh)
}

// came is what Submit returns where that is not plainly what the library did.
func (r *Ring) came(ret C.int, fresh uint32) (int, error) {
	if ret == C.URING_WRONG_THREAD {
		return 0, wrongThread("io_uring_submit")
	}
	if r.rewind && r.staged == 0 {
		r.local, r.zeroed, r.dirty = 0, 0, min(r.local, r.mask+1)
	}
	n := int(ret)
	if r.sqpoll {
		n = int(fresh + r.passed)
	}
	r.passed = 0
	if ret >= 0 {
		return n, nil
	}
	if !r.sqpoll {
		n = 0
	}
	if ret == C.URING_TOO_OLD {
		return n, tooOld("Wait.MinTimeout", "2.8")
	}
	return n, sys.EnterError(syscall.Errno(-ret))
}

// Wait is the completion side of Submit: it waits as w says and leaves the
// submission queue alone. Like Submit it makes one attempt.
func (r *Ring) Wait(w sys.Wait) error {
	if r.h == nil {
		return os.ErrClosed
	}
	w.N = min(w.N, r.params.CQEntries)
	var how C.uint
	if !w.Plain() || w.Flags != 0 {
		var err error
		if how, err = r.argue(w, &r.h.wait_arg); err != nil {
			return err
		}
	}
	ret := C.uring_wait(r.handle, C.uint(w.N), how)
	switch {
	case ret >= 0:
		return nil
	case ret == C.URING_WRONG_THREAD:
		return wrongThread("io_uring_wait_cqes")
	case ret == C.URING_TOO_OLD:
		return tooOld("Wait.MinTimeout", "2.8")
	}
	return sys.EnterError(syscall.Errno(-ret))
}

// argue checks a wait and lays out what C needs to know of it.
func (r *Ring) argue(w sys.Wait, a *C.struct_uring_arg) (how C.uint, err error) {
	if err := w.Check(r.params.Features); err != nil {
		return 0, err
	}
	if w.Flags&sys.IORING_ENTER_GETEVENTS != 0 {
		how |= C.URING_GETEVENTS
	}
	if w.Flags&sys.IORING_ENTER_NO_IOWAIT != 0 {
		if !header(2, 10) {
			return 0, tooOld("IORING_ENTER_NO_IOWAIT", "2.10")
		}
		how |= C.URING_NO_IOWAIT
	}
	if w.Flags&sys.IORING_ENTER_EXT_ARG_REG != 0 {
		how |= C.URING_REGISTERED
		a.reg = C.uint(w.Reg)
	}
	if w.Flags&sys.IORING_ENTER_ABS_TIMER != 0 {
		how |= C.URING_ABSOLUTE
	}
	if w.Timeout > 0 {
		how |= C.URING_TIMED
		a.ts.tv_sec = C.longlong(w.Timeout / time.Second)
		a.ts.tv_nsec = C.longlong(w.Timeout % time.Second)
	}
	if w.MinTimeout > 0 {
		how |= C.URING_MINIMUM
		a.min_usec = C.uint(w.MinMicroseconds())
	}
	if w.Sigmask != nil {
		how |= C.URING_MASKED
		a.mask[0] = C.uint64_t(*w.Sigmask)
	}
	return how, nil
}

// Ready returns the number of completions in the kernel's queue, as
// io_uring_cq_ready counts them, without a crossing.
func (r *Ring) Ready() int {
	if r.h == nil {
		return 0
	}
	return int(r.ctail.Load() - r.chead.Load())
}

// Peek copies completions that are ready into dst, consumes them and returns
// their number. It never waits. It enters the kernel once, and only if nothing
// is ready while completions wait for an entry: after an overflow, for pending
// task work, or on a polling ring.
//
// What the last Submit brought along is handed out without a crossing, unless
// somebody else moved the head of the queue since.
func (r *Ring) Peek(dst []sys.CQE) int {
	if r.h == nil || len(dst) == 0 {
		return 0
	}
	tail, head := r.ctail.Load(), r.chead.Load()
	if have := r.end - r.next; have > 0 && head == r.foundHead {
		if n := min(uint32(len(dst)), tail-head); n <= have {
			take(dst[:n], r.found[r.next:r.end])
			r.next += n
			r.foundHead += n
			release.Store(r.chead, r.foundHead)
			return int(n)
		}
	}
	r.next, r.end = 0, 0
	if head == tail && !r.flushes() {
		return 0
	}
	return int(C.uring_peek(r.handle, (*C.struct_io_uring_cqe)(unsafe.Pointer(unsafe.SliceData(dst))), C.uint(min(len(dst), maxBatch)), false))
}

// take copies the completions that the library pointed at.
func take(dst []sys.CQE, from []*sys.CQE) {
	n := len(dst)
	if n == 1 {
		// Field by field, since the kernel wrote it so a moment ago: a load wider
		// than the stores before it has to wait for them.
		from, to := from[0], &dst[0]
		to.UserData, to.Res, to.Flags = from.UserData, from.Res, from.Flags
		return
	}
	last := uintptr(unsafe.Pointer(from[n-1]))
	if last == uintptr(unsafe.Pointer(from[0]))+uintptr(n-1)*unsafe.Sizeof(dst[0]) {
		copy(dst, unsafe.Slice(from[0], n))
		return
	}
	for i := range dst { // around the end of the queue
		dst[i] = *from[i]
	}
}

// Peek32 is Peek with the second half of 32-byte completions.
func (r *Ring) Peek32(dst []sys.CQE32) int {
	if r.h == nil || len(dst) == 0 {
		return 0
	}
	r.next, r.end = 0, 0
	if r.Ready() == 0 && !r.flushes() {
		return 0
	}
	return int(C.uring_peek(r.handle, (*C.struct_io_uring_cqe)(unsafe.Pointer(unsafe.SliceData(dst))), C.uint(min(len(dst), maxBatch)), true))
}

// The destination is passed as a pointer to a C struct without pointers, whose
// surroundings cgo does not look at: it may lie in an object of the caller's that
// has pointers elsewhere. It may also lie on the stack, so a number will not do.

// maxBatch is more completions than any queue holds.
const maxBatch = 1 << 20

func (r *Ring) flushes() bool {
	return r.polls || sys.SQRingFlags(r.kflags.Load())&(sys.IORING_SQ_CQ_OVERFLOW|sys.IORING_SQ_TASKRUN) != 0
}

// Status returns the ring's counters and flags, as the library reads them.
func (r *Ring) Status() sys.Status {
	if r.h == nil {
		return sys.Status{}
	}
	s := C.uring_status(r.handle)
	flags := sys.SQRingFlags(s.sq_flags)
	return sys.Status{
		SQReady:         int(s.sq_ready) + int(r.staged),
		SQSpace:         max(int(s.sq_space)-int(r.staged), 0),
		CQReady:         int(s.cq_ready),
		SQDropped:       uint32(s.dropped),
		CQOverflow:      uint32(s.overflowed),
		NeedWakeup:      flags&sys.IORING_SQ_NEED_WAKEUP != 0,
		Overflow:        flags&sys.IORING_SQ_CQ_OVERFLOW != 0,
		TaskRun:         flags&sys.IORING_SQ_TASKRUN != 0,
		EventfdDisabled: sys.CQRingFlags(s.cq_flags)&sys.IORING_CQ_EVENTFD_DISABLED != 0,
	}
}

// Params returns what the kernel made of the setup parameters.
func (r *Ring) Params() sys.Params { return r.params }

// Fd returns the ring's descriptor, or -1 if it has none
// (IORING_SETUP_REGISTERED_FD_ONLY, CloseRingFd) or is closed.
func (r *Ring) Fd() int {
	if r.h == nil {
		return -1
	}
	return int(r.h.ring.ring_fd)
}

// Close is io_uring_queue_exit: it unmaps and closes the ring. Requests in
// flight are cancelled by the kernel in its own time, and may still write to
// their memory after Close has returned. A second Close gives os.ErrClosed.
//
// A ring whose descriptor is registered is closed by the thread that registered
// it; from another one Close fails and the ring stays open.
//
// A ring that Adopt took is C's: Close lets go of it and touches neither its
// memory nor its descriptor. If entries were handed over and never came into C's
// queue, it says so with a *StagedError.
func (r *Ring) Close() error {
	if r.h == nil {
		return os.ErrClosed
	}
	if C.uring_close(r.h) == C.URING_WRONG_THREAD {
		return wrongThread("io_uring_queue_exit")
	}
	left := r.staged
	adopted := r.adopted
	*r = Ring{params: r.params}
	if adopted && left > 0 {
		return &StagedError{N: int(left)}
	}
	return nil
}

func wrongThread(call string) error {
	return sys.WrongThread(call, "the ring's descriptor is registered with another thread; call it from there, or UnregisterRingFd there first")
}

func tooOld(what, version string) error {
	return fmt.Errorf("uring: %s needs liburing %s, this build has the header of %s: %w", what, version, headerVersion(), errors.ErrUnsupported)
}
