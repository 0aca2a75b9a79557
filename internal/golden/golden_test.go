package golden

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uring-go/uring/internal/scenario"
)

func committed(t *testing.T) *Set {
	t.Helper()
	if len(scenario.List()) == 0 {
		t.Skip("there are no scenarios on this system")
	}
	set, err := Committed()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// What is committed is what Marshal writes, and small.
func TestCommitted(t *testing.T) {
	set := committed(t)
	if text := set.Marshal(); !bytes.Equal(text, streams) {
		t.Error("streams.jsonl is not as Marshal writes it: scripts/kernels --record writes it anew")
	}
	if len(streams) > 2<<20 {
		t.Errorf("streams.jsonl has %d bytes; it is to stay small", len(streams))
	}
	modes := map[string][]scenario.Mode{}
	for _, s := range scenario.List() {
		modes[s.Name] = s.Modes
	}
	for c, stream := range set.Cells {
		if !slices.Contains(modes[c.Scenario], c.Mode) {
			t.Errorf("%v is no scenario and mode; scripts/kernels --record leaves it out", c)
		}
		if len(stream) == 0 {
			t.Errorf("%v: the stream is empty", c)
		}
	}
	for _, k := range set.Kernels {
		if k.Name == "" || k.Release == "" || k.Arch == "" || k.FileSystem == "" || k.Liburing == "" {
			t.Errorf("incomplete: %+v", k)
		}
	}
}

// TestDifferences holds the streams against the reviewed list: each difference has
// an entry, and each entry, with every name in it, a difference.
func TestDifferences(t *testing.T) {
	set := committed(t)
	list, err := Differences()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range set.Unexplained(list) {
		t.Errorf("%s in mode %s differs on %s, and differences.json has no entry", c.Scenario, c.Mode, c.Kernel)
	}
	for _, complaint := range stale(set, list) {
		t.Error(complaint)
	}
	for _, d := range list {
		if !strings.HasSuffix(d.Why, ".") || len(d.Why) < 20 {
			t.Errorf("%v: %q is no sentence", d.Scenarios, d.Why)
		}
	}
}

// stale lists what entries say and no difference bears out.
func stale(set *Set, list []Difference) (complaints []string) {
	different := set.Different()
	for _, d := range list {
		covered := slices.Collect(func(yield func(Cell) bool) {
			for _, c := range different {
				if d.Covers(c) && !yield(c) {
					return
				}
			}
		})
		lacks := func(what string, has func(Cell) bool) {
			if !slices.ContainsFunc(covered, has) {
				complaints = append(complaints, "an entry of differences.json speaks of "+what+", which does not differ: "+d.Why)
			}
		}
		for _, p := range d.Scenarios {
			lacks(p, func(c Cell) bool { ok, _ := path.Match(p, c.Scenario); return ok })
		}
		for _, k := range d.Kernels {
			lacks(k, func(c Cell) bool { return c.Kernel == k })
		}
		for _, m := range d.Modes {
			lacks(string(m), func(c Cell) bool { return c.Mode == m })
		}
	}
	return complaints
}

// Both complaints can come.
func TestDifferencesCanFail(t *testing.T) {
	set := committed(t)
	list, err := Differences()
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Different()) == 0 || len(list) == 0 {
		t.Fatal("no differences at all")
	}
	if got := set.Unexplained(list[:len(list)-1]); len(got) == 0 {
		t.Error("nothing is unexplained without the last entry")
	}
	wrong := append(slices.Clone(list), Difference{Scenarios: []string{"nop_order"}, Kernels: []string{"6.1"}, Why: "It does not."})
	if got := stale(set, wrong); len(got) == 0 {
		t.Error("an entry without a difference is no complaint")
	}
}

