package uring

// How a wait goes on after the kernel came back: signals, deadlines, and the
// other reasons for which io_uring_enter(2) ends before enough completions are
// there. A backend makes one attempt; here they are put together, once for both.

import (
	"os"
	"time"

	"github.com/uring-go/uring/sys"
)

// asked returns a caller's wait as the backends take it. A full queue is all that
// can be waited for, and the kernel takes the number for a signed one: above
// 1<<31 the wait would never end (seen with Linux 6.18).
func (r *Ring) asked(w Wait) Wait {
	w.N = min(w.N, uint32(r.cqEntries))
	w.Flags |= sys.IORING_ENTER_GETEVENTS
	return w
}

// took notes that the kernel took n entries.
func (r *Ring) took(n int) {
	r.pending = max(r.pending-n, 0)
	if r.rewind {
		r.pending = 0
	}
	if r.rewind || r.shared {
		r.drop()
	}
}

// submitTimed is SubmitWait with a clock or a signal mask.
func (r *Ring) submitTimed(w Wait) (int, error) {
	start, offered := time.Now(), r.pending
	if w.Sigmask == nil || w.N == 0 {
		n, err := r.b.Submit(bounded(w))
		return r.finish(w, start, offered, n, err)
	}
	// The kernel does not tell of a signal if it took entries in the same call, and
	// here the signal must be told of. It stays pending in between.
	if err := w.Check(r.b.Params().Features); err != nil {
		return 0, err
	}
	n, err := r.b.Submit(Wait{})
	if n, err = r.finish(Wait{}, start, offered, n, err); err != nil || n < offered && !r.sqpoll {
		return n, err
	}
	left, over := remaining(w, start)
	if over {
		return n, r.await(w, start, nil) // which sees it, too
	}
	return n, r.await(w, start, r.b.Wait(left))
}

// finish decides what a first submission came to, and goes on waiting if it must.
func (r *Ring) finish(w Wait, start time.Time, offered, n int, err error) (int, error) {
	r.took(n)
	for err == sys.ErrInterrupted && n < offered {
		// A signal came before the kernel took anything.
		left, over := remaining(w, start)
		if over {
			return n, os.ErrDeadlineExceeded
		}
		var more int
		more, err = r.b.Submit(left)
		r.took(more)
		n += more
	}
	if w.N == 0 || n < offered && !r.sqpoll {
		return n, uninterrupted(w, err)
	}
	return n, r.await(w, start, err)
}

// uninterrupted takes the signal out of an error that need not tell of one.
func uninterrupted(w Wait, err error) error {
	if err == sys.ErrInterrupted && w.Sigmask == nil {
		return nil
	}
	return err
}

// await goes on until the wait is over; err is what the last attempt came to.
func (r *Ring) await(w Wait, start time.Time, err error) error {
	w = r.reg.plain(w)
	for {
		if err != nil && err != sys.ErrInterrupted && err != os.ErrDeadlineExceeded {
			return err
		}
		left, over := remaining(w, start)
		ready := r.b.Ready()
		switch {
		case ready >= int(left.N):
			return nil
		case err == nil && ready > 0 && w.Flags&sys.IORING_ENTER_EXT_ARG_REG != 0:
			return nil // the registered minimum has passed, of which only the kernel knows
		case err == sys.ErrInterrupted && w.Sigmask != nil:
			return err
		case over, err == os.ErrDeadlineExceeded && w.Flags&(sys.IORING_ENTER_ABS_TIMER|sys.IORING_ENTER_EXT_ARG_REG) != 0:
			// Of an absolute or a registered timeout only the kernel knows when it
			// has passed.
			return os.ErrDeadlineExceeded
		case err == nil && ready > 0 && w.Sigmask != nil:
			// With a completion at hand the kernel answers a signal with success. It
			// does so too when a request of the kind IORING_OP_TIMEOUT completes, but
			// a signal too many does less harm than one too few.
			return sys.ErrInterrupted
		}
		err = r.b.Wait(left)
	}
}

// remaining returns what is left of a wait that began at start, and whether its
// deadline has passed. Once MinTimeout has, one completion suffices.
func remaining(w Wait, start time.Time) (left Wait, over bool) {
	if w.Timeout|w.MinTimeout == 0 {
		return w, false
	}
	passed := time.Since(start)
	if w.MinTimeout > 0 {
		if w.MinTimeout -= passed; w.MinTimeout <= 0 {
			w.MinTimeout, w.N = 0, min(w.N, 1)
		}
	}
	if w.Timeout > 0 && w.Flags&sys.IORING_ENTER_ABS_TIMER == 0 {
		if w.Timeout -= passed; w.Timeout <= 0 {
			return w, true
		}
	}
	return bounded(w), false
}

// bounded returns the wait as the kernel must be asked for it: the kernel looks
// at Timeout only once MinTimeout has passed.
func bounded(w Wait) Wait {
	if w.Timeout > 0 && w.MinTimeout > w.Timeout && w.Flags&sys.IORING_ENTER_ABS_TIMER == 0 && w.MinTimeout <= sys.MaxMinTimeout {
		w.MinTimeout = w.Timeout
	}
	return w
}
