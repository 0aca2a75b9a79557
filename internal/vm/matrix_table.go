//go:build linux

// What a matrix prints: a line as soon as a run ends, and a table at the end.

package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// outputLines is how much of a failed run's output is shown.
const outputLines = 30

// A row is the result of one run.
type row struct {
	kernel, binary string
	result         string
	failed         bool
	time           time.Duration
	tests          tests
	note           string // what there is to say, in one or more lines
	output         string // of the program, if it failed
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
	dir           string // for the outputs of what failed
	rows          []row
	tried, failed bool
}

func newTable(w io.Writer, dir string) *table { return &table{w: w, dir: dir} }

// add prints a row and keeps it.
func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	t.failed = t.failed || r.failed
	t.tried = t.tried || r.binary != ""
	fmt.Fprintf(t.w, "%-15s %-24s %-6s", r.kernel, r.binary, r.result)
	if r.binary != "" {
		fmt.Fprintf(t.w, " %6.1f s  %v", r.time.Seconds(), r.tests)
	}
	fmt.Fprintln(t.w)
	if r.failed && r.output != "" {
		t.indent(tail(r.output, outputLines))
	}
	if r.note != "" {
		t.indent(r.note)
	}
}

func (t *table) indent(text string) {
	fmt.Fprintf(t.w, "    %s\n", strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    "))
}

// tail returns the last n lines.
func tail(text string, n int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) <= n {
		return text
	}
	return fmt.Sprintf("… %d lines before\n", len(lines)-n) + strings.Join(lines[len(lines)-n:], "")
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
