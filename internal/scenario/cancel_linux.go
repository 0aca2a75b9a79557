package scenario

// Cancelling.

import (
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func cancelScenarios() []Scenario {
	return []Scenario{{
		Name: "cancel_user_data",
		Doc:  "A request is cancelled by its UserData, once.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.SQE(1).PrepRead(rd, r.Bytes(8), 0)
			g.Submit()
			g.SQE(2).PrepCancel64(1, 0)
			g.SubmitReap(2)
			g.SQE(3).PrepCancel64(1, 0)
			g.SubmitReap(1)
		},
	}, {
		Name:  "cancel_fd_all",
		Doc:   "All requests of a descriptor, and then any request at all, are cancelled and counted.",
		Needs: []Need{needCancel(sys.IORING_ASYNC_CANCEL_ANY)},
		Run: func(r *Run) {
			g := r.Open(8)
			a, _ := r.Pipe()
			b, _ := r.Pipe()
			for u := range uint64(3) {
				g.SQE(1+u).PrepPollAdd(a, pollIn)
			}
			g.SQE(9).PrepPollAdd(b, pollIn)
			g.Submit()
			g.SQE(20).PrepCancelFd(a, sys.IORING_ASYNC_CANCEL_ALL)
			g.Submit()
			g.ReapAny(4)
			g.SQE(21).PrepCancelFd(a, sys.IORING_ASYNC_CANCEL_ALL)
			g.SubmitReap(1)
			g.SQE(22).PrepCancel64(0, sys.IORING_ASYNC_CANCEL_ANY)
			g.SubmitReap(2)
			g.SQE(23).PrepCancel64(0, sys.IORING_ASYNC_CANCEL_ANY)
			g.SubmitReap(1)
		},
	}, {
		Name:  "cancel_op",
		Doc:   "A request is cancelled by its operation, and by descriptor and UserData together.",
		Needs: []Need{needCancel(sys.IORING_ASYNC_CANCEL_OP)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.SQE(1).PrepRead(rd, r.Bytes(8), 0)
			g.SQE(2).PrepPollAdd(rd, pollIn)
			g.Submit()
			s := g.SQE(3)
			s.PrepCancel64(0, sys.IORING_ASYNC_CANCEL_OP)
			s.Len = uint32(sys.IORING_OP_POLL_ADD)
			g.SubmitReap(2)
			for i, target := range []uint64{77, 1} {
				s = g.SQE(uint64(4 + i))
				s.PrepCancelFd(rd, sys.IORING_ASYNC_CANCEL_USERDATA)
				s.Addr = target
				g.Submit()
				g.Reap(1 + i)
			}
		},
	}, {
		Name:  "sync_cancel",
		Doc:   "The registration that cancels comes back when the request is gone; it does not find what is not submitted.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_SYNC_CANCEL)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.SQE(1).PrepRead(rd, r.Bytes(8), 0)
			g.SQE(1).PrepRead(rd, r.Bytes(8), 0)
			g.Submit()
			g.Settle()
			g.SyncCancel(sys.SyncCancelReg{Addr: 1, Fd: -1})
			g.Reap(1)
			g.SyncCancel(sys.SyncCancelReg{Fd: int32(rd), Flags: sys.IORING_ASYNC_CANCEL_FD | sys.IORING_ASYNC_CANCEL_ALL})
			g.Reap(1)
			g.SyncCancel(sys.SyncCancelReg{Addr: 1, Fd: -1})
			g.SQE(5).PrepNop()
			g.SyncCancel(sys.SyncCancelReg{Addr: 5, Fd: -1})
			g.SubmitReap(1)
			g.SyncCancel(sys.SyncCancelReg{Flags: sys.IORING_ASYNC_CANCEL_ANY})
		},
	}}
}

// needCancel needs a flag of cancel requests.
func needCancel(flag int) Need {
	what := map[int]string{
		sys.IORING_ASYNC_CANCEL_ANY: "IORING_ASYNC_CANCEL_ANY",
		sys.IORING_ASYNC_CANCEL_OP:  "IORING_ASYNC_CANCEL_OP",
	}[flag]
	return needRequest(what, 0, func(s *sys.SQE) { s.PrepCancel64(1, flag) }, unix.EINVAL)
}
