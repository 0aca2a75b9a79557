package sys

// How long a submission stays in the kernel.

import (
	"errors"
	"fmt"
	"math"
	"syscall"
	"time"
)

// Wait says what a submission waits for. The zero value waits for nothing.
type Wait struct {
	// N is the number of completions to wait for. It counts those in the
	// kernel's completion queue; a number above the queue's size waits for a full
	// queue.
	N uint32

	// Timeout ends the wait after this long; 0 means never. It needs
	// IORING_FEAT_EXT_ARG (Linux 5.11). Without N it has no meaning.
	Timeout time.Duration

	// MinTimeout is how long to wait for all of N; once it has passed, one
	// completion suffices. The kernel counts in microseconds: a fraction is
	// rounded up, and the most is about 71 minutes. It needs
	// IORING_FEAT_MIN_TIMEOUT (Linux 6.12).
	MinTimeout time.Duration

	// Sigmask, if not nil, replaces the thread's signal mask during the wait, as
	// ppoll(2) does; a signal then ends the wait with EINTR. So may, if some of N
	// are there, a request of the kind IORING_OP_TIMEOUT that completes: the
	// kernel does not tell the two apart. Without Sigmask nothing but the deadline
	// shortens a wait.
	Sigmask *Sigset

	// Reg is the index of a registered wait, with IORING_ENTER_EXT_ARG_REG in
	// Flags (Linux 6.13). The kernel then takes timeout, minimum and signal mask
	// from there, and the fields above must be zero. With a registered minimum the
	// wait may end with fewer than N. A signal does not end it, unless a mask is
	// registered with it; where the ring does not know what was registered, it
	// starts the timeout anew.
	Reg uint32

	// Flags are bits for io_uring_enter(2) that the fields above do not express.
	// IORING_ENTER_GETEVENTS looks for completions even when N is 0.
	// IORING_ENTER_NO_IOWAIT (Linux 6.15) keeps a wait from counting as I/O wait.
	// With IORING_ENTER_ABS_TIMER (Linux 6.12) Timeout is a point in time, counted
	// on the ring's clock (CLOCK_MONOTONIC unless another was registered).
	// IORING_ENTER_EXT_ARG_REG makes Reg count.
	Flags EnterFlags
}

// waitFlags are the bits that Wait.Flags may hold.
const waitFlags = IORING_ENTER_GETEVENTS | IORING_ENTER_NO_IOWAIT | IORING_ENTER_ABS_TIMER | IORING_ENTER_EXT_ARG_REG

// A Sigset is the kernel's set of 64 signals; bit n-1 stands for signal n.
type Sigset uint64

// MakeSigset returns the set of the given signals. A number outside 1 to 64 is
// not a signal and is left out.
func MakeSigset(signals ...syscall.Signal) Sigset {
	var s Sigset
	for _, sig := range signals {
		if sig >= 1 && sig <= 64 {
			s |= 1 << (sig - 1)
		}
	}
	return s
}

// Has reports whether the signal is in the set.
func (s Sigset) Has(sig syscall.Signal) bool {
	return sig >= 1 && sig <= 64 && s&(1<<(sig-1)) != 0
}

// MaxMinTimeout is the longest Wait.MinTimeout: the kernel counts it in 32 bits
// of microseconds.
const MaxMinTimeout = math.MaxUint32 * time.Microsecond

// Plain reports whether the wait needs no argument beside N.
func (w *Wait) Plain() bool {
	return w.Timeout|w.MinTimeout == 0 && w.Sigmask == nil && w.Flags&IORING_ENTER_EXT_ARG_REG == 0
}

// Check tells what is wrong with the wait on a ring with these features: a
// negative duration or an unknown flag is EINVAL, and what the kernel lacks is
// errors.ErrUnsupported.
func (w *Wait) Check(features FeatFlags) error {
	if w.Plain() && w.Flags&^IORING_ENTER_GETEVENTS == 0 {
		return nil
	}
	return w.check(features)
}

func (w *Wait) check(features FeatFlags) error {
	switch {
	case w.Timeout < 0:
		return fmt.Errorf("uring: Wait.Timeout is %v, below 0: %w", w.Timeout, syscall.EINVAL)
	case w.MinTimeout < 0:
		return fmt.Errorf("uring: Wait.MinTimeout is %v, below 0: %w", w.MinTimeout, syscall.EINVAL)
	case w.MinTimeout > MaxMinTimeout:
		return fmt.Errorf("uring: Wait.MinTimeout is %v, above the kernel's limit of %v: %w", w.MinTimeout, MaxMinTimeout, syscall.EINVAL)
	case w.Flags&^waitFlags != 0:
		return fmt.Errorf("uring: Wait.Flags has %v, which a Wait cannot carry: %w", w.Flags&^waitFlags, syscall.EINVAL)
	case w.Flags&IORING_ENTER_EXT_ARG_REG != 0 && (w.Timeout != 0 || w.MinTimeout != 0 || w.Sigmask != nil || w.Flags&IORING_ENTER_ABS_TIMER != 0):
		return fmt.Errorf("uring: a registered wait (Wait.Reg) beside Timeout, MinTimeout, Sigmask or IORING_ENTER_ABS_TIMER, which it has of its own: %w", syscall.EINVAL)
	case w.Flags&IORING_ENTER_EXT_ARG_REG != 0 && w.Reg > math.MaxInt32:
		return fmt.Errorf("uring: Wait.Reg is %d, above any registered wait: %w", w.Reg, syscall.EINVAL)
	case w.Flags&IORING_ENTER_ABS_TIMER != 0 && w.Timeout == 0:
		return fmt.Errorf("uring: IORING_ENTER_ABS_TIMER without a Timeout to be absolute: %w", syscall.EINVAL)
	case w.Timeout > 0 && features&IORING_FEAT_EXT_ARG == 0:
		return fmt.Errorf("uring: a wait with Timeout needs IORING_FEAT_EXT_ARG (Linux 5.11), which this kernel lacks: %w", errors.ErrUnsupported)
	case w.MinTimeout > 0 && features&IORING_FEAT_MIN_TIMEOUT == 0:
		return fmt.Errorf("uring: a wait with MinTimeout needs IORING_FEAT_MIN_TIMEOUT (Linux 6.12), which this kernel lacks: %w", errors.ErrUnsupported)
	case w.Flags&IORING_ENTER_NO_IOWAIT != 0 && features&IORING_FEAT_NO_IOWAIT == 0:
		return fmt.Errorf("uring: IORING_ENTER_NO_IOWAIT needs IORING_FEAT_NO_IOWAIT (Linux 6.15), which this kernel lacks: %w", errors.ErrUnsupported)
	}
	return nil
}

// MinMicroseconds returns MinTimeout in the kernel's unit, rounded up.
func (w *Wait) MinMicroseconds() uint32 {
	return uint32((w.MinTimeout + time.Microsecond - 1) / time.Microsecond)
}
