package scenario

// Links, drains, and requests that post no completion.

import (
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

func chainScenarios() []Scenario {
	return []Scenario{{
		Name: "link_fail",
		Doc:  "When the head of a chain fails, the rest of it is cancelled and the next request is not.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, link).PrepRead(-1, r.Bytes(8), 0)
			g.SQE(2, link).PrepNop()
			g.SQE(3).PrepNop()
			g.SQE(4).PrepNop()
			g.SubmitReap(4)
		},
	}, {
		Name: "link_short",
		Doc:  "A short read breaks a chain.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			r.Write(wr, "ten bytes.")
			g.SQE(1, link).PrepRead(rd, r.Bytes(32), 0)
			g.SQE(2).PrepNop()
			g.SubmitReap(2)
		},
	}, {
		Name: "hardlink",
		Doc:  "A hard link survives a failure.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, hardlink).PrepRead(-1, r.Bytes(8), 0)
			g.SQE(2, hardlink).PrepNop()
			g.SQE(3).PrepNop()
			g.SubmitReap(3)
		},
	}, {
		Name:  "drain",
		Doc:   "A drained request waits for all before it and holds up all behind it.",
		Needs: []Need{needFeature(sys.IORING_FEAT_EXT_ARG)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			g.SQE(1).PrepRead(rd, r.Bytes(8), 0)
			g.SQE(2).PrepNop()
			g.SQE(3, drain).PrepNop()
			g.SQE(4).PrepNop()
			g.SubmitReap(1)
			g.Wait(uring.Wait{N: 1, Timeout: brief})
			r.Write(wr, "now")
			g.Reap(3)
		},
	}, {
		Name: "link_timeout_fires",
		Doc:  "A linked timeout cancels the request before it.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.SQE(1, link).PrepPollAdd(rd, pollIn)
			g.SQE(2).PrepLinkTimeout(r.Time(20*time.Millisecond), 0)
			g.SubmitReap(2)
		},
	}, {
		Name: "link_timeout_unneeded",
		Doc:  "A linked timeout is cancelled when the request before it completes.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			r.Write(wr, "x")
			g.SQE(1, link).PrepRead(rd, r.Bytes(1), 0)
			g.SQE(2).PrepLinkTimeout(r.Time(far), 0)
			g.SubmitReap(2)
		},
	}, {
		Name: "link_timeout_chain",
		Doc:  "A linked timeout that fires ends the chain behind it too.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.SQE(1, link).PrepPollAdd(rd, pollIn)
			g.SQE(2, link).PrepLinkTimeout(r.Time(20*time.Millisecond), 0)
			g.SQE(3).PrepNop()
			g.SubmitReap(3)
		},
	}, {
		Name:  "cqe_skip",
		Doc:   "CQE_SKIP_SUCCESS leaves out the completions of what succeeds, and of what a failed request with it cancels.",
		Needs: []Need{needFeature(sys.IORING_FEAT_CQE_SKIP)},
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, link, skipCQE).PrepNop()
			g.SQE(2, link, skipCQE).PrepNop()
			g.SQE(3).PrepNop()
			g.SubmitReap(1)
			g.SQE(11, link, skipCQE).PrepNop()
			g.SQE(12, link, skipCQE).PrepRead(-1, r.Bytes(8), 0)
			g.SQE(13, link, skipCQE).PrepNop()
			g.SQE(14).PrepNop()
			g.SubmitReap(1)
			// Nothing else may come before this.
			g.SQE(20).PrepNop()
			g.SubmitReap(1)
		},
	}, {
		Name:  "drain_after_skip",
		Doc:   "On a ring that had a silent request, the kernel refuses to drain, and stops there.",
		Needs: []Need{needFeature(sys.IORING_FEAT_CQE_SKIP)},
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, skipCQE).PrepNop()
			g.SQE(2, drain).PrepNop()
			g.SQE(3).PrepNop()
			g.SubmitReap(2)
			g.SQE(4, link).PrepNop()
			g.SQE(5, drain).PrepNop()
			g.SQE(6).PrepNop()
			g.SubmitAll()
			g.ReapAny(3)
			g.NoteQueues()
		},
	}, {
		Name: "link_long",
		Doc:  "A chain as long as the queue, and one that fails in its middle.",
		Run: func(r *Run) {
			g := r.Open(16)
			for u := range uint64(15) {
				g.SQE(1+u, link).PrepNop()
			}
			g.SQE(16).PrepNop()
			g.SubmitReap(16)
			for u := range uint64(15) {
				if u == 7 {
					g.SQE(1+u, link).PrepRead(-1, r.Bytes(1), 0)
				} else {
					g.SQE(1+u, link).PrepNop()
				}
			}
			g.SQE(16).PrepNop()
			g.SubmitReap(16)
		},
	}, {
		Name: "link_ends_with_submit",
		Doc:  "A Submit ends a chain, even behind an entry that is linked.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, link).PrepRead(-1, r.Bytes(1), 0)
			g.Submit()
			// Under SQPOLL the thread may not have looked yet.
			g.Settle()
			g.SQE(2).PrepNop()
			g.Submit()
			// The kernel gives a chain that ends this way to a worker thread.
			g.ReapAny(2)
		},
	}, {
		Name: "link_and_hardlink",
		Doc:  "A failure passes a hard link and stops at the next soft one.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, hardlink).PrepRead(-1, r.Bytes(1), 0)
			g.SQE(2, link).PrepRead(-1, r.Bytes(1), 0)
			g.SQE(3, hardlink).PrepNop()
			g.SQE(4).PrepNop()
			g.SubmitReap(4)
		},
	}, {
		Name: "link_bad_entry",
		Doc:  "An entry that the kernel refuses cancels the chain that it is in.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, link).PrepNop()
			g.SQE(2, link).Opcode = opNone
			g.SQE(3).PrepNop()
			g.SQE(4).PrepNop()
			g.SubmitReap(4)
		},
	}, {
		Name: "link_async",
		Doc:  "A chain whose members go to worker threads runs in order.",
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.File("f", "")
			buf := r.Bytes(8)
			g.SQE(1, link, async).PrepWrite(fd, r.Text("async"), 0)
			g.SQE(2, link, async).PrepRead(fd, buf[:5], 0)
			g.SQE(3, link).PrepWrite(fd, buf[:5], 5)
			g.SQE(4, async).PrepNop()
			g.SubmitReap(4)
			r.Note("file", r.Content(fd))
		},
	}, {
		Name: "copy_chain",
		Doc:  "A file copied piece by piece with linked reads and writes, submitted at once.",
		Run: func(r *Run) {
			g := r.Open(16)
			text := "the quick brown fox jumps over the lazy dog"
			from, to := r.File("from", text), r.File("to", "")
			u := uint64(0)
			for at := 0; at < len(text); at += 8 {
				n := min(8, len(text)-at)
				buf := r.Bytes(n)
				g.SQE(u+1, link).PrepRead(from, buf, uint64(at))
				s := g.SQE(u + 2)
				if at+n < len(text) {
					s.Flags |= link
				}
				s.PrepWrite(to, buf, uint64(at))
				u += 2
			}
			g.SubmitReap(int(u))
			r.Note("same", r.Content(to) == text)
		},
	}, {
		Name: "drain_chain",
		Doc:  "A chain whose head is drained waits as a whole.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			g.SQE(1).PrepRead(rd, r.Bytes(8), 0)
			g.SQE(2, drain, link).PrepNop()
			g.SQE(3).PrepNop()
			g.SQE(4).PrepNop()
			g.Submit()
			g.Settle()
			g.Peek(4)
			r.Write(wr, "now")
			g.Reap(4)
		},
	}, {
		Name: "drain_twice",
		Doc:  "Two drained requests run one after the other.",
		Run: func(r *Run) {
			g := r.Open(8)
			a, toA := r.Pipe()
			b, toB := r.Pipe()
			g.SQE(1).PrepRead(a, r.Bytes(8), 0)
			g.SQE(2, drain).PrepRead(b, r.Bytes(8), 0)
			g.SQE(3, drain).PrepNop()
			g.SQE(4).PrepNop()
			g.Submit()
			g.Settle()
			r.Write(toB, "early")
			g.Peek(4)
			r.Write(toA, "late")
			g.Reap(4)
		},
	}, {
		Name:  "cqe_skip_failure",
		Doc:   "CQE_SKIP_SUCCESS hides no failure, is not for drained requests, and leaves a multishot alone.",
		Needs: []Need{needFeature(sys.IORING_FEAT_CQE_SKIP)},
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, skipCQE).PrepRead(-1, r.Bytes(1), 0)
			g.SubmitReap(1)
			g.SQE(2, skipCQE).PrepNop()
			g.SQE(3).PrepNop()
			g.SubmitReap(1)
			// A short read is a failure.
			g.SQE(4, skipCQE).PrepRead(r.File("f", "ten bytes."), r.Bytes(32), 0)
			g.SQE(5).PrepNop()
			g.SubmitAll()
			g.ReapAny(2)
			rd, _ := r.Pipe()
			g.SQE(6, skipCQE).PrepPollMultishot(rd, pollIn)
			g.SubmitReap(1)
			g.SQE(7, skipCQE, drain).PrepNop()
			g.SubmitReap(1)
		},
	}, {
		Name: "link_timeout_misplaced",
		Doc:  "A linked timeout needs a request before it that it can limit.",
		Run: func(r *Run) {
			g := r.Open(8)
			ts := r.Time(far)
			g.SQE(1).PrepLinkTimeout(ts, 0)
			g.SubmitReap(1)
			g.SQE(2).PrepNop()
			g.SQE(3).PrepLinkTimeout(ts, 0)
			g.SubmitAll()
			g.ReapAny(2)
			g.SQE(4, link).PrepNop()
			g.SQE(5).PrepLinkTimeout(ts, 0)
			g.SubmitReap(2)
			rd, _ := r.Pipe()
			g.SQE(6, link).PrepPollAdd(rd, pollIn)
			g.SQE(7, link).PrepLinkTimeout(ts, 0)
			g.SQE(8).PrepLinkTimeout(ts, 0)
			g.SubmitAll()
			// It may stay armed, with a timeout that does not come.
			g.SQE(9).PrepPollRemove(6)
			g.SubmitAll()
			g.ReapAny(4)
		},
	}, {
		Name:  "link_timeout_update",
		Doc:   "A linked timeout is given another time, and then fires.",
		Needs: []Need{needTimeoutUpdate},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, _ := r.Pipe()
			g.SQE(1, link).PrepPollAdd(rd, pollIn)
			g.SQE(2).PrepLinkTimeout(r.Time(far), 0)
			g.Submit()
			g.SQE(3).PrepTimeoutUpdate(r.Time(soon), 2, 0)
			g.SubmitReap(1)
			g.SQE(4).PrepTimeoutUpdate(r.Time(soon), 2, sys.IORING_LINK_TIMEOUT_UPDATE)
			g.SubmitReap(3)
		},
	}}
}
