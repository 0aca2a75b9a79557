package scenario

// Futexes.

import "github.com/uring-go/uring/sys"

const (
	futexFlags = sys.FUTEX2_SIZE_U32 | sys.FUTEX2_PRIVATE
	futexAny   = sys.FUTEX_BITSET_MATCH_ANY
)

func futexScenarios() []Scenario {
	return []Scenario{{
		Name:  "futex",
		Doc:   "Waiting on one futex and on several, waking, cancelling, and bad arguments.",
		Needs: []Need{needOp(sys.IORING_OP_FUTEX_WAIT, sys.IORING_OP_FUTEX_WAKE, sys.IORING_OP_FUTEX_WAITV)},
		Run: func(r *Run) {
			g := r.Open(8)
			words := new([2]uint32)
			r.Keep(words)
			f := &words[0]
			g.SQE(1).PrepFutexWait(f, 99, futexAny, futexFlags, 0)
			g.SubmitReap(1)
			g.SQE(2).PrepFutexWait(f, 0, futexAny, futexFlags, 0)
			g.Submit()
			g.SQE(3).PrepFutexWake(f, 1, futexAny, futexFlags, 0)
			g.SubmitReap(2)
			v := make([]sys.FutexWaitv, 2)
			r.Keep(v)
			v[0].Set(&words[0], 0, futexFlags)
			v[1].Set(&words[1], 0, futexFlags)
			g.SQE(4).PrepFutexWaitv(v, 0)
			g.Submit()
			g.SQE(5).PrepFutexWake(&words[1], 1, futexAny, futexFlags, 0)
			g.SubmitReap(2)
			g.SQE(6).PrepFutexWake(f, 1, futexAny, futexFlags, 0)
			g.SubmitReap(1)
			g.SQE(7).PrepFutexWait(f, 0, futexAny, futexFlags, 0)
			g.Submit()
			g.SQE(8).PrepCancel64(7, sys.IORING_ASYNC_CANCEL_ALL)
			g.SubmitReap(2)
			g.SQE(9).PrepFutexWait(f, 0, futexAny, 1<<31, 0)
			g.SubmitReap(1)
			g.SQE(10).PrepFutexWaitv(nil, 0)
			g.SubmitReap(1)
		},
	}}
}
