package proactor

// Crowds: what many calls that wait share. Completions that are collected by one
// thread, which alone submits to its ring, cost the kernel less than those that
// interrupt whoever is there (IORING_SETUP_DEFER_TASKRUN), and many goroutines are
// woken for one change of threads. For a few calls that change costs more than it
// saves. So a ring that callers drive counts how many calls its attendant wakes at a
// time. When they are many it gets a second ring beside it, with a thread, which it
// shares with another one; what is likely to wait begins there from then on, until
// they are few again. What is in flight stays where it is.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// A Crowd says when operations that wait, and sends, are begun by a thread that
// exists for that, instead of by their callers.
type Crowd int

const (
	// CrowdAuto has such a thread, one for two rings at the most, when many calls
	// are busy at once, and uses it as long as they are.
	CrowdAuto Crowd = iota
	// CrowdNever has none.
	CrowdNever
	// CrowdAlways has one for two rings, and always uses it.
	CrowdAlways
)

// crowds is the part of a ring that callers drive which decides.
type crowds struct {
	always atomic.Bool          // it is wanted whatever the number of calls
	busy   atomic.Bool          // operations that may wait go to loop
	loop   atomic.Pointer[ring] // with crowd set

	// Under the ring's lock.
	asked  bool // a crowd is being made, or cannot be
	passes int  // of the attendant, since woke was 0
	woke   int
}

// How many calls must be woken at a time for a crowd, and how few for its end. The
// means are taken over a number of wakings.
const (
	crowdPasses = 32
	crowdMany   = 4
	crowdTurns  = 512
	crowdFew    = 2
)

// measure notes that the attendant woke n calls.
func (r *ring) measure(n int) {
	r.woke += n
	if r.passes++; r.passes < crowdPasses {
		return
	}
	many := r.woke >= crowdMany*crowdPasses
	r.passes, r.woke = 0, 0
	if many && r.p.config.Crowd == CrowdAuto {
		r.gatherCrowd()
	}
}

// gatherCrowd has operations go to the crowd, and makes it if there is none. It is
// for the holder of the ring.
func (r *ring) gatherCrowd() {
	if r.loop.Load() != nil {
		r.busy.Store(true)
		return
	}
	if r.asked || r.closing {
		return
	}
	r.asked = true
	r.p.mu.Lock()
	shared := r.shareCrowd()
	r.p.mu.Unlock()
	if shared {
		return
	}
	r.p.attendants.Go(func() { newCrowd(r) })
}

// route returns the ring on which an operation is to begin.
func (r *ring) route(o *Op) *ring {
	if !r.busy.Load() {
		if r.always.Load() && r.loop.Load() == nil {
			r.mu.Lock()
			r.gatherCrowd()
			r.leave()
		}
		return r
	}
	if !sends(o.sqe.Opcode) {
		k := kindOf(o)
		// What is as a rule there at once stays with its caller, and what is not is
		// tried that way now and then: a file may be in the page cache by now.
		if r.learnt[k].Load() >= sure || firstGuess(o.sqe.Opcode) != 0 && rand.Uint32()&255 == 0 {
			return r
		}
	}
	return r.loop.Load()
}

// bellData marks the request that reads a crowd's eventfd. No slot has that index.
const bellData = ^uint64(0)

// A crowd is a ring's thread. The ring's lock is the thread's, but for the moments
// when others run.
type crowd struct {
	r     *ring
	bell  int     // eventfd
	armed bool    // the kernel reads it
	count [8]byte // where to
	one   [8]byte // what is written to it

	mu      sync.Mutex
	errands []func()
	some    atomic.Bool // there are errands
	over    atomic.Bool // the ring is closed; written under mu

	ended chan struct{}
	err   error
}

// newCrowd makes a crowd for a ring and is its thread.
func newCrowd(from *ring) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := from.openCrowd()
	if err != nil {
		from.p.warn("no thread for many calls at once", err)
		from.always.Store(false)
		return
	}
	if c != nil {
		c.run()
	}
}

