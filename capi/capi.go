//go:build linux && cgo

package main

// Setting up, submitting, waiting and reaping. A call loads the C program's
// struct io_uring into a ring of package purego, which does the work.
//
// Results are liburing's: a number, or an errno below zero.

/*
#cgo LDFLAGS: -ldl
#include <stdint.h>
#include <stdlib.h>

void uringgo_after(void);
*/
import "C"

import (
	"errors"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/cring"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// The version of liburing that this is the interface of.
const (
	major = 2
	minor = 15
)

// timeoutData marks the timeouts that waits on kernels before 5.11 are made of.
const timeoutData = math.MaxUint64

// A view is a ring for the length of one call, and room for what the kernel reads
// meanwhile: it must not lie on a goroutine's stack, which moves.
type view struct {
	purego.Foreign
	c *cring.Ring

	wait   sys.Wait
	update sys.RsrcUpdate
	table  sys.RsrcRegister
	tagged sys.RsrcUpdate2
	fds    [1]int32
	buf    sys.BufReg
	status sys.BufStatus
	files  sys.FileIndexRange
	clone  sys.CloneBuffers
}

var views = sync.Pool{New: func() any { return new(view) }}

// load gives a view of a ring for calls that submit, wait and reap.
func load(ring unsafe.Pointer) *view {
	v := views.Get().(*view)
	v.c = (*cring.Ring)(ring)
	v.Load(v.c)
	return v
}

// own gives a view for calls that register, resize or close.
func own(ring unsafe.Pointer) *view {
	v := views.Get().(*view)
	v.c = (*cring.Ring)(ring)
	v.LoadOwner(v.c)
	return v
}

func (v *view) done() { views.Put(v) }

// code is the errno of an error of package purego, below zero.
func code(err error) C.int {
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case err == os.ErrDeadlineExceeded:
		return -C.int(syscall.ETIME)
	case err == sys.ErrInterrupted:
		return -C.int(syscall.EINTR)
	case errors.As(err, &errno):
		return -C.int(errno)
	}
	return -C.int(syscall.EINVAL)
}

// prepare is the first call of every thread. Its stack is grown here, once, to
// more than signal handlers of C may want: a handler that is installed without
// SA_ONSTACK runs on the stack that the thread is on, and that is Go's, of a few
// kilobytes, while it waits in the kernel.
//
//export uringgo_prepare
func uringgo_prepare() {
	deepen(0)
	once.Do(func() {
		C.uringgo_after() // after.c says why
		// No garbage arises on the way of a request, and what arises elsewhere is
		// little. A collection needs threads, which a forked child does not have, and
		// would shrink the stacks; so it comes only if memory really grows.
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(128 << 20)
	})
}

var once sync.Once

//go:noinline
func deepen(n int) byte {
	var frame [128 << 10]byte
	frame[n] = 1
	return frame[len(frame)-1-n]
}

//export uringgo_queue_init
func uringgo_queue_init(entries C.uint, ring, params, mem unsafe.Pointer, size C.size_t) C.int {
	c, p := (*cring.Ring)(ring), (*sys.Params)(params)
	*c = cring.Ring{}
	var r *purego.Ring
	var used int
	var err error
	if mem == nil {
		r, err = purego.New(uint32(entries), p)
	} else {
		r, used, err = purego.NewMem(uint32(entries), p, unsafe.Slice((*byte)(mem), int(size)))
	}
	if err != nil {
		return code(err)
	}
	purego.HandOver(r, c)
	return C.int(used)
}

//export uringgo_queue_mmap
func uringgo_queue_mmap(fd C.int, params, ring unsafe.Pointer) C.int {
	c := (*cring.Ring)(ring)
	*c = cring.Ring{}
	r, err := purego.MapFd(int(fd), (*sys.Params)(params))
	if err != nil {
		return code(err)
	}
	purego.HandOver(r, c)
	return 0
}

//export uringgo_queue_exit
func uringgo_queue_exit(ring unsafe.Pointer) {
	v := own(ring)
	defer v.done()
	v.Close()
}

//export uringgo_ring_dontfork
func uringgo_ring_dontfork(ring unsafe.Pointer) C.int {
	if c := (*cring.Ring)(ring); c.SQ.RingPtr == 0 || c.SQ.SQEs == 0 || c.CQ.RingPtr == 0 {
		return -C.int(syscall.EINVAL)
	}
	v := own(ring)
	defer v.done()
	return code(v.KeepFromChildren())
}

//export uringgo_resize_rings
func uringgo_resize_rings(ring, params unsafe.Pointer) C.int {
	v, p := own(ring), (*sys.Params)(params)
	defer v.done()
	err := v.Resize(p.SQEntries, p)
	p.Flags = 0
	if err != nil {
		return code(err)
	}
	v.Store(v.c)
	return 0
}

