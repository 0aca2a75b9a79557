package ringfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/backendtest"
)

func TestReaders(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		content := make([]byte, 20_000)
		place(content, 0)
		name := temp(t, len(content))
		if err := iotest.TestReader(must(t, o, name, os.O_RDONLY), content); err != nil {
			t.Error(err)
		}
		// It reads byte by byte, and here each is one from the disk.
		if err := iotest.TestReader(must(t, o, temp(t, 1200), past(t)), content[:1200]); err != nil {
			t.Errorf("with O_DIRECT: %v", err)
		}
		f := must(t, o, name, os.O_RDONLY)
		f.Seek(100, io.SeekStart)
		var all bytes.Buffer
		if n, err := f.WriteTo(&all); n != int64(len(content)-100) || err != nil || !bytes.Equal(all.Bytes(), content[100:]) {
			t.Errorf("WriteTo: %d, %v", n, err)
		}
		if n, err := f.ReadAt(make([]byte, 10), int64(len(content)-3)); n != 3 || err != io.EOF {
			t.Errorf("ReadAt across the end: %d, %v", n, err)
		}
		if n, err := f.Read(nil); n != 0 || err != nil {
			t.Errorf("reading nothing: %d, %v", n, err)
		}
	})
}

// The same random calls on a File and on an os.File give the same answers and the same
// file.
func TestLikeOS(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		for _, flag := range []int{0, past(t), os.O_APPEND, os.O_APPEND | past(t)} {
			seed := uint64(time.Now().UnixNano())
			rnd := rand.New(rand.NewPCG(seed, 0))
			dir := t.TempDir()
			mine := must(t, o, dir+"/a", os.O_RDWR|os.O_CREATE|flag)
			theirs, err := os.OpenFile(dir+"/b", os.O_RDWR|os.O_CREATE|flag&os.O_APPEND, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer theirs.Close()
			type file interface {
				io.ReadWriteSeeker
				io.ReaderAt
				io.WriterAt
				Truncate(int64) error
			}
			for step := range 300 {
				size := rnd.IntN(20_000)
				if rnd.IntN(3) == 0 {
					size = rnd.IntN(5) * 4096
				}
				off := rnd.Int64N(40_000)
				if rnd.IntN(3) == 0 {
					off &^= 4095
				}
				data := make([]byte, size)
				place(data, rnd.Int64N(1000))
				whence := rnd.IntN(3)
				calls := []struct {
					name string
					call func(f file, b []byte) (int64, error)
				}{
					{"read", func(f file, b []byte) (int64, error) {
						n, err := io.ReadFull(f, b)
						return int64(n), err
					}},
					{"write", func(f file, b []byte) (int64, error) { n, err := f.Write(b); return int64(n), err }},
					{"readat", func(f file, b []byte) (int64, error) { n, err := f.ReadAt(b, off); return int64(n), err }},
					{"writeat", func(f file, b []byte) (int64, error) { n, err := f.WriteAt(b, off); return int64(n), err }},
					{"seek", func(f file, b []byte) (int64, error) { return f.Seek(off-20_000, whence) }},
					{"truncate", func(f file, b []byte) (int64, error) { return 0, f.Truncate(off) }},
				}
				c := calls[rnd.IntN(len(calls))]
				b1, b2 := bytes.Clone(data), bytes.Clone(data)
				n1, err1 := c.call(mine, b1)
				n2, err2 := c.call(theirs, b2)
				if n1 != n2 || (err1 == nil) != (err2 == nil) || (err1 == io.EOF) != (err2 == io.EOF) || !same(b1, b2, n1) {
					t.Fatalf("seed %d, flags %#x, step %d: %s of %d at %d: %d, %v; package os: %d, %v", seed, flag, step, c.name, size, off, n1, err1, n2, err2)
				}
			}
			a, _ := os.ReadFile(dir + "/a")
			b, _ := os.ReadFile(dir + "/b")
			if !bytes.Equal(a, b) {
				t.Errorf("seed %d, flags %#x: the files differ", seed, flag)
			}
		}
	})
}

// same compares the first n bytes, or all if the number is something else. Beyond what
// it has read, O_DIRECT may leave its mark in the last block.
func same(a, b []byte, n int64) bool {
	if n >= 0 && n <= int64(len(a)) {
		a, b = a[:n], b[:n]
	}
	return bytes.Equal(a, b)
}

