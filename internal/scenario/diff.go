package scenario

// Comparing two backends.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// A Backend opens the rings of a run.
type Backend struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	// MayLack says that this backend may be older than the kernel, so that what
	// it does not know is no difference.
	MayLack bool `json:"-"`
	// Open makes a ring.
	Open func(entries uint32, p *sys.Params) (uring.Backend, error) `json:"-"`
}

// Purego returns the backend of package purego.
func Purego() Backend {
	return Backend{Name: "purego", Open: func(entries uint32, p *sys.Params) (uring.Backend, error) {
		r, err := purego.New(entries, p)
		if err != nil {
			return nil, err
		}
		return r, nil
	}}
}

// Liburing returns the backend of package liburing. In a build without cgo its
// rings cannot be opened.
func Liburing() Backend {
	return Backend{Name: "liburing", Version: liburing.Version(), MayLack: true, Open: func(entries uint32, p *sys.Params) (uring.Backend, error) {
		r, err := liburing.New(entries, p)
		if err != nil {
			return nil, err
		}
		return r, nil
	}}
}

// absent tells why a backend is not in this build; nil if it is, whatever else
// may prevent its rings.
func (b Backend) absent() error {
	r, err := b.Open(1, &sys.Params{})
	switch {
	case err == nil:
		r.Close()
	case lacks(err):
		return err
	}
	return nil
}

// Options say what to run, and how. The zero value runs everything.
type Options struct {
	// Scenarios selects by name; each is a pattern as path.Match takes it. Empty:
	// all.
	Scenarios []string
	// Modes selects among the modes of each scenario. Empty: all of them.
	Modes []Mode
	// A and B are the backends to compare; without an Open they are liburing and
	// purego.
	A, B Backend
	// Patience is how long a wait for a completion lasts before the scenario is
	// given up. Zero: 20 seconds.
	Patience time.Duration
	// Dir is where temporary directories are made. Empty: the system's place.
	Dir string
	// Each, if not nil, is called with every result as soon as it is there.
	Each func(Result)
}

// An Outcome is what a comparison came to.
type Outcome string

// The outcomes. Untried is a scenario that could not be run, through no fault
// that can be told from the kernel's or the backend's: no memory, no
// permission, a hang of both.
const (
	Equal     Outcome = "equal"
	Different Outcome = "different"
	Skipped   Outcome = "skipped"
	Untried   Outcome = "could not be tried"
)

// A Result is the comparison of one scenario in one mode.
type Result struct {
	Scenario string  `json:"scenario"`
	Mode     Mode    `json:"mode"`
	Outcome  Outcome `json:"outcome"`
	// Reason says why a scenario was skipped or could not be tried.
	Reason string `json:"reason,omitempty"`
	// Diff is the difference between the traces, as lines of JSON in the unified
	// format.
	Diff string `json:"diff,omitempty"`
	// Events is the number of events that were compared.
	Events int `json:"events"`
}

// A Report is the comparison of two backends on this machine.
type Report struct {
	Kernel     string          `json:"kernel"`
	FileSystem string          `json:"filesystem"`
	Backends   [2]Backend      `json:"backends"`
	Count      map[Outcome]int `json:"count"`
	Results    []Result        `json:"results"`
}

// Diff runs the scenarios on both backends and compares their traces. Its error
// says that the options select nothing or that ctx ended; the report is then of
// what was done until then.
func Diff(ctx context.Context, o Options) (Report, error) {
	a, b := o.A, o.B
	if a.Open == nil {
		a = Liburing()
	}
	if b.Open == nil {
		b = Purego()
	}
	rep := Report{Kernel: kernelRelease(), FileSystem: fileSystem(o.dir()), Backends: [2]Backend{a, b}, Count: map[Outcome]int{}}
	list, err := o.selected()
	if err != nil {
		return rep, err
	}
	absent := errors.Join(a.absent(), b.absent())
	for _, s := range list {
		for _, m := range s.Modes {
			if err := ctx.Err(); err != nil {
				return rep, context.Cause(ctx)
			}
			res := Result{Scenario: s.Name, Mode: m}
			if absent != nil {
				res.Outcome, res.Reason = Skipped, absent.Error()
			} else {
				ta, tb := Record(ctx, s, m, a, o), Record(ctx, s, m, b, o)
				if ctx.Err() != nil {
					return rep, context.Cause(ctx)
				}
				res = Compare(&ta, &tb, a, b)
			}
			rep.Count[res.Outcome]++
			rep.Results = append(rep.Results, res)
			if o.Each != nil {
				o.Each(res)
			}
		}
	}
	return rep, nil
}

// selected returns the scenarios that the options choose, each with its modes.
func (o *Options) selected() ([]Scenario, error) {
	for _, p := range o.Scenarios {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("scenario pattern %q: %w", p, err)
		}
	}
	for _, m := range o.Modes {
		if !slices.Contains(AllModes(), m) {
			return nil, fmt.Errorf("unknown ring mode %q; there are %v", m, AllModes())
		}
	}
	var list []Scenario
	for _, s := range List() {
		matches := func(p string) bool { ok, _ := path.Match(p, s.Name); return ok }
		if len(o.Scenarios) > 0 && !slices.ContainsFunc(o.Scenarios, matches) {
			continue
		}
		if len(o.Modes) > 0 {
			s.Modes = slices.DeleteFunc(slices.Clone(s.Modes), func(m Mode) bool { return !slices.Contains(o.Modes, m) })
		}
		if len(s.Modes) > 0 {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no scenario matches %q in modes %v", o.Scenarios, o.Modes)
	}
	return list, nil
}

// Compare compares two traces of one scenario in one mode, event by event. What
// one of two kernels lacks is no difference between the backends.
func Compare(ta, tb *Trace, a, b Backend) Result {
	res := Result{Scenario: ta.Scenario, Mode: ta.Mode, Events: len(ta.Events)}
	switch other := ta.Kernel != tb.Kernel; {
	case other && ta.Skipped != tb.Skipped:
		res.Outcome = Skipped
		if res.Reason = a.Name + ": " + ta.Skipped; ta.Skipped == "" {
			res.Reason = b.Name + ": " + tb.Skipped
		}
		return res
	case ta.Skipped != "" && ta.Skipped == tb.Skipped:
		res.Outcome, res.Reason = Skipped, ta.Skipped
		return res
	case ta.Lacks != "" && (a.MayLack || tb.Lacks != ""):
		res.Outcome, res.Reason = Skipped, ta.Lacks
		return res
	case tb.Lacks != "" && b.MayLack:
		res.Outcome, res.Reason = Skipped, tb.Lacks
		return res
	}
	res.Diff = Unified(a.Name, b.Name, ta.Lines(), tb.Lines())
	switch {
	case res.Diff != "":
		res.Outcome = Different
	case ta.Failed != "":
		res.Outcome, res.Reason = Untried, ta.Failed
	default:
		res.Outcome = Equal
	}
	return res
}

func (o *Options) dir() string {
	if o.Dir != "" {
		return o.Dir
	}
	return os.TempDir()
}
