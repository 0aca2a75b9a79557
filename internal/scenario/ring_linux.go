package scenario

// A scenario's view of a ring: every call is recorded with what it returned.

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// A Ring is a ring of the backend under test. Its methods record; what the
// embedded ring offers beyond them does not.
type Ring struct {
	*uring.Ring
	run    *Run
	number int
	params sys.Params
}

// Open makes a ring of the run's mode.
func (r *Run) Open(entries uint32) *Ring { return r.OpenWith(entries, sys.Params{}) }

// OpenWith is Open with more setup parameters than the mode's.
func (r *Run) OpenWith(entries uint32, p sys.Params) *Ring {
	g, err := r.TryOpen(entries, p)
	if err != nil {
		r.emit(Event{Call: "open", Ret: verdict(err)})
		panic(stop{why: err.Error(), lack: lacks(err)})
	}
	return g
}

// TryOpen is OpenWith for a ring that the kernel may refuse. It records nothing.
func (r *Run) TryOpen(entries uint32, p sys.Params) (*Ring, error) {
	p.Flags |= r.Mode.Setup()
	if p.Flags&sys.IORING_SETUP_SQPOLL != 0 && p.SQThreadIdle == 0 {
		// Short, so that the thread does not spin beside the next scenarios, and
		// so that waking it is a part of what is tested.
		p.SQThreadIdle = 20
	}
	b, err := r.backend.Open(entries, &p)
	if err != nil {
		return nil, err
	}
	g := &Ring{Ring: uring.NewRing(b), run: r, number: len(r.rings), params: b.Params()}
	r.rings = append(r.rings, g)
	if r.Mode == RingFd {
		if err := b.RegisterRingFd(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *Ring) emit(call, ret string) {
	g.run.emit(Event{Ring: g.number, Call: call, Ret: ret})
}

func (g *Ring) sqpoll() bool { return g.params.Flags&sys.IORING_SETUP_SQPOLL != 0 }

func (g *Ring) wide() bool {
	return g.params.Flags&(sys.IORING_SETUP_CQE32|sys.IORING_SETUP_CQE_MIXED) != 0
}

// failed records an error and, if it says that the backend cannot do this, ends
// the run.
func (g *Ring) failed(call string, err error) {
	g.emit(call, verdict(err))
	if lacks(err) {
		panic(stop{why: err.Error(), lack: true})
	}
}

// SQE returns an entry with its UserData and flags set. The queue must have room
// for it; under SQPOLL the kernel's thread may still be about to make some.
func (g *Ring) SQE(userData uint64, flags ...sys.SQEFlags) *sys.SQE {
	s := g.GetSQE()
	for deadline := time.Now().Add(g.run.patience); s == nil && g.sqpoll() && time.Now().Before(deadline); s = g.GetSQE() {
		time.Sleep(20 * time.Microsecond)
	}
	if s == nil {
		panic(stop{why: fmt.Sprintf("no entry for request %d: the queue is full", userData)})
	}
	s.UserData = userData
	for _, f := range flags {
		s.Flags |= f
	}
	return s
}

// Submit records and returns what Submit returns. Under SQPOLL that is the
// number of entries newly handed over, so it counts in every mode.
func (g *Ring) Submit() int {
	n, err := g.Ring.Submit()
	g.returned("submit", n, err)
	return n
}

// SubmitWait records what SubmitWait returns.
func (g *Ring) SubmitWait(w uring.Wait) (int, error) {
	n, err := g.Ring.SubmitWait(w)
	g.returned("submit_wait", n, err)
	return n, err
}

func (g *Ring) returned(call string, n int, err error) {
	if err == nil {
		g.emit(call, strconv.Itoa(n))
		return
	}
	g.failed(call, err)
	if n != 0 {
		g.emit(call+" count", strconv.Itoa(n))
	}
}

// Wait records what Wait returns.
func (g *Ring) Wait(w uring.Wait) error {
	err := g.Ring.Wait(w)
	g.failed("wait", err)
	return err
}

// Register records what a registration returns. Memory that arg points to must
// be kept. On older kernels some wait for requests, and whether a signal of the
// Go runtime's ends that wait before anything has changed is chance: they begin
// again.
func (g *Ring) Register(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, error) {
	for {
		res, err := g.Ring.Backend().Register(op, arg, n)
		if !errors.Is(err, syscall.EINTR) {
			g.returned(op.String(), res, err)
			return res, err
		}
	}
}

// Reap waits for n completions, takes them and records them in their order.
func (g *Ring) Reap(n int) []sys.CQE32 { return g.reap(n, false) }

// ReapAny is Reap for completions whose order among requests is the kernel's
// business: it records them by UserData, each request's own in their order.
func (g *Ring) ReapAny(n int) []sys.CQE32 { return g.reap(n, true) }

// ReapIndependent is ReapAny under SQPOLL and Reap elsewhere: without a thread
// beside it, the order of independent requests is certain.
func (g *Ring) ReapIndependent(n int) []sys.CQE32 { return g.reap(n, g.sqpoll()) }

func (g *Ring) reap(n int, anyOrder bool) []sys.CQE32 {
	got, err := g.take(n)
	if anyOrder {
		slices.SortStableFunc(got, func(a, b sys.CQE32) int {
			switch {
			case a.UserData < b.UserData:
				return -1
			case a.UserData > b.UserData:
				return 1
			}
			return 0
		})
	}
	g.record(got)
	if err != nil {
		g.emit("wait", verdict(err))
		panic(stop{why: fmt.Sprintf("%d completions of %d came: %v", len(got), n, err)})
	}
	return got
}

// take waits for n completions and takes them.
func (g *Ring) take(n int) ([]sys.CQE32, error) {
	got := make([]sys.CQE32, 0, n)
	limit := int(g.Params().CQEntries) // may change: resize
	for deadline := time.Now().Add(g.run.patience); len(got) < n; {
		if time.Now().After(deadline) {
			return got, errors.New("those waited for are not there to be taken")
		}
		w := uring.Wait{N: uint32(min(n-len(got), limit))}
		if g.params.Features&sys.IORING_FEAT_EXT_ARG != 0 {
			w.Timeout = g.run.patience
		}
		err := g.Ring.Wait(w)
		got = g.peek(got, n-len(got))
		if err != nil && len(got) < n {
			return got, err
		}
	}
	return got, nil
}

// peek appends up to n completions that are ready.
func (g *Ring) peek(got []sys.CQE32, n int) []sys.CQE32 {
	if g.wide() {
		dst := make([]sys.CQE32, n)
		return append(got, dst[:g.Ring.Peek32(dst)]...)
	}
	dst := make([]sys.CQE, n)
	for _, c := range dst[:g.Ring.Peek(dst)] {
		got = append(got, sys.CQE32{CQE: c})
	}
	return got
}

// Peek takes up to n completions and records their number and them. It is for
// completions that are known to be there, or known not to come.
func (g *Ring) Peek(n int) []sys.CQE32 {
	got := g.peek(nil, n)
	g.emit("peek", strconv.Itoa(len(got)))
	g.record(got)
	return got
}

func (g *Ring) record(cqes []sys.CQE32) {
	for _, c := range cqes {
		isFd := g.run.isFd[c.UserData]
		if isFd && c.Res >= 0 {
			g.run.CloseLater(int(c.Res))
		}
		wide := g.params.Flags&sys.IORING_SETUP_CQE32 != 0 || c.Flags&sys.IORING_CQE_F_32 != 0
		g.run.emit(Event{Ring: g.number, CQE: completion(c, isFd, wide)})
	}
}

// Resize records what Resize returns, and the sizes then.
func (g *Ring) Resize(entries, cqEntries uint32) {
	g.failed("resize", g.Ring.Resize(entries, cqEntries))
	p := g.Params()
	g.Note("sizes", fmt.Sprintf("sq=%d cq=%d", p.SQEntries, p.CQEntries))
}

// SubmitAll is Submit until the kernel has taken every entry: behind one that it
// refuses to start, the rest goes with the next Submit. Which entries those are
// differs between kernels.
func (g *Ring) SubmitAll() {
	for g.Submit() > 0 && !g.sqpoll() && g.Status().SQReady > 0 {
	}
}

// SubmitReap submits everything, then reaps n completions.
func (g *Ring) SubmitReap(n int) []sys.CQE32 {
	g.SubmitAll()
	return g.Reap(n)
}

// ReapUntil submits a NOP and reaps what comes up to its completion.
func (g *Ring) ReapUntil(userData uint64) {
	g.SQE(userData).PrepNop()
	for g.SubmitAll(); g.Reap(1)[0].UserData != userData; {
	}
}

// OneByOne returns a function that submits a single request and reaps its
// completion. The requests are numbered from 1.
func (g *Ring) OneByOne() func(prep func(*sys.SQE)) sys.CQE32 {
	userData := uint64(0)
	return func(prep func(*sys.SQE)) sys.CQE32 {
		userData++
		prep(g.SQE(userData))
		return g.SubmitReap(1)[0]
	}
}

// Settle waits, under SQPOLL, until the kernel's thread has taken and begun every
// entry: then descriptors that they name may be closed.
func (g *Ring) Settle() {
	if !g.sqpoll() {
		return
	}
	for deadline := time.Now().Add(g.run.patience); g.Status().SQReady != 0; time.Sleep(20 * time.Microsecond) {
		if time.Now().After(deadline) {
			panic(stop{why: "the kernel's thread does not take the entries"})
		}
	}
}

// NoteQueues records how full the queues are. Under SQPOLL that is chance.
func (g *Ring) NoteQueues() {
	if g.sqpoll() {
		return
	}
	s := g.Status()
	g.emit("queues", fmt.Sprintf("sq_ready=%d space=%d cq_ready=%d", s.SQReady, s.SQSpace, s.CQReady))
}

// NoteFlags records the counters and flags that do not depend on time.
func (g *Ring) NoteFlags() {
	s := g.Status()
	g.emit("flags", fmt.Sprintf("overflow=%t dropped=%d lost=%d eventfd_disabled=%t", s.Overflow, s.SQDropped, s.CQOverflow, s.EventfdDisabled))
}

// Note records something that the program looked at on this ring.
func (g *Ring) Note(what string, value any) { g.emit(what, fmt.Sprint(value)) }