func TestBadInput(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		ctx := t.Context()
		name := temp(t, 100)
		dir := filepath.Dir(name)
		f := must(t, o, name, os.O_RDWR)
		readOnly := must(t, o, name, os.O_RDONLY)
		appending := must(t, o, name, os.O_WRONLY|os.O_APPEND)
		r, w, err := Pipe(o.p)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		fsys, err := o.Root(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer fsys.Close()
		b := make([]byte, 10)
		two := func(_ any, err error) error { return err }
		for _, c := range []struct {
			what  string
			err   error
			is    error
			words string
		}{
			{"ReadAt", two(f.ReadAt(b, -5)), syscall.EINVAL, "negative offset -5"},
			{"WriteAt", two(f.WriteAt(b, -5)), syscall.EINVAL, "negative offset -5"},
			{"WriteSyncAt", two(f.WriteSyncAt(ctx, b, -5)), syscall.EINVAL, "negative offset -5"},
			{"ReadAtv", f.ReadAtv(ctx, []ReadReq{{P: b, Off: -5}}), syscall.EINVAL, "negative offset -5"},
			{"WriteAtv", f.WriteAtv(ctx, []WriteReq{{P: b, Off: -5}}), syscall.EINVAL, "negative offset -5"},
			{"WriteAt when appending", two(appending.WriteAt(b, 0)), ErrAppend, name},
			{"WriteAtv when appending", appending.WriteAtv(ctx, []WriteReq{{P: b}}), ErrAppend, name},
			{"WriteSyncAt when appending", two(appending.WriteSyncAt(ctx, b, 0)), ErrAppend, name},
			{"Write when reading", two(readOnly.Write(b)), syscall.EBADF, "write " + name},
			{"Read when appending", two(appending.Read(b)), syscall.EBADF, "read " + name},
			{"Seek", two(f.Seek(-1, io.SeekStart)), syscall.EINVAL, name},
			{"Seek whence", two(f.Seek(0, 77)), syscall.EINVAL, name},
			{"Seek in a pipe", two(r.Seek(0, 0)), syscall.ESPIPE, "|0"},
			{"ReadAt in a pipe", two(r.ReadAt(b, 0)), syscall.ESPIPE, "|0"},
			{"Truncate", f.Truncate(-1), syscall.EINVAL, name},
			{"Allocate", f.Allocate(ctx, 0, -1, 10), syscall.EINVAL, name},
			{"deadline of a file", f.SetDeadline(time.Now()), os.ErrNoDeadline, name},
			{"Open with a zero byte", two(o.Open(ctx, "a\x00b")), syscall.EINVAL, "open"},
			{"Open what is not there", two(o.Open(ctx, dir+"/none")), fs.ErrNotExist, "open " + dir + "/none"},
			{"Open with an empty name", two(o.Open(ctx, "")), fs.ErrNotExist, "open"},
			{"Open with a long name", two(o.Open(ctx, strings.Repeat("x", 5000))), syscall.ENAMETOOLONG, "open"},
			{"OpenFile anew", two(o.OpenFile(ctx, name, os.O_CREATE|os.O_EXCL, 0)), fs.ErrExist, name},
			{"ReadDir of a file", two(f.ReadDir(-1)), syscall.ENOTDIR, name},
			{"Mkdir", o.Mkdir(ctx, name, 0o700), fs.ErrExist, "mkdir " + name},
			{"MkdirAll through a file", o.MkdirAll(ctx, name+"/x/y", 0o700), syscall.ENOTDIR, ""},
			{"Remove", o.Remove(ctx, dir+"/none"), fs.ErrNotExist, "remove"},
			{"Remove of what is not empty", o.Remove(ctx, dir), syscall.ENOTEMPTY, "remove"},
			{"RemoveAll of dots", o.RemoveAll(ctx, dir+"/.."), syscall.EINVAL, "removeall"},
			{"Rename", o.Rename(ctx, dir+"/none", dir+"/x"), fs.ErrNotExist, "rename " + dir + "/none " + dir + "/x"},
			{"Link", o.Link(ctx, name, name), fs.ErrExist, "link"},
			{"Symlink", o.Symlink(ctx, "x", name), fs.ErrExist, "symlink"},
			{"Readlink", two(o.Readlink(name)), syscall.EINVAL, "readlink"},
			{"Root", two(o.Root(ctx, name)), syscall.ENOTDIR, name},
			{"Root of nothing", two(o.Root(ctx, dir+"/none")), fs.ErrNotExist, ""},
			{"a name that leaves", two(fsys.Open("../x")), fs.ErrInvalid, "fs.ValidPath"},
			{"an absolute name", two(fsys.Stat("/etc")), fs.ErrInvalid, ""},
			{"Mkdir with dots", fsys.Mkdir(ctx, "./x", 0o700), fs.ErrInvalid, "fs.ValidPath"},
			{"Rename to outside", fsys.Rename(ctx, "file", "../file"), fs.ErrInvalid, "rename"},
			{"NewFile", two(NewFile(o.p, -1, "x")), syscall.EBADF, "x"},
			{"a nil File", two((*File)(nil).Read(b)), os.ErrInvalid, ""},
			{"closing a nil File", (*File)(nil).Close(), os.ErrInvalid, ""},
		} {
			want(t, c.what, c.err, c.is, c.words)
		}
		var pe *fs.PathError
		if _, err := o.Open(ctx, "none"); !errors.As(err, &pe) || pe.Path != "none" {
			t.Errorf("Open gives %T", err)
		}
		var le *os.LinkError
		if err := o.Rename(ctx, "none", "x"); !errors.As(err, &le) || le.New != "x" {
			t.Errorf("Rename gives %T", err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		for what, err := range map[string]error{
			"Open":    two(o.Open(ended, name)),
			"Read":    two(f.ReadContext(ended, b)),
			"ReadAt":  two(f.ReadAtContext(ended, b, 0)),
			"Write":   two(f.WriteContext(ended, b)),
			"WriteAt": two(f.WriteAtContext(ended, b, 0)),
			"ReadAtv": f.ReadAtv(ended, []ReadReq{{P: b}}),
			"Sync":    f.SyncContext(ended),
			"Stat":    two(f.StatContext(ended)),
			"Rename":  o.Rename(ended, name, name+"x"),
			"Remove":  o.Remove(ended, name),
		} {
			want(t, what+" with an ended context", err, context.Canceled)
		}
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	})
}

func TestVectors(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		const size = 1 << 20
		name := temp(t, size)
		for _, flag := range []int{0, past(t)} {
			f := must(t, o, name, os.O_RDWR|flag)
			var reqs []ReadReq
			for i := range 300 {
				reqs = append(reqs, ReadReq{P: make([]byte, 1+i*37%9000), Off: int64(i) * 4096 % (size - 9000)})
			}
			if err := f.ReadAtv(t.Context(), reqs); err != nil {
				t.Fatal(err)
			}
			for _, r := range reqs {
				if err := checkPlace(r.P[:r.N], r.Off); err != nil || r.N != len(r.P) || r.Err != nil {
					t.Errorf("%d of %d at %d: %v, %v", r.N, len(r.P), r.Off, r.Err, err)
				}
			}
			end := []ReadReq{{P: make([]byte, 5000), Off: size - 100}, {P: make([]byte, 10), Off: 0}, {P: nil, Off: 7}}
			if err := f.ReadAtv(t.Context(), end); err != io.EOF || end[0].N != 100 || end[0].Err != io.EOF || end[1].N != 10 || end[1].Err != nil || end[2].Err != nil {
				t.Errorf("across the end: %v, %+v", err, end)
			}
			var writes []WriteReq
			for i := range 200 {
				b := make([]byte, 100+i*13)
				place(b, int64(i)*5000)
				writes = append(writes, WriteReq{P: b, Off: int64(i) * 5000})
			}
			if err := f.WriteAtv(t.Context(), writes); err != nil {
				t.Fatal(err)
			}
			if err := f.WriteAtv(t.Context(), []WriteReq{{P: make([]byte, 10), Off: size}}); err != nil {
				t.Error(err)
			}
			all, err := o.ReadFile(t.Context(), name)
			if err != nil || len(all) != size+10 {
				t.Fatalf("%d, %v", len(all), err)
			}
			if err := checkPlace(all[:size], 0); err != nil {
				t.Error(err)
			}
			if err := f.Truncate(size); err != nil {
				t.Error(err)
			}
		}
		readOnly := must(t, o, name, os.O_RDONLY)
		w := []WriteReq{{P: []byte("x")}}
		if err := readOnly.WriteAtv(t.Context(), w); !errors.Is(err, syscall.EBADF) || w[0].N != 0 || w[0].Err != err {
			t.Errorf("%v, %+v", err, w)
		}
	})
}

