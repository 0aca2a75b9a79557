package proactor

// Calls: from operations to results.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/uring-go/uring/sys"
)

// A Result is what came of one operation of a Batch or a Link.
type Result struct {
	N     int          // as Do returns it
	Err   error        // as Do returns it
	Flags sys.CQEFlags // of the completion: IORING_CQE_F_SOCK_NONEMPTY and others
}

// Do carries out one operation and returns its result: a number that the
// operation's constructor describes, and a bare syscall.Errno if it failed.
//
// If ctx ends first the operation is cancelled, and Do returns ctx.Err() once the
// kernel has let go of the operation's memory; likewise the error of a gate
// (Through), os.ErrDeadlineExceeded for WithTimeout, and ErrClosed when the
// Proactor is closed. An operation that could not be cancelled any more has its
// own result: nothing that was done is denied.
func (p *Proactor) Do(ctx context.Context, op Op) (int, error) {
	if err := p.admit(ctx); err != nil {
		return 0, err
	}
	if err := op.check(); err != nil {
		return 0, err
	}
	if p.lacks[op.sqe.Opcode] {
		return p.without(ctx, &op)
	}
	if op.limit == 0 {
		r := p.pick().route(&op)
		if s := r.table.get(); s != nil {
			s.lead = s
			s.left = 1
			s.state.Store(running)
			if r.crowded(&op) || !r.drive() {
				s.fill(&s.sqe, &op)
				r.post(s)
			} else {
				r.one(&op, s)
				r.leave()
			}
			var why error
			if s.state.Load() != done {
				why = p.await(ctx, &op, s)
			}
			res := p.settle(&op, s, why)
			r.table.put(s)
			if res.Err != syscall.ECANCELED {
				return res.N, res.Err
			}
			// The thread that submitted it has ended, which a goroutine with a
			// locked thread can bring about. Nobody asked for that.
			p.repeated.Add(1)
		}
	}
	var results [1]Result
	ops := [1]Op{op}
	p.run(ctx, ops[:], results[:], false)
	return results[0].N, results[0].Err
}

// Batch carries out several operations, at the same time and in no particular
// order, and returns when all have completed. One system call begins them, or one
// for every Config.Entries. results has a place for each.
//
// Its error is the first among the results, nil if all operations succeeded. What
// ends the call early, such as ctx, is the result of those operations that had
// none by then.
//
// Operations may depend on each other, a receive on a send for instance, as long as
// there are no more than Config.InFlight of them; a larger batch is carried out in
// parts.
func (p *Proactor) Batch(ctx context.Context, ops []Op, results []Result) error {
	return p.run(ctx, ops, results, false)
}

// Link carries out a chain: each operation begins when the one before it has
// succeeded. After a failure, or a read or write that moved fewer bytes than asked
// for, the rest fails with ECANCELED. Otherwise it is like Batch. A chain of more
// entries than Config.Entries is refused with E2BIG; an operation has one, or two
// with WithTimeout.
func (p *Proactor) Link(ctx context.Context, ops []Op, results []Result) error {
	return p.run(ctx, ops, results, true)
}

// run carries out the operations of a call.
func (p *Proactor) run(ctx context.Context, ops []Op, results []Result, chain bool) error {
	if len(results) < len(ops) {
		return fmt.Errorf("proactor: %d results for %d operations: %w", len(results), len(ops), syscall.EINVAL)
	}
	results = results[:len(ops)]
	if err := p.admit(ctx); err != nil {
		return fail(results, err)
	}
	entries, lacks := 0, false
	for i := range ops {
		entries += ops[i].entries()
		lacks = lacks || p.lacks[ops[i].sqe.Opcode]
		if err := ops[i].check(); err != nil {
			return fail(results, err)
		}
	}
	if most := min(p.config.Entries, p.config.InFlight); chain && entries > most {
		return fail(results, fmt.Errorf("proactor: a chain of %d entries; the most is %d: %w", entries, most, syscall.E2BIG))
	}
	if lacks {
		p.user.many(ctx, ops, results, chain)
		return firstError(results)
	}
	whole := entries <= p.config.InFlight
	for rest, out := ops, results; len(rest) > 0; {
		r, first, n, err := p.begin(ctx, rest, chain, whole)
		if err != nil {
			fail(out, err)
			break
		}
		why := p.awaitAll(ctx, rest[:n], first)
		for i, s := 0, first; i < n; i++ {
			out[i] = p.settle(&rest[i], s, why)
			if s = s.mate; rest[i].limit > 0 {
				s = s.mate
			}
		}
		r.table.put(first)
		rest, out = rest[n:], out[n:]
	}
	for i := range results {
		if results[i].Err == syscall.ECANCELED && !chain {
			// As in Do.
			results[i].N, results[i].Err = p.again(ctx, &ops[i])
		}
	}
	return firstError(results)
}

func firstError(results []Result) error {
	for i := range results {
		if results[i].Err != nil {
			return results[i].Err
		}
	}
	return nil
}

// without carries out an operation that there is no ring for.
func (p *Proactor) without(ctx context.Context, o *Op) (int, error) {
	if p.config.Fallback == FallbackNever {
		return 0, fmt.Errorf("proactor: this kernel lacks %v: %w", o.sqe.Opcode, errors.ErrUnsupported)
	}
	if o.sqe.Opcode == sys.IORING_OP_SEND_ZC && !p.lacks[sys.IORING_OP_SEND] {
		plain := Send(int(o.sqe.Fd), o.buf, int(o.sqe.OpFlags))
		plain.limit, plain.gate = o.limit, o.gate
		return p.Do(ctx, plain)
	}
	return p.user.do(ctx, o)
}

func fail(results []Result, err error) error {
	for i := range results {
		results[i] = Result{Err: err}
	}
	return err
}

