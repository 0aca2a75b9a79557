package uring

// The ring: what a backend must do, how a ring is configured, and the queue and
// completion calls on top of any backend.

import (
	"fmt"
	"iter"
	"math"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/uring-go/uring/sys"
)

// The kernel's structures, under short names. Their methods, above all the
// Prep methods that fill in an SQE, are documented in package sys.
type (
	SQE   = sys.SQE   // a submission queue entry, 64 bytes
	CQE   = sys.CQE   // a completion, 16 bytes
	CQE32 = sys.CQE32 // a completion of 32 bytes
	Wait  = sys.Wait  // what a submission waits for
)

// A Backend carries one ring. A method costs at most one crossing: a system
// call, or a call into C. Package purego and package liburing have one each;
// anything else that keeps these promises will do.
type Backend interface {
	// Queue returns the free 64-byte slots at the tail, zeroed and contiguous,
	// up to the point where the ring wraps.
	Queue() []sys.SQE
	// Advance hands over the first n slots of Queue. The kernel sees them at the
	// next Submit and not before.
	Advance(n int)
	// Submit tells the kernel about all that was handed over, and makes one
	// attempt to wait as w says. It returns how many entries the kernel took,
	// under IORING_SETUP_SQPOLL how many were new. A timeout is
	// os.ErrDeadlineExceeded, a signal sys.ErrInterrupted.
	Submit(w sys.Wait) (int, error)
	// Wait is the completion side of Submit; it leaves the submission queue
	// alone.
	Wait(w sys.Wait) error
	// Ready is the number of completions in the kernel's queue. It makes no
	// crossing.
	Ready() int
	// Peek copies out completions that are ready and consumes them. It never
	// waits, and enters the kernel only if nothing is ready while completions
	// wait for an entry.
	Peek(dst []sys.CQE) int
	// Peek32 is Peek with the second half of 32-byte completions.
	Peek32(dst []sys.CQE32) int
	// Register is io_uring_register(2).
	Register(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, error)
	// RegisterRingFd, UnregisterRingFd and CloseRingFd change how the ring is
	// named in system calls.
	RegisterRingFd() error
	UnregisterRingFd() error
	CloseRingFd() error
	// Resize changes the queues' sizes and makes Queue's window invalid.
	Resize(entries uint32, p *sys.Params) error
	// Status returns the ring's counters and flags.
	Status() sys.Status
	// Params returns what the kernel made of the setup parameters.
	Params() sys.Params
	// Fd returns the ring's descriptor, -1 if there is none.
	Fd() int
	// Close unmaps and closes the ring, whatever is in flight.
	Close() error
}

// Config says what ring New makes. The zero value, and nil, are a plain ring of
// 256 entries.
type Config struct {
	// Entries is the size of the submission queue, rounded up to a power of two;
	// at most 32768. 0 is 256.
	Entries uint32
	// CQEntries is the size of the completion queue, rounded up to a power of
	// two; at least Entries, at most 65536. 0 is twice Entries.
	CQEntries uint32
	// Setup are the setup flags. Those that the other fields stand for are added.
	Setup sys.SetupFlags
	// SQThreadIdle is how long the kernel's thread stays awake with nothing to do
	// under IORING_SETUP_SQPOLL. It counts in milliseconds, rounded up; 0 is the
	// kernel's one second.
	SQThreadIdle time.Duration
	// SQThreadCPU is the CPU of the kernel's thread; it counts only with
	// IORING_SETUP_SQ_AFF in Setup.
	SQThreadCPU uint32
	// AttachWQ, if not nil, is a ring whose worker threads, and under
	// IORING_SETUP_SQPOLL whose kernel thread, the new ring shares.
	AttachWQ *Ring
}

const defaultEntries = 256

