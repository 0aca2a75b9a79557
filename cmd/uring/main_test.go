package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/features"
	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/liburing"
)

// uringCmd runs the program and returns what it wrote and its exit status.
func uringCmd(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
	return out.String(), errs.String(), status
}

// errorLine is what every error looks like.
var errorLine = regexp.MustCompile(`^uring( [a-z]+)?: [^A-Z\n][^\n]*\n$`)

func TestUsageErrors(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"prob"}, `uring: unknown command "prob"; "uring help" lists them`},
		{[]string{"help", "prob"}, `uring help: unknown command "prob"; "uring help" lists them`},
		{[]string{"probe", "-x"}, `uring probe: flag provided but not defined: -x`},
		{[]string{"probe", "nonsense"}, `uring probe: unknown name "nonsense"; "uring list ops", "uring list flags" and "uring list features" have the names`},
		{[]string{"probe", "-o"}, `uring probe: flag needs an argument: -o`},
		{[]string{"record", "-backend", "c"}, `uring record: unknown backend "c"; there are liburing and purego`},
		{[]string{"diff", "-count", "0"}, `uring diff: count 0: it must be at least 1`},
		{[]string{"matrix"}, `uring matrix: want one directory of runs, not 0 arguments`},
		{[]string{"matrix", "/no"}, `uring matrix: /no has no runs: there is no KERNEL/probe.json`},
		{[]string{"diff", "a.json"}, `uring diff: want two records to compare, not 1: a.json`},
		{[]string{"diff", "/no/a.json", "b.json"}, `uring diff: open /no/a.json: no such file or directory`},
		{[]string{"list"}, `uring list: want one of scenarios, ops, flags, features`},
		{[]string{"list", "words"}, `uring list: unknown list "words"; want one of scenarios, ops, flags, features`},
		{[]string{"version", "now"}, `uring version: unexpected argument "now"`},
		{[]string{"check", "this"}, `uring check: unexpected argument "this"`},
	} {
		out, errs, status := uringCmd(t, tt.args...)
		if out != "" || errs != tt.want+"\n" || status != exitUsage {
			t.Errorf("%v: status %d, stdout %q, stderr\n%s\nwant\n%s", tt.args, status, out, errs, tt.want)
		}
		if !errorLine.MatchString(errs) {
			t.Errorf("%v: the error %q is not one lower-case line", tt.args, errs)
		}
	}
	out, errs, status := uringCmd(t)
	if out != "" || !strings.HasPrefix(errs, "usage: uring COMMAND") || status != exitUsage {
		t.Errorf("without arguments: status %d, stdout %q, stderr %q", status, out, errs)
	}
}

func TestHelp(t *testing.T) {
	all, errs, status := uringCmd(t, "help")
	if errs != "" || status != exitOK {
		t.Fatalf("help: status %d, stderr %q", status, errs)
	}
	for _, flag := range []string{"-h", "-help", "--help"} {
		if out, _, status := uringCmd(t, flag); out != all || status != exitOK {
			t.Errorf("%s: status %d, %q", flag, status, out)
		}
	}
	for _, cmd := range commands() {
		if !strings.Contains(all, "  "+cmd.name+" ") || !strings.Contains(all, cmd.short) {
			t.Errorf("help does not list %s", cmd.name)
		}
		long, errs, status := uringCmd(t, "help", cmd.name)
		if errs != "" || status != exitOK || !strings.HasPrefix(long, "usage: uring "+cmd.name+" [FLAGS]") || !strings.Contains(long, cmd.long) {
			t.Errorf("help %s: status %d, stderr %q, stdout\n%s", cmd.name, status, errs, long)
		}
		for _, flag := range []string{"-json ", "-o FILE"} {
			if !strings.Contains(long, "  "+flag) {
				t.Errorf("help %s lacks %q:\n%s", cmd.name, flag, long)
			}
		}
		if out, _, status := uringCmd(t, cmd.name, "-h"); out != long || status != exitOK {
			t.Errorf("%s -h: status %d, and not the text of help", cmd.name, status)
		}
		for line := range strings.Lines(all + long) {
			if len(line) > 96 || strings.HasSuffix(line, " \n") {
				t.Errorf("help line too wide, or with blanks at its end: %q", line)
			}
		}
	}
}