// again repeats an operation that was cancelled though nobody had asked for it.
func (p *Proactor) again(ctx context.Context, op *Op) (int, error) {
	for range 3 {
		var r [1]Result
		ops := [1]Op{*op}
		if p.run(ctx, ops[:], r[:], true); r[0].Err != syscall.ECANCELED {
			return r[0].N, r[0].Err
		}
	}
	return 0, syscall.ECANCELED
}

// admit returns why a call cannot begin.
func (p *Proactor) admit(ctx context.Context) error {
	if p.closed.Load() {
		return ErrClosed
	}
	return ctx.Err()
}

// begin takes slots for operations, waiting until there are some and with whole
// until there are enough for all, and sees to it that they are submitted. It returns the
// slots, their ring, and how many operations they are.
func (p *Proactor) begin(ctx context.Context, ops []Op, chain, whole bool) (*ring, *slot, int, error) {
	var first *slot
	var n int
	r, err := p.find(ctx, nil, &ops[0], len(ops) > 1, func(t *table) bool {
		first, n = t.prepare(ops, chain, whole)
		return n > 0
	})
	if err != nil {
		return nil, nil, 0, err
	}
	if r.crowded(&ops[0]) || !r.drive() {
		r.post(first)
	} else {
		r.start(&ops[0], first)
		r.leave()
	}
	return r, first, n, nil
}

// obtain takes one slot for an operation, waiting until there is one: of the ring, or
// any if it is nil.
func (p *Proactor) obtain(ctx context.Context, o *Op, only *ring) (r *ring, s *slot, err error) {
	r, err = p.find(ctx, only, o, false, func(t *table) bool {
		s = t.get()
		return s != nil
	})
	return r, s, err
}

// find calls try with the table of the ring that it picks for an operation, or of
// only, then with those of others, until it succeeds; it waits for slots to be given
// back.
func (p *Proactor) find(ctx context.Context, only *ring, o *Op, many bool, try func(*table) bool) (*ring, error) {
	r := only
	if r == nil {
		r = p.pick().route(o)
	}
	if try(&r.table) {
		return r, nil
	}
	elsewhere := func() *ring {
		if only == nil {
			for _, r := range p.all() {
				if try(&r.table) {
					return r
				}
			}
		}
		return nil
	}
	if r := elsewhere(); r != nil {
		return r, nil
	}
	t := &r.table
	t.hungry.Add(1)
	defer t.hungry.Add(-1)
	p.waits.Add(1)
	// What is in flight on this ring may be stuck, while others get slots back, or
	// are made.
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		if try(t) {
			t.feed() // there may be more
			return r, nil
		}
		select {
		case <-t.crumb:
			if many {
				// It may be enough for another.
				time.Sleep(100 * time.Microsecond)
				t.feed()
			}
		case <-look.C:
			if r := elsewhere(); r != nil {
				return r, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-p.ending:
			return nil, ErrClosed
		}
	}
}

// await sleeps until an operation has completed. It returns why it was cancelled,
// if ctx was the reason.
func (p *Proactor) await(ctx context.Context, o *Op, s *slot) error {
	if o.gate != nil {
		o.gate.enter(s)
		defer o.gate.leave(s)
	}
	return sleep(ctx, s)
}

// awaitAll is await for the operations of a call.
func (p *Proactor) awaitAll(ctx context.Context, ops []Op, first *slot) error {
	if first.state.Load() == done {
		return nil
	}
	gated := false
	for i := range ops {
		gated = gated || ops[i].gate != nil
	}
	if gated {
		each := func(do func(*Gate, *slot)) {
			s := first
			for i := range ops {
				if ops[i].gate != nil {
					do(ops[i].gate, s)
				}
				if s = s.mate; ops[i].limit > 0 {
					s = s.mate
				}
			}
		}
		each((*Gate).enter)
		defer each((*Gate).leave)
	}
	return sleep(ctx, first)
}

func sleep(ctx context.Context, first *slot) error {
	if !first.park() {
		return nil
	}
	ended := ctx.Done()
	if ended == nil {
		<-first.wake
		return nil
	}
	select {
	case <-first.wake:
		return nil
	case <-ended:
	}
	for s := first; s != nil; s = s.mate {
		if !s.companion {
			s.table.owner.cancel(s, s.generation)
		}
	}
	<-first.wake
	return ctx.Err()
}

// errRestart is the first of five numbers by which a system call tells the kernel
// that a signal ended it. They are not meant to be seen, but a request that is
// cancelled in a kernel thread may end with one.
const errRestart = 512

// settle returns the result of an operation that has completed.
func (p *Proactor) settle(o *Op, s *slot, why error) (r Result) {
	if o.needs != needsNothing {
		s.collect(o)
	}
	r.Flags = s.flags
	if s.res >= 0 {
		r.N = int(s.res)
		return r
	}
	errno := syscall.Errno(-s.res)
	if errno >= errRestart && errno < errRestart+5 {
		errno = syscall.EINTR
	}
	r.Err = errno
	switch errno {
	case syscall.ETIME:
		if o.sqe.Opcode == sys.IORING_OP_TIMEOUT {
			r.Err = nil // what it was for
		}
	case syscall.ECANCELED, syscall.EINTR:
		switch {
		case o.limit > 0 && s.mate.res == -int32(syscall.ETIME):
			r.Err = os.ErrDeadlineExceeded
		case why != nil:
			r.Err = why
		default:
			if err := p.reason(o); err != nil {
				r.Err = err
			}
		}
	}
	return r
}

// reason returns why an operation was cancelled, if not by its context.
func (p *Proactor) reason(o *Op) error {
	if p.closed.Load() {
		return ErrClosed
	}
	return o.gate.Err()
}
