//go:build linux

package purego

// Rings whose state somebody else keeps: a C program, in liburing's struct
// io_uring. Its inline functions move the queues' indices between two calls, so
// a call loads the struct into a Ring, works, and stores what it changed. The
// struct is the truth, and may have been copied since; a loaded Ring is good for
// one call on one thread.
//
// This is what liburing's interface over this package (directory capi) is made
// of. The types of internal packages keep it out of the public API.

import (
	"errors"
	"math"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/cring"
	"github.com/uring-go/uring/internal/release"
	"github.com/uring-go/uring/sys"
)

// Foreign is a Ring for the length of one call. It is a type of its own, so that
// Ring has none of these methods: they do not look whether it is closed.
type Foreign struct{ Ring }

// at returns the object whose address is stored in a field of a struct of C's.
func at[T any](field *uintptr) *T { return *(**T)(unsafe.Pointer(field)) }

// bytesAt is the memory of n bytes at such an address.
func bytesAt(field *uintptr, n uintptr) []byte {
	return unsafe.Slice(at[byte](field), n)
}

func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// Load makes r the ring that c describes. What r was before is forgotten, not
// closed.
func (r *Foreign) Load(c *cring.Ring) {
	flags := sys.SetupFlags(c.Flags)
	shift := func(wide sys.SetupFlags) uint8 {
		if flags&wide != 0 {
			return 1
		}
		return 0
	}
	r.Ring = Ring{
		fd:         int(c.RingFd),
		enterFd:    int(c.EnterRingFd),
		enterFlags: sys.EnterFlags(c.IntFlags & cring.EnterFlags),
		registered: c.IntFlags&cring.RegRing != 0,
		polls:      flags&(sys.IORING_SETUP_IOPOLL|sys.IORING_SETUP_SQPOLL) == sys.IORING_SETUP_IOPOLL,
		// One call, one system call: a C program counts on it, and a ring that is
		// loaded anew each time has no past to learn from. The kind of system call is
		// the one that may wait.
		pace: pacer{calls: 1, blocks: 2, cost: math.MaxUint32},
	}
	r.params.Flags, r.params.Features = flags, sys.FeatFlags(c.Features)
	r.params.SQEntries, r.params.CQEntries = c.SQ.RingEntries, c.CQ.RingEntries
	r.sq = sq{
		head:    at[atomic.Uint32](&c.SQ.KHead),
		tail:    at[atomic.Uint32](&c.SQ.KTail),
		flags:   at[atomic.Uint32](&c.SQ.KFlags),
		dropped: at[atomic.Uint32](&c.SQ.KDropped),
		entries: c.SQ.RingEntries,
		mask:    c.SQ.RingMask,
		shift:   shift(sys.IORING_SETUP_SQE128),
		rewind:  flags&sys.IORING_SETUP_SQ_REWIND != 0,
		sqpoll:  flags&sys.IORING_SETUP_SQPOLL != 0,
		local:   c.SQ.Tail,
		shared:  c.SQ.Head,
		zeroed:  c.SQ.Tail + c.SQ.RingEntries, // C clears what it takes
	}
	r.sq.slots = unsafe.Slice(at[sys.SQE](&c.SQ.SQEs), r.sq.entries<<r.sq.shift)
	r.cq = cq{
		head:     at[atomic.Uint32](&c.CQ.KHead),
		tail:     at[atomic.Uint32](&c.CQ.KTail),
		overflow: at[atomic.Uint32](&c.CQ.KOverflow),
		flags:    at[atomic.Uint32](&c.CQ.KFlags),
		entries:  c.CQ.RingEntries,
		mask:     c.CQ.RingMask,
		wide:     flags&sys.IORING_SETUP_CQE32 != 0,
		mixed:    flags&sys.IORING_SETUP_CQE_MIXED != 0,
	}
	r.cq.cqes = unsafe.Slice(at[sys.CQE](&c.CQ.CQEs), r.cq.entries<<shift(sys.IORING_SETUP_CQE32))
}

// LoadOwner is Load for calls that register, resize or close: it takes the
// calling thread for the one that registered the descriptor, as C does, and
// knows what is to be unmapped.
func (r *Foreign) LoadOwner(c *cring.Ring) {
	r.Load(c)
	if r.registered {
		r.noteThread()
	}
	if c.IntFlags&cring.AppMem != 0 {
		return
	}
	own := func(at *uintptr, n uintptr) (mem []byte) {
		if n > 0 {
			mem = bytesAt(at, n)
			r.maps.owned = append(r.maps.owned, mem)
		}
		return mem
	}
	r.maps.sqes = own(&c.SQ.SQEs, uintptr(c.SQ.SQEsSz))
	r.maps.sq = own(&c.SQ.RingPtr, c.SQ.RingSz)
	r.maps.cq = r.maps.sq
	if c.CQ.RingPtr != c.SQ.RingPtr {
		r.maps.cq = own(&c.CQ.RingPtr, c.CQ.RingSz)
	}
}

