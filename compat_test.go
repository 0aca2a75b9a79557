package uring_test

// The front door of the differential suite: every scenario in every ring mode on
// both backends, whose traces must be equal as whole values. The scenarios are in
// internal/scenario.

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/sys"
)

// inCI makes what is a skip on a user's machine a failure: there, both backends
// must be in the build and io_uring must be allowed.
var inCI = os.Getenv("CI") == "true"

func TestCompat(t *testing.T) {
	a, b := scenario.Liburing(), scenario.Purego()
	for _, backend := range []scenario.Backend{a, b} {
		r, err := backend.Open(1, &sys.Params{})
		if err != nil {
			if errors.Is(err, errors.ErrUnsupported) && !inCI {
				t.Skipf("nothing to compare with: %v", err)
			}
			t.Fatalf("%s: %v", backend.Name, err)
		}
		r.Close()
	}
	t.Logf("liburing %s", a.Version)
	for _, s := range scenario.List() {
		t.Run(s.Name, func(t *testing.T) {
			for _, m := range s.Modes {
				t.Run(string(m), func(t *testing.T) { compare(t, s, m, a, b) })
			}
		})
	}
}

// compare runs one scenario in one mode on both backends.
func compare(t *testing.T, s scenario.Scenario, m scenario.Mode, a, b scenario.Backend) {
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
