package proactor

// A ring and who drives it. There is no thread for it: whoever holds its lock
// fills in entries, enters the kernel without waiting, and takes the completions
// that are there.
//
// Mostly that is the caller itself. A cached read or a send into a socket with
// room completes on the way, and nobody else has run. What does not complete is
// waited for in the runtime's poller: the ring has an eventfd there, and a
// goroutine, its attendant, that takes completions when it fires and wakes the
// calls they belong to.
//
// When calls come in a crowd that is not enough: each would pay for a system call
// of its own. So after waking somebody the attendant stays awake. It lets those
// that are runnable run, which hand over what they want next in a list without a
// lock, and submits all of it at once. It goes back to sleep when there was
// nothing to do. The crowd, not a setting, decides which it is.
//
// Three rules keep anything from being left lying:
//
//   - who unlocks looks at the list afterwards, unless the attendant is awake;
//   - the attendant announces that it sleeps before it looks at the list a last
//     time;
//   - the eventfd is switched on before the completions are looked at a last time.

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

type ring struct {
	p     *Proactor
	table table

	posted atomic.Pointer[slot] // operations handed over, the latest first
	doomed atomic.Pointer[slot] // operations to be cancelled, linked by doomedNext
	awake  atomic.Bool          // the attendant, or the thread of a crowd, will look at these
	yields atomic.Int64         // when the attendant last let others run, on the Proactor's clock

	crowd *crowd // of whose ring this is; nil for those that callers drive
	crowds

	// Of each kind of operation, how sure it is to complete at once: from 0 to 255.
	learnt [kinds]atomic.Uint32

	mu sync.Mutex
	// Under the lock.
	ring     *uring.Ring
	entries  int     // of the submission queue
	owed     int     // entries filled in that the kernel has not taken
	flying   int     // operations, and requests of our own, without their last completion
	woken    int     // calls woken since whoever counts set it to 0
	backlog  []*slot // taken from posted, and without an entry
	retrying bool
	closing  bool
	idle     chan struct{} // closed when nothing is in flight any more, once closing
	counts   Stats
	provided []*bufferRing
	cqes     [64]sys.CQE

	bell     *os.File // an eventfd; nil until something did not complete at once
	bellConn syscall.RawConn
	loud     bool // the eventfd is switched on
}

func newRing(p *Proactor, u *uring.Ring) *ring {
	params := u.Params()
	r := &ring{
		p:       p,
		ring:    u,
		entries: int(params.SQEntries),
		idle:    make(chan struct{}),
	}
	for k := range r.learnt {
		r.learnt[k].Store(firstGuess(sys.Op(k & 127)))
	}
	r.table.init(r, int(params.CQEntries)/2)
	r.table.traced = p.trace != nil
	return r
}

// enter begins a stay of the holder of the lock.
func (r *ring) enter() {
	if r.loud {
		// A kernel that cannot switch it off rings in vain now and then.
		r.loud = r.ring.SetEventfdEnabled(false) != nil
	}
}

// leave ends it, and unlocks. Every unlocking is done here, but for the attendant's
// while it is awake. A crowd's ring is driven by its thread only.
func (r *ring) leave() {
	if r.crowd != nil {
		r.mu.Unlock()
		return
	}
	for {
		if r.flying > 0 && !r.loud && !r.awake.Load() {
			r.listen()
		}
		r.rest()
		r.mu.Unlock()
		if r.awake.Load() || r.posted.Load() == nil && r.doomed.Load() == nil || !r.mu.TryLock() {
			return
		}
		r.enter()
		r.turn()
	}
}

// turn does all there is to do, once.
func (r *ring) turn() {
	if r.backlog != nil {
		r.retry()
	}
	r.gather()
	r.flush()
	r.reap()
}

// listen switches the eventfd on. A completion may have come after the last look
// and before the kernel saw the switch, so it looks once more.
func (r *ring) listen() {
	if r.bell == nil {
		if err := r.hang(); err != nil {
			r.p.warn("a ring has no eventfd; completions are looked for by the clock", err)
			r.later()
			return
		}
	}
	r.ring.SetEventfdEnabled(true)
	r.loud = true
	r.reap()
}

