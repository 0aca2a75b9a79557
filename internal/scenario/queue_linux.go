package scenario

// The queues themselves: order, fullness, overflow, what Submit and Wait return.

import (
	"errors"
	"fmt"
	"syscall"
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
		Name:  "bad_op_often",
		Doc:   "Small submissions that the kernel stops are told as such every time.",
		Modes: []Mode{Plain, Coop, Defer, SQE128, CQE32, RingFd},
		Run: func(r *Run) {
			g := r.Open(8)
			for u := range uint64(20) {
				g.SQE(2 * u).Opcode = opNone
				g.SQE(2*u + 1).PrepNop()
				g.SubmitReap(2)
			}
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
		Needs: []Need{needFeature(sys.IORING_FEAT_NODROP), needOverflow},
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
	}, {
		Name:  "wrap_around",
		Doc:   "Batches that do not divide the queue's size go around its end many times.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(4)
			u := uint64(0)
			for range 11 {
				for range 3 {
					u++
					g.SQE(u).PrepNop()
				}
				g.SubmitReap(3)
			}
			g.NoteQueues()
		},
	}, {
		Name:  "batches",
		Doc:   "Batches of every size from one to the queue's, left in the completion queue as long as they fit.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(8)
			u := uint64(0)
			for n := 1; n <= 8; n++ {
				for range n {
					u++
					g.SQE(u).PrepNop()
				}
				g.SubmitWait(uring.Wait{N: uint32(n)})
				if n%2 == 0 {
					g.Peek(n - 1)
					g.Reap(n - (n - 1))
				} else {
					g.Reap(n)
				}
			}
			g.NoteQueues()
		},
	}, {
		Name:  "clean_entries",
		Doc:   "GetSQE gives zeroed entries, whatever the slot held before, UserData too.",
		Needs: []Need{needInject},
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(2)
			for round := range uint64(3) {
				for i := range uint64(2) {
					s := g.SQE(10*round+i+1, async)
					s.PrepNop()
					s.OpFlags, s.Len = sys.IORING_NOP_INJECT_RESULT, uint32(5+i)
					s.Ioprio, s.BufIndex, s.Personality = 0, 9, 0
				}
				g.Submit()
				g.ReapAny(2)
				g.Settle()
				for range 2 {
					s := g.GetSQE()
					g.Note("zero", *s == sys.SQE{})
					s.PrepNop()
				}
				g.SubmitReap(2)
			}
		},
	}, {
		Name:  "iterator",
		Doc:   "Completions yields what is there and what its body adds, and keeps what a break leaves behind.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(8)
			for u := range uint64(4) {
				g.SQE(1 + u).PrepNop()
			}
			g.SubmitWait(uring.Wait{N: 4})
			seen := 0
			for c := range g.Completions32() {
				g.record([]sys.CQE32{c})
				if seen++; seen == 2 {
					break
				}
			}
			g.Peek(1)
			g.SQE(9).PrepNop()
			g.Submit()
			g.Settle()
			// What is left of the first four comes before what is new.
			for c := range g.Completions() {
				g.record([]sys.CQE32{{CQE: c}})
				if c.UserData == 4 {
					g.SQE(10).PrepNop()
					g.SubmitWait(uring.Wait{N: 2})
				}
			}
			g.Peek(8)
		},
	}, {
		Name:  "wait_more_than_fits",
		Doc:   "A wait for more completions than the queue holds is over when it is full.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(4)
			for u := range uint64(4) {
				g.SQE(1 + u).PrepNop()
			}
			g.SubmitWait(uring.Wait{N: 4})
			for u := range uint64(4) {
				g.SQE(5 + u).PrepNop()
			}
			g.SubmitWait(uring.Wait{N: 1000})
			g.Wait(uring.Wait{N: 1000})
			g.Peek(16)
		},
	}, {
		Name:  "submit_wait_refused",
		Doc:   "A SubmitWait whose entries the kernel does not all take comes back at once and leaves the rest queued.",
		Modes: []Mode{Plain, Coop, Defer, SQE128, CQE32, RingFd},
		Run: func(r *Run) {
			g := r.Open(8)
			for _, w := range []uring.Wait{{N: 3}, {N: 3, Timeout: far}} {
				g.SQE(1).PrepNop()
				g.SQE(2).Opcode = opNone
				g.SQE(3).PrepNop()
				g.SQE(4).PrepNop()
				g.SubmitWait(w)
				g.NoteQueues()
				g.SubmitWait(uring.Wait{N: 4})
				g.NoteQueues()
				g.Reap(4)
			}
		},
	}, {
		Name: "wait_for_many",
		Doc:  "A wait lasts until as many completions are there as it asks for.",
		Run: func(r *Run) {
			g := r.Open(8)
			for n := 1; n <= 3; n++ {
				for i := range n {
					g.SQE(uint64(10*n+i)).PrepTimeout(r.Time(time.Duration(1+i)*soon), 0, 0)
				}
				g.SubmitWait(uring.Wait{N: uint32(n)})
				g.Peek(n)
			}
		},
	}, {
		Name:  "wait_arguments",
		Doc:   "Waits that make no sense are refused, and cost no entry.",
		Needs: []Need{needFeature(sys.IORING_FEAT_EXT_ARG), needFeature(sys.IORING_FEAT_MIN_TIMEOUT)},
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(4)
			g.SQE(1).PrepNop()
			for _, w := range []uring.Wait{
				{N: 1, Timeout: -1},
				{N: 1, MinTimeout: -1},
				{N: 1, MinTimeout: 2 * far},
				{N: 1, Flags: sys.IORING_ENTER_SQ_WAKEUP},
				{N: 1, Flags: 1 << 31},
				{Timeout: -1},
			} {
				g.Wait(w)
				g.SubmitWait(w)
			}
			g.Wait(uring.Wait{N: 1, Timeout: time.Nanosecond})
			g.SubmitReap(1)
		},
	}, {
		Name:  "wait_masked",
		Doc:   "Waits with a signal mask end by completion or by deadline, like others.",
		Needs: []Need{needFeature(sys.IORING_FEAT_EXT_ARG)},
		Run: func(r *Run) {
			g := r.Open(4)
			mask := ^sys.Sigset(0)
			g.Wait(uring.Wait{N: 1, Timeout: brief, Sigmask: &mask})
			// No signal may interrupt, and yet a busy kernel answers EINTR now and then
			// under SQPOLL, which both backends pass on because there is a mask.
			wait := func(w uring.Wait) {
				w.Sigmask = &mask
				taken := 0
				for {
					n, err := g.Ring.SubmitWait(w)
					if taken += n; !errors.Is(err, syscall.EINTR) {
						g.returned("submit_wait", taken, err)
						return
					}
				}
			}
			g.SQE(1).PrepNop()
			wait(uring.Wait{N: 1})
			g.SQE(2).PrepNop()
			wait(uring.Wait{N: 2, Timeout: far})
			g.SQE(3).PrepTimeout(r.Time(soon), 0, 0)
			wait(uring.Wait{N: 3})
			g.Reap(3)
		},
	}, {
		Name:  "wait_no_iowait",
		Doc:   "Waits that do not count as I/O wait are waits like others.",
		Needs: []Need{needFeature(sys.IORING_FEAT_NO_IOWAIT)},
		Run: func(r *Run) {
			g := r.Open(4)
			for i, w := range []uring.Wait{{N: 1}, {N: 1, Timeout: far}, {N: 2, Timeout: brief}, {}} {
				w.Flags = sys.IORING_ENTER_NO_IOWAIT
				g.SQE(uint64(1+i)).PrepTimeout(r.Time(soon), 0, 0)
				g.SubmitWait(w)
				g.Reap(1)
			}
			g.Wait(uring.Wait{N: 1, Timeout: brief, Flags: sys.IORING_ENTER_NO_IOWAIT})
		},
	}, {
		Name:  "wait_does_not_submit",
		Doc:   "Wait leaves entries alone that were not submitted.",
		Needs: []Need{needFeature(sys.IORING_FEAT_EXT_ARG)},
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(4)
			g.SQE(1).PrepNop()
			g.Wait(uring.Wait{N: 1, Timeout: brief})
			g.Wait(uring.Wait{})
			g.Peek(4)
			g.SubmitReap(1)
		},
	}, {
		Name:  "overflow_wait",
		Doc:   "A wait finds completions that overflowed, as room is made for them.",
		Needs: []Need{needFeature(sys.IORING_FEAT_NODROP), needOverflow},
		Modes: []Mode{Plain, Coop, Defer, SQPoll, SQE128, CQE32, RingFd},
		Run: func(r *Run) {
			g := r.Open(4)
			for batch := range uint64(6) {
				for u := range uint64(4) {
					g.SQE(1 + 4*batch + u).PrepNop()
				}
				g.Submit()
				g.Settle()
			}
			g.NoteFlags()
			g.Peek(3)
			g.NoteFlags()
			// More than is in the queue: the kernel fills it up first.
			g.Reap(8)
			g.Reap(8)
			g.Reap(5)
			g.NoteFlags()
		},
	}, {
		Name:  "closed",
		Doc:   "A closed ring refuses everything, and a second Close.",
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(4)
			g.SQE(1).PrepNop()
			g.SubmitReap(1)
			g.SQE(2).PrepNop()
			g.Note("close", verdict(g.Close()))
			g.Note("close", verdict(g.Close()))
			g.Note("entry", g.GetSQE() == nil)
			g.Note("space", g.Space())
			g.Note("descriptor", g.Fd())
			g.Submit()
			g.SubmitWait(uring.Wait{N: 1})
			g.Wait(uring.Wait{N: 1})
			g.Peek(4)
			g.Unregister(sys.IORING_UNREGISTER_FILES)
			g.Note("status", g.Status())
		},
	}, {
		Name:  "user_data",
		Doc:   "UserData comes back bit for bit.",
		Needs: []Need{needFeature(sys.IORING_FEAT_EXT_ARG)}, // without it liburing uses all ones itself
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(8)
			for _, u := range []uint64{0, 1, 1<<32 - 1, 1 << 32, 1 << 63, 1<<64 - 1, 0x0123456789abcdef} {
				g.SQE(u).PrepNop()
			}
			g.SubmitReap(7)
		},
	}, {
		Name:  "nop_results",
		Doc:   "NOPs that give a result of choice, or look at a file or buffer first.",
		Needs: []Need{needInject},
		Modes: AllModes(),
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			nop := func(flags uint32, result, fd int32, buffer uint16) {
				do(func(s *sys.SQE) {
					s.PrepNop()
					s.OpFlags, s.Len, s.Fd, s.BufIndex = flags, uint32(result), fd, buffer
				})
			}
			fd, _ := r.Pipe()
			for _, result := range []int32{0, 1, 1<<31 - 1, -1, -125} {
				nop(sys.IORING_NOP_INJECT_RESULT, result, -1, 0)
			}
			nop(sys.IORING_NOP_INJECT_RESULT|sys.IORING_NOP_FILE, 3, int32(fd), 0)
			nop(sys.IORING_NOP_INJECT_RESULT|sys.IORING_NOP_FILE, 3, -1, 0)
			nop(sys.IORING_NOP_INJECT_RESULT|sys.IORING_NOP_FILE|sys.IORING_NOP_FIXED_FILE, 3, 0, 0)
			nop(sys.IORING_NOP_INJECT_RESULT|sys.IORING_NOP_FIXED_BUFFER, 3, -1, 0)
			g.RegisterFiles(fd)
			g.RegisterBuffers(r.Pages(4096))
			nop(sys.IORING_NOP_INJECT_RESULT|sys.IORING_NOP_FILE|sys.IORING_NOP_FIXED_FILE, 3, 0, 0)
			nop(sys.IORING_NOP_INJECT_RESULT|sys.IORING_NOP_FIXED_BUFFER, 3, -1, 0)
			nop(sys.IORING_NOP_INJECT_RESULT|sys.IORING_NOP_TW, 3, -1, 0)
			nop(1<<31, 0, -1, 0)
		},
	}, {
		Name:  "defer_peek",
		Doc:   "With DEFER_TASKRUN completions appear when asked for; with TASKRUN_FLAG Peek knows when to ask.",
		Modes: []Mode{Defer},
		Run: func(r *Run) {
			for _, more := range []sys.SetupFlags{0, sys.IORING_SETUP_TASKRUN_FLAG} {
				g := r.OpenWith(4, sys.Params{Flags: more})
				rd, wr := r.Pipe()
				g.SQE(1).PrepPollAdd(rd, pollIn)
				g.Submit()
				g.Note("task work", g.Status().TaskRun)
				r.Write(wr, "x")
				g.Note("task work", g.Status().TaskRun)
				g.Peek(1)
				g.SubmitWait(uring.Wait{})
				g.Note("task work", g.Status().TaskRun)
				g.Peek(1)
			}
		},
	}, {
		Name:  "iopoll",
		Doc:   "A polling ring completes by being asked; its requests must be able to poll.",
		Modes: []Mode{Plain, SQPoll},
		Needs: []Need{needSetup(sys.IORING_SETUP_IOPOLL)},
		Run: func(r *Run) {
			g := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_IOPOLL})
			for u := range uint64(3) {
				g.SQE(1 + u).PrepNop()
			}
			g.SubmitWait(uring.Wait{N: 3})
			g.Peek(2)
			g.Peek(2)
			g.Peek(2)
			rd, _ := r.Pipe()
			g.SQE(4).PrepPollAdd(rd, pollIn)
			g.SubmitReap(1)
			g.SQE(5).PrepRead(r.File("f", "content"), r.Bytes(8), 0)
			g.SubmitReap(1)
			g.SQE(6).PrepNop()
			g.SubmitWait(uring.Wait{N: 1})
			g.Peek(1)
		},
	}, {
		Name:  "disabled",
		Doc:   "A ring that is made disabled runs nothing until it is enabled.",
		Modes: []Mode{Plain, Coop, Defer, SQPoll},
		Needs: []Need{needSetup(sys.IORING_SETUP_R_DISABLED)},
		Run: func(r *Run) {
			g := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_R_DISABLED})
			g.SQE(1).PrepNop()
			if !g.sqpoll() {
				g.Submit()
				g.SubmitWait(uring.Wait{N: 1})
			}
			g.NoteQueues()
			g.Unregister(sys.IORING_REGISTER_ENABLE_RINGS)
			g.Reap(g.Submit())
			g.Unregister(sys.IORING_REGISTER_ENABLE_RINGS)
		},
	}, {
		Name:  "no_index_array",
		Doc:   "A ring without an index array, asked for by name.",
		Needs: []Need{needSetup(sys.IORING_SETUP_NO_SQARRAY)},
		Run: func(r *Run) {
			g := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_NO_SQARRAY})
			for round := range uint64(3) {
				for u := range uint64(3) {
					g.SQE(10*round + u).PrepNop()
				}
				g.SubmitReap(3)
			}
			g.Note("flag", g.Params().Flags&sys.IORING_SETUP_NO_SQARRAY != 0)
		},
	}, {
		Name: "attached",
		Doc:  "A ring that shares the workers, or the thread, of another.",
		Run: func(r *Run) {
			first := r.Open(4)
			g := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: uint32(first.Fd())})
			fd := r.File("f", "content")
			for i, ring := range []*Ring{first, g, first, g} {
				ring.SQE(uint64(1+i), async).PrepRead(fd, r.Bytes(16), 0)
				ring.SubmitReap(1)
			}
			rd, _ := r.Pipe()
			_, err := r.TryOpen(4, sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: uint32(rd)})
			r.Note("attach to a pipe", verdict(err))
			_, err = r.TryOpen(4, sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: 1 << 30})
			r.Note("attach to nothing", verdict(err))
		},
	}, {
		Name:  "rewind",
		Doc:   "With SQ_REWIND every Submit begins at the queue's first entry and empties it.",
		Modes: []Mode{Plain, Coop, Defer, SQE128, CQE32, RingFd},
		Needs: []Need{needSetup(sys.IORING_SETUP_SQ_REWIND)},
		Run: func(r *Run) {
			g := r.OpenWith(4, sys.Params{Flags: sys.IORING_SETUP_SQ_REWIND})
			for n := 1; n <= 4; n++ {
				for u := range uint64(n) {
					g.SQE(uint64(10*n) + u).PrepNop()
				}
				g.NoteQueues()
				g.SubmitReap(n)
				g.NoteQueues()
			}
			// What the kernel refuses to reach is dropped.
			g.SQE(1).PrepNop()
			g.SQE(2).Opcode = opNone
			g.SQE(3).PrepNop()
			g.SubmitReap(2)
			g.NoteQueues()
			g.SubmitWait(uring.Wait{})
			g.SQE(4).PrepNop()
			g.SubmitWait(uring.Wait{N: 1, Timeout: far})
			g.Reap(1)
		},
	}, {
		Name:  "large_entries",
		Doc:   "Entries of 128 bytes by the side of ones of 64, padded at the queue's end.",
		Modes: BaseModes(),
		Needs: []Need{needSetup(sys.IORING_SETUP_SQE_MIXED), needOp(sys.IORING_OP_NOP128)},
		Run: func(r *Run) {
			g := r.OpenWith(8, sys.Params{Flags: sys.IORING_SETUP_SQE_MIXED})
			for round := range uint64(5) {
				for u := range uint64(3) {
					g.SQE(10*round + u).PrepNop()
				}
				s := g.GetSQE128()
				g.Note("large entry", s != nil)
				if s == nil {
					break
				}
				s[0].PrepNop128()
				s[0].UserData = 10*round + 9
				g.NoteQueues()
				g.SubmitReap(4)
				g.Settle()
			}
		},
	}}
}

// needInject needs NOPs with a result of choice.
var needInject = needRequest("IORING_NOP_INJECT_RESULT", syscall.EINVAL, func(s *sys.SQE) {
	s.PrepNop()
	s.OpFlags = sys.IORING_NOP_INJECT_RESULT
})
