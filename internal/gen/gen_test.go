//go:build linux

package main

// The generator on headers of a few lines: what it writes, and what -check
// says about headers and files that differ.

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const kernelHeader = `
#include <linux/types.h>
struct io_uring_sqe {
	__u8 opcode;
	__u8 flags;
	__u16 ioprio;
	__s32 fd;
	union { __u64 off; __u64 addr2; struct { __u32 cmd_op; __u32 __pad1; }; };
	struct { __u32 x; __u32 y; };
};
struct zcrx_ctrl_export { __u32 zcrx_fd; __u32 __resv1; };
struct zcrx_ctrl {
	__u32 op;
	__u32 resv;
	union { struct zcrx_ctrl_export zc_export; struct { __u32 id; __u32 pad; } zc_other; };
	__u64 tail[];
};
struct io_uring_query_hdr { __u64 next_entry; };
struct io_uring_query_scq { __u64 hdr_size; };
enum io_uring_op { IORING_OP_NOP, IORING_OP_READV, IORING_OP_LAST };
#define IORING_SETUP_IOPOLL (1U << 0)
#define IORING_SETUP_SQPOLL (1U << 1)
#define IORING_REGISTER_FILES_SKIP (-2)
enum { __IO_URING_QUERY_MAX = 3 };
#define IORING_NEW_FAMILY_X 0x30
`

// world is a module root and two header directories.
type world struct {
	t                      *testing.T
	root, kernel, liburing string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("could not tell: no C compiler")
	}
	w := &world{t: t, root: t.TempDir(), kernel: t.TempDir(), liburing: t.TempDir()}
	w.write(filepath.Join(w.root, "sys", ".keep"), "")
	w.write(filepath.Join(w.kernel, "linux/io_uring.h"), kernelHeader)
	// Of these two only single names are taken.
	w.write(filepath.Join(w.kernel, "linux/time_types.h"), "#pragma once\nstruct __kernel_timespec { long long tv_sec, tv_nsec; };\nstruct unrelated { int x; };\n")
	w.write(filepath.Join(w.kernel, "linux/futex.h"), "#define FUTEX2_PRIVATE 128\n#define FUTEX_OTHER 1\n")
	w.write(filepath.Join(w.liburing, "liburing/io_uring.h"), "#define IORING_SETUP_IOPOLL (1U << 0)\n#define IORING_ONLY_LIBURING 9\nenum { __IO_URING_QUERY_MAX = 2 };\n")
	return w
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// edit replaces text in the kernel's header, or in a generated file.
func (w *world) edit(path, old, new string) {
	w.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(old)) {
		w.t.Fatalf("%s does not contain %q", path, old)
	}
	w.write(path, strings.Replace(string(b), old, new, 1))
}

func (w *world) header() string { return filepath.Join(w.kernel, "linux/io_uring.h") }

func (w *world) run(args ...string) (string, error) {
	var out bytes.Buffer
	err := run(append([]string{"-kernel", w.kernel, "-liburing", w.liburing, "-out", w.root}, args...), &out, &out)
	return out.String(), err
}

func (w *world) generate() {
	w.t.Helper()
	if out, err := w.run(); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
}

