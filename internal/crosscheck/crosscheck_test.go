//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// each runs a test with every backend that this build and this machine have.
func each(t *testing.T, test func(t *testing.T, b backend)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			r, err := b.ring(8)
			if err != nil {
				if os.Getenv("CI") == "true" && !errors.Is(err, errors.ErrUnsupported) {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			test(t, b)
		})
	}
}

// The files that copying could get wrong, with buffers of testChunk bytes.
const testChunk = 7

var testFiles = []struct {
	path string
	size int
	mode fs.FileMode
}{
	{"empty", 0, 0o644},
	{"one", 1, 0o644},
	{"chunk-1", testChunk - 1, 0o600},
	{"chunk", testChunk, 0o640},
	{"chunk+1", testChunk + 1, 0o444},
	{"3-chunks", 3 * testChunk, 0o755},
	{"many", 1000, 0o644},
	{"a/b/c/deep", 10, 0o666},
	{"a/readonly-empty", 0, 0o400},
}

func testTree(t *testing.T) *tree {
	t.Helper()
	defer syscall.Umask(syscall.Umask(0)) // as in main
	root := t.TempDir()
	for i, f := range testFiles {
		p := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		text := bytes.Repeat([]byte{byte('a' + i)}, f.size)
		for j := range text {
			text[j] += byte(j / testChunk % 5)
		}
		if err := os.WriteFile(p, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("one", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr, err := readTree(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.files) != len(testFiles) || tr.links != 1 || tr.others != 1 {
		t.Fatalf("%d files, %d links, %d others; want %d, 1, 1", len(tr.files), tr.links, tr.others, len(testFiles))
	}
	return tr
}

func TestCopy(t *testing.T) {
	src := testTree(t)
	defer syscall.Umask(syscall.Umask(0))
	each(t, func(t *testing.T, b backend) {
		for _, direct := range []bool{true, false} {
			for _, size := range []int{1, testChunk, chunk} {
				dst := filepath.Join(t.TempDir(), "copy")
				st, err := copyWith(t.Context(), b, src, dst, size, direct, func(int) {})
				if err != nil {
					t.Fatalf("direct %v, buffers of %d: %v", direct, size, err)
				}
				if st.files != len(src.files) || st.broken != 0 || st.direct && !direct {
					t.Errorf("direct %v, buffers of %d: %+v", direct, size, st)
				}
				got, err := readTree(t.Context(), dst)
				if err != nil {
					t.Fatal(err)
				}
				if d := differences(src, got); d != nil {
					t.Errorf("direct %v, buffers of %d: %q", direct, size, d)
				}
			}
		}
	})
}

// A file that is shorter than it was breaks the chain at its read: what was read
// is written by the next one, and then the end is found.
func TestCopyOfShrunkFile(t *testing.T) {
	src := testTree(t)
	i := slices.IndexFunc(src.files, func(f file) bool { return f.path == "chunk-1" })
	src.files = src.files[i : i+1]
	src.files[0].size++
	each(t, func(t *testing.T, b backend) {
		for _, direct := range []bool{true, false} {
			dst := filepath.Join(t.TempDir(), "copy")
			st, err := copyWith(t.Context(), b, src, dst, testChunk, direct, func(int) {})
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("direct %v: %v, want io.ErrUnexpectedEOF", direct, err)
			}
			if st.broken == 0 || st.files != 0 {
				t.Errorf("direct %v: %+v", direct, st)
			}
			if got, err := os.ReadFile(filepath.Join(dst, "chunk-1")); err != nil || len(got) != testChunk-1 {
				t.Errorf("direct %v: %d bytes were written, %v; want %d", direct, len(got), err, testChunk-1)
			}
		}
	})
}

func TestCopyOfMissingFile(t *testing.T) {
	src := testTree(t)
	if err := os.Remove(filepath.Join(src.root, "one")); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, b backend) {
		for _, direct := range []bool{true, false} {
			open := openDescriptors(t)
			dst := filepath.Join(t.TempDir(), "copy")
			_, err := copyWith(t.Context(), b, src, dst, testChunk, direct, func(int) {})
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "one") {
				t.Errorf("direct %v: %v, want fs.ErrNotExist and the name", direct, err)
			}
			if now := openDescriptors(t); now != open {
				t.Errorf("direct %v: %d descriptors are open, there were %d", direct, now, open)
			}
		}
	})
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