// hangEarly makes the eventfd of a ring that nobody uses yet, on kernels that register
// one only when nothing is in flight: before Linux 5.18 they wait for that, and what is
// in flight may be waiting for us. This feature is of a later release, and what is between
// loses nothing but an eventfd that may never be needed.
func (r *ring) hangEarly() {
	if r.ring.Params().Features&sys.IORING_FEAT_REG_REG_RING != 0 {
		return
	}
	if err := r.hang(); err != nil {
		return // listen tries again, and says so
	}
	r.loud = true // for it is on, and the next one to hold the lock must switch it off
}

// hang makes the eventfd and starts the attendant.
func (r *ring) hang() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	bell := os.NewFile(uintptr(fd), "eventfd")
	conn, err := bell.SyscallConn()
	if err == nil {
		err = r.ring.RegisterEventfd(fd, false)
	}
	if err != nil {
		bell.Close()
		return err
	}
	r.bell, r.bellConn = bell, conn
	r.p.attendants.Go(r.attend)
	return nil
}

// attend is the attendant. The poller tells of every signal, so that the
// eventfd's counter need not be read.
func (r *ring) attend() {
	r.bellConn.Read(func(uintptr) bool { return r.serve() })
	r.bell.Close()
}

// serve takes completions, and drives the ring as long as that wakes anybody. It
// reports whether the ring is at its end.
func (r *ring) serve() (over bool) {
	r.mu.Lock()
	r.awake.Store(true)
	for {
		r.enter()
		r.woken = 0
		r.turn()
		if r.woken > 0 {
			r.measure(r.woken)
			r.yields.Store(r.p.now())
			r.mu.Unlock()
			runtime.Gosched()
			r.mu.Lock()
			continue
		}
		if r.flying > 0 {
			r.listen()
		}
		r.awake.Store(false)
		if r.woken > 0 || r.posted.Load() != nil || r.doomed.Load() != nil {
			r.awake.Store(true)
			continue
		}
		over = r.rest()
		r.leave()
		return over
	}
}

// rest tells Close when the ring has come to rest, and reports whether it has.
func (r *ring) rest() bool {
	if !r.closing || r.flying > 0 {
		return false
	}
	select {
	case <-r.idle:
	default:
		close(r.idle)
		if r.bell != nil {
			r.bell.SetReadDeadline(time.Unix(1, 0)) // ends the attendant
		}
	}
	return true
}

// gather turns what was handed over into entries.
func (r *ring) gather() {
	r.beginPosted()
	if r.doomed.Load() == nil {
		return
	}
	if r.crowd != nil && !r.crowd.over.Load() {
		// A timer that has fired and whose completion waits to be asked for cannot
		// be found. If it repeats itself fast it would be so every time.
		n, _ := r.push()
		r.owed -= n
	}
	for s := r.doomed.Swap(nil); s != nil; {
		next := s.doomedNext
		// From here on it may be listed again, and from here on the generation
		// cannot change: whoever wrote it had posted the operation before. So the
		// operation is in flight now, if it is not over.
		generation := uint32(s.doomed.Swap(0) >> 1)
		r.beginPosted()
		if s.armed == armedMark(generation) {
			r.cancelNow(s, generation)
		}
		s = next
	}
}

func (r *ring) beginPosted() {
	if r.posted.Load() != nil {
		r.begin(r.posted.Swap(nil))
	}
}

// begin submits posted operations, which come latest first.
func (r *ring) begin(latest *slot) {
	var first *slot
	for s := latest; s != nil; {
		before := s.next
		s.next, first = first, s
		s = before
	}
	for s := first; s != nil; {
		next := s.next
		s.next = nil
		r.counts.Handed++
		r.submit(s)
		s = next
	}
}

// submit fills in the entry of a slot, or keeps the slot until there is space.
func (r *ring) submit(s *slot) {
	s.armed = armedMark(s.generation)
	if !s.companion {
		r.counts.Operations++
	}
	switch {
	case r.closing:
		r.refuse(s)
	case len(r.backlog) > 0 || !r.space(int(max(1, s.chain))):
		r.backlog = append(r.backlog, s)
	default:
		*r.entry() = s.sqe
	}
}

// retry submits what was kept.
func (r *ring) retry() {
	list := r.backlog
	r.backlog = nil
	for i, s := range list {
		if !r.space(int(max(1, s.chain))) {
			r.backlog = list[i:]
			return
		}
		*r.entry() = s.sqe
	}
}