// params translates the configuration for the kernel.
func (c *Config) params() (entries uint32, p sys.Params, err error) {
	if c == nil {
		c = &Config{}
	}
	entries = c.Entries
	if entries == 0 {
		entries = defaultEntries
	}
	p.Flags = c.Setup
	if c.CQEntries != 0 {
		p.Flags |= sys.IORING_SETUP_CQSIZE
		p.CQEntries = c.CQEntries
	}
	const longestIdle = math.MaxUint32 * time.Millisecond
	if c.SQThreadIdle < 0 || c.SQThreadIdle > longestIdle {
		return 0, p, fmt.Errorf("uring: Config.SQThreadIdle is %v; it must be between 0 and %v: %w", c.SQThreadIdle, longestIdle, syscall.EINVAL)
	}
	p.SQThreadIdle = uint32((c.SQThreadIdle + time.Millisecond - 1) / time.Millisecond)
	p.SQThreadCPU = c.SQThreadCPU
	if c.AttachWQ != nil {
		fd := c.AttachWQ.Fd()
		if fd < 0 {
			return 0, p, fmt.Errorf("uring: Config.AttachWQ is a ring without a descriptor: %w", syscall.EINVAL)
		}
		p.Flags |= sys.IORING_SETUP_ATTACH_WQ
		p.WQFd = uint32(fd)
	}
	return entries, p, nil
}

// New makes a ring with the backend that this build has (DefaultBackend).
// Its error is a *SetupError, which says what stands in the way; where io_uring
// does not exist it is errors.ErrUnsupported.
func New(cfg *Config) (*Ring, error) {
	entries, p, err := cfg.params()
	if err != nil {
		return nil, &SetupError{Err: err}
	}
	b, err := open(entries, &p)
	if err != nil {
		return nil, setupError(err, entries, p)
	}
	if cfg != nil {
		runtime.KeepAlive(cfg.AttachWQ)
	}
	return NewRing(b), nil
}

// NewRing puts the API of this package on a backend: one that purego.New or
// liburing.New made, or another. The ring owns it from then on.
func NewRing(b Backend) *Ring {
	p := b.Params()
	has := func(f sys.SetupFlags) bool { return p.Flags&f != 0 }
	s, _ := b.(interface{ Shared() bool })
	r := &Ring{
		b:         b,
		shared:    s != nil && s.Shared(),
		sqpoll:    has(sys.IORING_SETUP_SQPOLL),
		rewind:    has(sys.IORING_SETUP_SQ_REWIND),
		mixed:     has(sys.IORING_SETUP_SQE_MIXED),
		cqEntries: int(p.CQEntries),
	}
	if has(sys.IORING_SETUP_SQE128) {
		r.shift = 1
	}
	if has(sys.IORING_SETUP_CQE32 | sys.IORING_SETUP_CQE_MIXED) {
		r.wide = make([]CQE32, len(r.narrow))
	}
	return r
}

// A Ring is one io_uring instance: a submission queue that the caller fills, and
// a completion queue that the kernel fills.
//
// It has no locks. One goroutine at a time uses it, with one exception: on a
// ring without IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN and
// IORING_SETUP_IOPOLL one goroutine may submit (GetSQE, Space, Submit) while
// another one reaps (Wait, Peek, Peek32, Completions).
//
// Memory that an entry names belongs to the kernel until the entry's last
// completion, and the caller keeps it reachable until then; see the package
// documentation.
//
// The methods of a nil Ring answer os.ErrInvalid, those of a closed one
// os.ErrClosed, where they return an error; elsewhere they do nothing and return
// the zero value.
type Ring struct {
	// The window is what the backend's Queue returned last. Slots before next are
	// filled, those before from are also advanced over. GetSQE moves next without
	// a call until it meets last. With next nil the window is used up, with from
	// nil also advanced over.
	next, last, from *SQE
	window           []SQE

	b       Backend
	pending int   // entries handed over that the kernel has not taken
	shift   uint8 // log2 of the slots of an entry
	mixed   bool  // IORING_SETUP_SQE_MIXED
	sqpoll  bool
	rewind  bool
	shared  bool // others submit to the backend's queue too; see share.go

	cqEntries int
	// Completions that an iteration took from the backend and did not deliver:
	// those from taken to filled, in wide on rings that have such, else in narrow.
	taken, filled int
	wide          []CQE32
	narrow        [64]CQE

	reg registrations // what is registered, and its memory
}

