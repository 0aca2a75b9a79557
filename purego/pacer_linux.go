package purego

// Which kind of system call a submission makes.
//
// A call that tells the Go scheduler (enterWait) costs some 45 ns more than one
// that does not (enterNow), a tenth of a NOP's round trip. One that does not
// keeps its processor to itself: a garbage collection waits until it returns.
// So the cheap one serves where the kernel is known to come back soon: the call
// does not wait, and the work in it is short. How short it is nobody can tell
// from outside (a NOP takes 60 ns, a cached 64 KiB read 4 µs), so it is
// measured: one call in sampleEvery is timed.

import (
	"syscall"
	"time"

	"github.com/uring-go/uring/internal/yield"
	"github.com/uring-go/uring/sys"
)

const (
	sampleEvery = 64     // one call in so many is timed
	shortCall   = 20_000 // ns: how long a call may hold its processor
	blindBatch  = 16     // entries trusted to be short before anything was measured
)

type pacer struct {
	// Ring.Submit has a way of its own for batches of up to brief entries, for
	// the next left calls: that of enterNow, with nothing else around it.
	brief, left uint32

	calls  uint32 // those that came this way
	cost   uint32 // measured ns per entry; 0: not yet
	blocks uint8  // how far the last waits speak for waiting again
	yield  yield.Gate
}

// enter submits and waits for wait completions. A wait without a deadline is
// first tried without waiting, where the last ones did not need to: most
// requests that complete at all at once have done so when their submission
// returns.
func (p *pacer) enter(r *Ring, submit, wait uint32, flags sys.EnterFlags) (uint32, syscall.Errno) {
	p.calls++
	timed := p.left == 0 && p.calls > 2 // not the first: it is cold
	if p.left > 0 {
		p.left--
	}
	if wait != 0 && (submit == 0 || r.polls || p.blocks >= 2 && !timed) {
		p.yield.Tick()
		return enterWait(r.enterFd, submit, wait, flags)
	}
	n, errno := p.enterBriefly(r, submit, flags, timed)
	return p.goOn(r, submit, wait, n, flags, errno)
}

// goOn waits, if need be, after a submission that did not and that took n entries.
func (p *pacer) goOn(r *Ring, submit, wait, n uint32, flags sys.EnterFlags, errno syscall.Errno) (uint32, syscall.Errno) {
	if wait == 0 || errno != 0 || n != submit {
		return n, errno
	}
	if r.cq.ready() >= wait {
		p.blocks = 0
		p.decide()
		return n, 0
	}
	p.blocks = min(p.blocks+1, 2)
	p.decide()
	if _, errno := enterWait(r.enterFd, 0, wait, flags&^sys.IORING_ENTER_SQ_WAKEUP); n == 0 {
		return 0, errno
	}
	return n, 0
}

// limit is how many entries may be submitted with enterNow.
func (p *pacer) limit() uint32 {
	if p.cost == 0 {
		return blindBatch
	}
	return shortCall / p.cost
}

// decide opens Ring.Submit's own way, or closes it where the last waits were none
// that ended by themselves.
func (p *pacer) decide() {
	p.brief = 0
	if p.blocks < 2 {
		p.brief = p.limit()
	}
}

// enterBriefly enters without waiting.
func (p *pacer) enterBriefly(r *Ring, submit uint32, flags sys.EnterFlags, timed bool) (uint32, syscall.Errno) {
	short := submit <= p.limit()
	if !short {
		p.yield.Tick()
	}
	enter := enterWait
	if short {
		enter = enterNow
	}
	if !timed || submit == 0 {
		return enter(r.enterFd, submit, 0, flags)
	}
	start := time.Now()
	n, errno := enter(r.enterFd, submit, 0, flags)
	p.cost = max(1, uint32(min(time.Since(start), time.Second))/submit)
	p.left = sampleEvery - 1
	p.decide()
	return n, errno
}
