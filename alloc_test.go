//go:build linux

package uring_test

// Submitting, waiting and reaping allocate nothing.

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/uring-go/uring"
	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

func TestNoAllocations(t *testing.T) {
	mask := ^sys.Sigset(0)
	cqes, wide := make([]uring.CQE, 8), make([]uring.CQE32, 8)
	take := func(t *testing.T, r *uring.Ring, n int) {
		for range n {
			s := r.GetSQE()
			for start := time.Now(); s == nil; s = r.GetSQE() { // SQPOLL makes room in its own time
				if r.Params().Flags&sys.IORING_SETUP_SQPOLL == 0 || time.Since(start) > 10*time.Second {
					t.Fatalf("the queue is full: %+v", r.Status())
				}
				runtime.Gosched()
			}
			s.PrepNop()
		}
	}
	submitWait := func(t *testing.T, r *uring.Ring, w uring.Wait) {
		if _, err := r.SubmitWait(w); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
	}
	wait := func(t *testing.T, r *uring.Ring, w uring.Wait) {
		if err := r.Wait(w); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
	}
	drain := func(r *uring.Ring) {
		for r.Peek(cqes) > 0 {
		}
	}
	for _, c := range []struct {
		name string
		call func(t *testing.T, r *uring.Ring)
	}{
		{"Submit, Peek", func(t *testing.T, r *uring.Ring) { take(t, r, 3); r.Submit(); drain(r) }},
		{"Submit, Wait, Peek", func(t *testing.T, r *uring.Ring) { take(t, r, 3); r.Submit(); r.Wait(uring.Wait{N: 3}); drain(r) }},
		{"Submit nothing", func(t *testing.T, r *uring.Ring) { r.Submit() }},
		{"SubmitWait nothing", func(t *testing.T, r *uring.Ring) { r.SubmitWait(uring.Wait{}) }},
		{"SubmitWait, Peek", func(t *testing.T, r *uring.Ring) { take(t, r, 3); r.SubmitWait(uring.Wait{N: 3}); drain(r) }},
		{"SubmitWait, Peek32", func(t *testing.T, r *uring.Ring) {
			take(t, r, 3)
			r.SubmitWait(uring.Wait{N: 3})
			for r.Peek32(wide) > 0 {
			}
		}},
		{"SubmitWait, Completions", func(t *testing.T, r *uring.Ring) {
			take(t, r, 3)
			r.SubmitWait(uring.Wait{N: 3})
			for c := range r.Completions() {
				if c.Res != 0 {
					t.Error(c)
				}
			}
		}},
		{"SubmitWait, Completions32", func(t *testing.T, r *uring.Ring) {
			take(t, r, 3)
			r.SubmitWait(uring.Wait{N: 3})
			for c := range r.Completions32() {
				if c.Res != 0 {
					t.Error(c)
				}
			}
		}},
		{"SubmitWait, break", func(t *testing.T, r *uring.Ring) {
			take(t, r, 3)
			r.SubmitWait(uring.Wait{N: 3})
			for range r.Completions() {
				break
			}
			drain(r)
		}},
		{"SubmitWait, timed", func(t *testing.T, r *uring.Ring) {
			take(t, r, 2)
			submitWait(t, r, uring.Wait{N: 2, Timeout: time.Minute})
			drain(r)
		}},
		{"SubmitWait, masked", func(t *testing.T, r *uring.Ring) {
			take(t, r, 2)
			submitWait(t, r, uring.Wait{N: 2, Timeout: time.Minute, Sigmask: &mask})
			drain(r)
		}},
		{"SubmitWait, minimum", func(t *testing.T, r *uring.Ring) {
			take(t, r, 2)
			submitWait(t, r, uring.Wait{N: 2, Timeout: time.Minute, MinTimeout: time.Millisecond})
			drain(r)
		}},
		{"SubmitWait, timed out", func(t *testing.T, r *uring.Ring) {
			take(t, r, 1)
			submitWait(t, r, uring.Wait{N: 2, Timeout: 10 * time.Microsecond})
			drain(r)
		}},
		{"Wait, timed out", func(t *testing.T, r *uring.Ring) { wait(t, r, uring.Wait{N: 1, Timeout: 10 * time.Microsecond}) }},
		{"Wait, minimum, timed out", func(t *testing.T, r *uring.Ring) {
			wait(t, r, uring.Wait{N: 1, MinTimeout: time.Microsecond, Timeout: 10 * time.Microsecond})
		}},
		{"Wait, masked, timed out", func(t *testing.T, r *uring.Ring) {
			wait(t, r, uring.Wait{N: 1, Timeout: 10 * time.Microsecond, Sigmask: &mask})
		}},
		{"Wait for nothing", func(t *testing.T, r *uring.Ring) { r.Wait(uring.Wait{}) }},
		{"Space, Status, Params, Fd", func(t *testing.T, r *uring.Ring) { r.Space(); r.Status(); r.Params(); r.Fd() }},
		{"GetSQE until full", func(t *testing.T, r *uring.Ring) {
			for r.GetSQE() != nil {
			}
			r.Submit()
			drain(r)
		}},
		{"GetSQE128", func(t *testing.T, r *uring.Ring) { r.GetSQE128(); r.Submit(); drain(r) }},
		{"overflow", func(t *testing.T, r *uring.Ring) {
			for range 6 {
				take(t, r, 4)
				_, err := r.Submit()
				mayOverflow(t, r, err)
			}
			for range r.Completions() {
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
				r := k.Ring(t, 8, m.Params())
				if n := testing.AllocsPerRun(200, func() { c.call(t, r) }); n != 0 {
					t.Errorf("%v allocations", n)
				}
			}, "plain", "defer", "sqpoll", "sqe128", "cqe32", "cqe_mixed", "sq_rewind")
		})
	}
}

// A storm of signals makes a wait start over many times; that allocates nothing
// either. (Go's timers and goroutines do, so it is the calls that are measured.)
func TestNoAllocationsAfterSignals(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		sent := bt.Storm(t)
		r := k.Ring(t, 8, m.Params())
		needWait(t, r, uring.Wait{N: 1, Timeout: 1})
		before := sent()
		n := testing.AllocsPerRun(20, func() {
			r.Wait(uring.Wait{N: 1, Timeout: 5 * time.Millisecond})
			r.SubmitWait(uring.Wait{N: 1, Timeout: 5 * time.Millisecond})
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
		if sent() == before {
			t.Error("no signal: this tested nothing")
		}
	}, "plain", "defer")
}
