package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/scenario"
)

var recordCommand = &command{
	name:  "record",
	args:  "[PATTERN...]",
	short: "writes what the scenarios see, for diff to compare with another record",
	long: `Runs scenarios on one backend, this build's unless -backend names the other, and
writes what they see as lines of JSON: one for each scenario and ring mode, with
the backend, the kernel and the file system, and after it one for each call and
each completion. What is chance, such as the numbers of descriptors, is left out,
so that two records are equal if the backends and the kernels do the same.

"uring diff A B" compares two records: of a build with liburing and one without,
of two machines, or of two kernels.

Temporary files are made in TMPDIR; their file system is part of the record. A
PATTERN selects scenarios as that of diff does. With -json the lines are one
document. The exit status is 77 if a scenario came to no good end, or if the
backend is not in this build.`,
	flags: func(c *call) {
		c.set.StringVar(&c.modes, "mode", "", "run only in these ring `MODES`, such as plain,sqpoll")
		c.set.StringVar(&c.backend, "backend", uring.DefaultBackend, "record with this `BACKEND`: liburing or purego")
	},
	run: runRecord,
}

// recordReport is the JSON document.
type recordReport struct {
	Schema  int             `json:"schema"`
	Results []recordedTrace `json:"results"`
}

type recordedTrace struct {
	scenario.Trace
	Events []scenario.Event `json:"events"`
}

// options are what record and diff have in common.
func (c *call) options() scenario.Options {
	o := scenario.Options{Scenarios: c.args}
	if c.modes != "" {
		for m := range strings.SplitSeq(c.modes, ",") {
			o.Modes = append(o.Modes, scenario.Mode(m))
		}
	}
	return o
}

func runRecord(c *call) int {
	o := c.options()
	switch c.backend {
	case "liburing":
		o.A = scenario.Liburing()
	case "purego":
		o.A = scenario.Purego()
	default:
		return c.fail(fmt.Errorf("unknown backend %q; there are liburing and purego", c.backend))
	}
	if runtime.GOOS != "linux" {
		c.complain(fmt.Errorf("io_uring exists on Linux, not on %s", runtime.GOOS))
		return exitUntried
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return c.record(ctx, o)
}

// record runs what o says on its backend A.
func (c *call) record(ctx context.Context, o scenario.Options) int {
	status := exitOK
	doc := recordReport{1, []recordedTrace{}}
	err := scenario.RecordAll(ctx, o, func(t *scenario.Trace) error {
		if t.Failed != "" {
			c.complain(fmt.Errorf("%s, %s: %s", t.Scenario, t.Mode, t.Failed))
			status = exitUntried
		}
		if c.json {
			doc.Results = append(doc.Results, recordedTrace{*t, t.Events})
			return nil
		}
		_, err := t.WriteTo(c)
		return err
	})
	switch {
	case ctx.Err() != nil:
		c.complain(errors.New("interrupted"))
		return exitUntried
	case errors.Is(err, errors.ErrUnsupported):
		c.complain(err)
		return exitUntried
	case err != nil:
		return c.fail(err)
	}
	if c.json {
		c.document(doc)
	}
	return status
}
