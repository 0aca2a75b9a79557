package scenario

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uring-go/uring/sys"
)

func TestListIsWellFormed(t *testing.T) {
	if runtime.GOOS == "linux" && len(List()) == 0 {
		t.Fatal("no scenarios")
	}
	seen := map[string]bool{}
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, s := range List() {
		switch {
		case !name.MatchString(s.Name) || seen[s.Name]:
			t.Errorf("scenario name %q is malformed or not unique", s.Name)
		case !strings.HasSuffix(s.Doc, ".") || s.Run == nil || len(s.Modes) == 0:
			t.Errorf("scenario %s lacks a sentence, a program or modes", s.Name)
		}
		seen[s.Name] = true
		if found, ok := Find(s.Name); !ok || found.Doc != s.Doc {
			t.Errorf("Find(%q) finds %q", s.Name, found.Name)
		}
		modes := map[Mode]bool{}
		for _, m := range s.Modes {
			if modes[m] {
				t.Errorf("scenario %s has mode %s twice", s.Name, m)
			}
			modes[m] = true
		}
	}
	if _, ok := Find("no such scenario"); ok {
		t.Error("Find finds what is not there")
	}
}

func TestTraceRoundTrip(t *testing.T) {
	traces := []Trace{
		{Scenario: "a", Mode: Plain, Backend: "b", Kernel: "6.1", FileSystem: "ext4", Events: []Event{
			{Call: "submit", Ret: "3"},
			{Ring: 1, CQE: &Completion{UserData: 1<<64 - 1, Res: "-ENOENT", Flags: "MORE|BUFFER:7"}},
			{CQE: &Completion{Res: "fd", Flags: "0", Extra: &[2]uint64{1, 1 << 63}}},
		}},
		{Scenario: "a", Mode: Defer, Backend: "b", Skipped: "no such thing"},
	}
	var buf bytes.Buffer
	for i := range traces {
		n, err := traces[i].WriteTo(&buf)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
	}
	for l := range strings.Lines(buf.String()) {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
	got, err := ReadTraces(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(traces, got); diff != "" {
		t.Errorf("written (-) and read (+):\n%s", diff)
	}
	for _, bad := range []string{`{"call":"submit"}`, `{"scenario":"a"`} {
		if _, err := ReadTraces(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("ReadTraces(%s): %v, want an error with the line", bad, err)
		}
	}
}

// Rendering loses nothing: different flags are different text.
func TestFlagNames(t *testing.T) {
	seen := map[string]sys.CQEFlags{}
	for f := range sys.CQEFlags(1 << 17) {
		// The low half and one bit of the upper half.
		name := flagNames(f)
		if other, ok := seen[name]; ok {
			t.Fatalf("%#x and %#x are both %q", uint32(f), uint32(other), name)
		}
		seen[name] = f
	}
	for f, want := range map[sys.CQEFlags]string{
		0: "0",
		sys.IORING_CQE_F_BUFFER | sys.IORING_CQE_F_MORE | 5<<16: "BUFFER:5|MORE",
		5 << 16:                  "0x50000",
		sys.IORING_CQE_F_32 | 64: "32|0x40",
	} {
		if got := flagNames(f); got != want {
			t.Errorf("flagNames(%#x) = %q, want %q", uint32(f), got, want)
		}
	}
}

// The difference is right if patch(1) makes the second text of the first with
// it; where there is no patch, if its lines are those of both texts.
func TestUnified(t *testing.T) {
	lines := func(s string) []string {
		if s == "" {
			return nil
		}
		return strings.Split(s, " ")
	}
	cases := []struct{ a, b string }{
		{"", "x"}, {"x", ""}, {"a", "b"}, {"a b c", "a c"}, {"a c", "a b c"},
		{"1 2 3 4 5 6 7 8 9 10 11 12", "1 x 3 4 5 6 7 8 9 10 y 12"}, // one hunk or two
		{"1 2 3 4 5 6 7 8 9 10 11 12 13", "x 2 3 4 5 6 7 8 9 10 11 12 y"},
		{"1 2 3 4 5 6 7 8", "x 2 3 4 5 6 7 y"},
		{"a b a b a", "b a b a b"},
	}
	for _, c := range cases {
		if d := Unified("a", "b", lines(c.a), lines(c.a)); d != "" {
			t.Errorf("%q against itself: %s", c.a, d)
		}
		d := Unified("a", "b", lines(c.a), lines(c.b))
		if d == "" {
			t.Errorf("no difference between %q and %q", c.a, c.b)
			continue
		}
		if !strings.HasPrefix(d, "--- a\n+++ b\n@@ -") {
			t.Errorf("the difference begins\n%s", d)
		}
		if got := apply(t, lines(c.a), d); got != c.b {
			t.Errorf("applied to %q the difference gives %q, want %q:\n%s", c.a, got, c.b, d)
		}
	}
}

// apply applies a difference with patch(1).
func apply(t *testing.T, a []string, diff string) string {
	t.Helper()
	path, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("there is no patch program to check with")
	}
	dir := t.TempDir()
	text := ""
	for _, l := range a {
		text += l + "\n"
	}
	if err := os.WriteFile(dir+"/a", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-s", "-o", "-", dir+"/a")
	cmd.Stdin = strings.NewReader(diff)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("patch: %v\n%s", err, diff)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{Scenarios: []string{"no_such_scenario"}},
		{Scenarios: []string{"["}},
		{Modes: []Mode{"sideways"}},
	} {
		if rep, err := Diff(t.Context(), o); err == nil {
			t.Errorf("Diff with %+v gives %d results and no error", o, len(rep.Results))
		}
	}
}
