// Package matrix draws what was found under many kernels: which has what, and
// where the scenarios see the same.
//
// matrix.go reads the runs and compares them; html.go writes the page and svg.go
// the picture. What one kernel's run is, is said at [Load].
package matrix

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/uring-go/uring/features"
	"github.com/uring-go/uring/internal/golden"
	"github.com/uring-go/uring/internal/scenario"
)

// A State is what a cell of the scenarios' table says.
type State string

// The states. A scenario has several ring modes; the state is that of the first
// in this order which one of them has.
const (
	Disagree  State = "disagree"  // the backends differ under this kernel
	Failed    State = "failed"    // a run that came to no good end
	Different State = "different" // not as under the newest kernel
	Equal     State = "equal"
	Skipped   State = "skipped" // what the kernel or the library lacks
	Absent    State = "absent"  // not run
)

var stateOrder = []State{Disagree, Failed, Different, Equal, Skipped, Absent}

// Backends are the two, in the order of the halves of a cell.
var Backends = [2]string{"liburing", "purego"}

// A Kernel is one run.
type Kernel struct {
	Name       string // as scripts/kernels calls it
	Release    string
	Arch       string
	FileSystem string
	Library    string // version of liburing; "" if it was not run
	Answers    map[string]features.Answer
	traces     [2]map[key]*scenario.Trace // by backend
}

type key struct {
	scenario string
	mode     scenario.Mode
}

// A Cell is a scenario under a kernel.
type Cell struct {
	States [2]State // by backend
	Text   string   // what there is to say
}

// A Scenario is a row.
type Scenario struct {
	Name, Doc string
	Cells     []Cell // by kernel
}

// A Feature is a row.
type Feature struct {
	Kind    features.Kind
	Name    string
	Since   string
	Answers []features.Answer // by kernel
}

// Same reports whether every kernel gives the same answer.
func (f *Feature) Same() bool {
	return !slices.ContainsFunc(f.Answers, func(a features.Answer) bool { return a != f.Answers[0] })
}

// A Matrix is everything.
type Matrix struct {
	Kernels     []Kernel // oldest first
	Features    []Feature
	Scenarios   []Scenario
	Differences []golden.Difference
	Count       map[State]int // of all scenarios, modes, kernels and backends that were run
}

// Load reads the runs below dir: a directory for each kernel, with probe.json, which
// "uring probe -json" wrote, and liburing.json and purego.json, of "uring record".
// One of the records may be missing. The directory's name is the kernel's, with a
// hyphen for the first slash: 6.12-uml.
func Load(dir string) (*Matrix, error) {
	probes, err := filepath.Glob(filepath.Join(dir, "*", "probe.json"))
	if err != nil {
		return nil, err
	}
	if len(probes) == 0 {
		return nil, fmt.Errorf("%s has no runs: there is no %s", dir, filepath.Join("KERNEL", "probe.json"))
	}
	m := &Matrix{Count: map[State]int{}}
	for _, p := range probes {
		k, err := loadKernel(filepath.Dir(p))
		if err != nil {
			return nil, err
		}
		m.Kernels = append(m.Kernels, k)
	}
	slices.SortFunc(m.Kernels, func(a, b Kernel) int {
		return cmp.Or(golden.CompareReleases(a.Release, b.Release), strings.Compare(a.Name, b.Name))
	})
	if m.Differences, err = golden.Differences(); err != nil {
		return nil, err
	}
	m.fillFeatures()
	return m, m.fillScenarios()
}

