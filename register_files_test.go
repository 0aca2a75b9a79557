//go:build linux

package uring_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

const ebadf = -int32(syscall.EBADF)

// readDirect reads from the file in a slot of the table, and returns what it got or
// the error.
func (r live) readDirect(slot int) (string, int32) {
	r.t.Helper()
	buf := make([]byte, 16)
	s := r.sqe(99)
	s.PrepRead(slot, buf, 0)
	s.Flags = sys.IOSQE_FIXED_FILE
	res := r.submit(1)[0].Res
	return string(buf[:max(0, res)]), min(0, res)
}

// slots checks what is in the first slots of the table; "" is nothing.
func (r live) slots(what string, contents ...string) {
	r.t.Helper()
	for i, w := range contents {
		wantErrno := int32(0)
		if w == "" {
			wantErrno = ebadf
		}
		if got, errno := r.readDirect(i); got != w || errno != wantErrno {
			r.t.Errorf("%s: slot %d holds %q (%d), want %q (%d)", what, i, got, errno, w, wantErrno)
		}
	}
}

func TestRegisterFiles(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		fa, fb := tempFile(t, "AAAA"), tempFile(t, "BBBB")
		one, two := int32(fa.Fd()), int32(fb.Fd())
		expectErr(t, "register", r.RegisterFiles([]int32{one, uring.FileNone, two}), nil)
		expectErr(t, "again", r.RegisterFiles([]int32{one}), syscall.EBUSY, "already")
		fa.Close()
		r.slots("registered, one descriptor closed", "AAAA", "", "BBBB", "")
		first, update := 0, []int32{uring.FileSkip, two, uring.FileNone}
		if !knowsRegister(r.Fd(), sys.IORING_REGISTER_FILES2, 32) {
			first, update = 1, update[1:] // FileSkip came with it
		}
		n, err := r.UpdateFiles(first, update, nil)
		expectErr(t, "update", err, nil)
		expect(t, "updated", n, len(update))
		r.slots("updated", "AAAA", "BBBB", "")
		_, err = r.UpdateFiles(2, []int32{two, two}, nil)
		expectErr(t, "past the end", err, syscall.EINVAL, "files 2 to 3")
		_, err = r.UpdateFiles(1, []int32{1 << 20}, nil)
		expectErr(t, "a closed descriptor", err, syscall.EBADF, "1048576")
		r.slots("after a bad descriptor", "AAAA", "", "")
		n, err = r.UpdateFiles(1, []int32{two, 1 << 20, two}, nil)
		if err == nil {
			expect(t, "changed before a bad descriptor", n, 1)
		} else {
			expectErr(t, "past the end", err, syscall.EINVAL)
		}
		expectErr(t, "unregister", r.UnregisterFiles(), nil)
		expectErr(t, "unregister again", r.UnregisterFiles(), syscall.ENXIO, "no table")
		r.slots("unregistered", "")
		ring := open(t, b, 0)
		expectErr(t, "a ring in the table", r.RegisterFiles([]int32{int32(ring.Fd())}), syscall.EBADF)
	})
}

func TestRegisterFilesTagged(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_FILES2, 32)
		fd := int32(tempFile(t, "AAAA").Fd())
		expectErr(t, "register", r.RegisterFilesTagged([]int32{fd, uring.FileNone, fd}, []uint64{100, 0, 102}), nil)
		n, err := r.UpdateFiles(0, []int32{fd, fd}, []uint64{200, 201})
		expectErr(t, "update", err, nil)
		expect(t, "updated", n, 2)
		expect(t, "the tag of what was replaced", r.reap(1), []uring.CQE{{UserData: 100}})
		n, err = r.UpdateFiles(1, []int32{uring.FileNone}, nil)
		expectErr(t, "emptying", err, nil)
		expect(t, "emptied", n, 1)
		expect(t, "the tag of what was there", r.reap(1), []uring.CQE{{UserData: 201}})
		expectErr(t, "unregister", r.UnregisterFiles(), nil)
		if has613(r) {
			expect(t, "the other tags", sorted(r.reap(2)), []uring.CQE{{UserData: 102}, {UserData: 200}})
		}
		r.idle()
	})
}

