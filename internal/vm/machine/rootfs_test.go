//go:build linux

package machine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/uring-go/uring/internal/vm/guest"
)

func TestRootfs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, perm os.FileMode) string {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), perm); err != nil {
			t.Fatal(err)
		}
		return name
	}
	initProgram := write("init", "first", 0o755)
	program := write("bin/x.test", "program", 0o755)
	write("pkg/a_test.go", "source", 0o644)
	write("pkg/large", strings.Repeat("l", maxDirFile+1), 0o644)
	write("pkg/other/skipped", "", 0o644)
	write("pkg/testdata/deep/golden", "golden", 0o644)
	write("extra/tree/file", "extra", 0o600)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "extra"), link); err != nil {
		t.Fatal(err)
	}
	// Asked for by hand, and taken along anyway.
	twice := filepath.Join(dir, "pkg/a_test.go")

	c := &Config{
		Program: program, Dir: filepath.Join(dir, "pkg"), Files: []string{link, twice},
		Collect: []string{"/out/cover.out"}, CollectDirs: []string{"/covdata"},
	}
	job := &guest.Job{Argv: []string{program, "-test.v"}, Dir: c.Dir}
	archive := filepath.Join(t.TempDir(), "archive")
	if err := writeRootfs(archive, initProgram, job, c); err != nil {
		t.Fatal(err)
	}
	got := readArchive(t, archive)
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"init":                                "first",
		guest.JobFile[1:]:                     string(text),
		program[1:]:                           "program",
		dir[1:] + "/pkg/a_test.go":            "source",
		dir[1:] + "/pkg/testdata/deep/golden": "golden",
		dir[1:] + "/link/tree/file":           "extra",
		"etc/hosts":                           etc["etc/hosts"],
		"dev/console":                         "",
		"out":                                 "",
		"covdata":                             "",
	} {
		if data, ok := got[name]; !ok || data != want {
			t.Errorf("%s: there %v, %q, want %q", name, ok, data, want)
		}
	}
	for _, name := range []string{"pkg/large", "pkg/other/skipped", "pkg/other"} {
		if _, ok := got[dir[1:]+"/"+name]; ok {
			t.Errorf("%s was taken along", name)
		}
	}

	c.Files = []string{filepath.Join(dir, "none")}
	if err := writeRootfs(archive, initProgram, job, c); err == nil || !strings.Contains(err.Error(), c.Files[0]) {
		t.Errorf("a named file that is not there: %v, want an error that names it", err)
	}
}

// readArchive returns the entries of an archive by name; none may occur twice.
func readArchive(t *testing.T, name string) map[string]string {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	field := func(off, i int) int {
		v, err := strconv.ParseUint(string(b[off+6+8*i:off+14+8*i]), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return int(v)
	}
	entries := map[string]string{}
	for off := 0; ; {
		nameLen, size := field(off, 11), field(off, 6)
		data := (off + 110 + nameLen + 3) &^ 3
		name := string(b[off+110 : off+110+nameLen-1])
		if name == "TRAILER!!!" {
			return entries
		}
		if _, ok := entries[name]; ok {
			t.Errorf("%s is in the archive twice", name)
		}
		entries[name] = string(b[data : data+size])
		off = (data + size + 3) &^ 3
	}
}
