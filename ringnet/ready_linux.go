package ringnet

// Reads that are broken off.
//
// A server of package net/http reads from a connection while the handler of a request
// runs, to notice that the client has gone, and breaks the read off with a deadline in
// the past when the handler is done. As a request to receive each of these would cost
// a second request, to cancel it, and two completions. So a TCP connection whose read
// was once broken off by a deadline changes its ways: a multishot poll, which stays
// with the kernel for as long as the connection lives, tells when there is something to
// receive, and receiving is a system call that never waits. A read that is broken off
// then is nobody's business but the caller's.
//
// The poll tells of every arrival. So once a receive has returned less than was asked
// for, there is nothing more until the poll says so, and no call is made to find out.

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// A watch is a read side that has changed its ways. The side's lock guards it, but for
// the expiry.
type watch struct {
	stream *proactor.Stream // of events
	ready  bool             // there may be something to receive
	ended  bool             // there always is, if only the end
	expiry expiry
}

// events are what a reader is told of.
const events = unix.POLLIN | unix.POLLRDHUP

// watched changes a side's ways. It needs the side's lock.
func (d *desc) watched(s *side) {
	w := &watch{stream: d.p.OpenStream(proactor.MultishotPoll(d.fd, events).Through(&s.gate))}
	w.expiry.done = make(chan struct{})
	s.clock.Lock()
	defer s.clock.Unlock()
	s.watch.Store(w)
	w.expiry.set(s.deadline)
	s.gate.SetDeadline(time.Time{})
}

// setDeadline sets the deadline of a side, and remembers it for watched.
func (s *side) setDeadline(t time.Time) {
	s.clock.Lock()
	defer s.clock.Unlock()
	s.deadline = t
	if w := s.watch.Load(); w != nil {
		w.expiry.set(t)
	} else {
		s.gate.SetDeadline(t)
	}
}

// unwatch gives what a side has of the kernel back, once its gate is shut.
func (s *side) unwatch() {
	if s.watch.Load() != nil {
		s.mu.Lock()
		s.watch.Load().stream.Close()
		s.mu.Unlock()
	}
}

// receive is Conn.receive without a request.
func (w *watch) receive(ctx context.Context, fd int, b []byte) (int, error) {
	ctx, over := w.until(ctx)
	if over != nil {
		defer over()
	}
	for {
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		for !w.ready {
			got, err := w.stream.Next(ctx)
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return 0, context.Cause(ctx)
			default:
				return 0, err
			}
			w.ready = true
			w.ended = w.ended || got.N&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
		}
		n, err := unix.Read(fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			w.ready, w.ended = false, false
			continue
		case err != nil:
			return 0, err
		}
		w.ready = w.ended || n == len(b) || n == 0
		return n, nil
	}
}

// trySend sends what there is room for, without a request: the sender is busy with
// much else, and so are few others at the same moment. It has no error if there is no
// room.
func (d *desc) trySend(s *side, b []byte) (n int, err error) {
	for {
		if err := s.gate.Err(); err != nil {
			return 0, err
		}
		switch n, err = unix.Write(d.fd, b); err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, nil
		}
		return max(n, 0), err
	}
}

// until returns a context that ends with ctx and with the deadline. over, if not nil,
// is to be called in the end.
func (w *watch) until(ctx context.Context) (both context.Context, over func()) {
	if ctx.Done() == nil {
		return &w.expiry, nil
	}
	both, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(&w.expiry, func() { cancel(os.ErrDeadlineExceeded) })
	return both, func() {
		stop()
		cancel(nil)
	}
}

// An expiry is a deadline that can be changed, as a context.
type expiry struct {
	mu     sync.Mutex
	at     time.Time
	timer  *time.Timer   // made by the first time to come, then kept
	passed bool          // and done is closed
	done   chan struct{} // another one after it has passed
}

// set sets the deadline; zero is none.
func (e *expiry) set(t time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t.IsZero() && e.at.IsZero() {
		return // servers do this with every request
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	if e.passed {
		e.done, e.passed = make(chan struct{}), false
	}
	e.at = t
	if t.IsZero() {
		return
	}
	switch wait := time.Until(t); {
	case wait <= 0:
		e.pass()
	case e.timer == nil:
		e.timer = time.AfterFunc(wait, e.ring)
	default:
		e.timer.Reset(wait)
	}
}

// ring is the timer's function. A late one meets another deadline than its own.
func (e *expiry) ring() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at.IsZero() || e.passed {
		return
	}
	if wait := time.Until(e.at); wait > 0 {
		e.timer.Reset(wait)
		return
	}
	e.pass()
}

func (e *expiry) pass() {
	e.passed = true
	close(e.done)
}

func (e *expiry) Deadline() (time.Time, bool) { return time.Time{}, false }

func (e *expiry) Done() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.done
}

func (e *expiry) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.passed {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (e *expiry) Value(any) any { return nil }

var _ context.Context = (*expiry)(nil)
