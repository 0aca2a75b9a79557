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
	}}
}
