//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/uring-go/uring/internal/vm/machine"
)

func TestParseRun(t *testing.T) {
	o, err := parseRun(strings.Fields("-kernel 6.1 -timeout 9s -file a -file b -sysctl x=1 -append q=2 -scratch 64M -uid 7 -cpus 1 -memory 256 -env A -env B=2 prog -kernel x -test.v"))
	if err != nil {
		t.Fatal(err)
	}
	want := machine.Config{
		Program: "prog", Args: []string{"-kernel", "x", "-test.v"},
		Files: []string{"a", "b"}, Sysctls: []string{"x=1"}, Append: "q=2", UID: 7,
		Scratch: machine.Scratch{Size: 64 << 20, Ext4: true},
		CPUs:    1, Memory: 256, Accel: "tcg", Timeout: 9 * time.Second,
	}
	if d := cmp.Diff(want, o.config); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
	if d := cmp.Diff(list{"A", "B=2"}, o.env); d != "" {
		t.Errorf("env (-want +got):\n%s", d)
	}
	for args, want := range map[string]string{
		"":                           "-kernel is missing",
		"prog":                       "-kernel is missing",
		"-kernel 6.1":                "program is missing",
		"-kernel 6.1 -nonsense prog": "nonsense",
		"-kernel 6.1 -scratch 5 p":   `"5"`,
		"-kernel 6.1 -timeout x p":   `"x"`,
	} {
		if _, err := parseRun(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run %s: %v, want an error with %q", args, err, want)
		}
	}
}

func TestSpecFollowsProgram(t *testing.T) {
	for _, tt := range []struct{ args, goarch, want string }{
		{"-kernel 6.1", "amd64", "6.1"},
		{"-kernel 6.1", "386", "6.1/386"},
		{"-kernel 6.1", "arm64", "6.1/arm64"},
		{"-kernel 6.1 -uml", "amd64", "6.1/uml"},
		{"-kernel 6.1/uml -uml", "amd64", "6.1/uml"},
		{"-kernel 6.1 -uml", "386", ""},
		{"-kernel 6.1/arm64", "amd64", ""},
		{"-kernel 6.1/arm64-16k", "arm64", "6.1/arm64-16k"},
	} {
		o, err := parseRun(append(strings.Fields(tt.args), "prog"))
		if err != nil {
			t.Fatal(err)
		}
		spec, err := o.spec(tt.goarch)
		if (err == nil) != (tt.want != "") || err == nil && spec.String() != tt.want {
			t.Errorf("%s with a program for %s: %v, %v, want %q", tt.args, tt.goarch, spec, err, tt.want)
		}
	}
}

func TestScratchFlag(t *testing.T) {
	for in, want := range map[string]machine.Scratch{
		"64M":     {Size: 64 << 20, Ext4: true},
		"1G:raw":  {Size: 1 << 30},
		"2048K":   {Size: 2 << 20, Ext4: true},
		"1048576": {Size: 1 << 20, Ext4: true},
	} {
		var got machine.Scratch
		if err := (scratchFlag{&got}).Set(in); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "M", "64", "-64M", "64T", "64M:ext3", "99999999999G", "1.5G"} {
		if err := (scratchFlag{new(machine.Scratch)}).Set(in); err == nil {
			t.Errorf("%q gave no error", in)
		}
	}
}

func TestEnvironment(t *testing.T) {
	environ := []string{"HOME=/x", "GODEBUG=a=1", "GOMAXPROCS=2", "PATH=/p", "LANG=C", "TOKEN=t"}
	got := environment(environ, []string{"LANG", "NEW=1", "ABSENT"})
	if d := cmp.Diff([]string{"LANG=C", "NEW=1", "GODEBUG=a=1", "GOMAXPROCS=2"}, got); d != "" {
		t.Errorf("environment (-want +got):\n%s", d)
	}
}

func TestOutputs(t *testing.T) {
	for _, tt := range []struct {
		args        string
		files, dirs []string
	}{
		{"-test.v -test.run=X", nil, nil},
		{"-test.coverprofile=/tmp/c.out -test.cpuprofile=cpu", []string{"/tmp/c.out", "/w/cpu"}, nil},
		{"-test.memprofile mem -test.outputdir=/o", []string{"/o/mem"}, nil},
		{"--test.trace=t -test.outputdir sub", []string{"/w/sub/t"}, nil},
		{"-test.gocoverdir=/tmp/b/../cov", nil, []string{"/tmp/cov"}},
		{"coverprofile=x", nil, nil},
	} {
		files, dirs := outputs("/w", strings.Fields(tt.args))
		if d := cmp.Diff(tt.files, files); d != "" {
			t.Errorf("%s: files (-want +got):\n%s", tt.args, d)
		}
		if d := cmp.Diff(tt.dirs, dirs); d != "" {
			t.Errorf("%s: directories (-want +got):\n%s", tt.args, d)
		}
	}
}

