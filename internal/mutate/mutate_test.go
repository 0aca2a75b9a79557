package main

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/uring-go/uring/internal/scenario"
)

// Every fault has its place in the sources as they are, and leaves Go code that
// can be read. The C compiler has its say only in a full run.
func TestFaultsApply(t *testing.T) {
	for _, f := range faults {
		t.Run(f.file+" "+f.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(f.file)))
			if err != nil {
				t.Fatal(err)
			}
			changed, err := f.apply(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if changed == string(text) {
				t.Error("the fault changes nothing")
			}
			if path.Ext(f.file) == ".go" {
				if _, err := parser.ParseFile(token.NewFileSet(), f.file, changed, parser.SkipObjectResolution); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A place that is gone, or not the only one, is an error.
func TestApplyOnce(t *testing.T) {
	f := fault{name: "n", file: "f", old: "ab", new: "c"}
	if got, err := f.apply("xaby"); got != "xcy" || err != nil {
		t.Errorf("apply gives %q, %v", got, err)
	}
	for text, count := range map[string]string{"x": "0 times", "abab": "2 times"} {
		if _, err := f.apply(text); err == nil || !strings.Contains(err.Error(), count) {
			t.Errorf("apply to %q gives %v, want an error with %q", text, err, count)
		}
	}
}

// There are enough faults, on both sides, and the scenarios that should catch them
// exist in the modes that are named.
func TestList(t *testing.T) {
	count := map[string]int{}
	seen := map[string]bool{}
	for _, f := range faults {
		count[side(f.file)]++
		if id := f.file + f.name; seen[id] {
			t.Errorf("%s has two faults %q", f.file, f.name)
		} else {
			seen[id] = true
		}
		if len(f.scenarios) == 0 {
			t.Errorf("%q: no scenario", f.name)
		}
	}
	if count["C"] < 15 || count["Go"] < 15 {
		t.Errorf("%v faults, want at least 15 on either side", count)
	}
	if len(scenario.List()) == 0 {
		t.Skip("no scenarios on this system")
	}
	for _, f := range faults {
		for _, name := range f.scenarios {
			s, ok := scenario.Find(name)
			if !ok {
				t.Errorf("%q: no scenario %s", f.name, name)
			} else if f.mode != "" && !slices.Contains(s.Modes, scenario.Mode(f.mode)) {
				t.Errorf("%q: %s does not run in mode %s", f.name, name, f.mode)
			}
		}
	}
}
