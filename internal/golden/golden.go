// Package golden holds what the scenarios saw with liburing under many kernels.
//
// So a build without C is held against C too, where the kernel is one of these
// and the temporary directory is on the same type of file system. A series is not
// enough: two releases of one can differ.
//
// streams.jsonl is written by "scripts/kernels --record" and has first the
// kernels, a line each, and then for every scenario its streams: a line that says
// where it was seen, and after it the stream, a line for each event. The stream of
// the newest kernel comes first, and its line names ring modes only; those after
// it are of kernels that do something else. differences.json is written by hand:
// why they do, a sentence for each. A test holds both against each other.
package golden

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/uring-go/uring/internal/scenario"
)

//go:embed streams.jsonl
var streams []byte

//go:embed differences.json
var differences []byte

// A Kernel is what a record was made under.
type Kernel struct {
	// Name is how scripts/kernels calls it, such as 6.12 or 6.12/uml.
	Name       string `json:"kernel"`
	Release    string `json:"release"` // as uname(2) has it
	Arch       string `json:"arch"`    // GOARCH
	FileSystem string `json:"filesystem"`
	Liburing   string `json:"liburing"`
}

func (k Kernel) String() string {
	return fmt.Sprintf("%s (%s, %s)", k.Release, k.Arch, k.FileSystem)
}

// A Cell is a place that has one stream.
type Cell struct {
	Scenario string
	Mode     scenario.Mode
	Kernel   string // Kernel.Name
}

// A Set is a number of records.
type Set struct {
	Kernels []Kernel // the newest, whose streams are the base, last
	// Cells has the streams, as scenario.Trace.Lines writes them. Where the
	// library lacks something there is none.
	Cells map[Cell][]string
}

// Committed returns the records of this package.
func Committed() (*Set, error) { return parse(streams) }

// Base returns the newest kernel, which the others are compared with.
func (s *Set) Base() Kernel { return s.Kernels[len(s.Kernels)-1] }

// Find returns the kernel that a trace is of, if there is a record of it.
func (s *Set) Find(t *scenario.Trace) (Kernel, bool) {
	for _, k := range s.Kernels {
		if k.Release == t.Kernel && k.Arch == t.Arch && k.FileSystem == t.FileSystem {
			return k, true
		}
	}
	return Kernel{}, false
}

// Nearest returns the kernel whose record a trace resembles most: one of its series,
// or else the newest that is older; among these one with its file system. It is for
// reports: what differs from it need not be wrong.
func (s *Set) Nearest(t *scenario.Trace) Kernel {
	best, points := s.Base(), -1
	for _, k := range s.Kernels { // oldest first
		if CompareReleases(series(k.Release), t.Kernel) > 0 {
			continue // newer
		}
		p := 0
		if k.FileSystem == t.FileSystem {
			p += 2
		}
		if k.Arch == t.Arch {
			p++
		}
		if series(k.Release) != series(best.Release) || p >= points {
			best, points = k, p
		}
	}
	return best
}

// series returns the first two numbers of a release.
func series(release string) string {
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return release
	}
	return parts[0] + "." + parts[1]
}

// Compare compares a trace with what liburing saw under a kernel. It is false if
// there is nothing to compare with.
func (s *Set) Compare(t *scenario.Trace, k Kernel) (diff string, ok bool) {
	want, ok := s.Cells[Cell{t.Scenario, t.Mode, k.Name}]
	if !ok {
		return "", false
	}
	return scenario.Unified("liburing on "+k.Name, t.Backend, want, t.Lines()), true
}

// A Difference says why some kernels do something else than the newest.
type Difference struct {
	Scenarios []string        `json:"scenarios"`       // patterns, as path.Match takes them
	Modes     []scenario.Mode `json:"modes,omitempty"` // none: all
	Kernels   []string        `json:"kernels"`         // names
	Why       string          `json:"why"`             // a sentence
}

// Covers reports whether it speaks of a cell.
func (d *Difference) Covers(c Cell) bool {
	matches := func(p string) bool { ok, _ := path.Match(p, c.Scenario); return ok }
	return slices.ContainsFunc(d.Scenarios, matches) &&
		slices.Contains(d.Kernels, c.Kernel) &&
		(len(d.Modes) == 0 || slices.Contains(d.Modes, c.Mode))
}

// Differences returns the reviewed list.
func Differences() ([]Difference, error) {
	d := json.NewDecoder(bytes.NewReader(differences))
	d.DisallowUnknownFields()
	var list []Difference
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("differences.json: %w", err)
	}
	return list, nil
}

// Different returns the cells whose streams are not those of the newest kernel,
// in the order of the scenarios. What a kernel lacks is none: that stream says
// itself what is missing.
func (s *Set) Different() []Cell {
	var list []Cell
	for c, stream := range s.Cells {
		base, ok := s.Cells[Cell{c.Scenario, c.Mode, s.Base().Name}]
		if ok && !skipped(stream) && !skipped(base) && !slices.Equal(stream, base) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, s.compareCells)
	return list
}

// skipped reports whether a stream says only what the kernel lacks.
func skipped(stream []string) bool {
	return len(stream) == 1 && strings.HasPrefix(stream[0], `{"call":"skipped"`)
}

// Unexplained returns the different cells that no entry of a list covers.
func (s *Set) Unexplained(list []Difference) []Cell {
	return slices.DeleteFunc(s.Different(), func(c Cell) bool {
		return slices.ContainsFunc(list, func(d Difference) bool { return d.Covers(c) })
	})
}
