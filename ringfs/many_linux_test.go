package ringfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// content is what the i-th of many files holds: mostly little, sometimes much, sometimes
// nothing.
func content(i int) []byte {
	size := i * 37 % 3000
	switch i % 50 {
	case 7:
		size = windowSlice - 1 + i/50%3
	case 8:
		size = 100_000 + i
	case 9:
		size = 0
	}
	b := make([]byte, size)
	place(b, int64(i)*1000)
	return b
}

func manyFiles(t *testing.T, n int) (dir string, names []string) {
	dir = t.TempDir()
	for i := range n {
		name := fmt.Sprintf("%s/%05d", dir, i)
		if err := os.WriteFile(name, content(i), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return dir, names
}

func TestReadFiles(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		dir, names := manyFiles(t, 450)
		fsys, err := o.Root(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer fsys.Close()
		for _, n := range []int{0, 1, 63, 64, 65, 128, 450} {
			i := 0
			for f, err := range o.ReadFiles(t.Context(), slices.Values(names[:n])) {
				if err != nil || f.Name != names[i] || !bytes.Equal(f.Data, content(i)) {
					t.Fatalf("%d of %d: %s: %d bytes, %v", i, n, f.Name, len(f.Data), err)
				}
				i++
			}
			if i != n {
				t.Errorf("%d files of %d", i, n)
			}
		}
		for _, lack := range []bool{false, true} {
			fsys.root.lack.Store(lack)
			os.Symlink("/etc/passwd", dir+"/out")
			list := []string{"00001", "../00001", "out", "00008", "none"}
			i := 0
			for f, err := range fsys.ReadFiles(t.Context(), slices.Values(list)) {
				if f.Name != list[i] {
					t.Error(f.Name)
				}
				switch i {
				case 0, 3:
					if err != nil || !bytes.Equal(f.Data, content(1+i/3*7)) {
						t.Errorf("%s: %d bytes, %v", f.Name, len(f.Data), err)
					}
				case 1:
					want(t, f.Name, err, fs.ErrInvalid)
				case 2:
					if err == nil || !lack && !errors.Is(err, ErrEscapes) {
						t.Errorf("%s: %v", f.Name, err)
					}
				case 4:
					want(t, f.Name, err, fs.ErrNotExist)
				}
				i++
			}
		}
	})
}

func TestReadFilesErrors(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		dir, names := manyFiles(t, 250)
		list := slices.Insert(slices.Clone(names), 100, "/proc/self/status", dir, dir+"/none", "", "a\x00b", "/proc/self/mem")
		var errs []error
		good := 0
		for f, err := range o.ReadFiles(t.Context(), slices.Values(list)) {
			if err != nil {
				if f.Data != nil {
					t.Errorf("%s: an error and %d bytes", f.Name, len(f.Data))
				}
				errs = append(errs, err)
			} else {
				good++
			}
			if f.Name == "/proc/self/status" && !bytes.Contains(f.Data, []byte("\nvoluntary_ctxt_switches:")) {
				t.Errorf("%s is not whole: %q, %v", f.Name, f.Data, err)
			}
		}
		if good != 251 || len(errs) != 5 {
			t.Fatalf("%d files, errors %v", good, errs)
		}
		for i, is := range []error{syscall.EISDIR, fs.ErrNotExist, fs.ErrNotExist, syscall.EINVAL, syscall.EIO} {
			want(t, list[101+i], errs[i], is)
		}

		// Leaving the loop, and a context that ends: nothing stays open, which open
		// looks for in the end.
		for _, stop := range []int{1, 9, 64, 65, 200} {
			i := 0
			for range o.ReadFiles(t.Context(), slices.Values(names)) {
				if i++; i == stop {
					break
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			i = 0
			var last error
			for f, err := range o.ReadFiles(ctx, slices.Values(names)) {
				if i++; i == stop {
					cancel()
				}
				if i > stop && err == nil {
					t.Errorf("%s after the end", f.Name)
				}
				last = err
			}
			cancel()
			if !errors.Is(last, context.Canceled) {
				t.Errorf("the last error is %v", last)
			}
		}

		// With very few descriptors.
		restore := noDescriptors(t, 3)
		i := 0
		for f, err := range o.ReadFiles(t.Context(), slices.Values(names)) {
			if err != nil || !bytes.Equal(f.Data, content(i)) {
				t.Errorf("%s: %v", f.Name, err)
				break
			}
			i++
		}
		restore()
		if i != len(names) {
			t.Errorf("%d files with 3 descriptors", i)
		}
	})
}

func TestCopyTree(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		ctx := t.Context()
		src, _ := manyFiles(t, 120)
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		then := time.Unix(1_111_111_111, 222_222_222)
		ok(os.MkdirAll(src+"/d/e/f", 0o755))
		ok(os.WriteFile(src+"/d/e/setuid", []byte("x"), 0o600))
		ok(os.Chmod(src+"/d/e/setuid", 0o4711))
		ok(os.Symlink("../00001", src+"/d/link"))
		ok(os.Symlink("nowhere", src+"/d/dangling"))
		ok(unix.Mkfifo(src+"/d/fifo", 0o640))
		sparse, err := os.Create(src + "/d/sparse")
		ok(err)
		block := make([]byte, 1<<20)
		place(block, 77)
		for _, at := range []int64{0, 5 << 20, 40 << 20} {
			sparse.WriteAt(block, at)
		}
		ok(sparse.Truncate(64 << 20))
		sparse.Close()
		ok(os.WriteFile(src+"/d/e/readonly", []byte("y"), 0o400))
		ok(os.Chtimes(src+"/d/e/f", then, then))
		ok(os.Chtimes(src+"/00003", then, then))
		ok(os.Chmod(src+"/d/e", 0o500))
		defer os.Chmod(src+"/d/e", 0o700)

		dst := t.TempDir() + "/copy"
		calls, last := 0, CopyProgress{}
		stats, err := o.CopyTree(ctx, dst, src, &CopyOptions{Workers: 3, Progress: func(p CopyProgress) {
			if p.Bytes < last.Bytes || p.Files < last.Files {
				t.Errorf("%+v after %+v", p, last)
			}
			calls, last = calls+1, p
		}})
		defer os.Chmod(dst+"/d/e", 0o700)
		if err != nil {
			t.Fatal(err)
		}
		if stats != last || stats.Files != 124 || stats.Dirs != 4 || stats.Links != 2 || calls < 130 {
			t.Errorf("%+v, last %+v, %d calls", stats, last, calls)
		}
		compareTrees(t, src, dst)
		var st unix.Stat_t
		ok(unix.Stat(dst+"/d/sparse", &st))
		if st.Blocks*512 > 10<<20 {
			t.Errorf("the copy of a file with holes has %d MiB", st.Blocks>>11)
		}

		// Again, over it, and by buffers: a file system of its own cannot share.
		ok(os.WriteFile(dst+"/00001", bytes.Repeat([]byte("z"), 5000), 0o600))
		if _, err := o.CopyTree(ctx, dst, src, nil); err == nil || !errors.Is(err, fs.ErrExist) {
			t.Errorf("over a fifo: %v", err)
		}
		ok(os.Remove(dst + "/d/fifo"))
		_, err = o.CopyTree(ctx, dst, src, &CopyOptions{Sync: true, Owner: os.Getuid() == 0})
		ok(err)
		compareTrees(t, src, dst)

		one := t.TempDir() + "/one"
		if stats, err := o.CopyTree(ctx, one, src+"/00008", nil); err != nil || stats.Files != 1 {
			t.Errorf("%+v, %v", stats, err)
		}
		if b, _ := os.ReadFile(one); !bytes.Equal(b, content(8)) {
			t.Error("one file differs")
		}
		if stats, err := o.CopyTree(ctx, one+"2", "/proc/self/status", nil); err != nil || stats.Bytes == 0 {
			t.Errorf("a file without a size: %+v, %v", stats, err)
		}
	})
}

