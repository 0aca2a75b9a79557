package main

// "uring diff -random": programs that nobody wrote.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/uring-go/uring/internal/random"
	"github.com/uring-go/uring/internal/scenario"
)

// randomReport is its JSON document. Results has the programs that are different
// or could not be tried.
type randomReport struct {
	Schema   int                      `json:"schema"`
	Arch     string                   `json:"arch"`
	Seed     uint64                   `json:"seed"`
	Programs uint64                   `json:"programs"`
	Count    map[scenario.Outcome]int `json:"count"`
	Results  []random.Result          `json:"results"`
}

// programs compares c.random programs from c.seed on.
func (c *call) programs(ctx context.Context, a, b scenario.Backend) int {
	rep := randomReport{Schema: 1, Arch: runtime.GOARCH, Seed: c.seed, Programs: c.random, Results: []random.Result{}}
	done, told := uint64(0), time.Now()
	rep.Count = random.Sweep(ctx, c.seed, c.random, runtime.GOMAXPROCS(0), c.whole, a, b, func(r random.Result) {
		done++
		if r.Outcome == scenario.Different || r.Outcome == scenario.Untried {
			rep.Results = append(rep.Results, r)
			if !c.json {
				c.programLine(r)
			}
		}
		if !c.json && !c.quiet && time.Since(told) > 5*time.Second {
			told = time.Now()
			c.printf("%d of %d programs\n", done, c.random)
		}
	})
	if c.json {
		c.document(rep)
	} else {
		c.printf("%s and %s, programs from seed %d on: %s\n", strings.TrimSpace(a.Name+" "+a.Version), b.Name, c.seed, counts(rep.Count))
	}
	switch {
	case rep.Count[scenario.Different] > 0:
		return exitNo
	case ctx.Err() != nil:
		c.complain(errors.New("interrupted"))
		return exitUntried
	case rep.Count[scenario.Equal] == 0:
		c.complain(errors.New("nothing was compared"))
		return exitUntried
	case rep.Count[scenario.Untried] > 0:
		return exitUntried
	}
	return exitOK
}

func (c *call) programLine(r random.Result) {
	text := strings.ReplaceAll(r.Reason, "\n", "; ")
	if r.Again != "" {
		text = "again in " + r.Again + " runs"
	}
	c.printf("%s  seed %d  %s  %s\n", c.word(fmt.Sprintf("%-9s", outcomeWords[r.Outcome])), r.Seed, r.Mode, text)
	if r.Diff != "" {
		c.printf("%s\n", strings.TrimRight(r.Diff, "\n"))
	}
	c.printf("%s\n", r.Source)
}
