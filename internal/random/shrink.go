package random

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uring-go/uring/internal/scenario"
)

// ErrSkipped says that the kernel or a backend lacks what a program needs.
var ErrSkipped = errors.New("skipped")

// Compare runs a program on both backends. It returns the difference in the
// unified format, "" if there is none. Its error says that the program could not
// be compared; it is ErrSkipped if the kernel or a backend lacks something.
func Compare(ctx context.Context, p Program, a, b scenario.Backend) (diff string, err error) {
	return compare(ctx, p, a, b, 10*time.Second)
}

func compare(ctx context.Context, p Program, a, b scenario.Backend, patience time.Duration) (string, error) {
	s, o := p.Scenario("random"), scenario.Options{Patience: patience}
	ta, tb := scenario.Record(ctx, s, p.Mode, a, o), scenario.Record(ctx, s, p.Mode, b, o)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	res := scenario.Compare(&ta, &tb, a, b)
	switch res.Outcome {
	case scenario.Skipped:
		return "", fmt.Errorf("%w: %s", ErrSkipped, res.Reason)
	case scenario.Untried:
		return "", errors.New(res.Reason)
	}
	return res.Diff, nil
}

// Shrink returns the shortest program it finds that still differs: it leaves out
// steps, then requests, then flags, as long as there is a difference. If the
// program does not differ, or only for want of time, it comes back as it was.
func Shrink(ctx context.Context, p Program, a, b scenario.Backend) Program {
	differs := func(p Program, patience time.Duration) bool {
		diff, err := compare(ctx, p, a, b, patience)
		return err == nil && diff != ""
	}
	small := shrink(p, func(p Program) bool { return ctx.Err() == nil && differs(p, time.Second) })
	if !differs(small, 10*time.Second) {
		return p
	}
	return small
}

// shrink makes a program smaller as long as bad says that it is bad.
func shrink(p Program, bad func(Program) bool) Program {
	for changed := true; changed; {
		changed = false
		try := func(q Program) bool {
			if bad(q) {
				p, changed = q, true
				return true
			}
			return false
		}
		reduce(p.Steps, func(steps []Step) bool {
			q := p
			q.Steps = steps
			return try(q)
		})
		for i := range p.Steps {
			reduce(p.Steps[i].Reqs, func(reqs []Request) bool {
				return try(p.with(i, func(s *Step) { s.Reqs = reqs }))
			})
			if p.Steps[i].Ring != 0 {
				try(p.with(i, func(s *Step) { s.Ring = 0 }))
			}
			for j := range p.Steps[i].Reqs {
				for _, simpler := range simplify(p.Steps[i].Reqs[j]) {
					try(p.with(i, func(s *Step) { s.Reqs[j] = simpler }))
				}
			}
		}
		for _, plainer := range []func(*Program){
			func(q *Program) { q.Mode, q.Setup, q.RingFd = scenario.Plain, 0, false },
			func(q *Program) { q.Setup = 0 },
			func(q *Program) { q.CQEntries = 0 },
			func(q *Program) { q.SubmitAll = false },
			func(q *Program) { q.RingFd = false },
		} {
			q := p
			if plainer(&q); q.Mode != p.Mode || q.Setup != p.Setup || q.CQEntries != p.CQEntries || q.SubmitAll != p.SubmitAll || q.RingFd != p.RingFd {
				try(q)
			}
		}
	}
	return p
}

// simplify returns a request with one of its flags fewer each.
func simplify(r Request) []Request {
	var all []Request
	for _, flag := range []func(*Request) *bool{
		func(r *Request) *bool { return &r.Link },
		func(r *Request) *bool { return &r.Hard },
		func(r *Request) *bool { return &r.Async },
		func(r *Request) *bool { return &r.Silent },
		func(r *Request) *bool { return &r.Drain },
		func(r *Request) *bool { return &r.Fixed },
	} {
		if s := r; *flag(&s) {
			*flag(&s) = false
			all = append(all, s)
		}
	}
	return all
}

// with returns a program in which one step is changed; p stays as it is.
func (p Program) with(i int, change func(*Step)) Program {
	p.Steps = slices.Clone(p.Steps)
	p.Steps[i].Reqs = slices.Clone(p.Steps[i].Reqs)
	change(&p.Steps[i])
	return p
}

// reduce leaves out parts of a list, halves first and single elements last, as
// long as try accepts what is left.
func reduce[T any](list []T, try func([]T) bool) {
	for size := (len(list) + 1) / 2; size > 0; size /= 2 {
		for at := 0; at < len(list); {
			rest := slices.Concat(list[:at], list[min(at+size, len(list)):])
			if try(rest) {
				list = rest
			} else {
				at += size
			}
		}
	}
}
