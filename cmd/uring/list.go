package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uring-go/uring/features"
	"github.com/uring-go/uring/internal/scenario"
)

var listCommand = &command{
	name:  "list",
	args:  "scenarios|ops|flags|features",
	short: "what this program knows; asks the kernel nothing",
	long: `Lists names, without asking the kernel:

  scenarios  the programs that "uring diff" runs, and the ring modes they run in
  ops        operations and register operations
  flags      setup flags, feature bits, and flags of io_uring_enter and of SQEs
  features   behaviours that no flag stands for

Operations, flags and features have the release of Linux they came with.`,
	run: runList,
}

// listed says which kinds of features each word stands for.
var listed = map[string][]features.Kind{
	"ops":      {features.Op, features.RegisterOp},
	"flags":    {features.Setup, features.FeatureBit, features.EnterFlag, features.SQEFlag},
	"features": {features.Behaviour},
}

type listedFeature struct {
	Kind  features.Kind `json:"kind"`
	Name  string        `json:"name"`
	Since string        `json:"since"`
}

type listedScenario struct {
	Name  string          `json:"name"`
	Modes []scenario.Mode `json:"modes"`
	Doc   string          `json:"doc"`
}

// listReport is the JSON document of all lists.
type listReport[T any] struct {
	Schema  int `json:"schema"`
	Results []T `json:"results"`
}

func runList(c *call) int {
	if len(c.args) != 1 {
		return c.fail(fmt.Errorf("want one of scenarios, ops, flags, features"))
	}
	if c.args[0] == "scenarios" {
		return c.listScenarios()
	}
	kinds, ok := listed[c.args[0]]
	if !ok {
		return c.fail(fmt.Errorf("unknown list %q; want one of scenarios, ops, flags, features", c.args[0]))
	}
	r := listReport[listedFeature]{Schema: 1, Results: []listedFeature{}}
	var t table
	for _, f := range features.Known() {
		if slices.Contains(kinds, f.Kind) {
			r.Results = append(r.Results, listedFeature{f.Kind, f.Name, f.Since})
			t.row(f.Name, string(f.Kind), f.Since)
		}
	}
	if c.json {
		c.document(r)
	} else {
		t.write(c)
	}
	return exitOK
}

func (c *call) listScenarios() int {
	r := listReport[listedScenario]{Schema: 1, Results: []listedScenario{}}
	var t table
	for _, s := range scenario.List() {
		r.Results = append(r.Results, listedScenario{s.Name, s.Modes, s.Doc})
		modes := make([]string, len(s.Modes))
		for i, m := range s.Modes {
			modes[i] = string(m)
		}
		t.row(s.Name, strings.Join(modes, ","), s.Doc)
	}
	if c.json {
		c.document(r)
	} else {
		t.write(c)
	}
	return exitOK
}
