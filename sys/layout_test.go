//go:build linux && cgo

package sys_test

// The committed ABI against the C compiler and the headers that a build with
// cgo sees: liburing's own, and the kernel's. Three answers are told apart:
// equal, different (a failure), and missing in this header, which an older one
// may be.

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/uring-go/uring/internal/gen/cabi"
)

func TestHeaderLiburing(t *testing.T) {
	testHeader(t, []string{"liburing/io_uring.h", "liburing/io_uring/query.h", "liburing/io_uring/bpf_filter.h", "liburing/io_uring/zcrx.h"})
}

func TestHeaderKernel(t *testing.T) {
	testHeader(t, []string{"linux/io_uring.h", "linux/io_uring/query.h", "linux/io_uring/bpf_filter.h", "linux/io_uring/zcrx.h",
		"linux/time_types.h", "linux/futex.h"})
}

func testHeader(t *testing.T, includes []string) {
	cc, flags := compiler(t)
	abi, err := cabi.Load(cabi.Config{
		CC: cc, Flags: flags,
		// liburing's own header uses the kernel's time types before 2.4
		// without including them.
		Includes: slices.Concat([]string{"linux/time_types.h"}, includes),
		Keep: func(path, name string) bool {
			return slices.ContainsFunc(includes, func(h string) bool { return strings.HasSuffix(filepath.ToSlash(path), "/"+h) })
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(abi.Files) == 0 {
		t.Skipf("could not tell: the compiler finds no <%s>", includes[0])
	}
	for _, f := range abi.Files {
		t.Logf("%s  sha256 %s", f.Path, f.SHA256)
	}
	// What every header since 5.1 has: without it nothing was read.
	if _, ok := abi.Struct("io_uring_sqe"); !ok {
		t.Fatal("no struct io_uring_sqe in the header")
	}
	if _, ok := abi.Const("IORING_OP_NOP"); !ok {
		t.Fatal("no IORING_OP_NOP in the header")
	}

	var missing []string
	equal := 0
	for _, c := range cConsts {
		h, ok := abi.Const(c.C)
		switch {
		case !ok:
			missing = append(missing, c.C)
		case h.Bits == c.Bits:
			equal++
		case h.Grows():
			t.Logf("%s is %s here, %s in the header", c.C, c.value(), h.Value())
		default:
			t.Errorf("%s is %s here, %s in the header", c.C, c.value(), h.Value())
		}
	}
	t.Logf("constants: %d equal, %d missing in the header: %s", equal, len(missing), strings.Join(missing, " "))

	missing = nil
	equal, members := 0, 0
	for _, s := range cStructs {
		h, ok := abi.Struct(s.C)
		if !ok {
			missing = append(missing, s.C)
			continue
		}
		var base uintptr
		if s.Path != "" {
			part, ok := h.Lookup(s.Path)
			if !ok {
				missing = append(missing, s.C+"."+s.Path)
				continue
			}
			h, base = part.Struct, uintptr(part.Offset)
		}
		if h.Grows() && h.Size != int64(s.Size) {
			t.Logf("struct %s has %d bytes here, %d in the header", s.C, s.Size, h.Size)
		} else if base != s.Base || uintptr(h.Size) != s.Size {
			t.Errorf("struct %s %s has %d bytes at %d here, %d at %d in the header", s.C, s.Path, s.Size, s.Base, h.Size, base)
			continue
		}
		equal++
		for _, m := range s.Members {
			if m.Go == "_" || m.C == "" {
				continue // room that a later header may divide in another way
			}
			f, ok := h.Lookup(m.C)
			switch {
			case !ok:
				missing = append(missing, s.C+"."+m.C)
			case uintptr(f.Offset) != m.Off || uintptr(f.Size) != m.Size:
				t.Errorf("struct %s: %s has %d bytes at %d here, %d at %d in the header", s.C, m.C, m.Size, m.Off, f.Size, f.Offset)
			default:
				members++
			}
		}
	}
	t.Logf("structures: %d and %d members equal, %d missing in the header: %s", equal, members, len(missing), strings.Join(missing, " "))

	// The other direction is no failure: a newer header knows more.
	for _, c := range abi.Consts {
		if !slices.ContainsFunc(cConsts, func(g cConst) bool { return g.C == c.Name }) && isIOURing(c.Path) {
			t.Logf("new in the header: %s = %s", c.Name, c.Value())
		}
	}
	for _, s := range abi.Structs {
		if !slices.ContainsFunc(cStructs, func(g cStruct) bool { return g.C == s.Name }) && isIOURing(s.Path) {
			t.Logf("new in the header: struct %s, %d bytes", s.Name, s.Size)
		}
	}
}

// isIOURing tells io_uring's headers from those of which sys has single names.
func isIOURing(path string) bool { return strings.Contains(path, "io_uring") }

// compiler gives the compiler and the flags that a build with cgo uses.
func compiler(t *testing.T) (cc, flags []string) {
	t.Helper()
	out, err := exec.Command("go", "env", "-json", "CC", "CGO_CPPFLAGS", "CGO_CFLAGS").Output()
	if err != nil {
		t.Skipf("could not tell: the compiler's flags come from the go command: %v", err)
	}
	var env map[string]string
	if err := json.Unmarshal(out, &env); err != nil {
		t.Fatal(err)
	}
	cc = strings.Fields(env["CC"])
	if len(cc) == 0 {
		t.Fatal("go env CC is empty in a build with cgo")
	}
	if _, err := exec.LookPath(cc[0]); err != nil {
		t.Skipf("could not tell: no C compiler: %v", err)
	}
	if runtime.GOARCH == "386" {
		flags = append(flags, "-m32") // as the go command does
	}
	return cc, slices.Concat(flags, strings.Fields(env["CGO_CPPFLAGS"]), strings.Fields(env["CGO_CFLAGS"]))
}
