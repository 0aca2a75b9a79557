package proactor

// Gates: cancelling operations from outside, without a context for each.

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Gate is something that operations pass through (Op.Through) and that another
// goroutine may shut: operations in flight are then cancelled, and later ones
// refused, until it is opened again. It is what a connection needs for its
// deadlines and for Close: one gate for reading and one for writing.
//
// Passing an open gate costs a few nanoseconds and no allocation. A result that an
// operation had before it could be cancelled is never thrown away. The zero value
// is an open gate. A gate must not be copied after its first use.
type Gate struct {
	state atomic.Uint32 // 0: open

	mu      sync.Mutex
	shut    error // given to Shut
	expired bool  // the deadline has passed
	first   *slot // operations in flight

	deadline time.Time   // to come; zero for none
	timer    *time.Timer // made by the first deadline, then kept
}

// Shut cancels what is in flight through the gate and refuses what comes, with
// the error err, which must not be nil. The calls return once the kernel has let
// go of their memory; Shut does not wait for that.
func (g *Gate) Shut(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = err
	g.change()
}

// Open undoes Shut. A deadline that has passed stays in force.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = nil
	g.change()
}

// SetDeadline sets the time at which the gate shuts by itself, with
// os.ErrDeadlineExceeded. It replaces the deadline before it, also one that has
// passed: a time to come opens the gate, and so does the zero time, which is no
// deadline. What Shut did stays in force.
func (g *Gate) SetDeadline(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer != nil {
		g.timer.Stop()
	}
	wait := time.Until(t)
	g.deadline, g.expired = t, !t.IsZero() && wait <= 0
	switch {
	case t.IsZero() || g.expired:
	case g.timer == nil:
		g.timer = time.AfterFunc(wait, g.expire)
	default:
		g.timer.Reset(wait)
	}
	g.change()
}

// expire is the timer's function. A late one meets another deadline than its
// own.
func (g *Gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.deadline.IsZero() || g.expired {
		return
	}
	if wait := time.Until(g.deadline); wait > 0 {
		g.timer.Reset(wait)
		return
	}
	g.expired = true
	g.change()
}

// change makes a change take effect. It needs the lock.
func (g *Gate) change() {
	if g.reason() == nil {
		g.state.Store(0)
		return
	}
	g.state.Store(1)
	for s := g.first; s != nil; s = s.gateNext {
		s.table.owner.cancel(s, s.generation)
	}
}

// reason returns why the gate is shut, nil if it is open. It needs the lock.
func (g *Gate) reason() error {
	switch {
	case g.shut != nil:
		return g.shut
	case g.expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Err returns why the gate is shut, nil if it is open.
func (g *Gate) Err() error {
	if g == nil || g.state.Load() == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason()
}

// enter notes an operation in flight. If the gate was shut meanwhile the
// operation is cancelled.
func (g *Gate) enter(s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.gatePrev, s.gateNext = nil, g.first
	if g.first != nil {
		g.first.gatePrev = s
	}
	g.first = s
	if g.reason() != nil {
		s.table.owner.cancel(s, s.generation)
	}
}

// leave undoes enter, before the slot is given back.
func (g *Gate) leave(s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.gatePrev != nil {
		s.gatePrev.gateNext = s.gateNext
	} else {
		g.first = s.gateNext
	}
	if s.gateNext != nil {
		s.gateNext.gatePrev = s.gatePrev
	}
	s.gatePrev, s.gateNext = nil, nil
}