// TestJSON: every command writes one document of schema 1 with results.
func TestJSON(t *testing.T) {
	for _, args := range [][]string{
		{"probe"}, {"probe", "nop"}, {"check"}, {"version"},
		{"list", "scenarios"}, {"list", "ops"}, {"list", "flags"}, {"list", "features"},
	} {
		out, errs, _ := uringCmd(t, append(args, "-json")...)
		if errs != "" {
			t.Errorf("%v: stderr %q", args, errs)
		}
		d := json.NewDecoder(strings.NewReader(out))
		var doc map[string]any
		if err := d.Decode(&doc); err != nil {
			t.Errorf("%v: %v in\n%s", args, err, out)
			continue
		}
		if d.More() {
			t.Errorf("%v: more than one document", args)
		}
		if doc["schema"] != 1.0 {
			t.Errorf("%v: schema %v", args, doc["schema"])
		}
		if results, ok := doc["results"].([]any); args[0] != "version" && (!ok || len(results) == 0 && runtime.GOOS == "linux") {
			t.Errorf("%v: results %v", args, doc["results"])
		}
		checkNames(t, args, doc)
	}
}

// checkNames demands snake_case of every field.
func checkNames(t *testing.T, args []string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(name) {
				t.Errorf("%v: field %q", args, name)
			}
			checkNames(t, args, field)
		}
	case []any:
		for _, e := range v {
			checkNames(t, args, e)
		}
	}
}

