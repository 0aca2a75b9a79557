package scenario

// The queues themselves: order, fullness, overflow, what Submit and Wait return.

import (
	"fmt"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// opNone is no operation on any kernel so far.
const opNone sys.Op = 250

// Short names for the flags that scenarios use most.
const (
	link     = sys.IOSQE_IO_LINK
	hardlink = sys.IOSQE_IO_HARDLINK
	drain    = sys.IOSQE_IO_DRAIN
	async    = sys.IOSQE_ASYNC
	skipCQE  = sys.IOSQE_CQE_SKIP_SUCCESS
	fixed    = sys.IOSQE_FIXED_FILE
	selects  = sys.IOSQE_BUFFER_SELECT
)

// brief is a wait for something that does not come. It is long enough for it to
// come if it did, on a machine that is not busy; a busy one cannot make the
// scenario fail.
const brief = 30 * time.Millisecond

// far is a time that no scenario reaches.
const far = time.Hour

func queueScenarios() []Scenario {
	return []Scenario{{
		Name:  "nop_order",
		Doc:   "A batch of NOPs completes in the order of its submission.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(8)
			for i := range uint64(8) {
				g.SQE(100 + i).PrepNop()
			}
			g.SubmitReap(8)
			g.NoteQueues()
		},
	}, {
		Name:  "bad_op",
		Doc:   "Submission stops behind an entry that the kernel refuses, and the rest goes with the next Submit.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1).PrepNop()
			g.SQE(2).Opcode = opNone
			g.SQE(3).PrepNop()
			g.Submit()
			g.NoteQueues()
			if g.sqpoll() {
				// The kernel's thread does not stop.
				g.Reap(3)
				return
			}
			g.Reap(2)
			g.SubmitReap(1)
			g.NoteQueues()
		},
	}, {
		Name:  "submit_all",
		Doc:   "With SUBMIT_ALL, submission goes on behind an entry that the kernel refuses.",
		Needs: []Need{needSetup(sys.IORING_SETUP_SUBMIT_ALL)},
		Run: func(r *Run) {
			g := r.OpenWith(8, sys.Params{Flags: sys.IORING_SETUP_SUBMIT_ALL})
			g.SQE(1).PrepNop()
			g.SQE(2).Opcode = opNone
			g.SQE(3).PrepNop()
			g.SQE(4).PrepNop()
			g.SubmitReap(4)
		},
	}, {
		Name:  "sq_full",
		Doc:   "GetSQE gives nil when the queue is full, and Space counts down to it.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(4)
			g.Note("space", g.Space())
			for i := uint64(1); ; i++ {
				s := g.GetSQE()
				if s == nil {
					g.Note("nil after", i-1)
					break
				}
				s.PrepNop()
				s.UserData = i
				// Nothing is submitted yet, so this is certain under SQPOLL too.
				st := g.Status()
				g.Note("queue", fmt.Sprintf("ready=%d space=%d %d", st.SQReady, st.SQSpace, g.Space()))
			}
			g.SubmitReap(4)
			g.Settle()
			st := g.Status()
			g.Note("queue", fmt.Sprintf("ready=%d space=%d %d", st.SQReady, st.SQSpace, g.Space()))
		},
	}, {
		Name:  "setup",
		Doc:   "Which sizes and flags make a ring, and which sizes it gets.",
		Modes: []Mode{Plain},
		Run: func(r *Run) {
			for _, c := range []struct {
				entries uint32
				flags   sys.SetupFlags
				cq      uint32
			}{
				{0, 0, 0},
				{1, 0, 0},
				{3, 0, 0},
				{8, sys.IORING_SETUP_CQSIZE, 64},
				{8, sys.IORING_SETUP_CQSIZE, 20},
				{8, sys.IORING_SETUP_CQSIZE, 4},
				{8, sys.IORING_SETUP_CQSIZE, 0},
				{32769, 0, 0},
				{32769, sys.IORING_SETUP_CLAMP, 0},
				{8, sys.IORING_SETUP_CQSIZE, 1 << 20},
				{8, sys.IORING_SETUP_CQSIZE | sys.IORING_SETUP_CLAMP, 1 << 20},
				{8, sys.IORING_SETUP_SQ_AFF, 0},
				{8, sys.IORING_SETUP_DEFER_TASKRUN, 0},
				{8, sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN | sys.IORING_SETUP_SQPOLL, 0},
				{8, sys.IORING_SETUP_TASKRUN_FLAG, 0},
				{8, sys.IORING_SETUP_CQE_MIXED | sys.IORING_SETUP_CQE32, 0},
				{8, 1 << 31, 0},
				{8, sys.IORING_SETUP_REGISTERED_FD_ONLY, 0},
				{8, sys.IORING_SETUP_HYBRID_IOPOLL, 0},
				{8, sys.IORING_SETUP_COOP_TASKRUN | sys.IORING_SETUP_SQPOLL, 0},
			} {
				what := fmt.Sprintf("open entries=%d flags=%#x cq=%d", c.entries, uint32(c.flags), c.cq)
				g, err := r.TryOpen(c.entries, sys.Params{Flags: c.flags, CQEntries: c.cq})
				if err != nil {
					r.Note(what, verdict(err))
					continue
				}
				p := g.Params()
				r.Note(what, fmt.Sprintf("sq=%d cq=%d", p.SQEntries, p.CQEntries))
				g.Close()
			}
		},
	}, {
		Name:  "cq_ready",
		Doc:   "Completions stay in the queue until they are taken, in as many pieces as one likes.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(8)
			g.NoteQueues()
			for i := range uint64(5) {
				g.SQE(1 + i).PrepNop()
			}
			g.SubmitWait(uring.Wait{N: 5})
			g.NoteQueues()
			g.Peek(3)
			g.NoteQueues()
			g.Peek(8)
			g.Peek(8)
			g.NoteQueues()
		},
	}, {
		Name:  "overflow",
		Doc:   "Completions that do not fit the queue wait in the kernel, and come in order when there is room.",
		Needs: []Need{needFeature(sys.IORING_FEAT_NODROP)},
		Modes: []Mode{Plain, Coop, Defer, SQPoll, SQE128, CQE32, RingFd},
		Run: func(r *Run) {
			g := r.Open(4)
			for batch := range uint64(4) {
				for i := range uint64(4) {
					g.SQE(1 + 4*batch + i).PrepNop()
				}
				g.Submit()
				g.Settle()
			}
			g.NoteQueues()
			g.NoteFlags()
			g.Reap(8)
			g.NoteFlags()
			// Nothing is in the queue now; Peek has to fetch.
			g.Peek(16)
			g.NoteFlags()
			g.NoteQueues()
		},
	}, {
		Name:  "empty",
		Doc:   "What every call returns on a ring with nothing to do.",
		Needs: []Need{needFeature(sys.IORING_FEAT_EXT_ARG)},
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(4)
			g.Peek(4)
			g.Wait(uring.Wait{N: 1, Timeout: brief})
			g.Wait(uring.Wait{N: 2, Timeout: brief})
			g.SubmitWait(uring.Wait{N: 1, Timeout: brief})
			g.Submit()
			g.SubmitWait(uring.Wait{})
			g.Wait(uring.Wait{})
			g.Peek(4)
		},
	}, {
		Name:  "submit_wait_timeout",
		Doc:   "A SubmitWait that times out says so, and how many entries it submitted.",
		Needs: []Need{needFeature(sys.IORING_FEAT_EXT_ARG)},
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(4)
			g.SQE(1).PrepNop()
			// Where io_uring_submit_and_wait_timeout tells of the submission only,
			// SubmitWait tells of the deadline too.
			g.SubmitWait(uring.Wait{N: 2, Timeout: brief})
			g.NoteQueues()
			g.Reap(1)
			rd, wr := r.Pipe()
			g.SQE(2).PrepRead(rd, r.Bytes(8), 0)
			g.SubmitWait(uring.Wait{N: 1, Timeout: brief})
			g.Wait(uring.Wait{N: 1, Timeout: brief})
			r.Write(wr, "x")
			g.Reap(1)
		},
	}, {
		Name:  "min_timeout",
		Doc:   "After the minimum wait one completion suffices; without any, the timeout counts.",
		Needs: []Need{needFeature(sys.IORING_FEAT_MIN_TIMEOUT)},
		Run: func(r *Run) {
			g := r.Open(4)
			g.SQE(1).PrepNop()
			start := time.Now()
			g.SubmitWait(uring.Wait{N: 4, Timeout: far, MinTimeout: brief})
			g.Note("waited the minimum", time.Since(start) >= brief)
			g.Reap(1)
			start = time.Now()
			g.Wait(uring.Wait{N: 4, Timeout: 2 * brief, MinTimeout: brief})
			g.Note("waited the timeout", time.Since(start) >= 2*brief)
		},
	}}
}
