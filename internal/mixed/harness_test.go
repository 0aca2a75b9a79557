//go:build linux && cgo && !uringgo

package mixed

// C's half without Go, built with checkers of memory and of threads.

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/liburing"
)

// compile builds C files with the compiler and the liburing that this test was
// built with.
func compile(t *testing.T, out string, args ...string) {
	t.Helper()
	cc := "cc"
	if env := os.Getenv("CC"); env != "" {
		cc = env
	}
	words := append(strings.Fields(cc), strings.Fields(os.Getenv("CGO_CFLAGS"))...)
	words = append(words, "-g", "-O1", "-D_GNU_SOURCE", "-o", out)
	words = append(words, args...)
	words = append(words, strings.Fields(os.Getenv("CGO_LDFLAGS"))...)
	words = append(words, "-luring", "-lpthread", "-ldl")
	cmd := exec.Command(words[0], words[1:]...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
}

func TestHarness(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles C with sanitizers, which the long tests do")
	}
	bt.NeedKernel(t, 0)
	for _, c := range []struct{ name, check, arg string }{
		{"memory", "-fsanitize=address,undefined", ""},
		{"threads", "-fsanitize=thread", "threads"},
	} {
		t.Run(c.name, func(t *testing.T) {
			probe := filepath.Join(t.TempDir(), "probe.c")
			if err := os.WriteFile(probe, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cc := strings.Fields("cc " + os.Getenv("CC"))
			if text, err := exec.Command(cc[len(cc)-1], c.check, "-o", filepath.Join(t.TempDir(), "probe"), probe).CombinedOutput(); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("this compiler has no %s: %v\n%s", c.check, err, text)
				}
				t.Skipf("this compiler has no %s: %v", c.check, err)
			}
			program := filepath.Join(t.TempDir(), "harness")
			compile(t, program, c.check, "-Wall", "-Wextra", "-Werror", "-Wno-sign-compare", "-Wno-unused-parameter", "-I../../liburing",
				"testdata/harness.c", "mixed.c", "crew.c")
			cmd := exec.Command(program, strings.Fields(c.arg)...)
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// A library that lays struct io_uring out differently is refused with a sentence.
// The test stands in front of the library and puts fields where another one would.
func TestOtherLayout(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a library, which the long tests do")
	}
	if os.Getenv("CGO_LDFLAGS") != "" && strings.Contains(os.Getenv("GOFLAGS"), "uringstatic") {
		t.Skip("a static library has no one in front of it")
	}
	bt.NeedKernel(t, 0)
	lib := filepath.Join(t.TempDir(), "layout.so")
	compile(t, lib, "-shared", "-fPIC", "testdata/layout.c")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for how, sentence := range map[string]string{
		"same":     "ok",
		"larger":   "struct io_uring is larger than",
		"smaller":  "struct io_uring is smaller than",
		"flags":    "liburing's flags reads",
		"features": "liburing's features reads",
		"mask":     "copy of the submission queue's mask reads",
		"entries":  "copy of the completion queue's size reads",
		"enter":    "descriptor to enter by reads",
	} {
		cmd := exec.Command(self, "-test.run=^TestOtherLayoutChild$", "-test.v")
		cmd.Env = append(os.Environ(), "LD_PRELOAD="+lib, "URING_LAYOUT="+how)
		text, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(text), "New: ") {
			t.Fatalf("%s: %v\n%s", how, err, text)
		}
		if strings.Contains(string(text), "layout.so was not asked") {
			t.Skip("liburing is linked statically: nobody can stand in front of it")
		}
		if !strings.Contains(string(text), sentence) {
			t.Errorf("%s: want a sentence with %q:\n%s", how, sentence, text)
		}
	}
}

// TestOtherLayoutChild is the program that the library stands in front of.
func TestOtherLayoutChild(t *testing.T) {
	if os.Getenv("URING_LAYOUT") == "" {
		t.Skip("run by TestOtherLayout")
	}
	before := bt.Descriptors(t)
	r, err := liburing.New(8, nil)
	if !Asked() {
		t.Log("New: layout.so was not asked")
		return
	}
	if err != nil {
		t.Logf("New: %v", err)
	} else {
		t.Log("New: ok")
		r.Close()
	}
	if after := bt.Descriptors(t); !slices.Equal(before, after) {
		t.Errorf("descriptors before: %v, after: %v", before, after)
	}
}
