package main

// The face of diff that compares two records, and runs nothing.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/uring-go/uring/internal/scenario"
)

// recordFiles reports whether an argument of diff means a file. Names of
// scenarios have neither dots nor slashes.
func recordFiles(args []string) bool {
	for _, a := range args {
		if strings.ContainsAny(a, "./") {
			return true
		}
		if info, err := os.Stat(a); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// compareReport is the JSON document about two records.
type compareReport struct {
	Schema  int                      `json:"schema"`
	Records [2]recordSource          `json:"records"`
	Count   map[scenario.Outcome]int `json:"count"`
	Results []scenario.Result        `json:"results"`
}

// recordSource says where a record comes from.
type recordSource struct {
	File       string `json:"file"`
	Backend    string `json:"backend"`
	Version    string `json:"version,omitempty"`
	Kernel     string `json:"kernel"`
	Arch       string `json:"arch,omitempty"`
	FileSystem string `json:"filesystem,omitempty"`
}

func (s recordSource) String() string {
	return fmt.Sprintf("%s: %s on Linux %s", s.File, strings.TrimSpace(s.Backend+" "+s.Version),
		strings.Join(strings.Fields(s.Kernel+" "+s.Arch+" "+s.FileSystem), ", "))
}

// compare compares the two records that the arguments name.
func (c *call) compare(o scenario.Options) int {
	if len(c.args) != 2 {
		return c.fail(fmt.Errorf("want two records to compare, not %d: %s", len(c.args), strings.Join(c.args, " ")))
	}
	r := compareReport{Schema: 1, Count: map[scenario.Outcome]int{}, Results: []scenario.Result{}}
	var recordings [2]scenario.Recording
	for i, name := range c.args {
		traces, err := readRecord(name)
		if err != nil {
			return c.fail(err)
		}
		recordings[i] = scenario.Recording{Name: name, Traces: traces}
		t := traces[0]
		r.Records[i] = recordSource{name, t.Backend, t.Version, t.Kernel, t.Arch, t.FileSystem}
	}
	width := 0
	for _, t := range recordings[0].Traces {
		width = max(width, len(t.Scenario))
	}
	o.Each = func(res scenario.Result) {
		r.Count[res.Outcome]++
		if !c.json {
			c.diffLine(res, width)
		}
	}
	results, err := scenario.CompareRecordings(&recordings[0], &recordings[1], o)
	if err != nil {
		return c.fail(err)
	}
	if c.json {
		r.Results = append(r.Results, results...)
		c.document(r)
	} else {
		c.printf("%v\n%v\n%s\n", r.Records[0], r.Records[1], counts(r.Count))
	}
	return c.verdict(r.Count)
}

// readRecord reads a record as lines, which has at least one trace.
func readRecord(name string) ([]scenario.Trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	traces, err := scenario.ReadTraces(f)
	switch {
	case err != nil:
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
			return nil, err
		}
		return nil, fmt.Errorf("%s is no record of uring: %w", name, err)
	case len(traces) == 0:
		return nil, fmt.Errorf("%s is no record of uring: it is empty", name)
	}
	return traces, nil
}