// GetSQE128 returns the next free entry of 128 bytes, zeroed; nil when the queue
// is full or the ring has no such entries. On a ring with
// IORING_SETUP_SQE_MIXED (Linux 6.19) an entry must not wrap around the end of
// the queue, so a lone last slot is filled with a NOP that posts no completion.
//
// liburing: io_uring_get_sqe128
func (r *Ring) GetSQE128() *sys.SQE128 {
	if r == nil || r.shift == 0 && !r.mixed {
		return nil
	}
	if r.shift == 1 {
		if s := r.GetSQE(); s != nil {
			return double(s)
		}
		return nil
	}
	// The window may be older than the room that the kernel has made since.
	if r.next == nil || r.index()+2 > len(r.window) {
		if !r.fetch() {
			return nil
		}
	}
	if r.index()+2 > len(r.window) {
		// A lone slot: the last one before the wrap, or the last free one.
		if r.Space() < 3 {
			return nil
		}
		pad := r.refill()
		pad.Fd, pad.Flags = -1, sys.IOSQE_CQE_SKIP_SUCCESS
		if !r.fetch() {
			return nil
		}
	}
	s := r.next
	r.seek(r.index() + 2)
	return double(s)
}

// refill is the slow path of GetSQE: the window's last entry, or the first one of
// a new window.
func (r *Ring) refill() *SQE {
	if r.next == nil && !r.fetch() {
		return nil
	}
	s := r.next
	r.seek(r.index() + 1<<r.shift)
	return s
}

// fetch gets a new window and reports whether there is room in it.
func (r *Ring) fetch() bool {
	r.handOver()
	r.window = r.b.Queue()
	r.seek(0)
	r.from = r.next
	return r.next != nil
}

// seek makes slot i of the window the next one.
func (r *Ring) seek(i int) {
	switch {
	case i+1<<r.shift > len(r.window):
		r.next, r.last = nil, nil
	case r.shift == 0:
		r.next, r.last = &r.window[i], &r.window[len(r.window)-1]
	default:
		// Entries of two slots always take the slow path.
		r.next, r.last = &r.window[i], &r.window[i]
	}
}

// index returns the slot of the window that is next.
func (r *Ring) index() int {
	if r.next == nil {
		return len(r.window)
	}
	return slotsBetween(&r.window[0], r.next)
}

// given returns how many slots are filled and not advanced over.
func (r *Ring) given() int {
	switch {
	case r.next != nil:
		return slotsBetween(r.from, r.next)
	case r.from != nil:
		return slotsBetween(r.from, &r.window[len(r.window)-1]) + 1
	}
	return 0
}

// handOver advances the backend over what GetSQE gave out.
func (r *Ring) handOver() {
	if n := r.given(); n > 0 {
		r.b.Advance(n)
		r.from = r.next
		r.pending += n >> r.shift
	}
}

// drop forgets the window, after the backend's queue has moved beneath it.
func (r *Ring) drop() {
	r.window = nil
	r.next, r.last, r.from = nil, nil, nil
}

// Space returns how many entries GetSQE can still give before Submit must make
// room, as of now: under IORING_SETUP_SQPOLL the kernel's thread makes room at
// any time. A chain of linked entries should be started only if there is space
// for all of it, for a Submit ends a chain.
func (r *Ring) Space() int {
	if r == nil {
		return 0
	}
	return max(r.b.Status().SQSpace-r.given()>>r.shift, 0)
}

