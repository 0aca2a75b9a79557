package random

import (
	"context"
	"encoding/json"
	"errors"
	"go/parser"
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
	n := uint64(100)
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
	f.Add(uint64(1))
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
			good, bad := scenario.Purego(), scenario.Purego()
			bad.Name = "wrong"
			open := bad.Open
			bad.Open = func(entries uint32, p *sys.Params) (uring.Backend, error) {
				r, err := open(entries, p)
				if err != nil {
					return nil, err
				}
				return &wrong{r, fault}, nil
			}
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
