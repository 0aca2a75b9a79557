package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"

	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/liburing"
)

var diffCommand = &command{
	name:  "diff",
	args:  "[PATTERN... | A B]",
	short: "runs the same programs on both backends and compares what they see",
	long: `Runs scenarios, small programs over a ring, on both backends and compares every
return value and every completion. Prints one line for each, and the difference
between the two records, in the unified format, where there is one.

A PATTERN selects scenarios by name, with * and ? as in file names; "uring list
scenarios" has the names. Without one all run.

If A and B are files that "uring record" wrote, nothing is run: the two records are
compared. What one of two different kernels lacks is then a skip.

With -random programs are run that are made from numbers; "-random 1000 -seed 5"
takes 5 to 1004. A difference is printed with the shortest program that has it, as
Go source.

The exit status is 1 if there is a difference, and 77 if there is none but
something could not be tried, or nothing was compared: for example in a build
without liburing.`,
	flags: func(c *call) {
		c.set.StringVar(&c.modes, "mode", "", "run only in these ring `MODES`, such as plain,sqpoll")
		c.set.IntVar(&c.count, "count", 1, "run the scenarios `N` times: what differs now and then is a difference")
		c.set.BoolVar(&c.quiet, "q", false, "leave out scenarios that are equal or skipped, and progress")
		c.set.Uint64Var(&c.random, "random", 0, "run this many random programs, `N`, instead of scenarios")
		c.set.Uint64Var(&c.seed, "seed", 1, "the first random program's number, `S`")
		c.set.BoolVar(&c.whole, "whole", false, "print random programs as they are, not the shortest with the same difference")
	},
	run: runDiff,
}

// diffReport is the JSON document: the scenarios' report, and whose it is.
type diffReport struct {
	Schema int    `json:"schema"`
	Arch   string `json:"arch"`
	scenario.Report
}

// outcomeWords are the outcomes as they are printed.
var outcomeWords = map[scenario.Outcome]string{
	scenario.Equal:     "equal",
	scenario.Different: "different",
	scenario.Skipped:   "skipped",
	scenario.Untried:   "untried",
}

func runDiff(c *call) int {
	if c.count < 1 {
		return c.fail(fmt.Errorf("count %d: it must be at least 1", c.count))
	}
	o := c.options()
	if c.random > 0 && len(c.args)+len(c.modes) > 0 {
		return c.fail(errors.New("-random takes no scenarios, records or -mode"))
	}
	if recordFiles(c.args) {
		return c.compare(o)
	}
	switch {
	case runtime.GOOS != "linux":
		c.complain(fmt.Errorf("io_uring exists on Linux, not on %s", runtime.GOOS))
		return exitUntried
	case liburing.HeaderVersion() == "":
		c.complain(errors.New("there is one backend only: this program was built without cgo, so it has no liburing"))
		return exitUntried
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if c.random > 0 {
		return c.programs(ctx, scenario.Liburing(), scenario.Purego())
	}
	return c.diff(ctx, o)
}

// diff runs and compares as o says.
func (c *call) diff(ctx context.Context, o scenario.Options) int {
	if !c.json {
		width := 0
		for _, s := range scenario.List() {
			width = max(width, len(s.Name))
		}
		o.Each = func(r scenario.Result) { c.diffLine(r, width) }
	}
	var r scenario.Report
	var err error
	for i := range c.count {
		var again scenario.Report
		again, err = scenario.Diff(ctx, o)
		if err != nil && ctx.Err() == nil {
			return c.fail(err)
		}
		for outcome, n := range r.Count {
			again.Count[outcome] += n
		}
		again.Results = append(r.Results, again.Results...)
		r = again
		if err != nil {
			break
		}
		if c.count > 1 && !c.json {
			c.printf("run %d of %d: in all %s\n", i+1, c.count, counts(r.Count))
		}
	}
	if c.json {
		if r.Results == nil {
			r.Results = []scenario.Result{}
		}
		c.document(diffReport{1, runtime.GOARCH, r})
	} else {
		c.diffSummary(r)
	}
	if err != nil && r.Count[scenario.Different] == 0 {
		c.complain(errors.New("interrupted"))
		return exitUntried
	}
	return c.verdict(r.Count)
}

// verdict is the exit status of a comparison.
func (c *call) verdict(count map[scenario.Outcome]int) int {
	switch {
	case count[scenario.Different] > 0:
		return exitNo
	case count[scenario.Equal] == 0:
		c.complain(errors.New("nothing was compared"))
		return exitUntried
	case count[scenario.Untried] > 0:
		return exitUntried
	}
	return exitOK
}

func (c *call) diffLine(r scenario.Result, width int) {
	if c.quiet && (r.Outcome == scenario.Equal || r.Outcome == scenario.Skipped) {
		return
	}
	text := r.Reason
	if text == "" {
		text = fmt.Sprintf("%d events", r.Events)
	}
	word := fmt.Sprintf("%-9s", outcomeWords[r.Outcome])
	c.printf("%s  %-*s  %-9s  %s\n", c.word(word), width, r.Scenario, r.Mode, strings.ReplaceAll(text, "\n", "; "))
	if r.Diff != "" {
		c.printf("%s\n", strings.TrimRight(r.Diff, "\n"))
	}
}

func (c *call) diffSummary(r scenario.Report) {
	c.printf("%s: %s\n", backendNames(r), counts(r.Count))
}

// counts writes how many had which outcome.
func counts(count map[scenario.Outcome]int) string {
	var all []string
	for _, o := range []scenario.Outcome{scenario.Equal, scenario.Different, scenario.Skipped, scenario.Untried} {
		all = append(all, fmt.Sprintf("%d %s", count[o], outcomeWords[o]))
	}
	return strings.Join(all, ", ")
}

func backendNames(r scenario.Report) string {
	var names []string
	for _, b := range r.Backends {
		names = append(names, strings.TrimSpace(b.Name+" "+b.Version))
	}
	return strings.Join(names, " and ")
}