//export uringgo_memory_size
func uringgo_memory_size(entries C.uint, params unsafe.Pointer) C.ssize_t {
	p := (*sys.Params)(params)
	n, err := purego.MemorySize(uint32(entries), p)
	if err != nil {
		return C.ssize_t(code(err))
	}
	return C.ssize_t(n)
}

// uringgo_mlock_size says what a ring counts against RLIMIT_MEMLOCK: nothing on
// kernels whose io_uring has its own workers, from 5.12 on.
//
//export uringgo_mlock_size
func uringgo_mlock_size(entries C.uint, params unsafe.Pointer) C.ssize_t {
	var p sys.Params
	if r, err := purego.New(uint32(entries), &p); err == nil {
		r.Close()
		if p.Features&sys.IORING_FEAT_NATIVE_WORKERS != 0 {
			return 0
		}
	}
	return uringgo_memory_size(entries, params)
}

// uringgo_get_sqe is for programs that were compiled when this was not inline.
//
//export uringgo_get_sqe
func uringgo_get_sqe(ring unsafe.Pointer) unsafe.Pointer {
	v := load(ring)
	defer v.done()
	return unsafe.Pointer(v.take())
}

// take takes the next entry, cleared but for its user data, as C does.
func (v *view) take() *sys.SQE {
	free := v.Queue()
	if len(free) == 0 {
		return nil
	}
	sqe := &free[0]
	data := sqe.UserData
	*sqe = sys.SQE{UserData: data}
	v.c.SQ.Tail++
	v.Load(v.c)
	return sqe
}

// flush makes what the program took visible, and returns what is left to submit.
func (v *view) flush() uint32 { return v.FlushTo(v.c) }

func (v *view) sqpoll() bool { return v.c.Flags&uint32(sys.IORING_SETUP_SQPOLL) != 0 }

//export uringgo_submit
func uringgo_submit(ring unsafe.Pointer, wait C.uint, events C.int) C.int {
	v := load(ring)
	defer v.done()
	v.wait = sys.Wait{N: uint32(wait)}
	if events != 0 {
		v.wait.Flags = sys.IORING_ENTER_GETEVENTS
	}
	pending := v.flush()
	n, err := v.Submit(v.wait)
	switch {
	case err != nil:
		return code(err)
	case v.sqpoll():
		// The kernel's thread takes them in its time; C counts all that are there.
		return C.int(pending)
	}
	return C.int(n)
}

//export uringgo_get_events
func uringgo_get_events(ring unsafe.Pointer) C.int {
	v := load(ring)
	defer v.done()
	return code(v.Wait(sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}))
}

//export uringgo_sqring_wait
func uringgo_sqring_wait(ring unsafe.Pointer) C.int {
	v := load(ring)
	defer v.done()
	return code(v.WaitSQ())
}

//export uringgo_peek_batch
func uringgo_peek_batch(ring, cqes unsafe.Pointer, count C.uint) C.uint {
	v := load(ring)
	defer v.done()
	most := min(uint32(count), 2*v.c.CQ.RingEntries)
	return C.uint(v.FrontBatch(unsafe.Slice((*uintptr)(cqes), most)))
}

// uringgo_get_cqe is behind io_uring_wait_cqe and its relatives: it submits what
// is to be submitted, and gives the first of at least wait completions.
//
//export uringgo_get_cqe
func uringgo_get_cqe(ring, cqe unsafe.Pointer, submit, wait C.uint, sigmask unsafe.Pointer) C.int {
	v := load(ring)
	defer v.done()
	v.wait = sys.Wait{N: uint32(wait), Sigmask: (*sys.Sigset)(sigmask)}
	return v.get(cqe, uint32(submit), false)
}

// uringgo_wait_cqes is the completion side of the waits with a timeout.
//
//export uringgo_wait_cqes
func uringgo_wait_cqes(ring, cqe unsafe.Pointer, wait C.uint, ts unsafe.Pointer, least C.uint, sigmask unsafe.Pointer) C.int {
	v := load(ring)
	defer v.done()
	v.wait = sys.Wait{N: uint32(wait), Sigmask: (*sys.Sigset)(sigmask), MinTimeout: time.Duration(least) * time.Microsecond}
	var left uint32
	if ts != nil {
		if sys.FeatFlags(v.c.Features)&sys.IORING_FEAT_EXT_ARG == 0 {
			return v.getWithTimeout(cqe, ts)
		}
		v.wait.Timeout = duration(ts)
	}
	return v.get(cqe, left, ts != nil)
}