// refuse completes an operation that the kernel will not see.
func (r *ring) refuse(s *slot) {
	if _, woken := s.deliver(&sys.CQE{Res: -int32(unix.ECANCELED)}); woken {
		r.woken++
	}
}

// entry returns the next entry, to be filled in. There is space.
func (r *ring) entry() *sys.SQE {
	r.owed++
	r.flying++
	return r.ring.GetSQE()
}

// space makes space for n entries in a row. It fails if the kernel does not take
// what is there.
func (r *ring) space(n int) bool {
	if r.entries-r.owed < n {
		r.flush()
	}
	return r.entries-r.owed >= n
}

// flush submits. The kernel may not take everything, for want of memory; the rest
// stays queued and is offered again a little later.
func (r *ring) flush() {
	for tries := 0; r.owed > 0; tries++ {
		n, err := r.push()
		r.owed -= n
		r.counts.Submissions++
		if t := r.p.trace; t != nil && t.Submitted != nil && n > 0 {
			t.Submitted(n)
		}
		if err == nil && n > 0 {
			continue
		}
		if tries >= 3 {
			r.p.warn("the kernel does not take submissions; trying again", err)
			r.later()
			return
		}
		r.reap() // it may want room for completions first
	}
}

// push makes one attempt to submit. A crowd's completions come to light only if they
// are asked for.
func (r *ring) push() (int, error) {
	if r.crowd != nil {
		return r.ring.SubmitWait(uring.Wait{})
	}
	return r.ring.Submit()
}

// later has somebody look at the ring again.
func (r *ring) later() {
	if r.retrying {
		return
	}
	r.retrying = true
	time.AfterFunc(time.Millisecond, func() {
		r.mu.Lock()
		r.retrying = false
		if r.crowd != nil {
			r.mu.Unlock()
			r.crowd.ring()
			return
		}
		r.enter()
		r.turn()
		r.leave()
	})
}

// reap takes the completions that are there.
func (r *ring) reap() {
	for {
		n := r.ring.Peek(r.cqes[:])
		for i := range r.cqes[:n] {
			r.complete(&r.cqes[i])
		}
		if n < len(r.cqes) {
			return
		}
	}
}

func (r *ring) complete(c *sys.CQE) {
	if c.UserData&ownRequest != 0 {
		if c.UserData == bellData {
			r.crowd.rang()
			return
		}
		r.flying--
		r.table.cancelled(c)
		return
	}
	s := r.table.find(c.UserData)
	if s == nil {
		r.counts.Strays++
		return
	}
	if r.p.trace != nil {
		r.p.trace.completed(s, c)
	}
	last, woken := s.deliver(c)
	if last {
		r.flying--
	}
	if woken {
		r.woken++
	}
}

// crowded reports whether an operation is better handed over: the attendant is
// awake and will submit it together with others. One that usually completes at
// once is not, unless it is a send: its caller need not sleep for it at all, and a
// send makes somebody else answer, which is better done for many at a time.
func (r *ring) crowded(o *Op) bool {
	return r.crowd != nil || r.awake.Load() && (sends(o.sqe.Opcode) || r.learnt[kindOf(o)].Load() < sure)
}

// drive takes the lock if nobody has it, so that one or start may be called. It
// fails also if what was handed over before has not all been submitted.
func (r *ring) drive() bool {
	if !r.mu.TryLock() {
		return false
	}
	if r.owed > 0 || len(r.backlog) > 0 || r.closing {
		r.leave()
		return false
	}
	r.enter()
	return true
}

// one begins a single operation without a limit. It is for who called drive.
func (r *ring) one(o *Op, s *slot) {
	s.fill(r.entry(), o)
	s.armed = armedMark(s.generation)
	r.flush()
	r.reap()
	r.counts.Operations++
	r.note(o, s)
}

// start is one for the operations of a call, whose slots are prepared.
func (r *ring) start(o *Op, first *slot) {
	for s := first; s != nil; s = s.mate {
		r.submit(s)
	}
	r.flush()
	r.reap()
	r.note(o, first)
}

