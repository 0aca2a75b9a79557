package ringfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/proactor"
)

const denyVariable = "RINGFS_TEST_DENY"

func TestMain(m *testing.M) {
	if os.Getenv(denyVariable) != "" {
		if err := backendtest.DenyRings(); err != nil {
			panic(err)
		}
		denied = true
	}
	os.Exit(m.Run())
}

// All tests again, in a process whose seccomp filter answers the io_uring system calls
// with EPERM, as that of a container does.
func TestUnderSeccomp(t *testing.T) {
	if denied {
		p, err := proactor.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if _, err := New(p).Stat(t.Context(), "."); err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.Rings != 0 || s.Fallback != 1 {
			t.Errorf("%+v", s)
		}
		return
	}
	args := []string{"-test.timeout=5m"}
	if testing.Short() {
		// The fall-back is among the variants of every test.
		args = append(args, "-test.short", "-test.run=UnderSeccomp|LikeOS|FS|Pipes|CloseDuring|ReadFiles$|CopyTree$")
	}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), denyVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// eachRoot runs a test in an FS over a new directory, with openat2 and without.
func eachRoot(t *testing.T, test func(t *testing.T, o *OS, f *FS, dir string)) {
	each(t, func(t *testing.T, o *OS) {
		for _, lack := range []bool{false, true} {
			t.Run(fmt.Sprintf("openat2=%t", !lack), func(t *testing.T) {
				dir := t.TempDir()
				f, err := o.Root(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				f.root.lack.Store(lack)
				test(t, o, f, dir)
				if !lack && f.root.lack.Load() {
					t.Error("openat2 was given up")
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				_, err = f.Open("x")
				want(t, "Open after Close", err, os.ErrClosed)
				want(t, "Mkdir after Close", f.Mkdir(t.Context(), "x", 0o700), os.ErrClosed)
			})
		}
	})
}

func TestFS(t *testing.T) {
	eachRoot(t, func(t *testing.T, o *OS, f *FS, dir string) {
		ctx := t.Context()
		var names []string
		for _, name := range []string{"a", "d/b", "d/e/c", "d/e/long", "z.txt"} {
			if err := f.MkdirAll(ctx, filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := f.WriteFile(ctx, name, bytes.Repeat([]byte(name), 1+len(name)*len(name)*10), 0o644); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		for i := range 40 {
			name := fmt.Sprintf("many/%03d", i)
			if i == 0 {
				f.Mkdir(ctx, "many", 0o700)
			}
			if err := f.WriteFile(ctx, name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Symlink(ctx, "d/e", "link"); err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(f, append(names, "many/039", "link")...); err != nil {
			t.Error(err)
		}
		list, err := f.ReadDir("many")
		if err != nil || len(list) != 40 || !slices.IsSortedFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }) {
			t.Errorf("%d entries, %v", len(list), err)
		}
		if f.Name() != dir {
			t.Error(f.Name())
		}
		info, err := f.Stat("link/c")
		mine, err2 := os.Stat(dir + "/d/e/c")
		if err != nil || err2 != nil || info.Size() != mine.Size() || !info.ModTime().Equal(mine.ModTime()) || info.Mode() != mine.Mode() {
			t.Errorf("%v, %v", info, err)
		}
		if info, err := f.Lstat("link"); err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("%v, %v", info, err)
		}
		if info, err := f.Stat("link"); err != nil || !info.IsDir() {
			t.Errorf("%v, %v", info, err)
		}
		if info, err := f.Stat("."); err != nil || !info.IsDir() || info.Name() != "." {
			t.Errorf("%v, %v", info, err)
		}
	})
}

// Nothing leads out of a root.
func TestEscapes(t *testing.T) {
	eachRoot(t, func(t *testing.T, o *OS, f *FS, dir string) {
		ctx := t.Context()
		outside := t.TempDir()
		os.WriteFile(outside+"/secret", []byte("x"), 0o666)
		os.Mkdir(dir+"/sub", 0o700)
		os.WriteFile(dir+"/sub/inside", []byte("inside"), 0o600)
		for from, to := range map[string]string{
			"absolute": outside, "up": "../" + filepath.Base(outside), "file": outside + "/secret", "root": "/", "self": "/proc/self/root",
			"sub/up2": "../..", "fine": "sub/../sub/inside", "chain": "absolute", "loop": "loop",
		} {
			if err := os.Symlink(to, dir+"/"+from); err != nil {
				t.Fatal(err)
			}
		}
		if b, err := f.ReadFile("fine"); err != nil || string(b) != "inside" {
			t.Errorf("%q, %v", b, err)
		}
		for _, name := range []string{"absolute", "absolute/secret", "up/secret", "file", "root/etc/passwd", "self", "sub/up2", "sub/up2/x", "chain/secret"} {
			calls := map[string]func() error{
				"Open":     func() error { _, err := f.Open(name); return err },
				"Create":   func() error { _, err := f.Create(ctx, name); return err },
				"Stat":     func() error { _, err := f.Stat(name); return err },
				"ReadFile": func() error { _, err := f.ReadFile(name); return err },
				"ReadDir":  func() error { _, err := f.ReadDir(name); return err },
				"Chmod":    func() error { return f.Chmod(name, 0o777) },
				"Truncate": func() error { return f.Truncate(ctx, name, 0) },
			}
			if strings.Contains(name, "/") && name != "sub/up2" {
				calls["Mkdir"] = func() error { return f.Mkdir(ctx, name+"2", 0o700) }
				calls["Remove"] = func() error { return f.Remove(ctx, name) }
				calls["RemoveAll"] = func() error { return f.RemoveAll(ctx, name) }
				calls["Rename"] = func() error { return f.Rename(ctx, "sub/inside", name) }
				calls["Link"] = func() error { return f.Link(ctx, "sub/inside", name+"2") }
				calls["Symlink"] = func() error { return f.Symlink(ctx, "x", name+"2") }
				calls["Lstat"] = func() error { _, err := f.Lstat(name); return err }
			}
			for what, call := range calls {
				err := call()
				if err == nil {
					t.Errorf("%s(%q) leads out", what, name)
				} else if !f.root.lack.Load() && what != "Chmod" {
					want(t, what, err, ErrEscapes)
				}
			}
		}
		_, err := f.Open("loop")
		if !errors.Is(err, syscall.ELOOP) && !f.root.lack.Load() {
			t.Errorf("a loop: %v", err)
		}
		if b, err := os.ReadFile(outside + "/secret"); string(b) != "x" {
			t.Errorf("%q, %v", b, err)
		}
		if list, _ := os.ReadDir(outside); len(list) != 1 {
			t.Errorf("%v", list)
		}
	})
}

// treeOps runs through what OS and FS have in common.
func treeOps(t *testing.T, f *tree, dir string) {
	ctx := t.Context()
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	name := func(s string) string {
		if f.root == nil {
			return dir + "/" + s
		}
		return s
	}
	ok("MkdirAll", f.MkdirAll(ctx, name("a/b/c"), 0o755))
	ok("MkdirAll again", f.MkdirAll(ctx, name("a/b/c"), 0o755))
	ok("WriteFile", f.WriteFile(ctx, name("a/b/c/f"), []byte("hello"), 0o640))
	ok("Link", f.Link(ctx, name("a/b/c/f"), name("a/g")))
	ok("Rename", f.Rename(ctx, name("a/g"), name("h")))
	ok("Symlink", f.Symlink(ctx, "a/b/c/f", name("s")))
	if text, err := f.Readlink(name("s")); text != "a/b/c/f" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	ok("Chmod", f.Chmod(name("h"), 0o600|fs.ModeSticky))
	ok("Lchown", f.Lchown(name("s"), os.Getuid(), -1))
	then := time.Unix(1_000_000_000, 123_000_000)
	ok("Lchtimes", f.Lchtimes(name("s"), time.Time{}, then))
	ok("Lchtimes", f.Lchtimes(name("h"), then, then.Add(time.Second)))
	if info, err := f.LstatContext(ctx, name("s")); err != nil || !info.ModTime().Equal(then) {
		t.Errorf("%v, %v", info, err)
	}
	ok("Truncate", f.Truncate(ctx, name("s"), 4))
	for _, n := range []string{"h", "s", "a/b/c/f"} {
		if b, err := f.ReadFileContext(ctx, name(n)); string(b) != "hell" || err != nil {
			t.Errorf("%s: %q, %v", n, b, err)
		}
	}
	info, err := f.StatContext(ctx, name("h"))
	if err != nil || info.Mode() != 0o600|fs.ModeSticky || info.Size() != 4 || info.Name() != "h" || info.Sys().(*unix.Statx_t).Nlink != 2 {
		t.Errorf("%v, %v", info, err)
	}
	d, err := f.OpenFile(ctx, name("."), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	names, err := d.Readdirnames(-1)
	if slices.Sort(names); err != nil || fmt.Sprint(names) != "[a h s]" {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := d.ReadDir(1); err != io.EOF {
		t.Errorf("at the end of a directory: %v", err)
	}
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		t.Error(err)
	}
	list, err := d.ReadDir(2)
	if len(list) != 2 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	for _, e := range list {
		if info, err := e.Info(); err != nil || info.Name() != e.Name() || info.Mode().Type() != e.Type() || info.IsDir() != e.IsDir() {
			t.Errorf("%v: %v, %v", e, info, err)
		}
	}
	d.Close()
	ok("Remove", f.Remove(ctx, name("s")))
	ok("Mkdir", f.Mkdir(ctx, name("empty"), 0o700))
	ok("Remove", f.Remove(ctx, name("empty")))
	for i := range 300 {
		if err := f.WriteFile(ctx, name(fmt.Sprintf("a/b/%d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ok("Symlink", f.Symlink(ctx, "../h", name("a/b/out")))
	ok("RemoveAll", f.RemoveAll(ctx, name("a")))
	ok("RemoveAll", f.RemoveAll(ctx, name("a")))
	if list, err := f.ReadDirContext(ctx, name(".")); len(list) != 1 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	want(t, "RemoveAll", f.RemoveAll(ended, name("h")), context.Canceled)
	want(t, "MkdirAll", f.MkdirAll(ended, name("x/y"), 0o700), context.Canceled)
	_, err = f.ReadFileContext(ended, name("h"))
	want(t, "ReadFile", err, context.Canceled)
}

func TestOS(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		treeOps(t, &o.tree, t.TempDir())
		ctx := t.Context()
		list, err := o.ReadDir(ctx, "/")
		if err != nil || len(list) < 5 {
			t.Errorf("%v, %v", list, err)
		}
		// Files whose size is not what it says, and large ones.
		b, err := o.ReadFile(ctx, "/proc/self/status")
		if err != nil || !bytes.Contains(b, []byte(fmt.Sprintf("Pid:\t%d\n", os.Getpid()))) {
			t.Errorf("%q, %v", b, err)
		}
		for _, size := range []int{0, 1, 511, 512, 513, 70_000, 3 << 20} {
			if b, err := o.ReadFile(ctx, temp(t, size)); err != nil || len(b) != size || checkPlace(b, 0) != nil {
				t.Errorf("%d bytes of %d, %v", len(b), size, err)
			}
		}
		_, err = o.ReadFile(ctx, "/")
		want(t, "reading a directory", err, syscall.EISDIR)
		info, err := o.Lstat(ctx, "/proc/self")
		if err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("%v, %v", info, err)
		}
		name := temp(t, 10)
		then := time.Unix(1_000_000_000, 0)
		if err := o.Chtimes(name, then, then); err != nil {
			t.Error(err)
		}
		if info, err := o.Stat(ctx, name); err != nil || !info.ModTime().Equal(then) {
			t.Errorf("%v, %v", info, err)
		}
	})
}

func TestRootOps(t *testing.T) {
	eachRoot(t, func(t *testing.T, o *OS, f *FS, dir string) { treeOps(t, &f.tree, dir) })
}

// Without descriptors nothing works, and with them again everything does.
func TestNoDescriptors(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		name := temp(t, 10)
		if _, err := o.ReadFile(t.Context(), name); err != nil { // the ring is made
			t.Fatal(err)
		}
		restore := noDescriptors(t)
		_, err := o.Open(t.Context(), name)
		restore()
		want(t, "Open", err, syscall.EMFILE, "open "+name)
		if b, err := o.ReadFile(t.Context(), name); len(b) != 10 || err != nil {
			t.Errorf("%d, %v", len(b), err)
		}
	})
}

// noDescriptors takes all descriptors there are, and returns what gives them back.
func noDescriptors(t *testing.T, but ...int) (restore func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	highest := 0
	for _, d := range descriptors(t) {
		var fd int
		fmt.Sscan(d, &fd)
		highest = max(highest, fd)
	}
	low := unix.Rlimit{Cur: uint64(highest + 9), Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var taken []int
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	for _, n := range but {
		for range n {
			unix.Close(taken[len(taken)-1])
			taken = taken[:len(taken)-1]
		}
	}
	return func() {
		for _, fd := range taken {
			unix.Close(fd)
		}
		unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
		runtime.KeepAlive(taken)
	}
}