func TestWriteSync(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		name := filepath.Join(t.TempDir(), "log")
		var all []byte
		for _, flag := range []int{os.O_WRONLY | os.O_CREATE | os.O_APPEND, os.O_WRONLY | os.O_APPEND | past(t)} {
			f := must(t, o, name, flag)
			for i := range 5 {
				b := bytes.Repeat([]byte{byte('a' + i)}, 1000)
				all = append(all, b...)
				if n, err := f.WriteSync(t.Context(), b); n != len(b) || err != nil {
					t.Fatalf("%d, %v", n, err)
				}
			}
		}
		for _, flag := range []int{os.O_RDWR, os.O_RDWR | past(t)} {
			f := must(t, o, name, flag)
			for _, off := range []int{0, 4096, 100} {
				b := aligned(4096, 4096)
				place(b, int64(off))
				copy(all[off:], b)
				if n, err := f.WriteSyncAt(t.Context(), b, int64(off)); n != len(b) || err != nil {
					t.Fatalf("at %d: %d, %v", off, n, err)
				}
			}
		}
		if got, _ := os.ReadFile(name); !bytes.Equal(got, all) {
			t.Error("the file is not what was written")
		}
		readOnly := must(t, o, name, os.O_RDONLY)
		if n, err := readOnly.WriteSync(t.Context(), []byte("x")); n != 0 || !errors.Is(err, syscall.EBADF) {
			t.Errorf("%d, %v", n, err)
		}
		full := must(t, o, "/dev/full", os.O_WRONLY)
		if n, err := full.WriteSync(t.Context(), []byte("x")); n != 0 || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// A chain is broken by a write that is short; the rest is written and synced all the
// same. A file size limit makes it short, and then fail.
func TestWriteSyncShort(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		mount := smallDisk(t, "64k")
		f := must(t, o, mount+"/x", os.O_RDWR|os.O_CREATE)
		n, err := f.WriteSync(t.Context(), make([]byte, 200<<10))
		if n != 64<<10 || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestPipes(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		r, w, err := Pipe(o.p)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		b := make([]byte, 10)
		r.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, err = r.Read(b)
		want(t, "Read", err, os.ErrDeadlineExceeded)
		_, err = r.Read(b)
		want(t, "Read once more", err, os.ErrDeadlineExceeded)
		r.SetDeadline(time.Time{})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err = r.ReadContext(ctx, b)
		want(t, "ReadContext", err, context.DeadlineExceeded)

		// One that waits for its turn heeds its context, and one that has it too.
		first := make(chan error)
		go func() { _, err := r.Read(b); first <- err }()
		time.Sleep(5 * time.Millisecond)
		ctx2, cancel2 := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel2()
		_, err = r.ReadContext(ctx2, make([]byte, 1))
		want(t, "waiting for a turn", err, context.DeadlineExceeded)
		if _, err := w.WriteString("hello"); err != nil {
			t.Error(err)
		}
		if err := <-first; err != nil || string(b[:5]) != "hello" {
			t.Errorf("%v, %q", err, b)
		}

		// A full pipe.
		w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := w.Write(make([]byte, 1<<20))
		want(t, "Write", err, os.ErrDeadlineExceeded)
		if n < 4096 || n >= 1<<20 {
			t.Errorf("%d bytes were written", n)
		}
		w.SetDeadline(time.Time{})
		got := make(chan int64)
		go func() { n, _ := io.Copy(io.Discard, r); got <- n }()
		w.Close()
		if m := <-got; m != int64(n) {
			t.Errorf("%d bytes were written, %d read", n, m)
		}
		if _, err := r.Read(b); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}

		r2, w2, err := Pipe(o.p)
		if err != nil {
			t.Fatal(err)
		}
		r2.Close()
		_, err = w2.Write(b)
		want(t, "without a reader", err, syscall.EPIPE)
		w2.Close()
	})
}

