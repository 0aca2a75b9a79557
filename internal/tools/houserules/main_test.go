package main

// Every rule is broken once, so that none of them can go blind, and kept once,
// so that none of them cries wolf.

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	// In two parts, so that this file keeps the rule it tests.
	somebody := "/ho" + "me/somebody"
	files := map[string]string{
		"go.mod":               "module example.com/m\n\ngo 1.26.0\n",
		"m.go":                 "package m\n\nimport \"unsafe\"\n\nvar A unsafe.Pointer\n",
		"m_unsafe.go":          "package m\n\nimport \"unsafe\"\n\nvar B unsafe.Pointer\n",
		"m_unsafe_linux.go":    "package m\n\nimport \"unsafe\"\n\nvar C unsafe.Pointer\n",
		"env.go":               "package m\n\nimport (\n\t\"os\"\n\n\t_ \"example.com/m/internal/used\"\n)\n\nvar D = os.Getenv(\"D\")\n",
		"env_test.go":          "package m\n\nimport \"os\"\n\nvar E = os.Getenv(\"E\")\n",
		"init.go":              "package m\n\nfunc init() {}\n",
		"link.go":              "package m\n\n//go:" + "linkname now runtime.nanotime\n",
		"cgo/cgo.go":           "package cgo\n\nimport \"C\"\nimport \"unsafe\"\n\nvar F unsafe.Pointer\n",
		"cmd/tool/main.go":     "package main\n\nimport \"os\"\n\nfunc init() {}\n\nfunc main() { println(os.Getenv(\"G\")) }\n",
		"internal/used/env.go": "package used\n\nimport sys \"syscall\"\n\nvar H = sys.Environ()\n",
		"internal/free/env.go": "package free\n\nimport \"os\"\n\nvar I = os.Environ()\n",
		"notes.md":             "kept in the user's ~/home/x and $HOME/root/x\nkept in " + somebody + "\n",
		"a.bin":                "\x00 " + somebody,
	}
	root := t.TempDir()
	for name, text := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	found, err := check(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"env.go:9:9: os.Getenv: the library reads no environment variables",
		"init.go:3:1: init function in the library",
		"internal/used/env.go:5:9: sys.Environ: the library reads no environment variables",
		"link.go:3:1: go:linkname reaches into another package",
		"m.go:3:8: imports unsafe; only files named *_unsafe.go and cgo files may",
		"notes.md:2:1: names a directory of one machine: " + somebody,
	}
	slices.Sort(found)
	if !slices.Equal(found, want) {
		t.Errorf("found\n\t%s\nwant\n\t%s", strings.Join(found, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestCheckRefuses(t *testing.T) {
	if found, err := check(t.TempDir()); err == nil {
		t.Errorf("an empty directory passed: %q", found)
	}
}
