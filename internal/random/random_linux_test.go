package random

import (
	"context"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/sys"
)

// backends are the two to compare; in a build without C it is one twice, which
// shows that programs repeat.
func backends() (a, b scenario.Backend) {
	b = scenario.Purego()
	if liburing.HeaderVersion() == "" {
		a = scenario.Purego()
		a.Name = "purego again"
		return a, b
	}
	return scenario.Liburing(), b
}

// check compares one program; it reports whether it was run.
func check(t *testing.T, seed uint64, a, b scenario.Backend) bool {
	t.Helper()
	p := Generate(seed)
	diff, err := Compare(t.Context(), p, a, b)
	switch {
	case errors.Is(err, ErrSkipped):
		return false
	case err != nil:
		t.Fatalf("seed %d: %v\n%#v", seed, err, p)
	case diff != "":
		t.Fatalf("seed %d:\n%s\n%s", seed, diff, Shrink(t.Context(), p, a, b).Source("found"))
	}
	return true
}

func TestSeeds(t *testing.T) {
	a, b := backends()
	n := uint64(300)
	if testing.Short() {
		n = 60
	}
	ran := 0
	for seed := range n {
		if check(t, seed, a, b) {
			ran++
		}
	}
	t.Logf("%d of %d programs compared", ran, n)
	if ran == 0 {
		t.Skip("the kernel or a backend has none of the modes")
	}
}

// A program gives the same record each time on one backend.
func TestProgramsRepeat(t *testing.T) {
	a, b := scenario.Purego(), scenario.Purego()
	b.Name = "purego again"
	for seed := range uint64(60) {
		check(t, 1000+seed, a, b)
	}
}

func FuzzPrograms(f *testing.F) {
	for _, seed := range []uint64{
		1,
		117, // drains on a ring that had a silent request, which the kernel refuses
		224, // polls on a ring with a drained request
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		a, b := backends()
		check(t, seed, a, b)
	})
}

// wrong is a backend with a planted fault.
type wrong struct {
	uring.Backend
	fault func([]sys.CQE) int
}

func (w *wrong) Peek(dst []sys.CQE) int {
	return w.fault(dst[:w.Backend.Peek(dst)])
}

// faulty is purego with a fault.
func faulty(fault func([]sys.CQE) int) scenario.Backend {
	b := scenario.Purego()
	b.Name = "wrong"
	open := b.Open
	b.Open = func(entries uint32, p *sys.Params) (uring.Backend, error) {
		r, err := open(entries, p)
		if err != nil {
			return nil, err
		}
		return &wrong{r, fault}, nil
	}
	return b
}

func TestFaultsAreFoundAndShrunk(t *testing.T) {
	for name, fault := range map[string]func([]sys.CQE) int{
		"swapped": func(got []sys.CQE) int {
			if len(got) > 1 && got[0].Res != got[1].Res && got[0].Flags == 0 && got[1].Flags == 0 {
				got[0].Res, got[1].Res = got[1].Res, got[0].Res
			}
			return len(got)
		},
		"another errno": func(got []sys.CQE) int {
			for i := range got {
				if got[i].Res == -125 {
					got[i].Res = -4
				}
			}
			return len(got)
		},
	} {
		t.Run(name, func(t *testing.T) {
			good, bad := scenario.Purego(), faulty(fault)
			for seed := range uint64(100) {
				p := Generate(seed)
				diff, err := compare(t.Context(), p, good, bad, 1e9)
				if errors.Is(err, ErrSkipped) || err == nil && diff == "" {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				small := Shrink(t.Context(), p, good, bad)
				requests := 0
				for _, s := range small.Steps {
					requests += len(s.Reqs)
				}
				if len(small.Steps) > 2 || requests > 4 {
					t.Errorf("seed %d is shrunk to %d steps with %d requests only:\n%#v", seed, len(small.Steps), requests, small)
				}
				if diff, err := Compare(t.Context(), small, good, bad); err != nil || diff == "" {
					t.Errorf("what it is shrunk to does not differ: %v", err)
				}
				t.Logf("seed %d: %s", seed, small.Source("found"))
				return
			}
			t.Error("no program finds the fault")
		})
	}
}

// A sweep gives every seed once, says what is different with the shortest program,
// and stops where there are enough.
func TestSweep(t *testing.T) {
	seen := map[uint64]int{}
	a, b := backends()
	count := Sweep(t.Context(), 100, 40, 2, false, a, b, func(r Result) {
		seen[r.Seed]++
		if r.Outcome == scenario.Different || r.Outcome == scenario.Untried {
			t.Errorf("seed %d: %s %s\n%s\n%s", r.Seed, r.Outcome, r.Reason, r.Diff, r.Source)
		}
	})
	if count[scenario.Equal]+count[scenario.Skipped] != 40 || len(seen) != 40 {
		t.Errorf("%v, and %d seeds of 40", count, len(seen))
	}
	if count[scenario.Equal] == 0 {
		t.Skip("the kernel or a backend has none of the modes")
	}
	var found []Result
	count = Sweep(t.Context(), 1, 1000, 2, false, scenario.Purego(), faulty(func(got []sys.CQE) int {
		for i := range got {
			got[i].UserData ^= 1 << 50
		}
		return len(got)
	}), func(r Result) {
		if r.Outcome == scenario.Different {
			found = append(found, r)
		}
	})
	if len(found) < enough || len(found) > enough+1 || count[scenario.Different] != len(found) {
		t.Fatalf("%d differences are told of, and %v counted, want %d", len(found), count, enough)
	}
	for _, r := range found {
		if !strings.Contains(r.Diff, "@@") || r.Again != "3 of 3" {
			t.Errorf("seed %d: %+v", r.Seed, r)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+r.Source, 0); err != nil {
			t.Errorf("seed %d: %v in\n%s", r.Seed, err, r.Source)
		}
	}
}

// Without a difference there is nothing to shrink.
func TestShrinkNothing(t *testing.T) {
	p := Generate(1)
	b := scenario.Purego()
	if got := Shrink(t.Context(), p, b, b); !cmp.Equal(p, got) {
		t.Error(cmp.Diff(p, got))
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Compare(ctx, Generate(1), scenario.Purego(), scenario.Purego()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}

// A program is data: the same from the same seed, and through JSON and Go.
func TestPrograms(t *testing.T) {
	for seed := range uint64(50) {
		p := Generate(seed)
		if d := cmp.Diff(p, Generate(seed)); d != "" {
			t.Fatal(d)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q Program
		if err := json.Unmarshal(text, &q); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(p, q); d != "" {
			t.Error(d)
		}
		if _, err := parser.ParseExpr(p.GoString()); err != nil {
			t.Errorf("%v in\n%#v", err, p)
		}
	}
}