func TestProbe(t *testing.T) {
	r := features.All()
	out, errs, status := uringCmd(t, "probe")
	if errs != "" || status != exitOK {
		t.Fatalf("status %d, stderr %q", status, errs)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if want := runtime.GOOS + "/" + runtime.GOARCH; !strings.HasPrefix(lines[0], "kernel ") || !strings.HasSuffix(lines[0], want) {
		t.Errorf("the first line is %q", lines[0])
	}
	column := 0
	var sections []string
	i := 0
	for _, line := range lines[1:] {
		switch {
		case line == "":
		case !strings.HasPrefix(line, " "):
			sections = append(sections, line)
		default:
			f := strings.Fields(line)
			want := r.Results[i]
			if len(f) < 3 || f[0] != want.Name || f[1] != string(want.Answer) || f[2] != want.Since {
				t.Errorf("line %q is not about %+v", line, want)
			}
			name := len("  ") + len(f[0])
			if at := name + strings.Index(line[name:], f[1]); column == 0 {
				column = at
			} else if at != column {
				t.Errorf("the answer in %q is at %d, above it at %d", line, at, column)
			}
			i++
		}
	}
	if i != len(r.Results) {
		t.Errorf("%d lines for %d results", i, len(r.Results))
	}
	if want := []string{"setup", "feature", "op", "register_op", "enter", "sqe_flag", "behaviour"}; !slices.Equal(sections, want) {
		t.Errorf("sections %v, want %v", sections, want)
	}
	again, _, _ := uringCmd(t, "probe")
	if again != out {
		t.Error("a second probe gives another table")
	}
}

// TestProbeNames: what is named decides the exit status.
func TestProbeNames(t *testing.T) {
	first := map[features.Answer]string{}
	for _, r := range features.All().Results {
		if first[r.Answer] == "" {
			first[r.Answer] = r.Name
		}
	}
	want := map[features.Answer]int{features.Yes: exitOK, features.No: exitNo, features.Unknown: exitUntried}
	for answer, name := range first {
		for _, spelt := range []string{name, strings.ToLower(name)} {
			out, errs, status := uringCmd(t, "probe", spelt)
			if errs != "" || status != want[answer] || !strings.Contains(out, "  "+name+"  "+string(answer)) {
				t.Errorf("probe %s, which is %s: status %d, stderr %q, stdout\n%s", spelt, answer, status, errs, out)
			}
		}
	}
	if yes, no := first[features.Yes], first[features.No]; yes != "" && no != "" {
		if out, _, status := uringCmd(t, "probe", yes, no); status != exitNo || strings.Count(out, "\n  ") != 2 {
			t.Errorf("probe %s %s: status %d\n%s", yes, no, status, out)
		}
	}
	for name, want := range map[string][]string{
		"pipe":      {"IORING_OP_PIPE"},
		"ext_arg":   {"IORING_FEAT_EXT_ARG", "IORING_ENTER_EXT_ARG"},
		"io_link":   {"IOSQE_IO_LINK"},
		"send_zc":   {"IORING_OP_SEND_ZC", "send_zc"},
		"PBUF_RING": {"IORING_REGISTER_PBUF_RING"},
	} {
		list, err := choose(features.Known(), []string{name})
		var got []string
		for _, f := range list {
			got = append(got, f.Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s means %v (%v), want %v", name, got, err, want)
		}
	}
	if list, err := choose(features.Known(), []string{"sqe_flag"}); err != nil || len(list) != 7 {
		t.Errorf("the kind sqe_flag means %d features (%v)", len(list), err)
	}
}

// TestOutputFile: -o writes what would have gone to the standard output.
func TestOutputFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "list")
	want, _, _ := uringCmd(t, "list", "ops")
	// Flags may follow arguments.
	out, errs, status := uringCmd(t, "list", "ops", "-o", name)
	if out != "" || errs != "" || status != exitOK {
		t.Fatalf("status %d, stdout %q, stderr %q", status, out, errs)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != want {
		t.Errorf("the file holds %q (%v)", got, err)
	}
	out, errs, status = uringCmd(t, "list", "-o", filepath.Join(name, "below"), "ops")
	if out != "" || !errorLine.MatchString(errs) || status != exitUsage {
		t.Errorf("a file that cannot be made: status %d, stdout %q, stderr %q", status, out, errs)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrInvalid }

func TestOutputError(t *testing.T) {
	for _, args := range [][]string{{"list", "ops"}, {"list", "ops", "-json"}, {"version"}} {
		var errs bytes.Buffer
		if status := run(args, full{}, &errs); status != exitUsage || !errorLine.MatchString(errs.String()) {
			t.Errorf("%v: status %d, stderr %q", args, status, errs.String())
		}
	}
}

func TestVersion(t *testing.T) {
	out, errs, status := uringCmd(t, "version")
	if errs != "" || status != exitOK {
		t.Fatalf("status %d, stderr %q", status, errs)
	}
	want := map[string]string{"backend": uring.DefaultBackend, "go": runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, "liburing": "not in this build"}
	if h := liburing.HeaderVersion(); h != "" {
		want["liburing"] = "header " + h + ", library " + liburing.Version()
	}
	got := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(line, " ")
		got[key] = strings.TrimSpace(value)
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
	for _, key := range []string{"uring", "kernel"} {
		if got[key] == "" {
			t.Errorf("%s is missing in\n%s", key, out)
		}
	}
}

func TestList(t *testing.T) {
	count := func(what string) int {
		out, errs, status := uringCmd(t, "list", what)
		if errs != "" || status != exitOK {
			t.Errorf("list %s: status %d, stderr %q", what, status, errs)
		}
		return strings.Count(out, "\n")
	}
	if got, want := count("ops")+count("flags")+count("features"), len(features.Known()); got != want {
		t.Errorf("the lists have %d lines for %d features", got, want)
	}
	if got, want := count("scenarios"), len(scenario.List()); got != want {
		t.Errorf("the list has %d lines for %d scenarios", got, want)
	}
}

func TestTable(t *testing.T) {
	tab := table{indent: " "}
	tab.row("a", "bb", "ccc")
	tab.row("\x1b[31mlonger\x1b[0m", "ü", "x")
	tab.row("", "", "below")
	tab.row("end")
	var b strings.Builder
	tab.write(&b)
	want := " a       bb  ccc\n" +
		" \x1b[31mlonger\x1b[0m  ü   x\n" +
		"             below\n" +
		" end\n"
	if b.String() != want {
		t.Errorf("the table is\n%q\nwant\n%q", b.String(), want)
	}
}

// TestColour: only a terminal gets colours, and not with NO_COLOR. The null
// device passes for a terminal.
func TestColour(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	paints := func(c call) bool {
		t.Helper()
		if err := c.open(&c); err != nil {
			t.Fatal(err)
		}
		defer c.close()
		return c.word("fail") == "\x1b[31mfail\x1b[0m"
	}
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if runtime.GOOS != "windows" && !paints(call{stdout: null}) {
		t.Error("no colours on a terminal")
	}
	if paints(call{stdout: new(bytes.Buffer)}) {
		t.Error("colours in a pipe")
	}
	if paints(call{stdout: null, out: filepath.Join(t.TempDir(), "x")}) {
		t.Error("colours in a file")
	}
	t.Setenv("TERM", "dumb")
	if paints(call{stdout: null}) {
		t.Error("colours on a terminal that has none")
	}
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	if paints(call{stdout: null}) {
		t.Error("colours in spite of NO_COLOR")
	}
}

// TestCheck: the status follows the findings.
func TestCheck(t *testing.T) {
	out, errs, status := uringCmd(t, "check", "-json")
	var r checkReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || errs != "" {
		t.Fatalf("%v, stderr %q", err, errs)
	}
	want := exitOK
	for _, f := range r.Results {
		if f.Name == "" || f.Text == "" || f.Status != ok && f.Status != warn && f.Status != bad {
			t.Errorf("finding %+v", f)
		}
		if f.Status == bad {
			want = exitNo
		}
	}
	if status != want || r.Backend != uring.DefaultBackend {
		t.Errorf("status %d for backend %s with\n%s", status, r.Backend, out)
	}
	table, errs, status := uringCmd(t, "check")
	if errs != "" || status != want {
		t.Errorf("status %d, stderr %q", status, errs)
	}
	for _, f := range r.Results {
		if !regexp.MustCompile(`(?m)^` + string(f.Status) + ` +` + f.Name + `  `).MatchString(table) {
			t.Errorf("%+v is not in\n%s", f, table)
		}
	}
}
