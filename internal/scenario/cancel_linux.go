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
			// Of a socket: a worker of an old kernel reads a pipe, and may be caught
			// or not.
			a, _ := r.Pair(unix.SOCK_STREAM)
			g.SQE(1).PrepRecv(a, r.Bytes(8), 0)
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
		Needs: []Need{needCancelOp},
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
			found := false
			for i, target := range []uint64{77, 1} {
				s = g.SQE(uint64(4 + i))
				s.PrepCancelFd(rd, sys.IORING_ASYNC_CANCEL_USERDATA)
				s.Addr = target
				found = g.SubmitReap(1)[0].Res == 0
			}
			if !found {
				// There are kernels that find nothing by both.
				g.SQE(6).PrepCancel64(1, 0)
				g.SubmitAll()
				g.Reap(1)
			}
			g.Reap(1)
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
	}, {
		Name: "cancel_chain",
		Doc:  "Cancelling the head of a chain cancels the chain.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.SQE(1, link).PrepPollAdd(rd, pollIn)
			g.SQE(2, link).PrepNop()
			g.SQE(3).PrepNop()
			g.Submit()
			// What has not begun is not found.
			g.SQE(4).PrepCancel64(3, 0)
			g.SubmitReap(1)
			g.SQE(5).PrepCancel64(1, 0)
			g.SubmitReap(4)
		},
	}, {
		Name:  "cancel_multishot",
		Doc:   "Multishot requests of several kinds are cancelled, by UserData and all at once.",
		Needs: []Need{needCancel(sys.IORING_ASYNC_CANCEL_ANY), needPollMultishot, needRecvMultishot, needLoopback},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			l, _ := r.Listener()
			a, _ := r.Pair(unix.SOCK_STREAM)
			g.BufRing(4, 1, 0).Fill(4, 8, 0)
			g.SQE(1).PrepPollMultishot(rd, pollIn)
			g.SQE(2).PrepMultishotAccept(l, nil, nil, 0)
			s := g.SQE(3)
			s.PrepRecvMultishot(a, nil, 0)
			bufSelect(s, 1)
			g.Submit()
			g.SQE(10).PrepCancel64(2, 0)
			g.Submit()
			g.ReapAny(2)
			g.SQE(11).PrepCancel64(0, sys.IORING_ASYNC_CANCEL_ANY)
			g.Submit()
			g.ReapAny(3)
		},
	}, {
		Name:  "cancel_all_user_data",
		Doc:   "All requests with the same UserData are cancelled at once and counted, or only one.",
		Needs: []Need{needCancel(sys.IORING_ASYNC_CANCEL_ANY)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			for range 3 {
				g.SQE(7).PrepPollAdd(rd, pollIn)
			}
			g.Submit()
			g.SQE(1).PrepCancel64(7, 0)
			g.SubmitReap(2)
			g.SQE(2).PrepCancel64(7, sys.IORING_ASYNC_CANCEL_ALL)
			g.Submit()
			g.ReapAny(3)
			g.SQE(3).PrepCancel64(7, sys.IORING_ASYNC_CANCEL_ALL)
			g.SubmitReap(1)
		},
	}, {
		Name:  "cancel_fixed_file",
		Doc:   "Requests are cancelled by the slot of their registered file.",
		Needs: []Need{needCancel(sys.IORING_ASYNC_CANCEL_FD_FIXED)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.RegisterFiles(-1, rd)
			g.SQE(1, fixed).PrepPollAdd(1, pollIn)
			g.SQE(2).PrepPollAdd(rd, pollIn)
			g.Submit()
			g.SQE(3).PrepCancelFd(0, sys.IORING_ASYNC_CANCEL_FD_FIXED)
			g.SubmitReap(1)
			// The file is the same, and so both are found.
			g.SQE(4).PrepCancelFd(1, sys.IORING_ASYNC_CANCEL_FD_FIXED|sys.IORING_ASYNC_CANCEL_ALL)
			g.Submit()
			g.ReapAny(3)
			g.SQE(5).PrepCancelFd(9, sys.IORING_ASYNC_CANCEL_FD_FIXED)
			g.SubmitReap(1)
		},
	}, {
		Name:  "cancel_errors",
		Doc:   "Cancel requests with flags that do not exist or do not go together.",
		Needs: []Need{needCancel(sys.IORING_ASYNC_CANCEL_ANY)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			do(func(s *sys.SQE) { s.PrepCancel64(1, 1<<30) })
			do(func(s *sys.SQE) { s.PrepCancelFd(-1, 0) })
			do(func(s *sys.SQE) { s.PrepCancelFd(1<<30, sys.IORING_ASYNC_CANCEL_ANY) })
			do(func(s *sys.SQE) { s.PrepCancel64(1, sys.IORING_ASYNC_CANCEL_ANY|sys.IORING_ASYNC_CANCEL_OP) })
			do(func(s *sys.SQE) {
				s.PrepCancel64(1, 0)
				s.Off = 3
			})
			do(func(s *sys.SQE) {
				s.PrepCancel64(1, 0)
				s.Flags |= selects
			})
		},
	}, {
		Name:  "sync_cancel_kinds",
		Doc:   "The cancelling registration by operation and by registered file, and its refusals.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_SYNC_CANCEL), needCancelOp},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.RegisterFiles(rd)
			g.SQE(1).PrepPollAdd(rd, pollIn)
			g.SQE(2, fixed).PrepRead(0, r.Bytes(4), 0)
			g.Submit()
			g.Settle()
			g.SyncCancel(sys.SyncCancelReg{Opcode: sys.IORING_OP_POLL_ADD, Flags: sys.IORING_ASYNC_CANCEL_OP})
			g.Reap(1)
			g.SyncCancel(sys.SyncCancelReg{Fd: 0, Flags: sys.IORING_ASYNC_CANCEL_FD | sys.IORING_ASYNC_CANCEL_FD_FIXED})
			g.Reap(1)
			g.SyncCancel(sys.SyncCancelReg{Fd: -1, Flags: sys.IORING_ASYNC_CANCEL_FD})
			g.SyncCancel(sys.SyncCancelReg{Fd: 5, Flags: sys.IORING_ASYNC_CANCEL_FD | sys.IORING_ASYNC_CANCEL_FD_FIXED})
			g.SyncCancel(sys.SyncCancelReg{Flags: 1 << 31})
			register[sys.SyncCancelReg](g, sys.IORING_REGISTER_SYNC_CANCEL, nil, 1)
			register(g, sys.IORING_REGISTER_SYNC_CANCEL, &sys.SyncCancelReg{}, 2)
		},
	}}
}

// needCancel needs a flag of cancel requests.
func needCancel(flag int) Need {
	what := map[int]string{
		sys.IORING_ASYNC_CANCEL_ANY:      "IORING_ASYNC_CANCEL_ANY",
		sys.IORING_ASYNC_CANCEL_FD_FIXED: "IORING_ASYNC_CANCEL_FD_FIXED",
	}[flag]
	return needRequest(what, unix.EINVAL, func(s *sys.SQE) { s.PrepCancel64(1, flag) })
}

// needCancelOp needs cancelling by operation. There are kernels that take the flag
// and find nothing.
var needCancelOp = needTrial("IORING_ASYNC_CANCEL_OP", func(t *tryRing) (bool, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return false, err
	}
	t.fds = append(t.fds, fd)
	t.GetSQE().PrepPollAdd(fd, pollIn)
	got, err := t.run(1, func(s *sys.SQE) {
		s.PrepCancel64(0, sys.IORING_ASYNC_CANCEL_OP)
		s.Len = uint32(sys.IORING_OP_POLL_ADD)
		s.UserData = 1
	})
	return err == nil && got[0].Res != -int32(unix.EINVAL) && got[0].Res != -int32(unix.ENOENT), err
})
