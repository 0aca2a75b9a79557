package scenario

// What package uring makes of several calls: the same on top of either backend.

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

func apiScenarios() []Scenario {
	return []Scenario{{
		Name: "eventfd_switched",
		Doc:  "An eventfd's notifications are switched off and on again.",
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.Eventfd(0, 0)
			note := func(what string, err error) { g.failed(what, err) }
			nop := func(u uint64) {
				g.SQE(u).PrepNop()
				g.SubmitReap(1)
			}
			note("register", g.RegisterEventfd(fd, false))
			note("off", g.SetEventfdEnabled(false))
			g.NoteFlags()
			nop(1)
			// The thread under SQPOLL has done with 1 once it has done with 2.
			nop(2)
			r.Note("told", r.Read(fd, 8))
			note("on", g.SetEventfdEnabled(true))
			g.NoteFlags()
			nop(3)
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(r.patience.Milliseconds()))
			r.Must("poll", err)
			r.Note("told once", r.Read(fd, 8) == one)
			note("unregister", g.UnregisterEventfd())
			note("unregister", g.UnregisterEventfd())
		},
	}, {
		Name:  "registered_waits",
		Doc:   "Waits whose arguments are in registered memory.",
		Needs: []Need{needFeature(sys.IORING_FEAT_MIN_TIMEOUT), needWaitRegion},
		Run: func(r *Run) {
			g := r.OpenWith(8, sys.Params{Flags: sys.IORING_SETUP_R_DISABLED})
			region, err := g.NewWaitRegion(4)
			g.failed("region", err)
			if err != nil {
				return
			}
			g.Unregister(sys.IORING_REGISTER_ENABLE_RINGS)
			for i, w := range []uring.Wait{{Timeout: brief}, {Timeout: far, MinTimeout: soon}, {}} {
				g.failed("set", region.Set(i, w))
			}
			g.failed("set", region.Set(4, uring.Wait{}))
			g.Wait(region.Wait(0, 1))
			g.SQE(1).PrepNop()
			g.SubmitWait(region.Wait(0, 2))
			g.SQE(2).PrepNop()
			g.SubmitWait(region.Wait(1, 4))
			g.Reap(2)
			g.SQE(3).PrepTimeout(r.Time(soon), 0, 0)
			g.SubmitWait(region.Wait(2, 1))
			g.Reap(1)
			g.Wait(region.Wait(77, 1))
			_, err = g.NewWaitRegion(4)
			g.failed("region", err)
		},
	}, {
		Name:  "wait_until",
		Doc:   "A wait until a point of time.",
		Needs: []Need{needFeature(sys.IORING_FEAT_MIN_TIMEOUT)},
		Run: func(r *Run) {
			g := r.Open(8)
			var now unix.Timespec
			r.Must("clock", unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
			until := func(d time.Duration) uring.Wait {
				return uring.Wait{N: 1, Timeout: time.Duration(now.Nano()) + d, Flags: sys.IORING_ENTER_ABS_TIMER}
			}
			g.Wait(until(brief))
			g.Wait(until(-soon))
			g.SQE(1).PrepNop()
			g.SubmitWait(until(far))
			g.Reap(1)
		},
	}, {
		Name:  "drain_ring",
		Doc:   "Drain ends whatever is in flight, and the ring goes on.",
		Needs: []Need{needCancel(sys.IORING_ASYNC_CANCEL_ANY), needFeature(sys.IORING_FEAT_EXT_ARG)},
		Run: func(r *Run) {
			g := r.Open(8)
			for round := range uint64(2) {
				rd, wr := r.Pipe()
				buf := r.Bytes(8)
				g.SQE(1).PrepRead(rd, buf, 0)
				g.SQE(2).PrepPollAdd(rd, pollIn)
				g.SQE(3, link).PrepTimeout(r.Time(far), 0, 0)
				g.SQE(4).PrepNop()
				g.Submit()
				// This one is not even submitted.
				g.SQE(5).PrepRead(rd, buf, 0)
				ctx, cancel := context.WithTimeout(context.Background(), r.patience)
				g.failed("drain", g.Drain(ctx))
				cancel()
				g.Settle()
				g.NoteQueues()
				g.Peek(8)
				r.Write(wr, "too late")
				g.SQE(10 + round).PrepNop()
				g.SubmitReap(1)
				r.Note("data", buf)
			}
		},
	}, {
		Name:  "buf_ring",
		Doc:   "A BufRing and its buffers, taken, looked at and put back.",
		Needs: []Need{needRegister(sys.IORING_UNREGISTER_PBUF_RING)},
		Run: func(r *Run) {
			g := r.Open(8)
			b, err := g.NewBufRing(7, 4, 8)
			g.failed("new", err)
			if err != nil {
				return
			}
			_, err = g.NewBufRing(7, 4, 8)
			g.failed("new", err)
			rd, wr := r.Pipe()
			for u := range uint64(7) {
				r.Write(wr, "0123456789ab"[:1+u])
				s := g.SQE(u)
				s.PrepRead(rd, nil, 0)
				bufSelect(s, 7)
				parts, done := b.Take(g.SubmitReap(1)[0].CQE)
				r.Note("taken", fmt.Sprintf("%q %v", parts, done))
				if u%2 == 1 {
					g.failed("put", b.Put(done...))
				}
				if u == 4 {
					g.failed("put", b.Put(0, 2))
				}
			}
			g.failed("put", b.Put(99))
			g.failed("close", b.Close())
			g.failed("put", b.Put(0))
		},
	}, {
		Name:  "sync_cancel_matches",
		Doc:   "SyncCancel with the matches that it offers.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_SYNC_CANCEL), needCancelOp},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			for u := range uint64(5) {
				g.SQE(1+u).PrepPollAdd(rd, pollIn)
			}
			g.Submit()
			g.Settle()
			cancel := func(m uring.Match) bool {
				n, err := g.Ring.SyncCancel(m, 0)
				g.returned("sync cancel", n, err)
				return err == nil
			}
			cancel(uring.MatchUserData(2))
			g.Reap(1)
			cancel(uring.MatchUserData(2))
			left := 4
			// There are kernels that find nothing by both.
			if cancel(uring.MatchFd(rd).And(uring.MatchUserData(4))) {
				g.Reap(1)
				left--
			}
			cancel(uring.MatchOp(sys.IORING_OP_POLL_ADD).And(uring.MatchUserData(99)))
			cancel(uring.MatchUserData(1).And(uring.MatchUserData(3)))
			cancel(uring.MatchOp(sys.IORING_OP_POLL_ADD).All())
			g.ReapAny(left)
			cancel(uring.MatchAny())
			cancel(uring.Match{})
		},
	}}
}

// needWaitRegion needs waits whose arguments are in registered memory.
var needWaitRegion = Need{"IORING_REGISTER_MEM_REGION", func() (bool, error) {
	// A region of no address: EFAULT where the operation is known.
	return tryRegister(registers(sys.IORING_REGISTER_MEM_REGION, sys.MemRegionReg{}, 1))
}}
