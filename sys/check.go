package sys

// What is known to be wrong with setup parameters before the kernel sees them.
// One place, so that both backends refuse the same with the same words.

import (
	"fmt"
	"syscall"
)

// The kernel's limits on the size of a ring.
const (
	MaxEntries   = 32768          // submission queue entries
	MaxCQEntries = 2 * MaxEntries // completion queue entries
)

// knownSetup is every setup flag that this package knows the meaning, and
// thereby the sizes, of.
const knownSetup = IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF | IORING_SETUP_CQSIZE |
	IORING_SETUP_CLAMP | IORING_SETUP_ATTACH_WQ | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SQE128 | IORING_SETUP_CQE32 |
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_NO_MMAP | IORING_SETUP_REGISTERED_FD_ONLY |
	IORING_SETUP_NO_SQARRAY | IORING_SETUP_HYBRID_IOPOLL | IORING_SETUP_CQE_MIXED | IORING_SETUP_SQE_MIXED | IORING_SETUP_SQ_REWIND

// setupRules are the combinations of flags that every kernel refuses.
var setupRules = []struct {
	has   SetupFlags // when all of these are set …
	needs SetupFlags // … one of these must be too (0: no demand) …
	never SetupFlags // … and none of these may be
}{
	{has: IORING_SETUP_SQ_AFF, needs: IORING_SETUP_SQPOLL},
	{has: IORING_SETUP_SQPOLL, never: IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_DEFER_TASKRUN},
	{has: IORING_SETUP_TASKRUN_FLAG, needs: IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN},
	{has: IORING_SETUP_DEFER_TASKRUN, needs: IORING_SETUP_SINGLE_ISSUER},
	{has: IORING_SETUP_HYBRID_IOPOLL, needs: IORING_SETUP_IOPOLL},
	{has: IORING_SETUP_REGISTERED_FD_ONLY, needs: IORING_SETUP_NO_MMAP},
	{has: IORING_SETUP_CQE_MIXED, never: IORING_SETUP_CQE32},
	{has: IORING_SETUP_SQE_MIXED, never: IORING_SETUP_SQE128},
	{has: IORING_SETUP_SQ_REWIND, never: IORING_SETUP_SQPOLL},
}

// CheckSetup tells what is wrong with a request for a ring of the given number
// of submission queue entries; p may be nil. Its errors name the value and the
// limit, and errors.Is finds syscall.EINVAL in them.
func CheckSetup(entries uint32, p *Params) error {
	var flags SetupFlags
	if p != nil {
		flags = p.Flags
	}
	if unknown := flags &^ knownSetup; unknown != 0 {
		return invalid("setup flags %#x are unknown here", uint32(unknown))
	}
	for _, rule := range setupRules {
		if flags&rule.has != rule.has {
			continue
		}
		if rule.needs != 0 && flags&rule.needs == 0 {
			return invalid("setup flag %v needs %v", rule.has, rule.needs)
		}
		if bad := flags & rule.never; bad != 0 {
			return invalid("setup flag %v cannot go with %v", rule.has, bad)
		}
	}
	clamp := flags&IORING_SETUP_CLAMP != 0
	if entries == 0 {
		return invalid("a ring of 0 entries; the least is 1")
	}
	if entries > MaxEntries {
		if !clamp {
			return invalid("a ring of %d entries; the most is %d, unless IORING_SETUP_CLAMP is set", entries, MaxEntries)
		}
		entries = MaxEntries
	}
	if flags&IORING_SETUP_CQSIZE != 0 {
		cq := p.CQEntries
		if cq == 0 {
			return invalid("a completion queue of 0 entries; the least is the submission queue's %d", roundUp(entries))
		}
		if cq > MaxCQEntries {
			if !clamp {
				return invalid("a completion queue of %d entries; the most is %d, unless IORING_SETUP_CLAMP is set", cq, MaxCQEntries)
			}
			cq = MaxCQEntries
		}
		if roundUp(cq) < roundUp(entries) {
			return invalid("a completion queue of %d entries is smaller than the submission queue of %d", cq, roundUp(entries))
		}
	}
	return nil
}

// roundUp returns the least power of two that is not below n, for n from 1 to
// 1<<31.
func roundUp(n uint32) uint32 {
	p := uint32(1)
	for p < n {
		p <<= 1
	}
	return p
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("uring: "+format+": %w", append(args, syscall.EINVAL)...)
}

// RingEntries returns the sizes that the kernel gives a ring which CheckSetup
// accepts.
func RingEntries(entries uint32, p *Params) (sq, cq uint32) {
	sq = roundUp(min(entries, MaxEntries))
	cq = 2 * sq
	if p != nil && p.Flags&IORING_SETUP_CQSIZE != 0 {
		cq = roundUp(min(p.CQEntries, MaxCQEntries))
	}
	return sq, cq
}
