package proactor

// Looking inside: counters and hooks.

import (
	"time"

	"github.com/uring-go/uring/sys"
)

// Stats are counters since the Proactor was made.
type Stats struct {
	Rings    int // rings made that callers drive
	InFlight int // operations that the kernel has now, or that wait without a ring

	Crowds int // threads with a ring of their own, see Config.Crowd

	Operations  uint64 // operations begun on a ring
	Inline      uint64 // of those, or of their calls: complete when their submission returned
	Handed      uint64 // of those: handed over to be submitted with others
	Submissions uint64 // system calls that submitted
	Cancels     uint64 // requests to cancel an operation
	Repeated    uint64 // operations begun again because the thread that submitted them had ended
	Fallback    uint64 // operations carried out by ordinary system calls
	Waits       uint64 // calls that found Config.InFlight operations in flight and waited
	Strays      uint64 // completions that belong to no operation; anything but 0 is a bug
	Lost        uint64 // completions that the kernel dropped for want of memory
}

// Stats returns the counters. It waits for whoever is submitting.
func (p *Proactor) Stats() Stats {
	total := Stats{Waits: p.waits.Load(), Repeated: p.repeated.Load()}
	for _, r := range p.all() {
		r.mu.Lock()
		c := &r.counts
		if r.crowd == nil {
			total.Rings++
		} else {
			total.Crowds++
		}
		total.InFlight += r.flying
		total.Operations += c.Operations
		total.Inline += c.Inline
		total.Handed += c.Handed
		total.Submissions += c.Submissions
		total.Cancels += c.Cancels
		total.Strays += c.Strays
		total.Lost += uint64(r.ring.Status().CQOverflow)
		r.leave()
	}
	p.user.mu.Lock()
	defer p.user.mu.Unlock()
	total.Fallback = p.user.count
	total.InFlight += p.user.poller.length()
	return total
}

// A Trace has hooks for who wants to see what happens. Any of them may be nil.
// They are called while a ring is locked: they must be quick and must not use the
// Proactor.
type Trace struct {
	// Submitted is called after a system call, with the number of entries that the
	// kernel took. An operation has one, or two with WithTimeout; cancelling one
	// takes one, and so does waking the thread of a crowd.
	Submitted func(entries int)

	// Completed is called for each completion of an operation: several for a
	// multishot and for a zero-copy send. took is the time since it began.
	Completed func(op sys.Op, cqe sys.CQE, took time.Duration)
}

func (t *Trace) completed(s *slot, c *sys.CQE) {
	if t.Completed != nil && !s.companion {
		t.Completed(s.code, *c, time.Since(s.began))
	}
}