//export uringgo_submit_and_wait
func uringgo_submit_and_wait(ring, cqe unsafe.Pointer, wait C.uint, ts unsafe.Pointer, least C.uint, sigmask unsafe.Pointer) C.int {
	v := load(ring)
	defer v.done()
	v.wait = sys.Wait{N: uint32(wait), Sigmask: (*sys.Sigset)(sigmask)}
	if ts != nil {
		if sys.FeatFlags(v.c.Features)&sys.IORING_FEAT_EXT_ARG == 0 {
			return v.getWithTimeout(cqe, ts)
		}
		v.wait.Timeout = duration(ts)
		v.wait.MinTimeout = time.Duration(least) * time.Microsecond // without ts C drops it
	}
	return v.get(cqe, v.flush(), ts != nil)
}

//export uringgo_submit_and_wait_reg
func uringgo_submit_and_wait_reg(ring, cqe unsafe.Pointer, wait C.uint, index C.int) C.int {
	v := load(ring)
	defer v.done()
	if sys.FeatFlags(v.c.Features)&sys.IORING_FEAT_EXT_ARG == 0 {
		return -C.int(syscall.EINVAL)
	}
	v.wait = sys.Wait{N: uint32(wait), Reg: uint32(index), Flags: sys.IORING_ENTER_EXT_ARG_REG}
	return v.get(cqe, v.flush(), true)
}

// duration is a struct __kernel_timespec. One of zero or less ends a wait at once,
// as the shortest does, for to sys.Wait zero is none.
func duration(ts unsafe.Pointer) time.Duration {
	t := (*unix.KernelTimespec)(ts)
	const most = math.MaxInt64 / 4 / int64(time.Second)
	switch {
	case t.Sec > most || t.Nsec > math.MaxInt64/2:
		return math.MaxInt64 // 292 years
	case t.Sec < -most || t.Nsec < math.MinInt64/2:
		return 1
	}
	return max(1, time.Duration(t.Sec)*time.Second+time.Duration(t.Nsec))
}

// getWithTimeout is a wait with a timeout on kernels before 5.11: a timeout is
// submitted with the rest, and its completion is swallowed.
func (v *view) getWithTimeout(cqe, ts unsafe.Pointer) C.int {
	sqe := v.take()
	if sqe == nil {
		v.flush()
		if _, err := v.Submit(sys.Wait{}); err != nil {
			return code(err)
		}
		if sqe = v.take(); sqe == nil {
			return -C.int(syscall.EAGAIN)
		}
	}
	sqe.PrepTimeout((*unix.KernelTimespec)(ts), v.wait.N, 0)
	sqe.UserData = timeoutData
	return v.get(cqe, v.flush(), false)
}

// first returns the completion at the front, or nil. On kernels before 5.11 it
// swallows the completions of our own timeouts; the errno of one ends a wait.
func (v *view) first() (c *sys.CQE, ready uint32, ret C.int) {
	for {
		c, ready = v.Front()
		if c == nil || c.UserData != timeoutData || sys.FeatFlags(v.c.Features)&sys.IORING_FEAT_EXT_ARG != 0 {
			return c, ready, 0
		}
		ret = C.int(min(c.Res, 0))
		v.Skip(c)
		if ret != 0 {
			return nil, ready, ret
		}
	}
}

// get submits the left entries that were flushed, waits as v.wait says, and
// stores the first completion. The result is what the first system call gave, or
// 0 where none was made or a completion was there before; a wait that a timeout
// ended is ETIME, unless it submitted something.
func (v *view) get(out unsafe.Pointer, left uint32, timed bool) C.int {
	var ret C.int
	var c *sys.CQE
	for entered := false; ; {
		var ready uint32
		var swallowed C.int
		if c, ready, swallowed = v.first(); swallowed != 0 {
			if ret == 0 {
				ret = swallowed
			}
			break
		}
		need := v.wait.N > ready
		if c == nil && v.wait.N == 0 && left == 0 {
			if entered || !v.Flushes() {
				if ret == 0 {
					ret = -C.int(syscall.EAGAIN)
				}
				break
			}
			need = true
		}
		submits := left > 0 && (!v.sqpoll() || v.NeedsWakeup())
		if !need && !submits {
			break
		}
		if entered && timed {
			if c == nil && ret == 0 {
				ret = -C.int(syscall.ETIME)
			}
			break
		}
		n, err := 0, error(nil)
		if left > 0 {
			if n, err = v.Submit(v.wait); v.sqpoll() {
				n = int(left)
			}
		} else {
			err = v.Wait(v.wait)
		}
		if err != nil {
			if ret == 0 {
				ret = code(err)
			}
			break
		}
		left -= min(left, uint32(n))
		if c != nil {
			break
		}
		if !entered {
			entered, ret = true, C.int(n)
		}
	}
	*(*uintptr)(out) = uintptr(unsafe.Pointer(c))
	return ret
}

//export uringgo_lacks_min_timeout
func uringgo_lacks_min_timeout(ring unsafe.Pointer) C.int {
	if sys.FeatFlags((*cring.Ring)(ring).Features)&sys.IORING_FEAT_MIN_TIMEOUT == 0 {
		return 1
	}
	return 0
}
