package uring

// Drain: nothing in flight, and proof of it.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/uring-go/uring/sys"
)

// Drain cancels what can be cancelled and returns when no request of the ring is in
// flight any more: then no memory that one named is written to, and Close is safe.
// It submits what GetSQE gave out, and discards every completion, those that Peek
// and Completions have not delivered among them. The ring is usable afterwards.
// Buffers that discarded completions took from a BufRing are lost to it: close it.
//
// The proof is a NOP with IOSQE_IO_DRAIN behind all other requests, which the kernel
// carries out only when they have ended. A request that cannot be cancelled, such
// as a disk's read in flight, ends by itself first.
//
// If ctx is done before, Drain returns its error and requests may be in flight. The
// NOP among them: its completion has a UserData of random bits. Another Drain can
// be tried.
//
// What Drain cannot do, and cannot know:
//   - Before Linux 5.19 there is no way to cancel all requests; Drain then waits
//     until they end by themselves.
//   - Linux refuses the proof on a ring of which any request had
//     IOSQE_CQE_SKIP_SUCCESS (GetSQE128 makes such where it pads the queue of a ring
//     with IORING_SETUP_SQE_MIXED), older kernels on one with IORING_SETUP_IOPOLL, and
//     so do restrictions that do not permit it. That is errors.ErrUnsupported, after
//     everything was cancelled.
//   - Before Linux 6.16 the proof does not cover zero-copy sends whose notification
//     is still to come. Drain waits for those of which it discards the first
//     completion; the caller has to wait for others. And a notification that has come
//     confuses those kernels' count: on a ring that has had one, the proof comes too
//     early or never.
//   - Other rings may post messages at any time.
func (r *Ring) Drain(ctx context.Context) error {
	if err := r.usable(); err != nil {
		return err
	}
	d := drain{r: r, ctx: ctx, own: make(map[uint64]int32), owed: make(map[uint64]struct{})}
	if err := d.run(); err != nil {
		return fmt.Errorf("uring: Drain: %w", err)
	}
	return nil
}

// drain is one call of Ring.Drain.
type drain struct {
	r    *Ring
	ctx  context.Context
	own  map[uint64]int32    // our own requests by user data, and their results
	owed map[uint64]struct{} // user data whose last completion promised another one
	pace time.Duration       // how long the last wait was at most
}

// Waits grow from the one to the other. In between requests are cancelled again,
// for one may have been on its way from one queue of the kernel's to another and
// have been missed.
const (
	shortestWait = time.Millisecond
	longestWait  = 64 * time.Millisecond
)

// unfinished is the result of our own requests until they have one.
const unfinished = math.MinInt32

func (d *drain) run() error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	// Alone, so that an open chain of links ends here and not in our own requests.
	if err := d.submit(); err != nil {
		return err
	}
	sync, err := d.cancel()
	if err != nil {
		return err
	}
	if !sync || d.r.sqpoll {
		if err := d.cancelByRequest(sync); err != nil {
			return err
		}
	}
	for {
		res, err := d.request(SQE{Opcode: sys.IORING_OP_NOP, Flags: sys.IOSQE_IO_DRAIN}, sync)
		switch {
		case err != nil:
			return err
		case res == 0:
			return d.settle()
		case syscall.Errno(-res) != syscall.ECANCELED:
			return fmt.Errorf("the kernel does not tell whether this ring is idle (see the documentation): %w: %w", errors.ErrUnsupported, syscall.Errno(-res))
		}
		// Our own cancelling met it.
	}
}

// cancel cancels all requests with one call, and reports whether it could be made.
func (d *drain) cancel() (bool, error) {
	_, err := d.r.SyncCancel(MatchAny().All(), 0)
	switch {
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EACCES):
		return false, nil // a kernel before 6.0, or restrictions
	}
	return err == nil, err
}

// cancelByRequest cancels with requests until there is nothing left to cancel, if
// the kernel can (Linux 5.19). Only the kernel thread of IORING_SETUP_SQPOLL reaches
// its own workers, and it does what requests say. It comes before the proof, for
// behind it requests are not carried out.
func (d *drain) cancelByRequest(sync bool) error {
	for nothing := 0; nothing < 2; {
		n, err := d.request(SQE{Opcode: sys.IORING_OP_ASYNC_CANCEL, OpFlags: sys.IORING_ASYNC_CANCEL_ANY | sys.IORING_ASYNC_CANCEL_ALL}, sync)
		switch {
		case err != nil:
			return err
		case n > 0:
			nothing = 0
		case n == 0:
			nothing++
		default:
			return nil // before 5.19, or restrictions
		}
		if err := d.wait(); err != nil {
			return err
		}
	}
	return nil
}

// settle waits for completions that others have promised.
func (d *drain) settle() error {
	for {
		d.reap()
		if len(d.owed) == 0 {
			return nil
		}
		if err := d.wait(); err != nil {
			return err
		}
	}
}

// request carries out a request of our own and returns its result. With cancelling
// it cancels everything else meanwhile, again and again.
func (d *drain) request(sqe SQE, cancelling bool) (int32, error) {
	sqe.Fd, sqe.UserData = -1, rand.Uint64()
	for {
		if free := d.r.GetSQE(); free != nil {
			*free = sqe
			break
		}
		if err := d.submit(); err != nil {
			return 0, err
		}
	}
	d.own[sqe.UserData] = unfinished
	if err := d.submit(); err != nil {
		return 0, err
	}
	d.pace = 0
	for {
		d.reap()
		if res := d.own[sqe.UserData]; res != unfinished {
			return res, nil
		}
		if cancelling {
			if _, err := d.cancel(); err != nil {
				return 0, err
			}
		}
		if err := d.wait(); err != nil {
			return 0, err
		}
	}
}

// submit submits until the kernel has taken everything. A kernel thread
// (IORING_SETUP_SQPOLL) is waited for: until it has taken an open chain of links,
// what is submitted next becomes part of it.
func (d *drain) submit() error {
	for {
		n, err := d.r.Submit()
		switch {
		case err == nil && d.r.b.Status().SQReady == 0:
			return nil
		case err == nil && n > 0 && !d.r.sqpoll:
			// It stopped behind an entry that it refused.
		case err == nil, errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EAGAIN):
			// It wants time, room for completions, or memory.
			if err := d.wait(); err != nil {
				return err
			}
		default:
			return err
		}
		d.reap()
	}
}

// reap discards the completions that are there, after a look at each.
func (d *drain) reap() {
	var cqes [64]CQE
	for {
		n := d.r.Peek(cqes[:])
		if n == 0 {
			return
		}
		for _, c := range cqes[:n] {
			switch _, ours := d.own[c.UserData]; {
			case ours:
				d.own[c.UserData] = c.Res
			case c.More():
				d.owed[c.UserData] = struct{}{}
			default:
				delete(d.owed, c.UserData)
			}
		}
	}
}

// wait waits for a completion, each time twice as long as before, or until the
// context is done.
func (d *drain) wait() error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	d.pace = min(max(2*d.pace, shortestWait), longestWait)
	pause := d.pace
	if end, ok := d.ctx.Deadline(); ok {
		pause = max(min(pause, time.Until(end)), time.Microsecond)
	}
	err := d.r.Wait(Wait{N: 1, Timeout: pause})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return d.ctx.Err()
	case errors.Is(err, errors.ErrUnsupported):
		// No wait ends by itself before Linux 5.11.
		time.Sleep(min(pause, shortestWait))
		return d.r.Wait(Wait{})
	}
	return err
}
