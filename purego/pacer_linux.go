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
	sampleEvery = 64     // calls between two timed ones; a power of two
	shortCall   = 20_000 // ns: how long a call may hold its processor
	blindBatch  = 16     // entries trusted to be short before anything was measured
)

type pacer struct {
	calls  uint32
	cost   uint32 // measured ns per entry; 0: not yet
	blocks uint8  // how far the last waits speak for waiting again
	yield  yield.Gate
}

// enter submits and waits for wait completions. A wait without a deadline is
// first tried without waiting, where the last ones did not need to: most
// requests that complete at all at once have done so when their submission
// returns.
func (p *pacer) enter(r *Ring, submit, wait uint32, flags sys.EnterFlags) (uint32, syscall.Errno) {
	if wait != 0 && (submit == 0 || r.polls || p.blocks >= 2 && p.calls&(sampleEvery-1) != 0) {
		p.calls++
		p.yield.Tick()
		return enterWait(r.enterFd, submit, wait, flags)
	}
	n, errno := p.enterBriefly(r, submit, flags)
	if wait == 0 || errno != 0 || n != submit {
		return n, errno
	}
	if r.cq.ready() >= wait {
		p.blocks = 0
		return n, 0
	}
	p.blocks = min(p.blocks+1, 2)
	if _, errno := enterWait(r.enterFd, 0, wait, flags&^sys.IORING_ENTER_SQ_WAKEUP); n == 0 {
		return 0, errno
	}
	return n, 0
}

// enterBriefly enters without waiting.
func (p *pacer) enterBriefly(r *Ring, submit uint32, flags sys.EnterFlags) (uint32, syscall.Errno) {
	p.calls++
	timed := p.calls&(sampleEvery-1) == 3 // not the first: it is cold
	short := submit <= blindBatch
	if p.cost != 0 {
		short = uint64(p.cost)*uint64(submit) <= shortCall
	}
	if !short {
		p.yield.Tick()
	}
	if !timed || submit == 0 {
		if short {
			return enterNow(r.enterFd, submit, 0, flags)
		}
		return enterWait(r.enterFd, submit, 0, flags)
	}
	start := time.Now()
	var n uint32
	var errno syscall.Errno
	if short {
		n, errno = enterNow(r.enterFd, submit, 0, flags)
	} else {
		n, errno = enterWait(r.enterFd, submit, 0, flags)
	}
	p.cost = max(1, uint32(min(time.Since(start), time.Second))/submit)
	return n, errno
}