// A FIFO opened with O_NONBLOCK waits like any other pipe.
func TestNonblocking(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		name := t.TempDir() + "/fifo"
		if err := unix.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		f := must(t, o, name, os.O_RDWR|unix.O_NONBLOCK)
		got := make(chan error)
		b := make([]byte, 5)
		go func() { _, err := io.ReadFull(f, b); got <- err }()
		time.Sleep(10 * time.Millisecond)
		f.WriteString("hello")
		if err := <-got; err != nil || string(b) != "hello" {
			t.Errorf("%v, %q", err, b)
		}
		f.SetWriteDeadline(time.Now().Add(30 * time.Millisecond))
		_, err := f.Write(make([]byte, 1<<20))
		want(t, "Write", err, os.ErrDeadlineExceeded)
	})
}

// Opening a FIFO waits for its other end, and the context ends that.
func TestOpenWaits(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		if ringless(o) {
			t.Skip("without io_uring nothing ends an open(2)")
		}
		name := t.TempDir() + "/fifo"
		if err := unix.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := o.Open(ctx, name)
		want(t, "Open", err, context.DeadlineExceeded)
	})
}

func TestFileMethods(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		ctx := t.Context()
		name := temp(t, 1000)
		f := must(t, o, name, os.O_RDWR)
		if f.Name() != name {
			t.Error(f.Name())
		}
		switch err := f.Allocate(ctx, 0, 0, 100_000); {
		case errors.Is(err, syscall.EOPNOTSUPP):
			t.Log("this file system cannot allocate: ", err)
			f.Truncate(100_000)
		case err != nil:
			t.Error(err)
		}
		info, err := f.Stat()
		if err != nil || info.Size() != 100_000 || info.Mode() != 0o600 || info.Name() != "file" || info.IsDir() || time.Since(info.ModTime()) > time.Hour {
			t.Errorf("%v, %v", info, err)
		}
		if err := f.Truncate(500); err != nil {
			t.Error(err)
		}
		if err := f.Sync(); err != nil {
			t.Error(err)
		}
		if err := f.DataSync(); err != nil {
			t.Error(err)
		}
		if err := f.Advise(ctx, 0, 0, unix.FADV_WILLNEED); err != nil {
			t.Error(err)
		}
		if err := f.Chown(-1, -1); err != nil {
			t.Error(err)
		}
		if err := f.Chmod(0o640 | fs.ModeSetuid); err != nil {
			t.Error(err)
		}
		then := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
		if err := f.Chtimes(time.Time{}, then); err != nil {
			t.Error(err)
		}
		theirs, err := os.Stat(name)
		if err != nil || theirs.Size() != 500 || theirs.Mode() != 0o640|fs.ModeSetuid && os.Getuid() == 0 || !theirs.ModTime().Equal(then) {
			t.Errorf("%v, %v", theirs, err)
		}
		mine, err := o.Stat(ctx, name)
		if err != nil || mine.Mode() != theirs.Mode() || !mine.ModTime().Equal(then) || mine.Size() != 500 {
			t.Errorf("%v, %v", mine, err)
		}
		if again, _ := f.Stat(); !SameFile(mine, again) {
			t.Error("a file is not the same as itself")
		}
		conn, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		try := func(fd uintptr) bool { calls++; return calls%3 == 0 && fd == f.Fd() }
		if err := errors.Join(conn.Read(try), conn.Write(try), conn.Control(func(uintptr) {})); err != nil || calls != 6 {
			t.Errorf("%v after %d calls", err, calls)
		}
		if _, err := f.ReadFrom(strings.NewReader("beginning")); err != nil {
			t.Error(err)
		}
		f.Seek(0, 0)
		g, err := o.Create(ctx, name+"2")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := g.ReadFrom(f); n != 500 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := f.WriteTo(g); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if b, _ := os.ReadFile(name + "2"); len(b) != 500 || !bytes.HasPrefix(b, []byte("beginning")) {
			t.Errorf("%d bytes", len(b))
		}
	})
}

