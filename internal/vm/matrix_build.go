//go:build linux

// Compiling the test binaries of a matrix.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A binary is a compiled test binary.
type binary struct {
	name   string // for people: the package, and whether cgo was on
	path   string
	dir    string // the package's directory, where its tests expect to run
	goarch string
}

// A variant is a way to compile.
type variant struct {
	goarch string
	cgo    bool
}

func (v variant) environ() []string {
	cgo := "0"
	if v.cgo {
		cgo = "1"
	}
	return append(os.Environ(), "GOOS=linux", "GOARCH="+v.goarch, "CGO_ENABLED="+cgo)
}

func (v variant) String() string {
	if v.cgo {
		return "cgo"
	}
	return "nocgo"
}

// variants returns what the kernels call for: with and without cgo for the
// host's architecture, without for the others, which would take a cross compiler.
func (o *matrixOptions) variants(hostArch string) []variant {
	var list []variant
	for _, spec := range o.kernels {
		add := []variant{{spec.GOARCH, false}}
		if spec.GOARCH == hostArch {
			add = []variant{{spec.GOARCH, true}, {spec.GOARCH, false}}
		}
		for _, v := range add {
			if !slices.Contains(list, v) {
				list = append(list, v)
			}
		}
	}
	return list
}

// buildAll compiles the packages in every variant. A package that does not
// compile is a failed row of the table.
func buildAll(ctx context.Context, o *matrixOptions, dir string, t *table) ([]binary, error) {
	var binaries []binary
	for _, v := range o.variants(runtime.GOARCH) {
		packages, err := listPackages(ctx, v, o)
		if err != nil {
			return nil, err
		}
		for i, p := range packages {
			start := time.Now()
			b := binary{
				name: p.name + " " + v.String(),
				path: filepath.Join(dir, fmt.Sprintf("%s-%s-%d.test", v.goarch, v, i)),
				dir:  p.dir, goarch: v.goarch,
			}
			args := append([]string{"test", "-c", "-o", b.path}, o.buildFlags...)
			out, err := goCommand(ctx, v, append(args, p.path)...).CombinedOutput()
			switch {
			case ctx.Err() != nil:
				return nil, context.Cause(ctx)
			case err != nil:
				t.add(row{kernel: "(" + v.goarch + ")", binary: b.name, result: "BUILD", failed: true,
					time: time.Since(start), note: "go test -c: " + err.Error(), output: string(out)})
			default:
				binaries = append(binaries, b)
			}
		}
	}
	return binaries, nil
}

// A testPackage is a package that has tests.
type testPackage struct{ path, dir, name string }

// listPackages returns those of the packages that have tests in a variant.
func listPackages(ctx context.Context, v variant, o *matrixOptions) ([]testPackage, error) {
	const format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}\t{{with .Module}}{{.Path}}{{end}}{{end}}"
	args := append([]string{"list", "-f", format}, o.buildFlags...)
	cmd := goCommand(ctx, v, append(args, o.packages...)...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("go list: %s", strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, err
	}
	var list []testPackage
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 {
			continue
		}
		// The name is short but unique: the path without that of the module.
		name := strings.TrimPrefix(strings.TrimPrefix(f[0], f[2]), "/")
		if name == "" {
			name = filepath.Base(f[0])
		}
		list = append(list, testPackage{f[0], f[1], name})
	}
	return list, nil
}

func goCommand(ctx context.Context, v variant, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = v.environ()
	return cmd
}
