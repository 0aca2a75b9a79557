package golden

// The file of streams: reading, writing, and adding records.

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/uring-go/uring/internal/scenario"
)

// A header is the line before a stream.
type header struct {
	Scenario string `json:"scenario"`
	// Modes are those of the base. On has, for other kernels, theirs.
	Modes []scenario.Mode `json:"modes,omitempty"`
	On    []place         `json:"on,omitempty"`
}

type place struct {
	Modes   []scenario.Mode `json:"modes"`
	Kernels []string        `json:"kernels"`
}

func parse(text []byte) (*Set, error) {
	s := &Set{Cells: map[Cell][]string{}}
	var cells []Cell // that the lines belong to
	// What a base says is for all kernels, until another stream says otherwise.
	over := map[Cell]bool{}
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 1<<20)
	for n := 1; scan.Scan(); n++ {
		var line struct {
			Kernel
			header
			Absent bool `json:"absent"`
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("streams.jsonl, line %d: %w", n, err)
		}
		switch {
		case line.Name != "":
			s.Kernels = append(s.Kernels, line.Kernel)
		case line.Scenario != "":
			cells = nil
			for _, m := range line.Modes {
				for _, k := range s.Kernels {
					if c := (Cell{line.Scenario, m, k.Name}); !over[c] {
						cells = append(cells, c)
					}
				}
			}
			for _, p := range line.On {
				for _, m := range p.Modes {
					for _, k := range p.Kernels {
						c := Cell{line.Scenario, m, k}
						if over[c] {
							return nil, fmt.Errorf("streams.jsonl, line %d: another stream for %v", n, c)
						}
						over[c] = true
						cells = append(cells, c)
						delete(s.Cells, c)
					}
				}
			}
			if line.Absent {
				cells = nil
			}
		case cells == nil:
			return nil, fmt.Errorf("streams.jsonl, line %d: it belongs to no stream", n)
		default:
			for _, c := range cells {
				s.Cells[c] = append(s.Cells[c], scan.Text())
			}
		}
	}
	return s, scan.Err()
}

// Marshal returns the contents of streams.jsonl.
func (s *Set) Marshal() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	put := func(v any) {
		if err := e.Encode(v); err != nil {
			panic(err) // strings only
		}
	}
	for _, k := range s.Kernels {
		put(k)
	}
	for _, sc := range scenario.List() {
		s.marshal(sc, put, &b)
	}
	return b.Bytes()
}

// marshal writes the streams of one scenario.
func (s *Set) marshal(sc scenario.Scenario, put func(any), b *bytes.Buffer) {
	const absent = "absent"
	text := func(m scenario.Mode, k Kernel) string {
		lines, ok := s.Cells[Cell{sc.Name, m, k.Name}]
		if !ok {
			return absent
		}
		return strings.Join(lines, "\n")
	}
	var order []string // streams, as they are met first
	bases := map[string][]scenario.Mode{}
	others := map[string][]place{}
	met := func(t string) {
		if !slices.Contains(order, t) {
			order = append(order, t)
		}
	}
	for _, m := range sc.Modes {
		base := text(m, s.Base())
		if base != absent {
			bases[base] = append(bases[base], m)
			met(base)
		}
	}
	for _, m := range sc.Modes {
		base := text(m, s.Base())
		on := map[string][]string{}
		for _, k := range s.Kernels {
			if t := text(m, k); t != base {
				on[t] = append(on[t], k.Name)
				met(t)
			}
		}
		for t, kernels := range on {
			// Modes that differ on the same kernels share a line.
			i := slices.IndexFunc(others[t], func(p place) bool { return slices.Equal(p.Kernels, kernels) })
			if i < 0 {
				others[t] = append(others[t], place{Kernels: kernels})
				i = len(others[t]) - 1
			}
			others[t][i].Modes = append(others[t][i].Modes, m)
		}
	}
	// The bases come first: what follows them takes back what they say.
	slices.SortStableFunc(order, func(x, y string) int { return cmp.Compare(len(bases[y]), len(bases[x])) })
	for _, t := range order {
		h := header{sc.Name, bases[t], others[t]}
		if t == absent {
			put(struct {
				header
				Absent bool `json:"absent"`
			}{h, true})
			continue
		}
		put(h)
		b.WriteString(t + "\n")
	}
}

// Add puts a record into the set, in place of one of the same name.
func (s *Set) Add(name string, traces []scenario.Trace) error {
	if len(traces) == 0 {
		return fmt.Errorf("%s: the record is empty", name)
	}
	first := traces[0]
	for c := range s.Cells {
		if c.Kernel == name {
			delete(s.Cells, c)
		}
	}
	for i := range traces {
		t := &traces[i]
		switch {
		case t.Backend != "liburing":
			return fmt.Errorf("%s: the record is of %s, not of liburing", name, t.Backend)
		case t.Failed != "":
			return fmt.Errorf("%s: %s, %s: %s", name, t.Scenario, t.Mode, t.Failed)
		case t.Lacks == "":
			s.Cells[Cell{t.Scenario, t.Mode, name}] = t.Lines()
		}
	}
	k := Kernel{name, first.Kernel, first.Arch, first.FileSystem, first.Version}
	s.Kernels = slices.DeleteFunc(s.Kernels, func(k Kernel) bool { return k.Name == name })
	s.Kernels = append(s.Kernels, k)
	slices.SortFunc(s.Kernels, func(a, b Kernel) int {
		return cmp.Or(CompareReleases(a.Release, b.Release), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// CompareReleases orders releases by the numbers that they begin with.
func CompareReleases(a, b string) int {
	return slices.Compare(numbers(a), numbers(b))
}

func numbers(release string) (list []int) {
	for part := range strings.FieldsFuncSeq(release, func(r rune) bool { return r < '0' || r > '9' }) {
		n := 0
		fmt.Sscan(part, &n)
		if list = append(list, n); len(list) == 3 {
			break
		}
	}
	return list
}

func (s *Set) compareCells(a, b Cell) int {
	kernel := func(c Cell) int {
		return slices.IndexFunc(s.Kernels, func(k Kernel) bool { return k.Name == c.Kernel })
	}
	return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Mode, b.Mode), cmp.Compare(kernel(a), kernel(b)))
}