// openCrowd returns nil if the Proactor is closed by now.
func (r *ring) openCrowd() (*crowd, error) {
	p := r.p
	u, err := p.openWith(p.config.Setup&^sys.IORING_SETUP_COOP_TASKRUN | sys.IORING_SETUP_SUBMIT_ALL |
		sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN | sys.IORING_SETUP_TASKRUN_FLAG)
	if err != nil {
		return nil, fmt.Errorf("proactor: %w", err)
	}
	u.TryRegisterRingFd()
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd2", err), u.Close())
	}
	loop := newRing(p, u)
	c := &crowd{r: loop, bell: bell, ended: make(chan struct{})}
	binary.NativeEndian.PutUint64(c.one[:], 1)
	loop.crowd = c
	loop.awake.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() || r.shareCrowd() {
		unix.Close(bell)
		return nil, u.Close()
	}
	list := *p.crowds.Load()
	list = append(list[:len(list):len(list)], loop)
	p.crowds.Store(&list)
	r.loop.Store(loop)
	r.busy.Store(true)
	return c, nil
}

// shareCrowd makes the ring share a crowd, if there are as many as there may be. It
// needs the Proactor's lock.
func (r *ring) shareCrowd() bool {
	list := *r.p.crowds.Load()
	if len(list) < max(1, r.p.config.Rings/2) {
		return false
	}
	r.loop.Store(list[rand.IntN(len(list))])
	r.busy.Store(true)
	return true
}

// run drives the ring until it is closed and at rest.
func (c *crowd) run() {
	r := c.r
	turns, woke := 0, 0
	r.mu.Lock()
	for {
		c.oblige()
		r.woken = 0
		c.arm()
		r.turn()
		if r.woken > 0 {
			woke += r.woken
			if turns++; turns == crowdTurns {
				if woke < crowdFew*crowdTurns {
					c.dissolve()
				}
				turns, woke = 0, 0
			}
			r.mu.Unlock()
			runtime.Gosched()
			r.mu.Lock()
			continue
		}
		if r.closing && r.flying == 0 {
			break
		}
		if r.owed > 0 {
			// The kernel does not take what it is offered.
			r.mu.Unlock()
			time.Sleep(time.Millisecond)
			r.mu.Lock()
			continue
		}
		if !c.armed {
			continue // nothing would end the wait
		}
		r.awake.Store(false)
		if r.posted.Load() == nil && r.doomed.Load() == nil && !c.some.Load() {
			r.mu.Unlock()
			r.ring.Wait(uring.Wait{N: 1})
			r.mu.Lock()
		}
		r.awake.Store(true)
	}
	c.end()
	r.mu.Unlock()
}

// dissolve has callers drive their rings again.
func (c *crowd) dissolve() {
	for _, r := range *c.r.p.rings.Load() {
		if r.loop.Load() == c.r && !r.always.Load() {
			r.busy.Store(false)
		}
	}
}

// end closes the ring. What is still posted is refused.
func (c *crowd) end() {
	r := c.r
	for c.armed {
		c.ring()
		r.ring.SubmitWait(uring.Wait{N: 1})
		r.reap()
	}
	c.mu.Lock()
	c.over.Store(true)
	c.mu.Unlock()
	c.oblige()
	r.gather() // refuses
	c.err = errors.Join(r.dispose(), os.NewSyscallError("close", unix.Close(c.bell)))
	close(r.idle)
	close(c.ended)
}

// arm has the kernel read the eventfd, so that writing to it ends a wait.
func (c *crowd) arm() {
	if c.armed || c.r.closing && c.r.flying == 0 || !c.r.space(1) {
		return
	}
	c.armed = true
	e := c.r.entry()
	c.r.flying-- // this one does not count
	e.PrepRead(c.bell, c.count[:], 0)
	e.UserData = bellData
}

// rang is told that the eventfd was read.
func (c *crowd) rang() { c.armed = false }

// ring ends a wait of the thread, or the next one.
func (c *crowd) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over.Load() { // or else the descriptor may be somebody else's
		unix.Write(c.bell, c.one[:])
	}
}

// nudge makes sure that what was posted is looked at.
func (c *crowd) nudge() {
	r := c.r
	switch {
	case c.over.Load():
		// There is no thread any more. Who posted before that was seen by it.
		r.mu.Lock()
		r.gather()
		r.mu.Unlock()
	case r.awake.CompareAndSwap(false, true):
		c.ring()
	}
}

// errand has the thread do something. It fails if the ring is closed.
func (c *crowd) errand(f func()) bool {
	c.mu.Lock()
	if c.over.Load() {
		c.mu.Unlock()
		return false
	}
	c.errands = append(c.errands, f)
	c.some.Store(true)
	c.mu.Unlock()
	c.r.nudge()
	return true
}

// oblige runs errands.
func (c *crowd) oblige() {
	if !c.some.Load() {
		return
	}
	c.mu.Lock()
	list := c.errands
	c.errands = nil
	c.some.Store(false)
	c.mu.Unlock()
	for _, f := range list {
		f()
	}
}