// What a Close in another goroutine does to every kind of call that waits; and all calls
// on a closed file.
func TestCloseDuring(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		b := make([]byte, 10)
		for what, call := range map[string]func(r, w *File) error{
			"Read":        func(r, w *File) error { _, err := r.Read(b); return err },
			"ReadContext": func(r, w *File) error { _, err := r.ReadContext(t.Context(), b); return err },
			"Write":       func(r, w *File) error { _, err := w.Write(make([]byte, 1<<20)); return err },
			"WriteSync":   func(r, w *File) error { _, err := w.WriteSync(t.Context(), make([]byte, 1<<20)); return err },
			"WriteTo":     func(r, w *File) error { _, err := r.WriteTo(io.Discard); return err },
			"ReadFrom":    func(r, w *File) error { _, err := w.ReadFrom(zeros{}); return err },
			"two reads": func(r, w *File) error {
				other := make(chan error)
				go func() { _, err := r.Read(make([]byte, 1)); other <- err }()
				_, err := r.Read(b)
				if e := <-other; err == nil || errors.Is(err, os.ErrClosed) {
					err = e
				}
				return err
			},
			"SyscallConn.Read": func(r, w *File) error {
				c, err := r.SyscallConn()
				if err != nil {
					return err
				}
				return c.Read(func(uintptr) bool { return false })
			},
		} {
			r, w, err := Pipe(o.p)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() { done <- call(r, w) }()
			time.Sleep(20 * time.Millisecond)
			if what == "Write" || what == "WriteSync" || what == "ReadFrom" {
				err = w.Close()
			} else {
				err = r.Close()
			}
			if err != nil {
				t.Errorf("%s: Close: %v", what, err)
			}
			if err := <-done; !errors.Is(err, os.ErrClosed) && !(what == "WriteSync" && errors.Is(err, syscall.EINVAL)) {
				t.Errorf("%s: %v", what, err)
			}
			r.Close()
			w.Close()
		}
		f := must(t, o, temp(t, 100), os.O_RDWR)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		two := func(_ any, err error) error { return err }
		for what, err := range map[string]error{
			"Close":       f.Close(),
			"Read":        two(f.Read(b)),
			"ReadAt":      two(f.ReadAt(b, 0)),
			"Write":       two(f.Write(b)),
			"WriteAt":     two(f.WriteAt(b, 0)),
			"WriteString": two(f.WriteString("x")),
			"WriteSync":   two(f.WriteSync(ctx, b)),
			"WriteSyncAt": two(f.WriteSyncAt(ctx, b, 0)),
			"ReadAtv":     f.ReadAtv(ctx, []ReadReq{{P: b}}),
			"WriteAtv":    f.WriteAtv(ctx, []WriteReq{{P: b}}),
			"Seek":        two(f.Seek(0, 0)),
			"Stat":        two(f.Stat()),
			"Sync":        f.Sync(),
			"DataSync":    f.DataSync(),
			"Truncate":    f.Truncate(0),
			"Allocate":    f.Allocate(ctx, 0, 0, 1),
			"Advise":      f.Advise(ctx, 0, 0, 0),
			"Chmod":       f.Chmod(0),
			"Chown":       f.Chown(0, 0),
			"Chtimes":     f.Chtimes(time.Time{}, time.Time{}),
			"ReadDir":     two(f.ReadDir(1)),
			"SetDeadline": f.SetDeadline(time.Time{}),
			"SyscallConn": two(f.SyscallConn()),
			"ReadFrom":    two(f.ReadFrom(strings.NewReader("x"))),
			"WriteTo":     two(f.WriteTo(io.Discard)),
		} {
			want(t, what+" after Close", err, os.ErrClosed)
		}
		if f.Fd() != ^uintptr(0) {
			t.Error("a closed file has a descriptor")
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// With the Proactor closed files can still be closed, and say why nothing else works.
func TestProactorClosed(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		f := must(t, o, temp(t, 100), os.O_RDWR)
		if err := o.p.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := f.ReadAt(make([]byte, 1), 0)
		want(t, "ReadAt", err, os.ErrClosed)
		_, err = o.Open(t.Context(), "/")
		want(t, "Open", err, os.ErrClosed)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A file that is forgotten is closed some time.
func TestForgotten(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		name := temp(t, 1)
		open := func() (n int) {
			for _, d := range descriptors(t) {
				if strings.HasSuffix(d, name) {
					n++
				}
			}
			return n
		}
		for range 10 {
			if _, err := o.Open(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(10 * time.Second); open() > 0; time.Sleep(time.Millisecond) {
			runtime.GC()
			if time.Now().After(deadline) {
				t.Fatal("files that nobody refers to stay open")
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	if backendtest.Race {
		t.Skip("a sync.Pool forgets on purpose under the race detector")
	}
	each(t, func(t *testing.T, o *OS) {
		name := temp(t, 1<<20)
		b := make([]byte, 4096)
		f := must(t, o, name, os.O_RDWR)
		d := must(t, o, name, os.O_RDWR|past(t))
		reqs := make([]ReadReq, 16)
		for i := range reqs {
			reqs[i] = ReadReq{P: make([]byte, 512), Off: int64(i) * 5000}
		}
		straight := aligned(4096, 4096)
		for what, call := range map[string]func(){
			"ReadAt":           func() { f.ReadAt(b, 8192) },
			"WriteAt":          func() { f.WriteAt(b, 8192) },
			"Read":             func() { f.Read(b[:1]) },
			"Write":            func() { f.Write(b[:1]) },
			"ReadAt, O_DIRECT": func() { d.ReadAt(straight, 8192) },
			"through a bounce": func() { d.ReadAt(b[1:10], 8200) },
			"ReadAtv":          func() { f.ReadAtv(context.Background(), reqs) },
		} {
			if ringless(o) && what == "ReadAtv" {
				continue // without a ring a batch is many calls, on goroutines if they may wait
			}
			if n := testing.AllocsPerRun(200, call); n >= allowed(o, what) {
				t.Errorf("%s: %v allocations", what, n)
			}
		}
	})
}

// allowed is the number of allocations that is too many.
func allowed(o *OS, what string) float64 {
	if ringless(o) {
		return 8 // the promise is about rings
	}
	return 1
}

// past returns O_DIRECT, or 0 where the file system of temporary files has none.
func past(t *testing.T) int {
	t.Helper()
	f, err := os.OpenFile(t.TempDir()+"/x", os.O_RDWR|os.O_CREATE|unix.O_DIRECT, 0o600)
	if err != nil {
		t.Log("without O_DIRECT, which this file system does not have: ", err)
		return 0
	}
	f.Close()
	return unix.O_DIRECT
}

// smallDisk mounts a file system with little space.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("no small file system can be mounted here: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestNoSpace(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		mount := smallDisk(t, "1m")
		f := must(t, o, mount+"/x", os.O_RDWR|os.O_CREATE)
		n, err := f.WriteAt(make([]byte, 2<<20), 0)
		if n != 1<<20 {
			t.Errorf("%d bytes were written", n)
		}
		want(t, "WriteAt", err, syscall.ENOSPC, "write "+f.Name())
		want(t, "Allocate", f.Allocate(t.Context(), 0, 0, 8<<20), syscall.ENOSPC)
		want(t, "WriteAtv", f.WriteAtv(t.Context(), []WriteReq{{P: make([]byte, 10), Off: 2 << 20}}), syscall.ENOSPC)
		want(t, "WriteFile", o.WriteFile(t.Context(), mount+"/y", make([]byte, 10), 0o600), syscall.ENOSPC)
		if err := f.Truncate(0); err != nil {
			t.Error(err)
		}
		if _, err := f.WriteAt([]byte("again"), 0); err != nil {
			t.Error(err)
		}
	})
}

func TestManyReaders(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		const size = 1 << 20
		f := must(t, o, temp(t, size), os.O_RDONLY)
		d := must(t, o, f.Name(), os.O_RDONLY|past(t))
		var wg sync.WaitGroup
		for g := range 64 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 1))
				b := make([]byte, 9000)
				for range 30 {
					file := f
					if g%2 == 0 {
						file = d
					}
					off, n := rnd.Int64N(size-9000), 1+rnd.IntN(9000)
					if _, err := file.ReadAt(b[:n], off); err != nil {
						t.Error(err)
					}
					if err := checkPlace(b[:n], off); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}
