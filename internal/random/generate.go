package random

// The grammar: which programs there are, and how often.

import (
	"math/rand/v2"

	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/sys"
)

// ops are the operations of a batch.
var ops = []string{
	"nop", "nop", "inject", "bad_fd", "bad_op", "read", "read", "write", "write", "recv", "send", "select",
	"file_read", "file_write", "file_past", "read_fixed", "write_fixed", "fsync", "timeout", "link_timeout", "msg", "provide", "remove",
	"cancel", "poll_remove", "timeout_remove", "poll_ready", "wide",
}

// Generate writes a program. The same seed gives the same program.
func Generate(seed uint64) Program {
	r := rand.New(rand.NewPCG(seed, 0))
	modes := []scenario.Mode{
		scenario.Plain, scenario.Plain, scenario.Coop, scenario.Defer, scenario.Defer, scenario.SQPoll,
		scenario.SQE128, scenario.CQE32, scenario.CQEMixed, scenario.RingFd,
	}
	p := Program{Mode: pick(r, modes...), Entries: 4 << r.IntN(3), SubmitAll: r.IntN(6) == 0}
	if r.IntN(3) == 0 {
		p.CQEntries = p.Entries << r.IntN(3)
	}
	if r.IntN(2) == 0 {
		switch p.Mode {
		case scenario.Defer:
			p.Setup = sys.IORING_SETUP_TASKRUN_FLAG
		case scenario.SQE128:
			p.Setup = pick(r, sys.IORING_SETUP_CQE32, sys.IORING_SETUP_COOP_TASKRUN)
		case scenario.CQE32:
			p.Setup = sys.IORING_SETUP_COOP_TASKRUN
		}
	}
	p.RingFd = p.Mode == scenario.Defer && r.IntN(3) == 0
	for range 3 + r.IntN(12) {
		p.Steps = append(p.Steps, step(r, int(p.Entries)))
	}
	return p
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func step(r *rand.Rand, entries int) Step {
	s := Step{Slot: r.IntN(4)}
	if r.IntN(5) == 0 {
		s.Ring = 1
	}
	switch r.IntN(24) {
	default:
		s.Do, s.Slot, s.How = "batch", 0, pick(r, "", "", "wait", "pieces", "iterate", "deadline")
		drains := r.IntN(6) == 0
		for range 1 + r.IntN(entries) {
			q := request(r)
			q.Drain = drains && r.IntN(3) == 0
			s.Reqs = append(s.Reqs, q)
		}
	case 0:
		s.Do, s.Slot, s.N = "flood", 0, 1+r.IntN(4)
	case 1, 2, 3:
		s.Do, s.How, s.N = "arm", pick(r, "poll", "read", "guarded", "timeout"), r.IntN(4)
		if s.How == "timeout" {
			s.Slot = 4
		}
	case 4, 5, 6:
		s.Do, s.How, s.N = "trigger", pick(r, "", "", "ring"), 1+r.IntN(8)
	case 7, 8:
		s.Do, s.How, s.Slot = "cancel", pick(r, "", "all", "fd", "any", "sync", "remove", "missing"), r.IntN(5)
	case 9:
		s.Do, s.Slot, s.N = "multishot", r.IntN(2), 1+r.IntN(3)
	case 10:
		s.Do, s.Slot, s.How, s.N = "files", 0, pick(r, "", "", "unregister", "clear", "restore"), r.IntN(9)
	case 11:
		s.Do, s.Slot, s.How, s.N = "buffers", 0, pick(r, "", "", "unregister", "clear", "restore"), r.IntN(3)
	case 12:
		s.Do, s.Slot, s.How, s.N = "ring", 0, pick(r, "", "", "refill", "unregister"), 1+r.IntN(4)
	case 13:
		s.Do, s.Slot = "idle", 0
	case 14:
		s.Do, s.N = "stall", r.IntN(3)
	case 15:
		s.Do, s.How, s.N = "timer", pick(r, "count", "count", "update", "expire", "multishot", "apart"), 1+r.IntN(4)
		if s.How != "expire" {
			s.Slot = 0
		}
	case 16:
		s.Do, s.N = "stream", 1+r.IntN(6)
	}
	return s
}

func request(r *rand.Rand) Request {
	q := Request{Op: pick(r, ops...), Slot: r.IntN(4), N: 1 + r.IntN(24)}
	switch r.IntN(6) {
	case 0, 1:
		q.Link = true
	case 2:
		q.Hard = true
	}
	q.Async = r.IntN(10) == 0
	q.Silent = r.IntN(6) == 0
	q.Fixed = r.IntN(6) == 0
	return q
}
