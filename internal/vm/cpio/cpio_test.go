package cpio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type entry struct {
	Name         string
	Mode, Links  uint32
	Major, Minor uint32
	Data         string
}

func TestArchive(t *testing.T) {
	var b bytes.Buffer
	c := NewWriter(&b)
	steps := []error{
		c.File("/init", 0o755, 5, strings.NewReader("hello")),
		c.Char("dev/console", 0o600, 5, 1),
		c.Char("dev/null", 0o666, 1, 3),
		c.Dir("tmp/", 0o1777),
		c.Dir("tmp", 0o700), // known: no second entry
		c.File("a/../b//c/empty", 0o644, 0, strings.NewReader("")),
		c.Close(),
	}
	for i, err := range steps {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	want := []entry{
		{Name: "init", Mode: 0o100755, Links: 1, Data: "hello"},
		{Name: "dev", Mode: 0o40755, Links: 2},
		{Name: "dev/console", Mode: 0o20600, Links: 1, Major: 5, Minor: 1},
		{Name: "dev/null", Mode: 0o20666, Links: 1, Major: 1, Minor: 3},
		{Name: "tmp", Mode: 0o41777, Links: 2},
		{Name: "b", Mode: 0o40755, Links: 2},
		{Name: "b/c", Mode: 0o40755, Links: 2},
		{Name: "b/c/empty", Mode: 0o100644, Links: 1},
	}
	got, err := parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
}

// The archive must also satisfy a reader that we did not write.
func TestCpioCommand(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("the cpio command is not installed")
	}
	var b bytes.Buffer
	c := NewWriter(&b)
	c.File("x/one", 0o644, 3, strings.NewReader("abc"))
	c.File("x/y/two", 0o755, 4097, strings.NewReader(strings.Repeat("z", 4097)))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cpio", "-t", "--quiet")
	cmd.Stdin = &b
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cpio -t: %v\n%s", err, out)
	}
	if got, want := string(out), "x\nx/one\nx/y\nx/y/two\n"; got != want {
		t.Errorf("cpio -t lists %q, want %q", got, want)
	}
}

func TestErrors(t *testing.T) {
	none := strings.NewReader("")
	for _, name := range []string{"", "/", ".", "a/..", "TRAILER!!!", "a\x00b"} {
		if err := NewWriter(io.Discard).File(name, 0o644, 0, none); err == nil {
			t.Errorf("File(%q) gave no error", name)
		}
	}
	if err := NewWriter(io.Discard).File("big", 0o644, 1<<32, none); err == nil || !strings.Contains(err.Error(), "4294967296") {
		t.Errorf("a file of 4 GiB: %v, want an error that names the size", err)
	}
	c := NewWriter(io.Discard)
	if err := c.File("short", 0o644, 10, strings.NewReader("abc")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that is too short: %v", err)
	}
	if err := c.Close(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Close after an error: %v, want that error", err)
	}
	full := errors.New("disk full")
	c = NewWriter(&failAfter{200, full})
	c.Dir("a", 0o755)
	c.Dir("b", 0o755)
	if err := c.Close(); !errors.Is(err, full) {
		t.Errorf("Close on a full disk: %v", err)
	}
	c = NewWriter(io.Discard)
	c.Close()
	if err := c.Dir("late", 0o755); err == nil {
		t.Error("Dir after Close gave no error")
	}
}

type failAfter struct {
	n   int
	err error
}

func (f *failAfter) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, f.err
	}
	return len(p), nil
}

// parse reads an archive by the format's description, not by the writer's code.
func parse(b []byte) ([]entry, error) {
	if len(b)%512 != 0 {
		return nil, fmt.Errorf("length %d is no multiple of 512", len(b))
	}
	var list []entry
	inodes := map[uint32]bool{}
	for off := 0; ; {
		if off%4 != 0 || off+headerLen > len(b) || string(b[off:off+6]) != magic {
			return nil, fmt.Errorf("no header at offset %d", off)
		}
		var f [13]uint32
		for i := range f {
			v, err := strconv.ParseUint(string(b[off+6+8*i:off+14+8*i]), 16, 32)
			if err != nil {
				return nil, err
			}
			f[i] = uint32(v)
		}
		nameLen, size := int(f[11]), int(f[6])
		name := string(b[off+headerLen : off+headerLen+nameLen-1])
		if b[off+headerLen+nameLen-1] != 0 {
			return nil, fmt.Errorf("%s: the name does not end in NUL", name)
		}
		if name == trailer {
			return list, nil
		}
		if inodes[f[0]] {
			return nil, fmt.Errorf("%s: inode %d occurs twice", name, f[0])
		}
		inodes[f[0]] = true
		data := (off + headerLen + nameLen + 3) &^ 3
		list = append(list, entry{name, f[1], f[4], f[9], f[10], string(b[data : data+size])})
		off = (data + size + 3) &^ 3
	}
}