func TestGenerate(t *testing.T) {
	w := newWorld(t)
	w.generate()
	b, err := os.ReadFile(filepath.Join(w.root, abiFile))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(b)), " ")
	for _, want := range []string{
		firstLine,
		"linux/io_uring.h // ",
		"liburing/io_uring.h",
		"IORING_OP_READV Op = 1 IORING_OP_LAST Op = 2 )",
		"IORING_SETUP_IOPOLL SetupFlags = 1 << 0 IORING_SETUP_SQPOLL SetupFlags = 1 << 1 )",
		"IORING_REGISTER_FILES_SKIP = -2 )",
		"IO_URING_QUERY_MAX = 3 )",
		"IORING_NEW_FAMILY_X = 48 ",
		"IORING_ONLY_LIBURING = 9 ",
		"FUTEX2_PRIVATE = 0x80 )",
		"type SQE struct { _ structs.HostLayout Opcode Op // the operation Flags SQEFlags // IOSQE_*",
		"Off uint64 // offset in the file; union: off, addr2, cmd_op uint32 X uint32 Y uint32 }",
		"type SQE128 [2]SQE",
		"type ZCRXCtrlZCOther struct { _ structs.HostLayout ID uint32 _ uint32 }",
		"type ZCRXCtrl struct { _ structs.HostLayout Op uint32 _ uint32 Arg [1]uint64 // a union; see the methods ZCExport, ZCOther }",
		"type Timespec struct { _ structs.HostLayout Sec int64 Nsec int64 }",
	} {
		if want = strings.TrimSpace(want); !strings.Contains(got, want) {
			t.Errorf("%s does not contain %q", abiFile, want)
		}
	}
	for _, bad := range []string{"FUTEX_OTHER", "Unrelated", w.kernel} {
		if strings.Contains(got, bad) {
			t.Errorf("%s contains %q", abiFile, bad)
		}
	}
	if t.Failed() {
		t.Logf("%s:\n%s", abiFile, b)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(w *world)
		ok     bool
		want   []string // in what is printed, or in the error
	}{
		{"same", func(w *world) {}, true, []string{"byte for byte"}},
		{"committed file edited", func(w *world) {
			w.edit(filepath.Join(w.root, abiFile), "IORING_OP_READV Op = 1", "IORING_OP_READV Op = 3")
		}, false, []string{"-\tIORING_OP_READV Op = 3", "+\tIORING_OP_READV Op = 1", "not what the headers give: sys/zabi.go"}},
		{"committed file gone", func(w *world) {
			os.Remove(filepath.Join(w.root, "sys/zstring.go"))
		}, false, []string{"not what the headers give: sys/zstring.go"}},
		{"header with a comment more", func(w *world) {
			w.edit(w.header(), "struct io_uring_sqe", "/* */ struct io_uring_sqe")
		}, true, []string{"these are not the headers", "; 0 are new"}},
		{"new names", func(w *world) {
			w.edit(w.header(), "IORING_OP_LAST", "IORING_OP_NEXT, IORING_OP_LAST")
			w.edit(w.header(), "#define IORING_SETUP_IOPOLL", "#define IORING_SETUP_NEW (1U << 2)\n#define IORING_SETUP_IOPOLL")
			w.edit(w.header(), "__u32 resv;", "__u32 now_used;")
		}, true, []string{
			"new: IORING_OP_NEXT, Op 2", "grown: IORING_OP_LAST from Op 2 to Op 3", "new: IORING_SETUP_NEW, SetupFlags 4",
			"new: ZCRXCtrl.NowUsed, uint32 at offset 4", "; 3 are new",
		}},
		{"value changed", func(w *world) {
			w.edit(w.header(), "IORING_SETUP_SQPOLL (1U << 1)", "IORING_SETUP_SQPOLL (1U << 2)")
		}, false, []string{"different: IORING_SETUP_SQPOLL is SetupFlags 4, committed as SetupFlags 2"}},
		{"last shrunk", func(w *world) {
			w.edit(w.header(), "__IO_URING_QUERY_MAX = 3", "__IO_URING_QUERY_MAX = 2")
		}, false, []string{"different: IO_URING_QUERY_MAX is untyped int 2"}},
		{"name gone", func(w *world) {
			w.edit(w.header(), "IORING_OP_READV,", "")
		}, false, []string{"missing: IORING_OP_READV, committed as Op 1"}},
		{"field moved", func(w *world) {
			w.edit(w.header(), "__u8 opcode;\n\t__u8 flags;", "__u8 flags;\n\t__u8 opcode;")
		}, false, []string{"different: SQE.Flags is SQEFlags at offset 0, committed as SQEFlags at offset 1"}},
		{"field retyped", func(w *world) {
			w.edit(w.header(), "__s32 fd", "__u32 fd")
		}, false, []string{"different: SQE.Fd is uint32 at offset 4, committed as int32 at offset 4"}},
		{"structure grown", func(w *world) {
			w.edit(w.header(), "__u32 __resv1; };", "__u32 __resv1[3]; };")
		}, false, []string{"different: ZCRXCtrlExport is a structure of 16 bytes, committed as a structure of 8 bytes"}},
		{"answer to a query grown", func(w *world) {
			w.edit(w.header(), "__u64 hdr_size;", "__u64 hdr_size; __u64 more;")
		}, true, []string{"grown: QuerySCQ from a structure of 8 bytes to a structure of 16 bytes", "new: QuerySCQ.More, uint64 at offset 8"}},
		{"answer to a query shrunk", func(w *world) {
			w.edit(w.header(), "__u64 hdr_size;", "__u32 hdr_size;")
		}, false, []string{"different: QuerySCQ is a structure of 4 bytes"}},
		{"query itself grown", func(w *world) {
			w.edit(w.header(), "__u64 next_entry;", "__u64 next_entry; __u64 more;")
		}, false, []string{"different: QueryHdr is a structure of 16 bytes, committed as a structure of 8 bytes"}},
		{"liburing disagrees", func(w *world) {
			w.edit(filepath.Join(w.liburing, "liburing/io_uring.h"), "(1U << 0)", "(1U << 4)")
		}, false, []string{"IORING_SETUP_IOPOLL is 1 in the kernel's header, 16 in liburing's"}},
		{"union without a rule", func(w *world) {
			w.edit(w.header(), "__u32 op;", "union { __u32 op; __u32 other; };")
		}, false, []string{"zcrx_ctrl: union of op: no rule says which member Go sees"}},
		{"no headers", func(w *world) {
			os.Remove(w.header())
			os.Remove(filepath.Join(w.kernel, "linux/time_types.h"))
			w.kernel = w.root
		}, false, []string{"no constants in linux/io_uring.h"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.generate()
			tt.change(w)
			out, err := w.run("-check")
			if (err == nil) != tt.ok {
				t.Errorf("error %v, want success %t", err, tt.ok)
			}
			if err != nil {
				out += err.Error()
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("nothing says %q", want)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

// TestRepeat: the same headers give the same bytes.
func TestRepeat(t *testing.T) {
	w := newWorld(t)
	w.generate()
	for range 3 {
		if out, err := w.run("-check"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}