// note learns whether operations of a kind complete at once.
func (r *ring) note(o *Op, s *slot) {
	learnt := &r.learnt[kindOf(o)]
	v := learnt.Load()
	was := v
	if s.armed == 0 {
		r.counts.Inline++
		v += (255 - v) >> 3
	} else {
		v -= v >> 3
	}
	if v != was {
		learnt.Store(v)
	}
}

// post hands the slots of a call over, linked by mate. Who holds the lock, or the
// attendant, will see to them; if nobody does, the caller.
func (r *ring) post(first *slot) {
	latest := first
	for s := first; s.mate != nil; s = s.mate {
		s.mate.next = s
		latest = s.mate
	}
	for {
		head := r.posted.Load()
		first.next = head
		if r.posted.CompareAndSwap(head, latest) {
			break
		}
	}
	r.nudge()
}

// patience is how long the attendant may be kept from its work by others that run
// before it, in ns.
const patience = 200_000

// nudge makes sure that somebody looks at the lists soon.
func (r *ring) nudge() {
	if r.crowd != nil {
		r.crowd.nudge()
		return
	}
	if r.awake.Load() && r.p.now()-r.yields.Load() < patience {
		return
	}
	if r.mu.TryLock() {
		r.enter()
		r.turn()
		r.leave()
	}
}

// cancel has the kernel cancel an operation that has begun.
func (r *ring) cancel(s *slot, generation uint32) {
	r.doom(s, generation)
	r.nudge()
}

// doom puts an operation that has begun into the list of those to be cancelled. If
// its slot is there already, for this life or another, the later life counts.
func (r *ring) doom(s *slot, generation uint32) {
	for {
		old := s.doomed.Load()
		if old != 0 && int32((uint32(old>>1)-generation)<<1) > 0 {
			return // a late second try, after the operation was over
		}
		if !s.doomed.CompareAndSwap(old, uint64(generation)<<1|1) {
			continue
		}
		if old != 0 {
			return
		}
		break
	}
	for {
		s.doomedNext = r.doomed.Load()
		if r.doomed.CompareAndSwap(s.doomedNext, s) {
			return
		}
	}
}

func (r *ring) cancelNow(s *slot, generation uint32) {
	if s.dying == s.armed {
		return
	}
	if i := slices.Index(r.backlog, s); i >= 0 {
		r.strike(i)
		return
	}
	if !r.space(1) {
		r.table.cancelLater(s, generation)
		return
	}
	r.counts.Cancels++
	s.dying = s.armed
	s.fillCancel(r.entry(), generation)
}

// strike takes an operation out of the backlog, with what is linked behind it, as the
// kernel would: those would begin otherwise though it has not succeeded, and what is
// before it would be linked to a stranger.
func (r *ring) strike(i int) {
	linked := func(i int) bool { return r.backlog[i].sqe.Flags&sys.IOSQE_IO_LINK != 0 }
	end := i + 1
	for end < len(r.backlog) && linked(end-1) {
		end++
	}
	if i > 0 {
		r.backlog[i-1].sqe.Flags &^= sys.IOSQE_IO_LINK
	}
	struck := slices.Clone(r.backlog[i:end])
	r.backlog = slices.Delete(r.backlog, i, end)
	for _, s := range struck {
		r.refuse(s)
	}
}

// shut cancels everything, and refuses what is still to come.
func (r *ring) shut() {
	if r.crowd != nil {
		r.crowd.errand(r.shutNow)
		return
	}
	r.mu.Lock()
	r.enter()
	r.shutNow()
	r.leave()
}

// shutNow is shut for the holder of the ring.
func (r *ring) shutNow() {
	r.gather()
	r.closing = true
	for _, s := range r.backlog {
		r.refuse(s)
	}
	r.backlog = nil
	for _, c := range *r.table.chunks.Load() {
		for i := range c {
			if s := &c[i]; s.armed != 0 && !s.companion {
				r.cancelNow(s, s.armed>>1)
			}
		}
	}
	r.turn()
}

// close returns when the kernel has let go of all memory, after shut.
func (r *ring) close() error {
	<-r.idle
	if r.crowd != nil {
		<-r.crowd.ended
		return r.crowd.err
	}
	r.mu.Lock()
	defer r.leave()
	return r.dispose()
}

func (r *ring) dispose() error {
	err := r.ring.Close()
	for _, br := range r.provided {
		err = errors.Join(err, br.close())
	}
	r.provided = nil
	return err
}