// Submit submits the entries that GetSQE gave out, and any that the kernel did
// not take before. It returns how many the kernel took; it takes no more after an
// entry that it refuses to start, unless IORING_SETUP_SUBMIT_ALL is set. What it
// did not take stays queued, in order, for the next Submit. Under
// IORING_SETUP_SQPOLL the number is that of the entries newly handed to the
// kernel's thread.
//
// The error is an *os.SyscallError, in a sentence where the errno alone does not
// say what to do. With an error nothing is lost: the entries stay queued.
//
// liburing: io_uring_submit
func (r *Ring) Submit() (int, error) {
	if r == nil {
		return 0, os.ErrInvalid
	}
	r.handOver()
	if r.shared {
		r.count()
	}
	n, err := r.b.Submit(Wait{})
	return r.finish(Wait{}, time.Time{}, r.pending, n, err)
}

// SubmitWait is Submit and then Wait, in one crossing. If the kernel takes fewer
// entries than it is offered, it returns their number and nil at once. A deadline
// that passes is os.ErrDeadlineExceeded beside the number of entries taken.
//
// SubmitWait(Wait{}) waits for nothing but looks for completions, which Submit
// does not do: on a ring with IORING_SETUP_DEFER_TASKRUN and without
// IORING_SETUP_TASKRUN_FLAG it is what makes them appear.
//
// liburing: io_uring_submit_and_wait, io_uring_submit_and_wait_timeout,
// io_uring_submit_and_wait_min_timeout, io_uring_submit_and_get_events
func (r *Ring) SubmitWait(w Wait) (int, error) {
	if r == nil {
		return 0, os.ErrInvalid
	}
	r.handOver()
	if r.shared {
		return r.submitShared(r.asked(w))
	}
	if w.Timeout|w.MinTimeout != 0 || w.Sigmask != nil || w.Flags&sys.IORING_ENTER_EXT_ARG_REG != 0 {
		return r.submitTimed(r.asked(w))
	}
	// The common case, and the one that must be fast. A Wait that is copied costs
	// 10 ns: the copy loads more at once than was stored, and waits for the stores.
	want, flags := min(w.N, uint32(r.cqEntries)), w.Flags|sys.IORING_ENTER_GETEVENTS
	n, err := r.b.Submit(Wait{N: want, Flags: flags})
	if err == nil && n == r.pending && !r.rewind && (want == 0 || r.b.Ready() >= int(want)) {
		r.pending = 0
		return n, nil
	}
	return r.finish(Wait{N: want, Flags: flags}, time.Time{}, r.pending, n, err)
}

// Wait waits until w.N completions are ready, and consumes none. It leaves the
// submission queue alone: what GetSQE gave out is not submitted.
//
// A deadline that passes while fewer are ready is os.ErrDeadlineExceeded. A signal
// does not shorten the wait unless w has a Sigmask; then it is EINTR. Wait(Wait{})
// only enters the kernel to bring completions over.
//
// liburing: io_uring_wait_cqes, io_uring_wait_cqes_min_timeout,
// io_uring_get_events
func (r *Ring) Wait(w Wait) error {
	if r == nil {
		return os.ErrInvalid
	}
	w = r.asked(w)
	var start time.Time
	if !w.Plain() {
		start = time.Now()
	}
	err := r.b.Wait(bounded(w))
	if w.N == 0 {
		return uninterrupted(w, err)
	}
	return r.await(w, start, err)
}

// Peek copies completions that are ready into dst, consumes them and returns
// their number. It never waits. It enters the kernel only if none is ready while
// some wait for an entry: after an overflow, for pending task work
// (IORING_SETUP_TASKRUN_FLAG), or on a ring with IORING_SETUP_IOPOLL.
//
// liburing: io_uring_peek_batch_cqe and io_uring_cq_advance
func (r *Ring) Peek(dst []CQE) int {
	if r == nil {
		return 0
	}
	if r.taken == r.filled {
		return r.b.Peek(dst)
	}
	n := 0
	for ; n < len(dst) && r.taken < r.filled; n++ {
		dst[n] = r.pop().CQE
	}
	if n < len(dst) && r.b.Ready() > 0 {
		n += r.b.Peek(dst[n:])
	}
	return n
}

