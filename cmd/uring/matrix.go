package main

import (
	"fmt"
	"os"

	"github.com/uring-go/uring/features"
	"github.com/uring-go/uring/internal/matrix"
)

var matrixCommand = &command{
	name:  "matrix",
	args:  "DIR",
	short: "draws what runs under many kernels found",
	long: `Writes one HTML page that needs no other file: which kernel has which feature, and
in which scenario each backend sees under each kernel what liburing sees under the
newest. -svg writes the picture of the same alone.

DIR has a directory for each kernel, named as scripts/kernels calls it with a hyphen
for the first slash, and in it probe.json, from "uring probe -json", and liburing.json
and purego.json, from "uring record". "scripts/kernels --record" makes them.`,
	flags: func(c *call) {
		c.set.StringVar(&c.svg, "svg", "", "write the picture to this `FILE` too")
	},
	run: runMatrix,
}

// matrixReport is the JSON document.
type matrixReport struct {
	Schema   int                  `json:"schema"`
	Kernels  []matrixKernel       `json:"kernels"`
	Features []matrixFeature      `json:"features"`
	Count    map[matrix.State]int `json:"count"`
	Results  []matrixScenario     `json:"results"`
}

type matrixKernel struct {
	Name       string `json:"name"`
	Release    string `json:"release"`
	Arch       string `json:"arch"`
	FileSystem string `json:"filesystem"`
	Liburing   string `json:"liburing,omitempty"`
}

// matrixFeature has an answer for each kernel.
type matrixFeature struct {
	Name    string            `json:"name"`
	Answers []features.Answer `json:"answers"`
}

// matrixScenario has, for each kernel, a state for each of the backends, liburing
// first.
type matrixScenario struct {
	Scenario string            `json:"scenario"`
	States   [][2]matrix.State `json:"states"`
}

func runMatrix(c *call) int {
	if len(c.args) != 1 {
		return c.fail(fmt.Errorf("want one directory of runs, not %d arguments", len(c.args)))
	}
	m, err := matrix.Load(c.args[0])
	if err != nil {
		return c.fail(err)
	}
	if c.svg != "" {
		f, err := os.Create(c.svg)
		if err != nil {
			return c.fail(err)
		}
		err = m.WriteSVG(f)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return c.fail(err)
		}
	}
	if c.json {
		c.document(matrixDocument(m))
	} else if err := m.WriteHTML(c); err != nil {
		return c.fail(err)
	}
	return exitOK
}

func matrixDocument(m *matrix.Matrix) matrixReport {
	r := matrixReport{Schema: 1, Count: m.Count}
	for _, k := range m.Kernels {
		r.Kernels = append(r.Kernels, matrixKernel{k.Name, k.Release, k.Arch, k.FileSystem, k.Library})
	}
	for _, f := range m.Features {
		r.Features = append(r.Features, matrixFeature{f.Name, f.Answers})
	}
	for _, s := range m.Scenarios {
		row := matrixScenario{Scenario: s.Name}
		for _, cell := range s.Cells {
			row.States = append(row.States, cell.States)
		}
		r.Results = append(r.Results, row)
	}
	return r
}