// The way that does not use the kernel's own copying.
func TestCopyThrough(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		const size = 3<<20 + 12345
		src := must(t, o, temp(t, size), os.O_RDONLY)
		dst := must(t, o, t.TempDir()+"/x", os.O_RDWR|os.O_CREATE)
		c := copier{o: o, ctx: t.Context()}
		if err := c.through(job{}, dst, src, 1000, size); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(dst.Name())
		if err != nil || len(b) != size {
			t.Fatalf("%d, %v", len(b), err)
		}
		if err := checkPlace(b[1000:], 1000); err != nil || c.done.Bytes != size-1000 {
			t.Errorf("%v, %+v", err, c.done)
		}
	})
}

// compareTrees has find(1) describe both, and compares the contents.
func compareTrees(t *testing.T, a, b string) {
	t.Helper()
	if _, err := exec.LookPath("find"); err != nil {
		t.Skip("nothing describes the trees here: ", err)
	}
	list := func(dir string) string {
		cmd := exec.Command("find", ".", "-printf", `%P %M %s %T@ %l\n`)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(out), "\n")
		for i, l := range lines {
			if strings.Contains(l, " d") { // whose size is the file system's business
				f := strings.Fields(l)
				lines[i] = strings.Join(slices.Delete(f, len(f)-2, len(f)-1), " ")
			}
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	if x, y := list(a), list(b); x != y {
		t.Errorf("the trees differ:\n%s\n\n%s", x, y)
	}
	filepath.WalkDir(a, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		x, _ := os.ReadFile(name)
		y, err := os.ReadFile(b + strings.TrimPrefix(name, a))
		if err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs, %v", name, err)
		}
		return nil
	})
}

