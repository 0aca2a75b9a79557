package scenario

// Rings that change their sizes.

import (
	"errors"
	"runtime"
	"syscall"

	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

func resizeScenarios() []Scenario {
	return []Scenario{{
		Name:  "resize",
		Doc:   "A ring grows and shrinks with completions in it and an entry that is not submitted, if what it holds fits.",
		Needs: []Need{needResize},
		Run: func(r *Run) {
			g := r.Open(4)
			nops := func(from, n uint64) {
				for u := range n {
					g.SQE(from + u).PrepNop()
				}
			}
			nops(1, 3)
			g.Submit()
			g.Settle()
			nops(4, 1)
			g.Resize(16, 64)
			g.NoteQueues()
			// The library alone would have lost the entry that it was not told of;
			// Ring keeps it.
			g.Submit()
			g.Reap(4)
			if g.params.Flags&sys.IORING_SETUP_DEFER_TASKRUN == 0 {
				return // it was refused
			}
			nops(20, 16)
			g.SubmitReap(16)
			nops(40, 6)
			g.Submit()
			g.Resize(2, 4)
			g.NoteQueues()
			g.Reap(6)
			g.Resize(2, 4)
			nops(50, 2)
			g.SubmitReap(2)
			nops(60, 2)
			g.Resize(1, 4)
			g.SubmitReap(2)
			g.Resize(0, 0)
			g.Resize(4, 2)
			g.Resize(1<<20, 0)
			g.Resize(3, 0)
			nops(70, 4)
			g.SubmitReap(4)
		},
	}, {
		Name:  "resize_wrapped",
		Doc:   "Entries and completions on both sides of their queue's end keep their order when the ring is resized.",
		Modes: []Mode{Defer},
		Needs: []Need{needResize},
		Run: func(r *Run) {
			for _, more := range []sys.SetupFlags{0, sys.IORING_SETUP_SQE128, sys.IORING_SETUP_CQE32} {
				g := r.OpenWith(4, sys.Params{Flags: more})
				u := uint64(0)
				nops := func(n int) {
					for range n {
						u++
						g.SQE(u).PrepNop()
					}
				}
				for round := range 6 {
					nops(3)
					g.Submit()
					nops(2 + round%2)
					g.Resize([]uint32{8, 4, 16, 4, 32, 4}[round], 0)
					g.NoteQueues()
					g.Submit()
					g.Reap(5 + round%2)
				}
				g.Close()
			}
		},
	}, {
		Name:  "resize_in_flight",
		Doc:   "Requests that wait for something complete in the queues that a resize makes.",
		Modes: []Mode{Defer},
		Needs: []Need{needResize},
		Run: func(r *Run) {
			g := r.Open(4)
			rd, wr := r.Pipe()
			fd := r.Eventfd(0, 0)
			buf := r.Bytes(8)
			g.SQE(1).PrepRead(rd, buf, 0)
			g.SQE(2).PrepPollMultishot(fd, pollIn)
			g.SQE(3).PrepTimeout(r.Time(far), 0, 0)
			g.Submit()
			g.Resize(64, 128)
			r.Write(wr, "data")
			g.Reap(1)
			r.Note("data", buf)
			r.Write(fd, one)
			g.Resize(2, 8)
			g.Reap(1)
			g.SQE(4).PrepTimeoutRemove(3, 0)
			g.SQE(5).PrepPollRemove(2)
			g.Submit()
			g.Resize(8, 0)
			g.ReapAny(4)
		},
	}, {
		Name:  "resize_overflowed",
		Doc:   "A ring with more completions than its queue holds, resized.",
		Modes: []Mode{Defer},
		Needs: []Need{needResize},
		Run: func(r *Run) {
			g := r.Open(2)
			for u := range uint64(6) {
				g.SQE(1 + u).PrepNop()
				g.Submit()
			}
			g.NoteFlags()
			g.Resize(4, 16)
			g.NoteFlags()
			g.Reap(6)
			g.Resize(4, 16)
			g.SQE(9).PrepNop()
			g.SubmitReap(1)
			g.NoteFlags()
		},
	}}
}

// needResize needs rings that can change their sizes.
var needResize = Need{"IORING_REGISTER_RESIZE_RINGS", func() (bool, error) {
	runtime.LockOSThread() // the ring belongs to one
	defer runtime.UnlockOSThread()
	r, err := purego.New(1, &sys.Params{Flags: Defer.Setup()})
	if err != nil {
		if errors.Is(err, syscall.EINVAL) {
			return false, nil
		}
		return false, err
	}
	defer r.Close()
	err = r.Resize(2, &sys.Params{})
	if errors.Is(err, syscall.EINVAL) {
		return false, nil
	}
	return err == nil, err
}}
