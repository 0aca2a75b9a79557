package matrix

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uring-go/uring/features"
	"github.com/uring-go/uring/internal/scenario"
)

// run is a made-up run under one kernel.
type run struct {
	name, release string
	answer        features.Answer // to the first feature
	returned      [2]string       // what the call of every scenario returned, by backend; "": not run
	skip, fail    string          // scenarios
}

func write(t *testing.T, dir string, r run) {
	t.Helper()
	dir = filepath.Join(dir, r.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	probe := features.Report{Schema: 1, Kernel: r.release, Arch: "amd64"}
	for i, f := range features.Known() {
		line := features.Result{Kind: f.Kind, Name: f.Name, Answer: features.Yes}
		if i == 0 {
			line.Answer = r.answer
		}
		probe.Results = append(probe.Results, line)
	}
	data, err := json.Marshal(probe)
	if err != nil {
		t.Fatal(err)
	}
	put("probe.json", data)
	for i, backend := range Backends {
		if r.returned[i] == "" {
			continue
		}
		var b bytes.Buffer
		for _, s := range scenario.List()[:4] {
			for _, m := range s.Modes {
				tr := scenario.Trace{Scenario: s.Name, Mode: m, Backend: backend, Kernel: r.release, Arch: "amd64", FileSystem: "tmpfs"}
				switch s.Name {
				case r.skip:
					tr.Skipped = "this kernel has no <luck>"
				case r.fail:
					tr.Failed = "hangs"
				default:
					tr.Events = []scenario.Event{{Call: "submit", Ret: r.returned[i]}}
				}
				if _, err := tr.WriteTo(&b); err != nil {
					t.Fatal(err)
				}
			}
		}
		put(backend+".json", b.Bytes())
	}
}

func TestMatrix(t *testing.T) {
	list := scenario.List()
	if len(list) == 0 {
		t.Skip("there are no scenarios on this system")
	}
	dir := t.TempDir()
	for _, r := range []run{
		{"6.10", "6.10.1", features.Yes, [2]string{"1", "1"}, "", ""},
		{"6.9-uml", "6.9.1", features.No, [2]string{"2", "2"}, list[1].Name, list[2].Name},
		{"5.1-arm64-16k", "5.1.0", features.Unknown, [2]string{"", "1"}, "", ""},
		{"5.2", "5.2.0", features.Yes, [2]string{"1", "2"}, "", ""},
	} {
		write(t, dir, r)
	}
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range m.Kernels {
		names = append(names, k.Name)
	}
	if got := strings.Join(names, " "); got != "5.1/arm64-16k 5.2 6.9/uml 6.10" {
		t.Errorf("the kernels are %s", got)
	}
	want := [][][2]State{ // by scenario and kernel
		{{Absent, Equal}, {Disagree, Disagree}, {Different, Different}, {Equal, Equal}},
		{{Absent, Equal}, {Disagree, Disagree}, {Skipped, Skipped}, {Equal, Equal}},
		{{Absent, Equal}, {Disagree, Disagree}, {Failed, Failed}, {Equal, Equal}},
	}
	for i, row := range want {
		for j, states := range row {
			if got := m.Scenarios[i].Cells[j].States; got != states {
				t.Errorf("%s under %s: %v, want %v", m.Scenarios[i].Name, m.Kernels[j].Name, got, states)
			}
		}
	}
	if s := m.Scenarios[4].Cells[3].States; s != [2]State{Absent, Absent} {
		t.Errorf("a scenario that was not run is %v", s)
	}
	if f := m.Features[0]; f.Same() || f.Answers[0] != features.Unknown || f.Answers[2] != features.No || f.Answers[3] != features.Yes {
		t.Errorf("the first feature: %v", f.Answers)
	}
	if !m.Features[1].Same() {
		t.Errorf("the second feature: %v", m.Features[1].Answers)
	}

	var page, picture bytes.Buffer
	if err := m.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteSVG(&picture); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(&picture)
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the picture: %v", err)
		}
	}
	text := page.String()
	for _, want := range []string{
		"uring under 4 kernels", "this kernel has no &lt;luck&gt;", "the backends differ", "prefers-color-scheme: dark", "@media print",
		m.Features[0].Name, "All of them have IORING_", list[3].Name, "<svg",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	// Self-contained: nothing is loaded.
	for _, bad := range []string{"<script", "<link", "<img", "src=", "url(", "@import"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	if strings.Count(text, "<tr") != strings.Count(text, "</tr>") || strings.Count(text, "<td") != strings.Count(text, "</td>") {
		t.Error("rows or cells of the page are not closed")
	}
}

func TestLoadErrors(t *testing.T) {
	if len(scenario.List()) == 0 {
		t.Skip("there are no scenarios on this system")
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("an empty directory gives no error")
	}
	for name, spoil := range map[string]func(dir string) error{
		"probe.json":               func(dir string) error { return os.WriteFile(dir+"/probe.json", []byte("{"), 0o600) },
		"purego.json":              func(dir string) error { return os.WriteFile(dir+"/purego.json", []byte("{"), 0o600) },
		"has a record of liburing": func(dir string) error { return os.Remove(dir + "/liburing.json") },
		"a trace is of purego":     func(dir string) error { return os.Rename(dir+"/purego.json", dir+"/liburing.json") },
	} {
		dir := t.TempDir()
		write(t, dir, run{"6.1", "6.1.1", features.Yes, [2]string{"1", "1"}, "", ""})
		if err := spoil(filepath.Join(dir, "6.1")); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error about %s, got %v", name, err)
		}
	}
}
