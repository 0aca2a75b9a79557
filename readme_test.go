//go:build linux

package uring_test

// README.md is held against the code it speaks of.

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/uring-go/uring/sys"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat("go.mod"); errors.Is(err, fs.ErrNotExist) {
			t.Skip("the test runs without the source beside it")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The example that README.md shows is the one that is compiled and run.
func TestReadmeExample(t *testing.T) {
	_, shown, _ := strings.Cut(readFile(t, "README.md"), "```go\n")
	shown, _, ok := strings.Cut(shown, "```\n")
	if !ok {
		t.Fatal("README.md has no block of Go")
	}
	_, tested, _ := strings.Cut(readFile(t, "example_test.go"), "func Example() {\n")
	tested, _, ok = strings.Cut(tested, "\t// Unordered output:")
	if !ok {
		t.Fatal("example_test.go has no Example")
	}
	tested = strings.ReplaceAll("\n"+tested, "\n\t", "\n")[1:]
	if shown != tested {
		t.Errorf("README.md shows\n%s\nexample_test.go has\n%s", shown, tested)
	}
}

// Every constant in README.md's table of kernels stands beside the release that
// package sys gives for it.
func TestReadmeKernels(t *testing.T) {
	since := map[string]string{}
	for i := range 256 {
		op := sys.Op(i)
		since[op.String()] = op.Since()
		reg := sys.RegisterOp(i)
		since[reg.String()] = reg.Since()
	}
	for bit := range 32 {
		setup, feat, enter := sys.SetupFlags(1)<<bit, sys.FeatFlags(1)<<bit, sys.EnterFlags(1)<<bit
		since[setup.String()] = setup.Since()
		since[feat.String()] = feat.Since()
		since[enter.String()] = enter.Since()
	}
	for bit := range 8 {
		sqe := sys.SQEFlags(1) << bit
		since[sqe.String()] = sqe.Since()
	}
	row := regexp.MustCompile(`(?m)^\| (\d\.\d+) \|(.*)\|$`)
	constant := regexp.MustCompile("`(IO[A-Z0-9_]+)`")
	found := 0
	for _, r := range row.FindAllStringSubmatch(readFile(t, "README.md"), -1) {
		for _, c := range constant.FindAllStringSubmatch(r[2], -1) {
			found++
			if got := since[c[1]]; got != r[1] {
				t.Errorf("README.md has %s beside Linux %s, package sys says %q", c[1], r[1], got)
			}
		}
	}
	if found < 20 {
		t.Errorf("the table of kernels names %d constants; it is not read as it should be", found)
	}
}
