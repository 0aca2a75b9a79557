//go:build linux

package host

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func TestSysctl(t *testing.T) {
	h := Host{Root: fstest.MapFS{
		"proc/sys/kernel/io_uring_disabled": file("2\n"),
		"proc/sys/kernel/io_uring_group":    file("-1\n"),
		"proc/sys/kernel/odd":               file("two\n"),
	}}
	for name, want := range map[string]int{"kernel/io_uring_disabled": 2, "kernel/io_uring_group": -1} {
		if got, err := h.Sysctl(name); got != want || err != nil {
			t.Errorf("Sysctl(%q) = %d, %v; want %d", name, got, err, want)
		}
	}
	if _, err := h.Sysctl("kernel/missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing sysctl gives %v, want fs.ErrNotExist", err)
	}
	if _, err := h.Sysctl("kernel/odd"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a sysctl that is no number gives %v", err)
	}
}

func TestStatus(t *testing.T) {
	h := Host{Root: fstest.MapFS{"proc/thread-self/status": file("Name:\tx\nGid:\t1\t2\t3\t4\nGroups:\t4 20 \nCapEff:\t0000000000200000\nSeccomp:\t2\nSeccomp_filters:\t1\n")}}
	got, err := h.Status()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Status{Seccomp: 2, CapEff: 1 << unix.CAP_SYS_ADMIN, Groups: []int{4, 20}}, got); diff != "" {
		t.Error(diff)
	}
	if !got.Capable(unix.CAP_SYS_ADMIN) || got.Capable(unix.CAP_SYS_NICE) {
		t.Errorf("Capable reads %#x wrongly", got.CapEff)
	}
	for _, bad := range []string{"Seccomp:\tx\n", "CapEff:\tzz\n", "Groups:\t1 b\n"} {
		h.Root = fstest.MapFS{"proc/thread-self/status": file(bad)}
		if s, err := h.Status(); err == nil {
			t.Errorf("%q is read as %+v", bad, s)
		}
	}
	h.Root = fstest.MapFS{"proc/thread-self/status": file("Name:\tx\n")}
	if s, err := h.Status(); err != nil || s.Seccomp != -1 {
		t.Errorf("a status without Seccomp gives %+v, %v; want -1", s, err)
	}
}

func TestForeign(t *testing.T) {
	for m, want := range map[string]bool{
		"         0          0 4294967295\n": false,
		"         0       1000          1\n": true,
	} {
		h := Host{Root: fstest.MapFS{"proc/self/uid_map": file(m)}}
		if got, err := h.Foreign(); got != want || err != nil {
			t.Errorf("uid_map %q: %v, %v; want %v", m, got, err, want)
		}
	}
}

func TestVersion(t *testing.T) {
	for s, want := range map[string]Version{
		"5.10.0-32-cloud-amd64": {5, 10},
		"6.18.44":               {6, 18},
		"7.3-cloud-amd64":       {7, 3},
	} {
		if got, err := ParseVersion(s); got != want || err != nil {
			t.Errorf("ParseVersion(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	if v, err := ParseVersion("generic"); err == nil {
		t.Errorf("ParseVersion(generic) = %v", v)
	}
	a, b, c := Version{5, 19}, Version{6, 1}, Version{6, 12}
	if !a.Before(b) || !b.Before(c) || c.Before(b) || b.Before(a) || a.Before(a) {
		t.Error("Before is not the order of releases")
	}
}

func TestMemoryLimit(t *testing.T) {
	root := fstest.MapFS{
		"proc/self/cgroup":                     file("1:name=systemd:/x\n0::/a/b\n"),
		"sys/fs/cgroup/a/b/memory.max":         file("max\n"),
		"sys/fs/cgroup/a/b/memory.current":     file("10\n"),
		"sys/fs/cgroup/a/memory.max":           file("1000\n"),
		"sys/fs/cgroup/a/memory.current":       file("900\n"),
		"sys/fs/cgroup/memory.max":             file("500\n"),
		"sys/fs/cgroup/memory.current":         file("100\n"),
		"sys/fs/cgroup/a/b/c/memory.max":       file("1\n"),
		"sys/fs/cgroup/a/b/c/memory.current":   file("1\n"),
		"sys/fs/cgroup/a/b/memory.swap.max":    file("1\n"),
		"sys/fs/cgroup/a/unrelated/memory.max": file("1\n"),
	}
	h := Host{Root: root}
	want := GroupLimit{File: "/sys/fs/cgroup/a/memory.max", Max: 1000, Used: 900}
	if got, ok := h.MemoryLimit(); !ok || got != want {
		t.Errorf("the limit is %+v, %v; want the one with the least room, %+v", got, ok, want)
	}
	if l, ok := h.TaskLimit(); ok {
		t.Errorf("there is no limit on threads, but %+v was found", l)
	}
}

func TestContainer(t *testing.T) {
	if s := (Host{Root: fstest.MapFS{"run/.containerenv": file("")}}).Container(); s != "Podman (/run/.containerenv)" {
		t.Errorf("Container is %q", s)
	}
	if s := (Host{Root: fstest.MapFS{"etc/passwd": file("")}}).Container(); s != "" {
		t.Errorf("Container is %q without a sign of one", s)
	}
}

func TestHugePages(t *testing.T) {
	h := Host{Root: fstest.MapFS{"proc/meminfo": file("MemTotal: 1 kB\nHugePages_Free:       7\n")}}
	if n, err := h.HugePages(); n != 7 || err != nil {
		t.Errorf("HugePages = %d, %v; want 7", n, err)
	}
}

// TestThis reads the system that the test runs on.
func TestThis(t *testing.T) {
	h := This()
	release, v, err := h.Release()
	if err != nil || v.Before(Version{3, 0}) {
		t.Errorf("Release = %q, %v, %v", release, v, err)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	if want := unix.ByteSliceToString(u.Release[:]); release != want {
		t.Errorf("Release = %q; uname says %q", release, want)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := h.Status()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(s.Groups, os.Getegid()) {
		t.Errorf("the groups %v lack the effective one, %d", s.Groups, os.Getegid())
	}
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	if n, err := h.Rlimit(unix.RLIMIT_NOFILE); n != l.Cur || err != nil {
		t.Errorf("Rlimit = %d, %v; want %d", n, err, l.Cur)
	}
}