// FlushTo makes everything that the program took visible to the kernel, notes that
// in c, and returns how many entries the kernel has not taken. It is the step
// that Submit begins with; it comes before, because Submit may wait, and c may be
// in use by another thread then.
//
// With IORING_SETUP_SQ_REWIND only c is told; Submit does the rest.
func (r *Foreign) FlushTo(c *cring.Ring) uint32 {
	if r.sq.rewind {
		c.SQ.Tail = 0
		return r.sq.local
	}
	pending, _ := r.sq.publish()
	c.SQ.Head = r.sq.shared
	return pending
}

// NeedsWakeup reports whether entries wait for a kernel thread that sleeps.
func (r *Foreign) NeedsWakeup() bool { return r.sq.has(sys.IORING_SQ_NEED_WAKEUP) }

// Flushes reports whether completions can appear only by entering the kernel.
func (r *Foreign) Flushes() bool { return r.flushes() }

// WaitSQ waits until the kernel's thread has made room in the submission queue
// (IORING_SETUP_SQPOLL, Linux 5.10).
//
// liburing: io_uring_sqring_wait
func (r *Foreign) WaitSQ() error {
	_, errno := enterWait(r.enterFd, 0, 0, r.enterFlags|sys.IORING_ENTER_SQ_WAIT)
	return sys.EnterError(errno)
}

// Front returns the completion that the next Peek would give, without consuming
// it, or nil; ready is how many are in the queue, it included. Padding before it
// is consumed.
func (r *Foreign) Front() (c *sys.CQE, ready uint32) {
	for {
		head := r.cq.head.Load()
		if ready = r.cq.tail.Load() - head; ready == 0 {
			return nil, 0
		}
		c = r.cq.at(head)
		if c.Flags&sys.IORING_CQE_F_SKIP == 0 {
			return c, ready
		}
		release.Store(r.cq.head, head+1)
	}
}

// Skip consumes the completion that Front returned.
func (r *Foreign) Skip(c *sys.CQE) {
	release.Store(r.cq.head, r.cq.head.Load()+slots(c))
}

// FrontBatch writes the addresses of the next completions to dst and returns
// their number, without consuming any but padding before the first. Padding
// after that ends the batch: consuming it would consume what is before it.
// If nothing is ready it enters the kernel where that can bring completions.
func (r *Foreign) FrontBatch(dst []uintptr) int {
	n := r.cq.front(dst)
	if n == 0 && len(dst) > 0 && r.sq.has(sys.IORING_SQ_CQ_OVERFLOW|sys.IORING_SQ_TASKRUN) && r.flush() {
		n = r.cq.front(dst)
	}
	return n
}

// at returns the completion at an index.
func (q *cq) at(i uint32) *sys.CQE {
	i &= q.mask
	if q.wide {
		i *= 2
	}
	return &q.cqes[i]
}

// slots is how many entries of its queue a completion takes.
func slots(c *sys.CQE) uint32 {
	if c.Flags&sys.IORING_CQE_F_32 != 0 {
		return 2
	}
	return 1
}

func (q *cq) front(dst []uintptr) (n int) {
	tail, head := q.tail.Load(), q.head.Load()
	for head != tail && n < len(dst) {
		c := q.at(head)
		step := uint32(1)
		if q.mixed {
			if c.Flags&sys.IORING_CQE_F_SKIP != 0 {
				if n > 0 {
					break
				}
				head++
				release.Store(q.head, head)
				continue
			}
			step = min(slots(c), tail-head)
		}
		head += step
		dst[n] = addressOf(c)
		n++
	}
	return n
}

// HandOver is for a ring that New, NewMem or MapFd made: from then on c owns its
// descriptor and mappings, and r must not be used.
func HandOver(r *Ring, c *cring.Ring) {
	f := Foreign{Ring: *r}
	f.Store(c)
}

