package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// first is the first scenario, whichever that is; it must run in plain mode.
func first(t *testing.T) string {
	t.Helper()
	list := scenario.List()
	if len(list) == 0 {
		t.Fatal("there are no scenarios")
	}
	return list[0].Name
}

func TestDiff(t *testing.T) {
	name := first(t)
	out, errs, status := uringCmd(t, "diff", "-mode", "plain", name)
	if liburing.HeaderVersion() == "" {
		if out != "" || status != exitUntried || !strings.Contains(errs, "built without cgo") || !errorLine.MatchString(errs) {
			t.Errorf("without liburing: status %d, stdout %q, stderr %q", status, out, errs)
		}
		return
	}
	if err := tryRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if errs != "" || status != exitOK || len(lines) != 2 {
		t.Fatalf("status %d, stderr %q, stdout\n%s", status, errs, out)
	}
	if f := strings.Fields(lines[0]); len(f) != 5 || f[0] != "equal" || f[1] != name || f[2] != "plain" || f[4] != "events" {
		t.Errorf("the line is %q", lines[0])
	}
	if !strings.HasSuffix(lines[1], ": 1 equal, 0 different, 0 skipped, 0 untried") {
		t.Errorf("the summary is %q", lines[1])
	}
	if out, _, _ := uringCmd(t, "diff", "-q", "-mode", "plain", name); out != lines[1]+"\n" {
		t.Errorf("with -q it is %q", out)
	}
	for _, args := range [][]string{{"-mode", "sideways", name}, {"no_such_scenario"}, {"["}} {
		out, errs, status := uringCmd(t, append([]string{"diff"}, args...)...)
		if out != "" || !errorLine.MatchString(errs) || status != exitUsage {
			t.Errorf("diff %v: status %d, stdout %q, stderr %q", args, status, out, errs)
		}
	}
}

// wrong is purego with a user_data that changes on the way.
type wrong struct{ *purego.Ring }

func (w wrong) Peek(dst []uring.CQE) int {
	n := w.Ring.Peek(dst)
	for i := range dst[:n] {
		dst[i].UserData ^= 1 << 40
	}
	return n
}

