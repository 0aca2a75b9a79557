package scenario

// Recording with one backend, and comparing what was recorded: by two builds, on
// two machines, or under two kernels.

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// RecordAll runs the scenarios that the options choose on backend A, and calls
// each with every trace. Its error says that the options select nothing, that
// each failed, or that ctx ended.
func RecordAll(ctx context.Context, o Options, each func(*Trace) error) error {
	list, err := o.selected()
	if err != nil {
		return err
	}
	if err := o.A.absent(); err != nil {
		return err
	}
	for _, s := range list {
		for _, m := range s.Modes {
			t := Record(ctx, s, m, o.A, o)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := each(&t); err != nil {
				return err
			}
		}
	}
	return nil
}

// A Recording is a file of traces.
type Recording struct {
	Name   string
	Traces []Trace
}

// key is what two recordings have in common of a trace.
type key struct {
	scenario string
	mode     Mode
}

func (r *Recording) index() (map[key]*Trace, error) {
	m := map[key]*Trace{}
	for i := range r.Traces {
		t := &r.Traces[i]
		k := key{t.Scenario, t.Mode}
		if m[k] != nil {
			return nil, fmt.Errorf("%s: scenario %s in mode %s is in it twice", r.Name, t.Scenario, t.Mode)
		}
		m[k] = t
	}
	return m, nil
}

// backend stands for the recorder of a trace in a comparison.
func (r *Recording) backend(t *Trace) Backend {
	return Backend{Name: r.Name, MayLack: t.Backend == Liburing().Name}
}

// CompareRecordings compares two recordings trace by trace, in the order of the
// first. A trace that only one of them has is a difference: the other was made by
// another version of this program, or of a part of the scenarios only.
func CompareRecordings(a, b *Recording, o Options) ([]Result, error) {
	inA, errA := a.index()
	inB, errB := b.index()
	if err := errors.Join(errA, errB); err != nil {
		return nil, err
	}
	var results []Result
	add := func(r Result) {
		results = append(results, r)
		if o.Each != nil {
			o.Each(r)
		}
	}
	chosen := func(t *Trace) bool { return len(o.Modes) == 0 || slices.Contains(o.Modes, t.Mode) }
	alone := func(t *Trace, r *Recording) {
		add(Result{Scenario: t.Scenario, Mode: t.Mode, Outcome: Different, Events: len(t.Events), Reason: "only in " + r.Name})
	}
	for i := range a.Traces {
		ta := &a.Traces[i]
		tb := inB[key{ta.Scenario, ta.Mode}]
		switch {
		case !chosen(ta):
		case tb == nil:
			alone(ta, a)
		default:
			add(Compare(ta, tb, a.backend(ta), b.backend(tb)))
		}
	}
	for i := range b.Traces {
		if tb := &b.Traces[i]; chosen(tb) && inA[key{tb.Scenario, tb.Mode}] == nil {
			alone(tb, b)
		}
	}
	return results, nil
}