func TestRegisterFileAllocRange(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_FILE_ALLOC_RANGE, 0)
		expectErr(t, "register", r.RegisterFilesSparse(6), nil)
		path := append([]byte(tempFile(t, "AAAA").Name()), 0)
		openAny := func() int32 {
			t.Helper()
			r.sqe(1).PrepOpenatDirect(unix.AT_FDCWD, &path[0], unix.O_RDONLY, 0, sys.IORING_FILE_INDEX_ALLOC)
			return r.submit(1)[0].Res
		}
		expectErr(t, "range", r.RegisterFileAllocRange(2, 2), nil)
		got := []int32{openAny(), openAny(), openAny()}
		expect(t, "slots the kernel chose", got, []int32{2, 3, -int32(syscall.ENFILE)})
		expectErr(t, "another range", r.RegisterFileAllocRange(5, 1), nil)
		expect(t, "a slot of the new range", openAny(), 5)
		expectErr(t, "no range", r.RegisterFileAllocRange(0, 0), nil)
		expect(t, "a slot of no range", openAny(), -int32(syscall.ENFILE))
		expectErr(t, "outside", r.RegisterFileAllocRange(5, 2), syscall.EINVAL, "files 5 to 6")
		r.slots("table", "", "", "AAAA", "AAAA", "", "AAAA")
	})
}

// TestRegisterFilesRaisesLimit registers more files than RLIMIT_NOFILE permits, in
// a process of its own.
func TestRegisterFilesRaisesLimit(t *testing.T) {
	const child = "GO_URING_LIMIT_TEST"
	if os.Getenv(child) == "" {
		backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe, "-test.run=^TestRegisterFilesRaisesLimit$", "-test.v")
			cmd.Env = append(os.Environ(), child+"="+b.Name)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if strings.Contains(string(out), "--- SKIP") {
				t.Skipf("%s", out)
			}
		})
		return
	}
	b := backendtest.Purego
	if os.Getenv(child) == backendtest.Liburing.Name {
		b = backendtest.Liburing
	}
	var limit unix.Rlimit
	const soft = 64
	set := func() {
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		limit.Cur = soft
		if limit.Max < 1000 {
			t.Skipf("the hard limit is %d files", limit.Max)
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	table := make([]int32, 100)
	for i := range table {
		table[i] = uring.FileNone
	}
	counts := false
	for _, c := range []struct {
		name string
		call func(r live) error
	}{
		{"files", func(r live) error { return r.RegisterFiles(table) }},
		{"tagged", func(r live) error { return r.RegisterFilesTagged(table, make([]uint64, len(table))) }},
		{"sparse", func(r live) error { return r.RegisterFilesSparse(len(table)) }},
	} {
		r := open(t, b, 0)
		set()
		if err := c.call(r); err != nil {
			if c.name == "sparse" && !has519(r) || c.name == "tagged" && !knowsRegister(r.Fd(), sys.IORING_REGISTER_FILES2, 32) {
				continue
			}
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		// A kernel that does not look at the limit (before 5.13) has no reason to
		// refuse, nor we to raise it.
		if limit.Cur != soft {
			counts = true
			expect(t, c.name+": the soft limit", limit.Cur, soft+100)
		}
	}
	if !counts {
		t.Skip("this kernel does not count registered files")
	}
	// One that the hard limit forbids.
	r := open(t, b, 0)
	limit.Cur, limit.Max = soft, soft
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	err := r.RegisterFiles(table)
	expectErr(t, "above the hard limit", err, syscall.EMFILE, "100 files", "RLIMIT_NOFILE")
}