func TestErrorStatus(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{&machine.HangError{What: "x"}, 124},
		{&machine.CrashError{What: "x"}, 125},
		{errors.New("no QEMU"), 125},
		{fmt.Errorf("kernel: %w", signalError{syscall.SIGTERM}), 143},
		{signalError{syscall.SIGINT}, 130},
	} {
		if got := errorStatus(tt.err); got != tt.want {
			t.Errorf("errorStatus(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestParseMatrix(t *testing.T) {
	o, err := parseMatrix(strings.Fields("-timeout 1m 6.1 7.2/arm64 -- ./purego -race -test.run=Nop ./sys"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(o.kernels, o.packages, o.buildFlags, o.testArgs, o.named); got != "[6.1 7.2/arm64] [./purego ./sys] [-race] [-test.run=Nop] true" {
		t.Errorf("parsed %s", got)
	}
	if got, want := o.variants("amd64"), []variant{{"amd64", true}, {"amd64", false}, {"arm64", false}}; !cmp.Equal(got, want, cmp.AllowUnexported(variant{})) {
		t.Errorf("variants %v, want %v", got, want)
	}
	o, err = parseMatrix([]string{"--quick"}, io.Discard)
	if err != nil || len(o.kernels) != 4 || o.named || !cmp.Equal(o.testArgs, []string{"-test.short"}) {
		t.Errorf("--quick: %+v, %v", o, err)
	}
	if got := fmt.Sprint(quickKernels("amd64"), quickKernels("arm64")); got != "[5.10/uml 6.1/uml 6.12/uml 7.2/uml] [5.10 6.1 6.12 7.2]" {
		t.Errorf("quick kernels %s", got)
	}
	for _, args := range []string{"--quick 6.1", "latest", "-nonsense"} {
		if _, err := parseMatrix(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("matrix %s gave no error", args)
		}
	}
}

func TestTable(t *testing.T) {
	out := "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/sub (0.00s)\n--- SKIP: TestB (0.00s)\n--- FAIL: TestC (0.00s)\nPASS\n"
	var b strings.Builder
	t.Setenv("TMPDIR", t.TempDir()) // for the outputs that are kept
	tab := &table{w: &b}
	tab.add(row{kernel: "6.1", binary: "purego cgo", result: "ok", time: 2500 * time.Millisecond, tests: countTests([]byte(out))})
	if tab.failed || !tab.tried {
		t.Errorf("after a success: failed %v, tried %v", tab.failed, tab.tried)
	}
	tab.add(row{kernel: "6.1", binary: "purego nocgo", result: "FAIL", failed: true, note: "exit status 1", output: out})
	tab.add(row{kernel: "9.9", result: "none", note: "cannot be had:\nno suite"})
	tab.add(row{kernel: "6.1/386", binary: "purego nocgo", result: "ok"})
	tab.summary()
	if !tab.failed {
		t.Error("a failed row did not count")
	}
	for _, want := range []string{
		"6.1             purego cgo                 ok        2.5 s  1 passed, 1 skipped, 1 failed\n",
		"    --- FAIL: TestC (0.00s)\n    all of it: ",
		"    exit status 1\n",
		"9.9                                        none  \n    cannot be had:\n    no suite\n",
		"KERNEL   purego cgo  purego nocgo\n6.1      ok          FAIL\n9.9      none        none\n6.1/386  -           ok\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}

func TestExcerpt(t *testing.T) {
	timeout := "=== RUN   TestX\nlog\npanic: test timed out after 1s\n\trunning tests:\n\t\tTestX (1s)\n\ngoroutine 1 [running]:\n"
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"a\nb\nc\n", 2, "b\nc"},
		{"a\n--- FAIL: A (0s)\n    --- FAIL: A/b (0s)\n    --- FAIL: A/c (0s)\nc\n--- FAIL: Ab (0s)\n", 5, "--- FAIL: A/b (0s)\n--- FAIL: A/c (0s)\n--- FAIL: Ab (0s)"},
		{"--- FAIL: A\n--- FAIL: B\n--- FAIL: C\n", 2, "--- FAIL: A\n--- FAIL: B\n… and 1 lines more"},
		{"--- FAIL: A (0s)\n" + timeout, 9, "panic: test timed out after 1s\nTestX (1s)\n--- FAIL: A (0s)"},
	} {
		if got := excerpt(tt.text, tt.n); got != tt.want {
			t.Errorf("excerpt(%q, %d) = %q, want %q", tt.text, tt.n, got, tt.want)
		}
	}
}