func TestCopyTreeRefuses(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		ctx := t.Context()
		src, _ := manyFiles(t, 20)
		tree := func(dst, src string, options *CopyOptions) error {
			_, err := o.CopyTree(ctx, dst, src, options)
			return err
		}
		other := t.TempDir()
		os.Symlink("/tmp", other+"/link")
		os.Mkdir(other+"/dir", 0o700)
		os.Mkdir(src+"/sub", 0o700)
		bad := t.TempDir()
		if err := unix.Mknod(bad+"/socket", unix.S_IFSOCK|0o600, 0); err != nil {
			t.Fatal(err)
		}
		outside := temp(t, 10)
		trap := t.TempDir()
		os.Symlink(outside, trap+"/00001")
		want(t, "onto itself", tree(src, src, nil), syscall.EINVAL, "the same")
		want(t, "a file onto itself", tree(src+"/00001", src+"/00001", nil), syscall.EINVAL, "the same")
		os.Link(src+"/00001", other+"/hard")
		want(t, "a file onto its other name", tree(other+"/hard", src+"/00001", nil), syscall.EINVAL, "the same")
		want(t, "into itself", tree(src+"/sub/copy", src, nil), syscall.EINVAL, "being written")
		want(t, "onto a link", tree(other+"/link", src, nil), fs.ErrExist)
		want(t, "a file onto a directory", tree(other+"/dir", src+"/00001", nil), fs.ErrExist)
		want(t, "a socket", tree(other+"/x", bad, nil), errors.ErrUnsupported, "socket")
		want(t, "what is not there", tree(other+"/x", src+"/none", nil), fs.ErrNotExist)
		want(t, "Workers", tree(other+"/x", src, &CopyOptions{Workers: -2}), syscall.EINVAL, "-2")
		want(t, "through a link", tree(trap, src, nil), fs.ErrExist)
		if b, _ := os.ReadFile(outside); len(b) != 10 {
			t.Error("a link was followed")
		}
		ended, cancel := context.WithCancel(ctx)
		stats, err := o.CopyTree(ended, other+"/part", src, &CopyOptions{Workers: 1, Progress: func(p CopyProgress) {
			if p.Files == 3 {
				cancel()
			}
		}})
		want(t, "cancelled", err, context.Canceled)
		if stats.Files < 3 || stats.Files > 5 {
			t.Errorf("%+v", stats)
		}
		cancel()
		full := smallDisk(t, "64k")
		os.WriteFile(src+"/big", make([]byte, 1<<20), 0o600)
		want(t, "without space", tree(full+"/x", src, nil), syscall.ENOSPC)
	})
}
