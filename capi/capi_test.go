//go:build linux

package main

// Builds the library and runs C programs on it and on C's liburing: the output
// must be the same, which shows the fields of struct io_uring, results and errnos
// call by call.

import (
	"bytes"
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// exports are the functions of liburing 2.15 with the versions of their symbols:
// the release of the shared library that brought them.
var exports = map[string][]string{
	"LIBURING_2.0": {
		"__io_uring_get_cqe", "__io_uring_sqring_wait", "io_uring_free_probe", "io_uring_get_probe",
		"io_uring_get_probe_ring", "io_uring_get_sqe", "io_uring_peek_batch_cqe", "io_uring_queue_exit",
		"io_uring_queue_init", "io_uring_queue_init_params", "io_uring_queue_mmap", "io_uring_register_buffers",
		"io_uring_register_eventfd", "io_uring_register_eventfd_async", "io_uring_register_files",
		"io_uring_register_files_update", "io_uring_register_personality", "io_uring_register_probe",
		"io_uring_ring_dontfork", "io_uring_submit", "io_uring_submit_and_wait", "io_uring_unregister_buffers",
		"io_uring_unregister_eventfd", "io_uring_unregister_files", "io_uring_unregister_personality",
		"io_uring_wait_cqe_timeout", "io_uring_wait_cqes",
	},
	"LIBURING_2.1": {
		"io_uring_mlock_size", "io_uring_mlock_size_params", "io_uring_register_buffers_tags",
		"io_uring_register_buffers_update_tag", "io_uring_register_files_tags", "io_uring_register_files_update_tag",
		"io_uring_register_iowq_aff", "io_uring_register_iowq_max_workers", "io_uring_unregister_iowq_aff",
	},
	"LIBURING_2.2": {
		"io_uring_register_buf_ring", "io_uring_register_buffers_sparse", "io_uring_register_files_sparse",
		"io_uring_register_ring_fd", "io_uring_submit_and_wait_timeout", "io_uring_unregister_buf_ring",
		"io_uring_unregister_ring_fd",
	},
	"LIBURING_2.3": {
		"io_uring_enter", "io_uring_enter2", "io_uring_get_events", "io_uring_register",
		"io_uring_register_file_alloc_range", "io_uring_register_sync_cancel", "io_uring_setup",
		"io_uring_submit_and_get_events",
	},
	"LIBURING_2.4": {
		"io_uring_check_version", "io_uring_close_ring_fd", "io_uring_enable_rings", "io_uring_free_buf_ring",
		"io_uring_major_version", "io_uring_minor_version", "io_uring_register_restrictions", "io_uring_setup_buf_ring",
	},
	"LIBURING_2.5": {"io_uring_queue_init_mem"},
	"LIBURING_2.6": {"io_uring_buf_ring_head", "io_uring_register_napi", "io_uring_unregister_napi"},
	"LIBURING_2.8": {
		"io_uring_clone_buffers", "io_uring_register_clock", "io_uring_submit_and_wait_min_timeout",
		"io_uring_wait_cqes_min_timeout",
	},
	"LIBURING_2.9": {
		"io_uring_clone_buffers_offset", "io_uring_register_region", "io_uring_register_wait_reg",
		"io_uring_resize_rings", "io_uring_submit_and_wait_reg",
	},
	"LIBURING_2.10": {
		"__io_uring_clone_buffers", "__io_uring_clone_buffers_offset", "io_uring_register_ifq", "io_uring_set_iowait",
	},
	"LIBURING_2.11": {"io_uring_memory_size", "io_uring_memory_size_params", "io_uring_register_sync_msg"},
	"LIBURING_2.15": {
		"io_uring_register_bpf_filter", "io_uring_register_bpf_filter_task", "io_uring_register_query",
		"io_uring_register_zcrx_ctrl",
	},
}

// leaveOut skips a test for want of something, or fails it in CI.
func leaveOut(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" && os.Getenv("CGO_ENABLED") != "0" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func command(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestInterface(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a library twice, which takes some 15 s")
	}
	if os.Getenv("CGO_ENABLED") == "0" {
		t.Skip("cgo is off")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		leaveOut(t, "there is no C compiler")
	}
	tmp := t.TempDir()
	// Where the liburing is that cgo would compile with.
	before, after := strings.Fields(os.Getenv("CGO_CFLAGS")), append(strings.Fields(os.Getenv("CGO_LDFLAGS")), "-luring")
	probe := exec.Command(cc, slices.Concat(before, []string{"-x", "c", "-", "-o", filepath.Join(tmp, "probe")}, after)...)
	probe.Stdin = strings.NewReader("#include <liburing.h>\nint main(void) { struct io_uring r; return io_uring_queue_init(1, &r, 0); }\n")
	if out, err := probe.CombinedOutput(); err != nil {
		leaveOut(t, "liburing and its header are not there:\n"+string(out))
	}
	if err := exec.Command(filepath.Join(tmp, "probe")).Run(); err != nil {
		leaveOut(t, "a C program cannot make a ring here: "+err.Error())
	}
	lib := filepath.Join(tmp, "lib")
	command(t, nil, "../scripts/capi-build", lib)

	t.Run("Exports", func(t *testing.T) { checkExports(t, filepath.Join(lib, "liburing-go.so")) })
	for _, name := range []string{"state", "files", "waits", "threads", "rest", "newer"} {
		t.Run(name, func(t *testing.T) {
			source := filepath.Join("testdata", name+".c")
			dynamic, static := filepath.Join(t.TempDir(), "dynamic"), filepath.Join(t.TempDir(), "static")
			flags := append(slices.Clone(before), "-O2", "-g", "-Wall", "-Wextra", "-Wno-unused-parameter", source, "-lpthread")
			command(t, nil, cc, slices.Concat(flags, []string{"-o", dynamic}, after)...)
			want := command(t, nil, dynamic)
			if want == "" {
				t.Fatal("the program prints nothing")
			}
			got := command(t, []string{"LD_LIBRARY_PATH=" + lib}, dynamic)
			if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); d != "" {
				t.Errorf("on C's liburing (-) and on ours (+):\n%s", d)
			}
			command(t, nil, cc, append(flags, "-o", static, filepath.Join(lib, "liburing-go.a"))...)
			got = command(t, nil, static)
			if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); d != "" {
				t.Errorf("on C's liburing (-) and linked with our archive (+):\n%s", d)
			}
		})
	}
}

// checkExports holds the library's dynamic symbols against the list: no name is
// missing, none is there twice or under another version, and nothing else is
// visible.
func checkExports(t *testing.T, lib string) {
	f, err := elf.Open(lib)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if name, err := f.DynString(elf.DT_SONAME); err != nil || !slices.Equal(name, []string{"liburing.so.2"}) {
		t.Errorf("the library calls itself %q, %v; programs ask for liburing.so.2", name, err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	got, want := []string{}, []string{}
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF || s.Section == elf.SHN_ABS {
			continue // what it imports, and the versions' own names
		}
		got = append(got, s.Name+"@"+s.Version)
	}
	for version, names := range exports {
		for _, n := range names {
			want = append(want, n+"@"+version)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) != 83 {
		t.Errorf("the list has %d names; liburing 2.15 exports 83", len(want))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the list (-) and the library (+):\n%s", d)
	}
	versions, err := os.ReadFile("liburing.map")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"2.7", "2.12", "2.13", "2.14"} { // without names, but programs may ask for them
		if !bytes.Contains(versions, []byte("LIBURING_"+v+" {")) {
			t.Errorf("liburing.map lacks LIBURING_%s", v)
		}
	}
}