// Store writes to c all that it holds of a ring, after Resize for instance.
func (r *Foreign) Store(c *cring.Ring) {
	p := &r.params
	sqMem, cqMem := addressOf(unsafe.SliceData(r.maps.sq)), addressOf(unsafe.SliceData(r.maps.cq))
	c.SQ = cring.SQ{
		KHead:        sqMem + uintptr(p.SQOff.Head),
		KTail:        sqMem + uintptr(p.SQOff.Tail),
		KRingMask:    sqMem + uintptr(p.SQOff.RingMask),
		KRingEntries: sqMem + uintptr(p.SQOff.RingEntries),
		KFlags:       sqMem + uintptr(p.SQOff.Flags),
		KDropped:     sqMem + uintptr(p.SQOff.Dropped),
		SQEs:         addressOf(unsafe.SliceData(r.sq.slots)),
		Head:         r.sq.shared,
		Tail:         r.sq.local,
		RingPtr:      sqMem,
		RingMask:     r.sq.mask,
		RingEntries:  r.sq.entries,
	}
	if p.Flags&sys.IORING_SETUP_NO_SQARRAY == 0 {
		c.SQ.Array = sqMem + uintptr(p.SQOff.Array)
	}
	c.CQ = cring.CQ{
		KHead:        cqMem + uintptr(p.CQOff.Head),
		KTail:        cqMem + uintptr(p.CQOff.Tail),
		KRingMask:    cqMem + uintptr(p.CQOff.RingMask),
		KRingEntries: cqMem + uintptr(p.CQOff.RingEntries),
		KOverflow:    cqMem + uintptr(p.CQOff.Overflow),
		CQEs:         cqMem + uintptr(p.CQOff.CQEs),
		RingPtr:      cqMem,
		RingMask:     r.cq.mask,
		RingEntries:  r.cq.entries,
	}
	if p.CQOff.Flags != 0 {
		c.CQ.KFlags = cqMem + uintptr(p.CQOff.Flags)
	}
	// Sizes are what is to be unmapped: none of lent memory, and of memory that we
	// lent ourselves the whole of each mapping.
	c.IntFlags &^= cring.AppMem
	if p.Flags&sys.IORING_SETUP_NO_MMAP == 0 {
		c.SQ.SQEsSz = uint32(len(r.maps.sqes))
		c.SQ.RingSz, c.CQ.RingSz = uintptr(len(r.maps.sq)), uintptr(len(r.maps.cq))
	} else {
		switch owned := r.maps.owned; len(owned) {
		case 0:
			c.IntFlags |= cring.AppMem
		case 2:
			c.SQ.RingSz = uintptr(len(owned[1]))
			fallthrough
		case 1:
			c.SQ.SQEsSz = uint32(len(owned[0]))
		}
	}
	c.Flags, c.Features = uint32(p.Flags), uint32(p.Features)
	c.IntFlags &^= cring.CQEnter
	if r.polls {
		c.IntFlags |= cring.CQEnter
	}
	r.StoreFd(c)
}

// StoreFd writes to c what registering or closing the descriptor changed.
func (r *Foreign) StoreFd(c *cring.Ring) {
	c.RingFd, c.EnterRingFd = int32(r.fd), int32(r.enterFd)
	c.IntFlags &^= cring.RegRing | cring.RegRegRing
	if r.registered {
		c.IntFlags |= cring.RegRing
		if r.params.Features&sys.IORING_FEAT_REG_REG_RING != 0 {
			c.IntFlags |= cring.RegRegRing
		}
	}
}

// MapFd is Map as io_uring_queue_mmap is: the ring gets the descriptor itself, which
// stays the caller's if that fails.
func MapFd(fd int, p *sys.Params) (*Ring, error) {
	r := &Ring{fd: fd, enterFd: fd, params: *p}
	err := r.maps.mmap(fd, p)
	if err == nil {
		err = r.attach()
	}
	if err != nil {
		return nil, errors.Join(err, r.maps.release())
	}
	return r, nil
}

// KeepFromChildren is DontFork after LoadOwner. Of memory that the program lent to
// the ring, whose size it does not know, it covers the entries.
func (r *Foreign) KeepFromChildren() error {
	if len(r.maps.owned) > 0 {
		return r.DontFork()
	}
	slots := addressOf(unsafe.SliceData(r.sq.slots))
	mem := bytesAt(&slots, uintptr(len(r.sq.slots))*unsafe.Sizeof(sys.SQE{}))
	return os.NewSyscallError("madvise", unix.Madvise(mem, unix.MADV_DONTFORK))
}

// System calls as they are, for io_uring_setup, io_uring_enter2 and
// io_uring_register of liburing, which are no more than that. A negative result
// is an errno.

func RawSetup(entries uint32, p *sys.Params) int {
	fd, errno := setup(entries, p)
	return result(fd, errno)
}

func RawEnter(fd, submit, wait uint32, flags sys.EnterFlags, arg unsafe.Pointer, size uintptr) int {
	n, _, errno := syscall.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(wait), uintptr(flags), uintptr(arg), size)
	return result(int(n), errno)
}

func RawRegister(fd int, op sys.RegisterOp, arg unsafe.Pointer, n uint32) int {
	res, errno := register(fd, op, arg, n)
	return result(res, errno)
}

func result(n int, errno syscall.Errno) int {
	if errno != 0 {
		return -int(errno)
	}
	return n
}
