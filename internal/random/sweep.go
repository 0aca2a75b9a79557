package random

// Many programs, of successive seeds.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uring-go/uring/internal/scenario"
)

// A Result is what became of the program of one seed.
type Result struct {
	Seed    uint64           `json:"seed"`
	Mode    scenario.Mode    `json:"mode"`
	Outcome scenario.Outcome `json:"outcome"`
	Reason  string           `json:"reason,omitempty"` // of a program that was skipped or could not be tried
	Diff    string           `json:"diff,omitempty"`
	// Source is the shortest program with the difference, in Go. It is the
	// program as it was if the difference did not show again: Again says in how
	// many of that many more runs it did.
	Source string `json:"source,omitempty"`
	Again  string `json:"again,omitempty"`
}

// enough differences end a sweep: one fault is found by many programs.
const enough = 10

// Sweep compares the programs of n seeds from first on, several at a time. It
// calls each with every result, never twice at once and in no certain order. It
// ends early with ctx, and with 10 differences; it returns how many programs had
// which outcome. With whole, the programs that differ are not shrunk.
func Sweep(ctx context.Context, first, n uint64, workers int, whole bool, a, b scenario.Backend, each func(Result)) map[scenario.Outcome]int {
	count := map[scenario.Outcome]int{}
	var (
		next atomic.Uint64
		mu   sync.Mutex
		all  sync.WaitGroup
		full atomic.Bool
	)
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil && !full.Load() {
				i := next.Add(1) - 1
				if i >= n {
					return
				}
				r := result(ctx, first+i, whole, a, b)
				if ctx.Err() != nil && r.Outcome != scenario.Different {
					return // it was cut short
				}
				mu.Lock()
				count[r.Outcome]++
				each(r)
				full.Store(count[scenario.Different] >= enough)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return count
}

// result compares the program of a seed.
func result(ctx context.Context, seed uint64, whole bool, a, b scenario.Backend) Result {
	p := Generate(seed)
	r := Result{Seed: seed, Mode: p.Mode}
	diff, err := Compare(ctx, p, a, b)
	switch {
	case errors.Is(err, ErrSkipped):
		r.Outcome, r.Reason = scenario.Skipped, err.Error()
	case err != nil:
		r.Outcome, r.Reason, r.Source = scenario.Untried, err.Error(), p.Source("untried")
	case diff == "":
		r.Outcome = scenario.Equal
	case whole:
		r.Outcome, r.Diff, r.Source = scenario.Different, diff, p.Source("found")
	default:
		r.Outcome, r.Diff = scenario.Different, diff
		const more = 3
		again := 0
		for range more {
			if d, err := compare(ctx, p, a, b, 2*time.Second); err == nil && d != "" {
				again++
			}
		}
		r.Again = fmt.Sprintf("%d of %d", again, more)
		if again > 0 {
			p = Shrink(ctx, p, a, b)
			if d, err := Compare(ctx, p, a, b); err == nil && d != "" {
				r.Diff = d
			}
		}
		r.Source = p.Source("found")
	}
	return r
}
