package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/liburing"
)

// recordOf records one scenario into a file, with purego, which every build has.
func recordOf(t *testing.T, name string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	out, errs, status := uringCmd(t, append([]string{"record", "-backend", "purego", "-o", file}, args...)...)
	if out != "" || errs != "" || status != exitOK {
		t.Fatalf("record: status %d, stdout %q, stderr %q", status, out, errs)
	}
	return file
}

// edit writes a changed copy of a file, and fails if nothing changed.
func edit(t *testing.T, file, old, new string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), old, new, 1)
	if changed == string(text) {
		t.Fatalf("%q is not in\n%s", old, text)
	}
	file = filepath.Join(t.TempDir(), "edited.json")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRecord(t *testing.T) {
	if err := tryRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
	name := first(t)
	file := recordOf(t, "a.json", name)
	traces, err := readRecord(file)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := scenario.Find(name)
	if len(traces) != len(s.Modes) {
		t.Errorf("%d traces, want one for each of the modes %v", len(traces), s.Modes)
	}
	for _, tr := range traces {
		if tr.Scenario != name || tr.Backend != "purego" || tr.Kernel == "" || tr.Arch == "" || tr.FileSystem == "" || tr.Skipped == "" && len(tr.Events) == 0 {
			t.Errorf("the trace is %+v", tr)
		}
	}

	out, errs, status := uringCmd(t, "record", "-json", "-backend", "purego", "-mode", "plain", name)
	var doc struct {
		Schema  int
		Results []struct {
			Scenario, Mode, Backend string
			Events                  []scenario.Event
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || errs != "" || status != exitOK {
		t.Fatalf("-json: status %d, stderr %q, %v", status, errs, err)
	}
	if doc.Schema != 1 || len(doc.Results) != 1 || doc.Results[0].Mode != "plain" || len(doc.Results[0].Events) == 0 {
		t.Errorf("-json: %+v", doc)
	}
	if liburing.HeaderVersion() == "" {
		out, errs, status := uringCmd(t, "record", "-backend", "liburing", name)
		if out != "" || !errorLine.MatchString(errs) || status != exitUntried {
			t.Errorf("a backend that is not in this build: status %d, stdout %q, stderr %q", status, out, errs)
		}
	} else if out, errs, status := uringCmd(t, "record", "-backend", "liburing", "-mode", "plain", name); !strings.Contains(out, `"backend":"liburing"`) || errs != "" || status != exitOK {
		t.Errorf("liburing: status %d, stdout %q, stderr %q", status, out, errs)
	}
}

func TestDiffRecords(t *testing.T) {
	if err := tryRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
	name := first(t)
	a, b := recordOf(t, "a.json", "-mode", "plain", name), recordOf(t, "b.json", "-mode", "plain", name)
	out, errs, status := uringCmd(t, "diff", a, b)
	if errs != "" || status != exitOK || !strings.HasPrefix(out, "equal  ") || !strings.HasSuffix(out, "1 equal, 0 different, 0 skipped, 0 untried\n") {
		t.Errorf("equal records: status %d, stderr %q, stdout\n%s", status, errs, out)
	}

	// What differs is shown.
	out, errs, status = uringCmd(t, "diff", a, edit(t, b, `"res":"`, `"res":"7`))
	if errs != "" || status != exitNo || !strings.Contains(out, "different  "+name) || !strings.Contains(out, "\n--- "+a) || !strings.Contains(out, "\n@@ ") {
		t.Errorf("different records: status %d, stderr %q, stdout\n%s", status, errs, out)
	}
	var doc compareReport
	out, _, status = uringCmd(t, "diff", "-json", a, edit(t, b, `"res":"`, `"res":"7`))
	if err := json.Unmarshal([]byte(out), &doc); err != nil || status != exitNo {
		t.Fatalf("-json: status %d, %v", status, err)
	}
	if doc.Schema != 1 || doc.Records[0].File != a || doc.Count[scenario.Different] != 1 || len(doc.Results) != 1 || doc.Results[0].Diff == "" {
		t.Errorf("-json: %+v", doc)
	}

	// So is what only one of them has.
	out, _, status = uringCmd(t, "diff", a, edit(t, b, name, "another"))
	if status != exitNo || strings.Count(out, "only in ") != 2 || !strings.Contains(out, "0 equal, 2 different") {
		t.Errorf("records of different scenarios: status %d, stdout\n%s", status, out)
	}

	// One kernel lacks what another has; the same kernel does not.
	skipped := edit(t, b, `"backend":`, `"skipped":"this kernel has no luck","backend":`)
	if out, _, status = uringCmd(t, "diff", a, skipped); status != exitNo {
		t.Errorf("skipped on one of two equal kernels: status %d, stdout\n%s", status, out)
	}
	out, _, status = uringCmd(t, "diff", a, edit(t, skipped, `"kernel":"`, `"kernel":"x`))
	if status != exitUntried || !strings.Contains(out, ": this kernel has no luck") {
		t.Errorf("skipped on one of two kernels: status %d, stdout\n%s", status, out)
	}

	// Files that are no records.
	for text, want := range map[string]string{
		"":                           "it is empty",
		"hello\n":                    "line 1: ",
		`{"scenario":"a","sauce":1}`: "unknown field",
	} {
		file := filepath.Join(t.TempDir(), "bad.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, status := uringCmd(t, "diff", a, file)
		if out != "" || !errorLine.MatchString(errs) || !strings.Contains(errs, want) || status != exitUsage {
			t.Errorf("%q: status %d, stdout %q, stderr %q", text, status, out, errs)
		}
	}
	twice, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "twice.json")
	if err := os.WriteFile(file, append(twice, twice...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := uringCmd(t, "diff", a, file); status != exitUsage || !strings.Contains(errs, "is in it twice") {
		t.Errorf("a record with a trace twice: status %d, stderr %q", status, errs)
	}
}
