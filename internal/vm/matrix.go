//go:build linux

// The command "matrix": the test binaries of several packages under several
// kernels. scripts/kernels is its front door.

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/uring-go/uring/internal/vm/kernel"
	"github.com/uring-go/uring/internal/vm/machine"
)

// exitNothing says that nothing could be tried, as test programs do in C.
const exitNothing = 77

// matrixOptions are the arguments of "matrix".
type matrixOptions struct {
	runOptions
	list  bool
	quick bool

	kernels    []kernel.Spec
	named      bool     // the kernels were named one by one
	packages   []string // directories or import paths
	buildFlags []string // for go test -c
	testArgs   []string // for the test binaries
}

// parseMatrix reads the arguments of "matrix". What follows "--" is for the go
// command, but for -test.… flags, which are for the binaries.
func parseMatrix(args []string, complaints io.Writer) (*matrixOptions, error) {
	o := &matrixOptions{}
	fs := flag.NewFlagSet("vm matrix", flag.ContinueOnError)
	fs.SetOutput(complaints)
	fs.DurationVar(&o.config.Timeout, "timeout", 0, "limit on each binary's run time; default 5m, with -quick 2m")
	fs.BoolVar(&o.quick, "quick", false, "four kernels, the fastest way, with -test.short")
	fs.BoolVar(&o.list, "list", false, "list the kernels and stop")
	o.register(fs)
	args, rest := cutArgs(args)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	for _, name := range fs.Args() {
		spec, err := kernel.ParseSpec(name)
		if err != nil {
			return nil, err
		}
		o.kernels = append(o.kernels, spec)
	}
	if o.config.Timeout == 0 {
		o.config.Timeout = 5 * time.Minute
		if o.quick {
			o.config.Timeout = 2 * time.Minute
		}
	}
	o.named = len(o.kernels) > 0
	switch {
	case o.named && o.quick:
		return nil, errors.New("matrix: -quick chooses the kernels itself; leave it or their names out")
	case o.quick:
		o.kernels = quickKernels(runtime.GOARCH)
		o.testArgs = append(o.testArgs, "-test.short")
	case !o.named:
		o.kernels = kernel.Known()
	}
	for _, arg := range rest {
		switch {
		case strings.HasPrefix(arg, "-test."):
			o.testArgs = append(o.testArgs, arg)
		case strings.HasPrefix(arg, "-"):
			o.buildFlags = append(o.buildFlags, arg)
		default:
			o.packages = append(o.packages, arg)
		}
	}
	if len(o.packages) == 0 {
		o.packages = defaultPackages()
	}
	return o, nil
}

// cutArgs splits arguments at "--".
func cutArgs(args []string) (before, after []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

// quickKernels returns one kernel of each generation of io_uring. User-mode Linux
// is the fastest where there is one.
func quickKernels(hostArch string) []kernel.Spec {
	var specs []kernel.Spec
	for _, series := range []string{"5.10", "6.1", "6.12", "7.2"} {
		if hostArch == "amd64" {
			series += "/uml"
		}
		spec, err := kernel.ParseSpec(series)
		if err != nil {
			panic(err) // the list above is at fault, and a test reads it
		}
		specs = append(specs, spec)
	}
	return specs
}

// defaultPackages returns the packages that talk to the kernel directly, as far
// as they have tests.
func defaultPackages() []string {
	var list []string
	for _, dir := range []string{".", "./purego", "./liburing"} {
		if tests, _ := filepath.Glob(dir + "/*_test.go"); len(tests) > 0 {
			list = append(list, dir)
		}
	}
	return list
}

// needsCommand prints the Debian packages that are missing for a matrix. Bad
// arguments are left for the matrix itself to complain about.
func needsCommand(args []string) error {
	o, err := parseMatrix(args, io.Discard)
	if err != nil || o.list {
		return nil
	}
	var missing []string
	for _, spec := range o.kernels {
		missing = append(missing, machine.Missing(spec)...)
	}
	slices.Sort(missing)
	for _, pkg := range slices.Compact(missing) {
		fmt.Println(pkg)
	}
	return nil
}

func matrixCommand(ctx context.Context, args []string) (int, error) {
	o, err := parseMatrix(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0, nil
	case err != nil:
		return 0, err
	case o.list:
		return 0, listCommand(nil)
	case len(o.packages) == 0:
		return 0, errors.New("matrix: no packages with tests here; name some after --")
	}
	dir, err := os.MkdirTemp("", "uring-binaries-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	t := &table{w: os.Stdout}
	if err := fill(ctx, o, dir, t); err != nil {
		return 0, err
	}
	t.summary()
	switch {
	case !t.tried:
		return exitNothing, nil
	case t.failed:
		return 1, nil
	}
	return 0, nil
}

// fill compiles what is to be run, into dir, and runs it.
func fill(ctx context.Context, o *matrixOptions, dir string, t *table) error {
	binaries, err := buildAll(ctx, o, dir, t)
	if err != nil {
		return err
	}
	for _, spec := range o.kernels {
		if err := runKernel(ctx, o, spec, binaries, t); err != nil {
			return err
		}
	}
	return nil
}

// runKernel runs every binary that the kernel can run. An error ends the matrix.
func runKernel(ctx context.Context, o *matrixOptions, spec kernel.Spec, binaries []binary, t *table) error {
	image, err := kernel.Fetch(ctx, spec)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if missing := machine.Missing(spec); err == nil && len(missing) > 0 {
		err = fmt.Errorf("not installed: %s", strings.Join(missing, " "))
	}
	if err != nil {
		// Without a name it was worth a try only: it may have left the archive.
		t.add(row{kernel: spec.String(), result: "none", failed: o.named, note: err.Error()})
		return nil
	}
	for _, b := range binaries {
		if b.goarch != spec.GOARCH {
			continue
		}
		r := runBinary(ctx, o, image, b)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.add(r)
	}
	return nil
}

// runBinary runs one binary under one kernel.
func runBinary(ctx context.Context, o *matrixOptions, image kernel.Image, b binary) row {
	var out bytes.Buffer
	c := o.config
	c.Kernel, c.Program, c.Dir = image, b.path, b.dir
	c.Args = append([]string{"-test.v", "-test.timeout=" + c.Timeout.String()}, o.testArgs...)
	// The binary's own limit comes first, and tells more.
	c.Timeout += 15 * time.Second
	c.Env = environment(os.Environ(), o.env)
	c.Collect, c.CollectDirs = outputs(c.Dir, c.Args)
	c.Stdout, c.Stderr = &out, &out
	r, err := machine.Run(ctx, &c)

	res := row{kernel: image.Spec.String(), binary: b.name, time: r.Total, tests: countTests(out.Bytes())}
	switch {
	case errors.As(err, new(*machine.HangError)):
		res.result = "HANG"
	case errors.As(err, new(*machine.CrashError)):
		res.result = "CRASH"
	case err != nil:
		res.result = "ERROR"
	case r.Status != 0:
		res.result, res.note = "FAIL", fmt.Sprintf("exit status %d", r.Status)
	case res.tests.passed == 0:
		res.result = "skip"
	default:
		res.result = "ok"
	}
	if err != nil {
		res.note = err.Error()
	}
	res.failed = res.result != "ok" && res.result != "skip"
	res.output = out.String()
	return res
}