// Peek32 is Peek for rings with IORING_SETUP_CQE32 or IORING_SETUP_CQE_MIXED,
// whose completions may have a second half.
func (r *Ring) Peek32(dst []CQE32) int {
	if r == nil {
		return 0
	}
	if r.taken == r.filled {
		return r.b.Peek32(dst)
	}
	n := 0
	for ; n < len(dst) && r.taken < r.filled; n++ {
		dst[n] = r.pop()
	}
	if n < len(dst) && r.b.Ready() > 0 {
		n += r.b.Peek32(dst[n:])
	}
	return n
}

// Completions yields completions until Peek gives none, and consumes them. The
// loop's body may call GetSQE and Submit. What a break leaves behind, Peek and the
// next Completions give first; it no longer counts for Wait.N.
//
// liburing: io_uring_for_each_cqe
func (r *Ring) Completions() iter.Seq[CQE] {
	return func(yield func(CQE) bool) {
		for r.more() {
			if !yield(r.pop().CQE) {
				return
			}
		}
	}
}

// Completions32 is Completions for rings with IORING_SETUP_CQE32 or
// IORING_SETUP_CQE_MIXED.
func (r *Ring) Completions32() iter.Seq[CQE32] {
	return func(yield func(CQE32) bool) {
		for r.more() {
			if !yield(r.pop()) {
				return
			}
		}
	}
}

// more reports whether pop has something to give, after peeking if need be.
func (r *Ring) more() bool {
	if r == nil {
		return false
	}
	if r.taken == r.filled {
		r.taken = 0
		if r.wide != nil {
			r.filled = r.b.Peek32(r.wide)
		} else {
			r.filled = r.b.Peek(r.narrow[:])
		}
	}
	return r.taken < r.filled
}

func (r *Ring) pop() CQE32 {
	i := r.taken
	r.taken++
	if r.wide != nil {
		return r.wide[i]
	}
	return CQE32{CQE: r.narrow[i]}
}

// Backend returns what carries the ring. Submitting or reaping through it beside
// the Ring's own methods confuses both.
func (r *Ring) Backend() Backend {
	if r == nil {
		return nil
	}
	return r.b
}

// Fd returns the ring's descriptor, -1 if it has none or is closed.
func (r *Ring) Fd() int {
	if r == nil {
		return -1
	}
	return r.b.Fd()
}

// Params returns what the kernel made of the configuration: sizes, flags and
// features.
func (r *Ring) Params() sys.Params {
	if r == nil {
		return sys.Params{}
	}
	return r.b.Params()
}

// Status returns the ring's counters and flags. Entries that GetSQE gave out
// count as ready, completions that an iteration left behind do not.
func (r *Ring) Status() sys.Status {
	if r == nil {
		return sys.Status{}
	}
	s := r.b.Status()
	used := r.given() >> r.shift
	s.SQReady += used
	s.SQSpace = max(s.SQSpace-used, 0)
	return s
}

// Close unmaps and closes the ring, like io_uring_queue_exit. It does not wait:
// the kernel cancels what is in flight in its own time, and may write to a
// request's memory after Close has returned. Drain before, if that matters.
// A second Close gives os.ErrClosed.
//
// A ring that liburing.Adopt took from C lives on there. Close is EBUSY while
// buffers or buffer rings of Go's are registered with it, and an error that says
// how many entries are lost if some were neither flushed nor submitted.
func (r *Ring) Close() error {
	if r == nil {
		return os.ErrInvalid
	}
	if err := r.mayDetach(); err != nil {
		return err
	}
	defer r.reg.ringClosed(r.b)
	r.handOver() // a Close that is refused loses nothing
	err := r.b.Close()
	r.drop()
	if err != nil {
		return err
	}
	r.pending, r.taken, r.filled = 0, 0, 0
	return nil
}