// TestDiffDifference: two backends, one of which is wrong, and no C needed.
func TestDiffDifference(t *testing.T) {
	if err := tryRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
	bad := scenario.Backend{Name: "wrong", Open: func(entries uint32, p *sys.Params) (uring.Backend, error) {
		r, err := purego.New(entries, p)
		if err != nil {
			return nil, err
		}
		return wrong{r}, nil
	}}
	o := scenario.Options{Scenarios: []string{first(t)}, Modes: []scenario.Mode{scenario.Plain}, A: bad, B: scenario.Purego()}
	diff := func(ctx context.Context, o scenario.Options, args ...string) (string, string, int) {
		t.Helper()
		var out, errs bytes.Buffer
		c := newCall(diffCommand, &out, &errs)
		if err := c.parse(args); err != nil {
			t.Fatal(err)
		}
		if err := c.open(c); err != nil {
			t.Fatal(err)
		}
		status := c.diff(ctx, o)
		return out.String(), errs.String(), status
	}

	out, errs, status := diff(t.Context(), o)
	if status != exitNo || errs != "" {
		t.Errorf("status %d, stderr %q", status, errs)
	}
	for _, want := range []string{"different  ", "\n--- wrong", "\n+++ purego", "\n@@ ", "wrong and purego: 0 equal, 1 different"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}

	out, errs, status = diff(t.Context(), o, "-json")
	var doc struct {
		Schema  int
		Arch    string
		Results []struct{ Scenario, Outcome, Diff string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || errs != "" || status != exitNo {
		t.Fatalf("-json: status %d, stderr %q, %v", status, errs, err)
	}
	if doc.Schema != 1 || doc.Arch == "" || len(doc.Results) != 1 || doc.Results[0].Outcome != "different" || doc.Results[0].Diff == "" {
		t.Errorf("-json: %+v", doc)
	}

	out, errs, status = diff(t.Context(), o, "-count", "3", "-q")
	if status != exitNo || errs != "" || strings.Count(out, "\n--- wrong")+strings.Count(out, "@@ ") < 3 || !strings.Contains(out, "\nrun 3 of 3: in all 0 equal, 3 different") {
		t.Errorf("-count 3: status %d, stderr %q, stdout\n%s", status, errs, out)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out, errs, status = diff(ctx, o)
	if status != exitUntried || errs != "uring diff: interrupted\n" || !strings.Contains(out, "0 equal, 0 different") {
		t.Errorf("interrupted: status %d, stderr %q, stdout %q", status, errs, out)
	}
	if out, _, status = diff(ctx, o, "-json"); status != exitUntried || !strings.Contains(out, `"results": []`) {
		t.Errorf("interrupted -json: status %d\n%s", status, out)
	}
}

func TestDiffRandom(t *testing.T) {
	for _, args := range [][]string{{"-random", "2", "-mode", "plain"}, {"-random", "2", "nop*"}, {"-random", "-1"}, {"-random", "2", "-seed", "x"}} {
		out, errs, status := uringCmd(t, append([]string{"diff"}, args...)...)
		if out != "" || !errorLine.MatchString(errs) || status != exitUsage {
			t.Errorf("diff %v: status %d, stdout %q, stderr %q", args, status, out, errs)
		}
	}
	out, errs, status := uringCmd(t, "diff", "-random", "4", "-seed", "2")
	if liburing.HeaderVersion() == "" {
		if out != "" || status != exitUntried || !strings.Contains(errs, "built without cgo") {
			t.Errorf("without liburing: status %d, stdout %q, stderr %q", status, out, errs)
		}
	} else if err := tryRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	} else if status != exitOK || errs != "" || !strings.Contains(out, ", programs from seed 2 on: ") || !strings.Contains(out, " 0 different, ") {
		t.Errorf("status %d, stderr %q, stdout\n%s", status, errs, out)
	}
}

func TestDiffRandomDifference(t *testing.T) {
	if err := tryRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
	bad := scenario.Backend{Name: "wrong", Open: func(entries uint32, p *sys.Params) (uring.Backend, error) {
		r, err := purego.New(entries, p)
		if err != nil {
			return nil, err
		}
		return wrong{r}, nil
	}}
	programs := func(ctx context.Context, args ...string) (string, string, int) {
		t.Helper()
		var out, errs bytes.Buffer
		c := newCall(diffCommand, &out, &errs)
		if err := c.parse(args); err != nil {
			t.Fatal(err)
		}
		if err := c.open(c); err != nil {
			t.Fatal(err)
		}
		status := c.programs(ctx, bad, scenario.Purego())
		return out.String(), errs.String(), status
	}
	out, errs, status := programs(t.Context(), "-random", "1", "-seed", "1")
	if status != exitNo || errs != "" {
		t.Errorf("status %d, stderr %q", status, errs)
	}
	for _, want := range []string{"different  seed 1  ", "\n--- wrong", "again in 3 of 3 runs", "var found = random.Program{", "wrong and purego, programs from seed 1 on: 0 equal, 1 different"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	var doc struct {
		Schema  int
		Count   map[string]int
		Results []struct{ Outcome, Source string }
	}
	out, errs, status = programs(t.Context(), "-json", "-random", "1", "-seed", "1")
	if err := json.Unmarshal([]byte(out), &doc); err != nil || errs != "" || status != exitNo {
		t.Fatalf("-json: status %d, stderr %q, %v", status, errs, err)
	}
	if doc.Schema != 1 || doc.Count["different"] != 1 || len(doc.Results) != 1 || doc.Results[0].Outcome != "different" || doc.Results[0].Source == "" {
		t.Errorf("-json: %+v", doc)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, errs, status = programs(ctx, "-random", "5"); status != exitUntried || errs != "uring diff: interrupted\n" {
		t.Errorf("interrupted: status %d, stderr %q, stdout %q", status, errs, out)
	}
}