func loadKernel(dir string) (Kernel, error) {
	k := Kernel{Name: strings.Replace(filepath.Base(dir), "-", "/", 1), Answers: map[string]features.Answer{}}
	file := filepath.Join(dir, "probe.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return k, err
	}
	var probe features.Report
	if err := json.Unmarshal(data, &probe); err != nil {
		return k, fmt.Errorf("%s: %w", file, err)
	}
	k.Release, k.Arch = probe.Kernel, probe.Arch
	for _, r := range probe.Results {
		k.Answers[r.Name] = r.Answer
	}
	for i, backend := range Backends {
		file := filepath.Join(dir, backend+".json")
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return k, err
		}
		traces, err := scenario.ReadTraces(f)
		f.Close()
		if err != nil {
			return k, fmt.Errorf("%s: %w", file, err)
		}
		k.traces[i] = map[key]*scenario.Trace{}
		for j := range traces {
			t := &traces[j]
			if t.Backend != backend || t.Kernel != k.Release {
				return k, fmt.Errorf("%s: a trace is of %s under %s, and the run of %s under %s", file, t.Backend, t.Kernel, backend, k.Release)
			}
			k.traces[i][key{t.Scenario, t.Mode}] = t
			k.FileSystem = t.FileSystem
			if i == 0 {
				k.Library = t.Version
			}
		}
	}
	return k, nil
}

func (m *Matrix) fillFeatures() {
	for _, f := range features.Known() {
		row := Feature{Kind: f.Kind, Name: f.Name, Since: f.Since}
		for _, k := range m.Kernels {
			row.Answers = append(row.Answers, cmp.Or(k.Answers[f.Name], features.Unknown))
		}
		m.Features = append(m.Features, row)
	}
}

// fillScenarios compares every trace with that of liburing under the newest kernel
// that it was run under, and with that of the other backend.
func (m *Matrix) fillScenarios() error {
	newest := -1
	for i, k := range m.Kernels {
		if k.traces[0] != nil {
			newest = i
		}
	}
	if newest < 0 {
		return errors.New("no run has a record of liburing")
	}
	base := m.Kernels[newest].traces[0]
	for _, s := range scenario.List() {
		row := Scenario{Name: s.Name, Doc: s.Doc}
		for i := range m.Kernels {
			row.Cells = append(row.Cells, m.cell(s, &m.Kernels[i], base))
		}
		m.Scenarios = append(m.Scenarios, row)
	}
	return nil
}

func (m *Matrix) cell(s scenario.Scenario, k *Kernel, base map[key]*scenario.Trace) Cell {
	c := Cell{States: [2]State{Absent, Absent}}
	var lines []string
	say := func(text string) {
		if !slices.Contains(lines, text) {
			lines = append(lines, text)
		}
	}
	for _, mode := range s.Modes {
		at := key{s.Name, mode}
		pair := [2]*scenario.Trace{k.traces[0][at], k.traces[1][at]}
		for i, t := range pair {
			state := state(t, pair[1-i], base[at])
			if state != Absent {
				m.Count[state]++
			}
			if slices.Index(stateOrder, state) < slices.Index(stateOrder, c.States[i]) {
				c.States[i] = state
			}
			switch state {
			case Skipped:
				say(string(mode) + ": " + t.Skipped + t.Lacks)
			case Failed:
				say(string(mode) + ", " + t.Backend + ": " + t.Failed)
			case Disagree:
				say(string(mode) + ": the backends differ")
			case Different:
				say(string(mode) + ": " + m.why(golden.Cell{Scenario: s.Name, Mode: mode, Kernel: k.Name}))
			}
		}
	}
	c.Text = strings.Join(lines, "\n")
	return c
}

// state compares a trace with that of the other backend, and with the base.
func state(t, other, base *scenario.Trace) State {
	switch {
	case t == nil:
		return Absent
	case t.Failed != "":
		return Failed
	case t.Skipped != "" || t.Lacks != "":
		return Skipped
	case other != nil && other.Lacks == "" && !slices.Equal(t.Lines(), other.Lines()):
		return Disagree
	case base == nil || base.Skipped != "" || base.Lacks != "" || slices.Equal(t.Lines(), base.Lines()):
		return Equal
	}
	return Different
}

// why returns what the reviewed list says of a difference.
func (m *Matrix) why(c golden.Cell) string {
	for _, d := range m.Differences {
		if d.Covers(c) {
			return d.Why
		}
	}
	return "otherwise than under the newest kernel"
}