func TestCopyInterrupted(t *testing.T) {
	src := testTree(t)
	// More files than fit in flight, so that some are not begun.
	one := src.files[0]
	src.files = nil
	for range 3 * inFlight {
		src.files = append(src.files, one)
	}
	each(t, func(t *testing.T, b backend) {
		ctx, cancel := context.WithCancel(t.Context())
		st, err := copyTree(ctx, b, src, filepath.Join(t.TempDir(), "copy"), func(int) { cancel() })
		if !errors.Is(err, context.Canceled) || st.files >= len(src.files) {
			t.Errorf("%d of %d files, %v; want fewer, and context.Canceled", st.files, len(src.files), err)
		}
	})
}

func TestDifferences(t *testing.T) {
	want := &tree{files: []file{
		{path: "gone"},
		{path: "longer", size: 1},
		{path: "mode", mode: 0o644},
		{path: "other", sum: [32]byte{1}},
		{path: "same", size: 5, mode: 0o600, sum: [32]byte{5}},
	}}
	got := &tree{links: 1, files: []file{
		{path: "longer", size: 2},
		{path: "mode", mode: 0o600},
		{path: "new"},
		{path: "other", sum: [32]byte{2}},
		{path: "same", size: 5, mode: 0o600, sum: [32]byte{5}},
	}}
	expect := []string{
		"gone is missing",
		"longer has 2 bytes instead of 1",
		"mode has mode -rw------- instead of -rw-r--r--",
		"other has other contents",
		"new is in the copy only",
		"1 files in the copy are no regular files",
	}
	if d := differences(want, got); !slices.Equal(d, expect) {
		t.Errorf("differences are %q\nwant %q", d, expect)
	}
	if d := differences(want, want); d != nil {
		t.Errorf("a tree differs from itself: %q", d)
	}
}

func TestEcho(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		for _, n := range []int64{0, 1, 300_000} {
			if err := echo(t.Context(), b, n); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		// The client never connects, and the server must not wait for it.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := echo(ctx, b, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("after cancelling: %v", err)
		}
	})
}

// A connection that changes bytes on the way must be found out: a server that
// drops the first byte stands for it.
func TestEchoFindsDifference(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		listener, port, err := listen()
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(listener)
		done := make(chan error, 1)
		go func() {
			fd, _, err := syscall.Accept(listener)
			if err == nil {
				f := os.NewFile(uintptr(fd), "connection")
				all, _ := io.ReadAll(f)
				all[0]++
				_, err = f.Write(all)
				err = errors.Join(err, f.Close())
			}
			done <- err
		}()
		if err := send(t.Context(), port, 100); err == nil || !strings.Contains(err.Error(), "other bytes") {
			t.Errorf("one byte was changed and the comparison says: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRun(t *testing.T) {
	src := testTree(t)
	temp := t.TempDir()
	defer syscall.Umask(syscall.Umask(0))
	each(t, func(t *testing.T, b backend) {
		var out, notes bytes.Buffer
		if code := run(t.Context(), []string{"-tree", src.root, "-temp", temp, "-echo", "1000"}, &out, &notes); code != 0 {
			t.Errorf("exit status %d", code)
		}
		if !strings.Contains(out.String(), "result: ") || !strings.Contains(out.String(), b.name) {
			t.Errorf("output:\n%s", &out)
		}
		left, err := os.ReadDir(temp)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	for args, want := range map[string]int{
		"-no-such-flag":                2,
		"argument":                     2,
		"-open nothing":                2,
		"-tree /nonexistent/directory": 1,
		"-h":                           0,
	} {
		if code := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); code != want {
			t.Errorf("crosscheck %s: exit status %d, want %d", args, code, want)
		}
	}
}

// What the uring command may answer, and what is made of it.
func TestDiff(t *testing.T) {
	two := backends
	show := newProgress(io.Discard)
	for _, c := range []struct {
		script string
		equal  bool
		note   string
	}{
		{"echo first; echo 5 equal", true, "5 equal"},
		{"echo here; exit 1", false, "DIFFER"},
		{"exit 77", true, "not all of it could be tried"},
		{"exit 3", false, "FAILED"},
	} {
		command := filepath.Join(t.TempDir(), "uring")
		if err := os.WriteFile(command, []byte("#!/bin/sh\n[ \"$*\" = \"diff -q\" ] || exit 9\n"+c.script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		equal, note := diff(t.Context(), command, two, io.Discard, show)
		if equal != c.equal || !strings.Contains(note, c.note) {
			t.Errorf("%q: %v, %q; want %v, %q", c.script, equal, note, c.equal, c.note)
		}
	}
	if equal, note := diff(t.Context(), filepath.Join(t.TempDir(), "missing"), two, io.Discard, show); equal || !strings.Contains(note, "FAILED") {
		t.Errorf("a command that does not exist: %v, %q", equal, note)
	}
	if equal, note := diff(t.Context(), "", two, io.Discard, show); !equal || !strings.Contains(note, "not run") {
		t.Errorf("no command: %v, %q", equal, note)
	}
}