// Records put in come out again, whatever is equal among them.
func TestAdd(t *testing.T) {
	if len(scenario.List()) == 0 {
		t.Skip("there are no scenarios on this system")
	}
	traces := func(release, ret string) (list []scenario.Trace) {
		for i, s := range scenario.List()[:6] {
			for j, m := range s.Modes {
				tr := scenario.Trace{Scenario: s.Name, Mode: m, Backend: "liburing", Version: "2.15", Kernel: release, Arch: "amd64", FileSystem: "tmpfs"}
				switch {
				case i == 1 && release == "1.9.1":
					tr.Skipped = "this kernel has no luck"
				case i == 2 && (release == "1.10.1") == (j > 1):
					tr.Lacks = "too old"
				case i == 3 && j == 1:
					tr.Events = []scenario.Event{{Call: "submit", Ret: ret}}
				case i == 4 && release == "1.10.1":
					tr.Events = []scenario.Event{{Call: "submit", Ret: []string{"1", "2"}[j%2]}}
				case i == 4:
					tr.Events = []scenario.Event{{Call: "submit", Ret: []string{"2", "1"}[j%2]}}
				default:
					tr.Events = []scenario.Event{{Call: "submit", Ret: "1"}, {CQE: &scenario.Completion{Res: "0"}}}
				}
				list = append(list, tr)
			}
		}
		return list
	}
	set := &Set{Cells: map[Cell][]string{}}
	for name, r := range map[string][2]string{"b": {"1.10.1", "7"}, "a": {"1.9.1", "8"}, "c": {"1.9.2-rc1", "7"}} {
		if err := set.Add(name, traces(r[0], r[1])); err != nil {
			t.Fatal(err)
		}
	}
	var names string
	for _, k := range set.Kernels {
		names += k.Name
	}
	if names != "acb" {
		t.Errorf("the order of the kernels is %s", names)
	}
	text := set.Marshal()
	again, err := parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if diff := cmp.Diff(set, again); diff != "" {
		t.Errorf("written (-) and read (+):\n%s\n%s", diff, text)
	}
	before := maps.Clone(set.Cells)
	if err := set.Add("a", traces("1.9.1", "8")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, set.Cells); diff != "" {
		t.Errorf("a record put in twice changes the set:\n%s", diff)
	}
	bad := traces("1.9.1", "8")
	bad[0].Failed = "no luck"
	if set.Add("a", bad) == nil {
		t.Error("a record of a failure was put in")
	}
	bad = traces("1.9.1", "8")
	bad[0].Backend = "purego"
	if set.Add("a", bad) == nil {
		t.Error("a record of another backend was put in")
	}
	for _, bad := range []string{`{"call":"submit"}`, `{`, string(text) + `{"scenario":"a","on":[{"modes":["plain"],"kernels":["a"]},{"modes":["plain"],"kernels":["a"]}]}`} {
		if _, err := parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("a bad file gives %v", err)
		}
	}
}

// A trace of exactly a record's place is asserted, and no other.
func TestFindAndCompare(t *testing.T) {
	set := committed(t)
	for _, k := range set.Kernels {
		tr := scenario.Trace{Scenario: "nop_order", Mode: scenario.Plain, Kernel: k.Release, Arch: k.Arch, FileSystem: k.FileSystem}
		found, ok := set.Find(&tr)
		if !ok || found.Release != k.Release {
			t.Errorf("Find does not find %v", k)
		}
		if near := set.Nearest(&tr); series(near.Release) != series(k.Release) {
			t.Errorf("the nearest to %v is %v", k, near)
		}
		tr.FileSystem = "floppy"
		if _, ok := set.Find(&tr); ok {
			t.Errorf("Find finds %v on another file system", k)
		}
		if diff, ok := set.Compare(&tr, k); !ok || diff == "" {
			t.Errorf("an empty trace compares with %v as %q, %v", k, diff, ok)
		}
	}
	tr := scenario.Trace{Kernel: "99.0", FileSystem: set.Kernels[0].FileSystem}
	if near := set.Nearest(&tr); near != set.Base() {
		t.Errorf("the nearest to a new kernel is %v", near)
	}
	oldest := set.Kernels[0]
	tr.Kernel = oldest.Release + "-vendor"
	if near := set.Nearest(&tr); series(near.Release) != series(oldest.Release) {
		t.Errorf("the nearest to %s is %v", tr.Kernel, near)
	}
}
