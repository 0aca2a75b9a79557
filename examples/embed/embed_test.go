//go:build linux && cgo && !uringgo

// Package embed builds and runs the mixed programs beside it, as their Makefile
// builds them.
package embed

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uring-go/uring"
)

var checks = flag.Bool("checks", false, "also build with AddressSanitizer and the race detector, and run C's part in valgrind; takes minutes the first time")

// need skips without the tools; in CI they are there.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: %v", tool, err)
			}
			t.Skipf("%s is missing: %v", tool, err)
		}
	}
}

// made builds the programs in one step and returns where they are.
func made(t *testing.T, settings ...string) string {
	t.Helper()
	need(t, "make", "cc", "c++")
	out := t.TempDir()
	cmd := exec.Command("make", append([]string{"-s", "OUT=" + out}, settings...)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
	return out
}

// A file of each kind that could be read wrongly: empty, one byte, a whole number of
// chunks, and more.
type file struct {
	path  string
	bytes []byte
}

func files(t *testing.T) (list []file) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 100, 64 << 10, 200_001, 64, 63, 65, 1 << 20, 5, 6, 7} {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f := file{filepath.Join(t.TempDir(), fmt.Sprint(size)), b}
		if err := os.WriteFile(f.path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

// want is what a program prints of a file.
var want = map[string]func(f file) string{
	"c-main": func(f file) string {
		first := byte(0)
		if len(f.bytes) > 0 {
			first = f.bytes[0]
		}
		return fmt.Sprintf("%x  %d %d %s\n", sha256.Sum256(f.bytes), len(f.bytes), first, f.path)
	},
	"cpp-main": func(f file) string {
		sum := 0
		for _, b := range f.bytes {
			sum += int(b)
		}
		return fmt.Sprintf("%x  %d %d %s\n", sha256.Sum256(f.bytes), len(f.bytes), sum, f.path)
	},
	"go-main": func(f file) string {
		return fmt.Sprintf("%d %q %s\n", len(f.bytes), f.bytes[:min(len(f.bytes), 64)], f.path)
	},
}

// run runs a program, under another if a prefix is given, and checks its output.
func run(t *testing.T, out, program string, prefix ...string) {
	t.Helper()
	list := files(t)
	args := append(prefix, filepath.Join(out, program))
	var expect strings.Builder
	for _, f := range list {
		args = append(args, f.path)
		expect.WriteString(want[program](f))
	}
	cmd := exec.Command(args[0], args[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", program, err, text, stderr.String())
	}
	if string(text) != expect.String() {
		t.Errorf("%s printed\n%s\nwant\n%s", program, text, expect.String())
	}
	// A file that is not there is said and is not success.
	if len(prefix) == 0 {
		cmd := exec.Command(args[0], filepath.Join(t.TempDir(), "missing"))
		text, err := cmd.CombinedOutput()
		if e := (*exec.ExitError)(nil); !errors.As(err, &e) || e.ExitCode() != 1 || !strings.Contains(string(text), program+": ") {
			t.Errorf("%s of a missing file: %v\n%s", program, err, text)
		}
	}
}

func programs(t *testing.T, settings ...string) string {
	r, err := uring.New(nil)
	if err != nil {
		t.Skip(err)
	}
	r.Close()
	out := made(t, settings...)
	for program := range want {
		t.Run(program, func(t *testing.T) { run(t, out, program) })
	}
	return out
}

func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("builds three programs with make, which the long tests do")
	}
	out := programs(t)
	t.Run("valgrind", func(t *testing.T) {
		if !*checks {
			t.Skip("only with -checks")
		}
		need(t, "valgrind")
		// Go moves its stacks, which valgrind takes for the use of nothing; what it says of
		// other functions counts. Memory that Go's threads have is never freed.
		for _, program := range []string{"c-main", "cpp-main"} {
			run(t, out, program, "valgrind", "-q", "--error-exitcode=9", "--suppressions=go.supp",
				"--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite")
		}
	})
}

func TestProgramsWithAddressSanitizer(t *testing.T) {
	if !*checks {
		t.Skip("only with -checks")
	}
	programs(t, "CHECK=asan")
}

func TestProgramsWithRaceDetector(t *testing.T) {
	if !*checks {
		t.Skip("only with -checks")
	}
	programs(t, "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -race"))
}
