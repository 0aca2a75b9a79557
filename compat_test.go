package uring_test

// The front door of the differential suite: every scenario in every ring mode on
// both backends, whose traces must be equal as whole values, and equal to what
// liburing did under this kernel if that is on record. The scenarios are in
// internal/scenario, the records in internal/golden.

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/uring-go/uring/internal/golden"
	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/sys"
)

func TestCompat(t *testing.T) {
	a, b := scenario.Liburing(), scenario.Purego()
	oneBackend := false
	for _, backend := range []scenario.Backend{a, b} {
		r, err := backend.Open(1, &sys.Params{})
		if err != nil {
			if errors.Is(err, errors.ErrUnsupported) && backend.Name == a.Name && liburing.HeaderVersion() == "" {
				oneBackend = true
				continue
			}
			t.Fatalf("%s: %v", backend.Name, err)
		}
		r.Close()
	}
	g := newGoldenCheck(t, b)
	switch {
	case !oneBackend:
		t.Logf("liburing %s", a.Version)
	case !g.asserted && testing.Short():
		t.Skip("this build has no liburing, and there is no record of what it does under this kernel")
	}
	for _, s := range scenario.List() {
		t.Run(s.Name, func(t *testing.T) {
			for _, m := range s.Modes {
				t.Run(string(m), func(t *testing.T) {
					if oneBackend {
						g.alone(t, s, m, b)
					} else {
						compare(t, s, m, a, b, g)
					}
				})
			}
		})
	}
	g.report(t)
}

// A goldenCheck holds what a backend sees against what liburing saw, then and
// there: strictly if the kernel and the file system are those of a record. Elsewhere
// it reports how far the nearest record agrees, which is no failure: kernels
// differ.
type goldenCheck struct {
	set      *golden.Set
	kernel   golden.Kernel
	asserted bool

	equal, different, unrecorded int
}

func newGoldenCheck(t *testing.T, b scenario.Backend) *goldenCheck {
	set, err := golden.Committed()
	if err != nil {
		t.Fatal(err)
	}
	// Any trace will do: it is about where it was made.
	here := scenario.Record(t.Context(), scenario.List()[0], scenario.Plain, b, scenario.Options{Dir: t.TempDir()})
	g := &goldenCheck{set: set}
	if g.kernel, g.asserted = set.Find(&here); !g.asserted {
		g.kernel = set.Nearest(&here)
		t.Logf("no record of liburing under %s (%s, %s): both backends are compared live, if both are in this build; the nearest record is of %v",
			here.Kernel, here.Arch, here.FileSystem, g.kernel)
	}
	return g
}

func (g *goldenCheck) compare(t *testing.T, tr *scenario.Trace) {
	diff, ok := g.set.Compare(tr, g.kernel)
	switch {
	case !ok:
		g.unrecorded++
	case diff == "":
		g.equal++
	default:
		g.different++
		if g.asserted {
			t.Errorf("not what liburing did under this kernel:\n%s", diff)
		}
	}
}

// alone is compare for a build without C.
func (g *goldenCheck) alone(t *testing.T, s scenario.Scenario, m scenario.Mode, b scenario.Backend) {
	tr := scenario.Record(t.Context(), s, m, b, scenario.Options{Dir: t.TempDir()})
	g.compare(t, &tr)
	if tr.Failed != "" {
		t.Errorf("%s came to no good end: %s\n%s", tr.Backend, tr.Failed, strings.Join(tr.Lines(), "\n"))
	}
	if tr.Skipped != "" {
		t.Skip(tr.Skipped)
	}
}

func (g *goldenCheck) report(t *testing.T) {
	t.Logf("against the record of %v: %d equal, %d different, %d not recorded", g.kernel, g.equal, g.different, g.unrecorded)
}

// compare runs one scenario in one mode on both backends.
func compare(t *testing.T, s scenario.Scenario, m scenario.Mode, a, b scenario.Backend, g *goldenCheck) {
	// Record gives up a scenario that hangs and says where; this is for a hang of
	// Record itself, and names the scenario.
	watchdog := time.AfterFunc(3*time.Minute, func() {
		panic("scenario " + s.Name + " in mode " + string(m) + " hangs")
	})
	defer watchdog.Stop()
	o := scenario.Options{Dir: t.TempDir()}
	ta := scenario.Record(t.Context(), s, m, a, o)
	tb := scenario.Record(t.Context(), s, m, b, o)
	if diff := cmp.Diff(ta, tb, cmpopts.IgnoreFields(scenario.Trace{}, "Backend", "Version")); diff != "" && ta.Lacks == "" {
		t.Errorf("the traces of %s (-) and %s (+) differ:\n%s", a.Name, b.Name, diff)
	}
	g.compare(t, &tb)
	for _, tr := range []scenario.Trace{ta, tb} {
		switch {
		case tr.Failed != "":
			t.Errorf("%s came to no good end: %s\n%s", tr.Backend, tr.Failed, strings.Join(tr.Lines(), "\n"))
		case tr.Skipped != "":
			t.Skip(tr.Skipped)
		case tr.Lacks != "" && tr.Backend == a.Name:
			// The library may be older than the kernel.
			t.Skip(tr.Lacks)
		case len(tr.Events) == 0:
			t.Errorf("%s recorded nothing", tr.Backend)
		}
	}
}
