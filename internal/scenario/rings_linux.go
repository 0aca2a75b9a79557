package scenario

// What concerns a ring as a whole: eventfds, restrictions, the registered
// descriptor, other sizes, messages to other rings.

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

func ringScenarios() []Scenario {
	return []Scenario{{
		Name: "eventfd",
		Doc:  "An eventfd is told of completions, or only of those that did not complete at once.",
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.table([]int{r.Eventfd(0, 0)})
			register(g, sys.IORING_REGISTER_EVENTFD, &fd[0], 1)
			register(g, sys.IORING_REGISTER_EVENTFD, &fd[0], 1)
			g.SQE(1).PrepNop()
			g.SubmitReap(1)
			// Under SQPOLL the completion may be seen before the eventfd is told.
			_, err := unix.Poll([]unix.PollFd{{Fd: fd[0], Events: unix.POLLIN}}, int(r.patience.Milliseconds()))
			r.Must("poll", err)
			r.Note("told once", r.Read(int(fd[0]), 8) == one)
			g.Unregister(sys.IORING_UNREGISTER_EVENTFD)
			g.Unregister(sys.IORING_UNREGISTER_EVENTFD)
			rd, _ := r.Pipe()
			bad := r.table([]int{rd})
			register(g, sys.IORING_REGISTER_EVENTFD, &bad[0], 1)
			register(g, sys.IORING_REGISTER_EVENTFD_ASYNC, &fd[0], 1)
			g.SQE(3).PrepNop()
			g.SubmitReap(1)
			r.Note("told of what completed at once", r.Read(int(fd[0]), 8))
		},
	}, {
		Name:  "restrictions",
		Doc:   "A disabled ring, restricted and then enabled, runs what it may and refuses the rest.",
		Modes: []Mode{Plain, SQPoll},
		Run: func(r *Run) {
			g := r.OpenWith(8, sys.Params{Flags: sys.IORING_SETUP_R_DISABLED})
			g.SQE(1).PrepNop()
			if !g.sqpoll() {
				// The entry stays queued. With a thread to take it, Submit does not ask
				// the kernel.
				g.Submit()
			}
			may := &[...]sys.Restriction{
				{Opcode: sys.IORING_RESTRICTION_SQE_OP, Arg: uint8(sys.IORING_OP_NOP)},
				{Opcode: sys.IORING_RESTRICTION_SQE_OP, Arg: uint8(sys.IORING_OP_WRITE)},
				{Opcode: sys.IORING_RESTRICTION_SQE_FLAGS_ALLOWED, Arg: uint8(link)},
				{Opcode: sys.IORING_RESTRICTION_REGISTER_OP, Arg: uint8(sys.IORING_REGISTER_PROBE)},
			}
			r.Keep(may)
			restrict := func() { register(g, sys.IORING_REGISTER_RESTRICTIONS, &may[0], len(may)) }
			restrict()
			restrict()
			g.Unregister(sys.IORING_REGISTER_ENABLE_RINGS)
			g.Unregister(sys.IORING_REGISTER_ENABLE_RINGS)
			restrict()
			if g.Submit() == 0 {
				return // early kernels of 5.10 do not let it go
			}
			g.Reap(1)
			g.SQE(2).PrepRead(-1, r.Bytes(8), 0)
			g.SubmitReap(1)
			g.SQE(3, async).PrepNop()
			g.SubmitReap(1)
			g.SQE(4, link).PrepNop()
			g.SQE(5).PrepNop()
			g.SubmitReap(2)
			fd := r.table([]int{r.Eventfd(0, 0)})
			register(g, sys.IORING_REGISTER_EVENTFD, &fd[0], 1)
			var probe struct {
				sys.Probe
				Ops [256]sys.ProbeOp
			}
			register(g, sys.IORING_REGISTER_PROBE, &probe, len(probe.Ops))
			r.Note("probe knows operations", probe.OpsLen > 0)
		},
	}, {
		Name:  "ring_fd",
		Doc:   "The ring's descriptor is registered, used, given back, and closed while it is registered.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_RING_FDS), needFeature(sys.IORING_FEAT_REG_REG_RING)},
		Run: func(r *Run) {
			g := r.Open(8)
			b := g.Backend()
			note := func(what string, err error) { g.failed(what, err) }
			nop := func(u uint64) {
				g.SQE(u).PrepNop()
				g.SubmitReap(1)
			}
			note("unregister", b.UnregisterRingFd())
			note("close", b.CloseRingFd())
			note("register", b.RegisterRingFd())
			note("register", b.RegisterRingFd())
			nop(1)
			note("unregister", b.UnregisterRingFd())
			nop(2)
			note("register", b.RegisterRingFd())
			note("close", b.CloseRingFd())
			note("close", b.CloseRingFd())
			g.Note("descriptor", g.Fd())
			nop(3)
			register(g, sys.IORING_REGISTER_IOWQ_MAX_WORKERS, new([2]uint32), 2)
			g.SQE(4).PrepNop()
			g.SubmitWait(uring.Wait{N: 1, Timeout: far})
			g.Reap(1)
		},
	}, {
		Name:  "cqe_mixed",
		Doc:   "Completions of both sizes in one queue, also around its end.",
		Needs: []Need{needSetup(sys.IORING_SETUP_CQE_MIXED)},
		Run: func(r *Run) {
			g := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_CQE_MIXED | sys.IORING_SETUP_CQSIZE, CQEntries: 4})
			nop := func(u uint64) {
				s := g.SQE(u)
				s.PrepNop()
				if u%2 == 0 {
					s.OpFlags = sys.IORING_NOP_CQE32
					s.Off, s.Addr = 16*u, 32*u
				}
			}
			for u := range uint64(6) {
				nop(1 + u)
				g.SubmitReap(1)
			}
			// From here the queue's end is an entry before the large completion.
			nop(7)
			g.SubmitReap(1)
			nop(9)
			g.SubmitReap(1)
			nop(11)
			nop(12)
			g.SubmitReap(2)
			g.NoteQueues()
			plain := r.Open(4)
			s := plain.SQE(1)
			s.PrepNop()
			s.OpFlags = sys.IORING_NOP_CQE32
			plain.SubmitReap(1)
		},
	}, {
		Name:  "msg_ring",
		Doc:   "Completions posted to another ring, with flags too, and to the ring itself.",
		Needs: []Need{needOp(sys.IORING_OP_MSG_RING)},
		Run: func(r *Run) {
			g, to := r.Open(8), r.Open(8)
			g.SQE(1).PrepMsgRing(to.Fd(), 16, 564, 0)
			g.SubmitReap(1)
			to.Reap(1)
			g.SQE(2).PrepMsgRingCqeFlags(to.Fd(), 7, 55, 0, uint32(sys.IORING_CQE_F_BUFFER)|5<<sys.IORING_CQE_BUFFER_SHIFT)
			if g.SubmitReap(1)[0].Res == 0 {
				to.Reap(1)
			}
			rd, _ := r.Pipe()
			g.SQE(3).PrepMsgRing(rd, 1, 2, 0)
			g.SubmitReap(1)
			g.SQE(4).PrepMsgRing(to.Fd(), 1, 2, 1<<31)
			g.SubmitReap(1)
			g.SQE(5).PrepMsgRing(g.Fd(), 9, 99, 0)
			g.Submit()
			g.ReapIndependent(2)
		},
	}, {
		Name:  "msg_ring_fd",
		Doc:   "Direct descriptors passed to another ring.",
		Needs: []Need{needOp(sys.IORING_OP_SEND_ZC), needRegister(sys.IORING_REGISTER_FILES2)},
		Run: func(r *Run) {
			g, to := r.Open(8), r.Open(8)
			buf := r.Bytes(8)
			g.RegisterFiles(r.File("f", "AAAA"))
			to.SparseFiles(2)
			g.SQE(1).PrepMsgRingFd(to.Fd(), 0, 1, 777, 0)
			g.SubmitReap(1)
			to.Reap(1)
			to.SQE(5, fixed).PrepRead(1, buf, 0)
			to.SubmitReap(1)
			r.Note("data", buf[:4])
			g.SQE(2).PrepMsgRingFdAlloc(to.Fd(), 0, 778, 0)
			g.SubmitReap(1)
			to.Reap(1)
			g.SQE(3).PrepMsgRingFd(to.Fd(), 0, 1, 779, sys.IORING_MSG_RING_CQE_SKIP)
			g.SubmitReap(1)
			g.SQE(4).PrepMsgRingFd(to.Fd(), 7, 1, 780, 0)
			g.SubmitReap(1)
			g.SQE(5).PrepMsgRingFdAlloc(to.Fd(), 0, 781, 0)
			g.SubmitReap(1)
			// Nothing of 3, 4 and 5 came there.
			to.SQE(6).PrepNop()
			to.SubmitReap(1)
		},
	}, {
		Name:  "sqpoll_overflow",
		Doc:   "Under SQPOLL a Submit with nothing to submit enters the kernel when completions wait for room.",
		Modes: []Mode{SQPoll},
		Run: func(r *Run) {
			g := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_CQSIZE, CQEntries: 4})
			for batch := range uint64(2) {
				for u := range uint64(4) {
					g.SQE(1 + 4*batch + u).PrepNop()
				}
				g.Submit()
				g.Settle()
			}
			ready := func() {
				// The thread has nothing to do, so this is certain.
				s := g.Status()
				g.Note("queue", fmt.Sprintf("cq_ready=%d overflow=%t", s.CQReady, s.Overflow))
			}
			ready()
			g.Peek(4)
			ready()
			g.Submit()
			ready()
			g.Peek(4)
			ready()
		},
	}, {
		Name:  "msg_ring_overflow",
		Doc:   "Messages to a ring whose completion queue is full wait there.",
		Needs: []Need{needOp(sys.IORING_OP_MSG_RING), needFeature(sys.IORING_FEAT_NODROP)},
		Run: func(r *Run) {
			g := r.Open(8)
			to := r.OpenWith(2, sys.Params{Flags: sys.IORING_SETUP_CQSIZE, CQEntries: 2})
			for u := range uint64(5) {
				g.SQE(1+u).PrepMsgRing(to.Fd(), uint32(u), 100+u, 0)
				g.SubmitReap(1)
			}
			to.Reap(2)
			to.Reap(2)
			to.Reap(1)
			to.NoteFlags()
		},
	}, {
		Name:  "msg_ring_errors",
		Doc:   "Messages to what is no ring, to a disabled ring, with commands that do not exist.",
		Needs: []Need{needOp(sys.IORING_OP_MSG_RING)},
		Run: func(r *Run) {
			g := r.Open(8)
			disabled := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_R_DISABLED})
			do := g.OneByOne()
			do(func(s *sys.SQE) { s.PrepMsgRing(-1, 1, 2, 0) })
			do(func(s *sys.SQE) { s.PrepMsgRing(r.File("f", ""), 1, 2, 0) })
			if disabled.Fd() >= 0 {
				do(func(s *sys.SQE) { s.PrepMsgRing(disabled.Fd(), 1, 2, 0) })
			}
			do(func(s *sys.SQE) {
				s.PrepMsgRing(g.Fd(), 1, 2, 0)
				s.Addr = 99
			})
			do(func(s *sys.SQE) {
				s.PrepMsgRing(g.Fd(), 1, 2, 0)
				s.BufIndex = 1
			})
			do(func(s *sys.SQE) { s.PrepMsgRingFd(g.Fd(), 0, 0, 2, 0) })
			disabled.Unregister(sys.IORING_REGISTER_ENABLE_RINGS)
			do(func(s *sys.SQE) { s.PrepMsgRing(disabled.Fd(), 1, 2, 0) })
			disabled.Reap(1)
		},
	}, {
		Name:  "msg_ring_ping_pong",
		Doc:   "Two rings that answer each other, in chains too.",
		Needs: []Need{needOp(sys.IORING_OP_MSG_RING)},
		Run: func(r *Run) {
			a, b := r.Open(8), r.Open(8)
			for u := range uint64(4) {
				a.SQE(u, link).PrepMsgRing(b.Fd(), 0, 10+u, 0)
				a.SQE(20 + u).PrepNop()
				a.SubmitReap(2)
				b.Reap(1)
				b.SQE(u, skipCQE).PrepMsgRing(a.Fd(), 0, 30+u, 0)
				b.Submit()
				a.Reap(1)
			}
		},
	}, {
		Name: "two_rings_one_pipe",
		Doc:  "Two rings read what comes in one pipe; each gets its own.",
		Run: func(r *Run) {
			a, b := r.Open(4), r.Open(4)
			rd, wr := r.Pipe()
			buf := r.Bytes(8)
			a.SQE(1).PrepRead(rd, buf[:4], 0)
			a.Submit()
			a.Settle()
			r.Write(wr, "aaaa")
			a.Reap(1)
			b.SQE(2).PrepRead(rd, buf[4:], 0)
			b.Submit()
			b.Settle()
			r.Write(wr, "bbbb")
			b.Reap(1)
			r.Note("data", buf)
			a.NoteQueues()
			b.NoteQueues()
		},
	}, {
		Name: "poll_a_ring",
		Doc:  "A ring's descriptor can be polled by another ring.",
		// There are kernels that do not tell of a DEFER_TASKRUN ring.
		Modes: []Mode{Plain, Coop, SQPoll},
		Run: func(r *Run) {
			a, b := r.Open(4), r.Open(4)
			b.SQE(1).PrepPollAdd(a.Fd(), pollIn)
			b.Submit()
			b.Settle()
			a.SQE(2).PrepNop()
			a.Submit()
			a.Settle()
			b.Reap(1)
			a.Reap(1)
		},
	}, {
		Name:  "cqe_mixed_many",
		Doc:   "Batches of completions of both sizes that wrap around, taken a few at a time.",
		Needs: []Need{needSetup(sys.IORING_SETUP_CQE_MIXED)},
		Run: func(r *Run) {
			g := r.OpenWith(8, sys.Params{Flags: sys.IORING_SETUP_CQE_MIXED | sys.IORING_SETUP_CQSIZE, CQEntries: 16})
			u := uint64(0)
			for round := range 5 {
				for range 5 {
					u++
					s := g.SQE(u)
					s.PrepNop()
					if (u+uint64(round))%3 == 0 {
						s.OpFlags = sys.IORING_NOP_CQE32
						s.Off, s.Addr = u<<8, u<<16
					}
				}
				g.Submit()
				g.Reap(2)
				g.Reap(3)
			}
			g.NoteQueues()
			// Taken as 16 bytes, the second half is passed over.
			for i := range uint64(4) {
				s := g.SQE(100 + i)
				s.PrepNop()
				if i%2 == 1 {
					s.OpFlags = sys.IORING_NOP_CQE32
				}
			}
			g.Submit()
			g.Settle()
			small := make([]sys.CQE, 8)
			n := g.Ring.Peek(small)
			g.Note("peek", n)
			for _, c := range small[:n] {
				g.record([]sys.CQE32{{CQE: c}})
			}
		},
	}, {
		Name:  "cqe32_results",
		Doc:   "Completions of 32 bytes carry a second half where the request fills it.",
		Needs: []Need{needSetup(sys.IORING_SETUP_CQE32), needInject},
		Run: func(r *Run) {
			g := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_CQE32})
			for u := range uint64(7) {
				s := g.SQE(1 + u)
				s.PrepNop()
				if u%2 == 0 {
					s.OpFlags = sys.IORING_NOP_CQE32
					s.Off, s.Addr = 16*u, 32*u
				}
				g.SubmitReap(1)
			}
		},
	}}
}
