//go:build linux

// What a matrix prints: a line as soon as a run ends, and a table at the end.

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// outputLines is how many lines of a failed run's output are shown. The whole is
// kept in a file.
const outputLines = 30

// A row is the result of one run.
type row struct {
	kernel, binary string
	result         string
	failed         bool
	time           time.Duration
	tests          tests
	note           string // what there is to say, in one or more lines
	output         string // of the program
}

// tests counts top-level tests.
type tests struct{ passed, skipped, failed int }

// countTests counts the verdicts in the output of a test binary with -test.v.
func countTests(out []byte) tests {
	var t tests
	for line := range bytes.Lines(out) {
		switch {
		case bytes.HasPrefix(line, []byte("--- PASS: ")):
			t.passed++
		case bytes.HasPrefix(line, []byte("--- SKIP: ")):
			t.skipped++
		case bytes.HasPrefix(line, []byte("--- FAIL: ")):
			t.failed++
		}
	}
	return t
}

func (t tests) String() string {
	s := fmt.Sprintf("%d passed", t.passed)
	if t.skipped > 0 {
		s += fmt.Sprintf(", %d skipped", t.skipped)
	}
	if t.failed > 0 {
		s += fmt.Sprintf(", %d failed", t.failed)
	}
	return s
}

// A table collects rows.
type table struct {
	w             io.Writer
	rows          []row
	tried, failed bool
}

// add prints a row and keeps it.
func (t *table) add(r row) {
	t.failed = t.failed || r.failed
	t.tried = t.tried || r.binary != ""
	fmt.Fprintf(t.w, "%-15s %-26s %-6s", r.kernel, r.binary, r.result)
	if r.binary != "" {
		fmt.Fprintf(t.w, " %6.1f s  %v", r.time.Seconds(), r.tests)
	}
	fmt.Fprintln(t.w)
	if r.failed && r.output != "" {
		t.indent(excerpt(r.output, outputLines))
		t.indent(keep(r))
	}
	if r.note != "" {
		t.indent(r.note)
	}
	r.output = ""
	t.rows = append(t.rows, r)
}

func (t *table) indent(text string) {
	fmt.Fprintf(t.w, "    %s\n", strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    "))
}

// keep writes a row's output to a file, and returns what to say about it.
func keep(r row) string {
	f, err := os.CreateTemp("", "uring-"+strings.NewReplacer("/", "-", " ", "-", "(", "", ")", "").Replace(r.kernel+"-"+r.binary)+"-*.log")
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if _, err := f.WriteString(r.output); err != nil {
		return err.Error()
	}
	return "all of it: " + f.Name()
}

// excerpt returns the lines that say how the program panicked and which tests
// failed, or the last lines if there are none of them, but at most n.
func excerpt(text string, n int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	var panics, failures []string
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "),
			i > 0 && strings.HasSuffix(lines[i-1], "running tests:\n"):
			panics = append(panics, trimmed)
		case strings.HasPrefix(trimmed, "--- FAIL: "):
			// A test's line comes before those of its subtests, which tell more.
			if last := len(failures) - 1; last >= 0 && isSubtest(failures[last], trimmed) {
				failures = failures[:last]
			}
			failures = append(failures, trimmed)
		}
	}
	telling := append(panics, failures...)
	if telling == nil {
		return strings.Join(lines[max(0, len(lines)-n):], "")
	}
	if more := len(telling) - n; more > 0 {
		telling = append(telling[:n:n], fmt.Sprintf("… and %d lines more", more))
	}
	return strings.Join(telling, "\n")
}

// isSubtest reports whether the second of two "--- FAIL: NAME (TIME)" lines is
// about a subtest of the first.
func isSubtest(parent, child string) bool {
	name, _, _ := strings.Cut(parent, " (")
	return strings.HasPrefix(child, name+"/")
}

// summary prints one line per kernel and one column per binary.
func (t *table) summary() {
	var kernels, binaries []string
	cells := map[[2]string]string{}
	for _, r := range t.rows {
		if !slices.Contains(kernels, r.kernel) {
			kernels = append(kernels, r.kernel)
		}
		if r.binary != "" && !slices.Contains(binaries, r.binary) {
			binaries = append(binaries, r.binary)
		}
		cells[[2]string{r.kernel, r.binary}] = r.result
	}
	if binaries == nil {
		return
	}
	fmt.Fprintln(t.w)
	w := tabwriter.NewWriter(t.w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "KERNEL\t%s\n", strings.Join(binaries, "\t"))
	for _, k := range kernels {
		fmt.Fprint(w, k)
		for _, b := range binaries {
			result := cells[[2]string{k, b}]
			if result == "" {
				result = cells[[2]string{k, ""}] // the kernel could not be had
			}
			if result == "" {
				result = "-" // not for this kernel
			}
			fmt.Fprintf(w, "\t%s", result)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}
