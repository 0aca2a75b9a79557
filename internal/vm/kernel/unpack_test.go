//go:build linux

package kernel

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bzImage builds an image with two sectors of setup code around a payload.
func bzImage(payload []byte) []byte {
	image := make([]byte, 3*512+16)
	copy(image[0x202:], "HdrS")
	le := binary.LittleEndian
	image[0x1f1] = 2
	le.PutUint16(image[0x206:], 0x20f)
	le.PutUint32(image[0x248:], 16)
	le.PutUint32(image[0x24c:], uint32(len(payload)+4))
	image = append(image, payload...)
	return append(image, "size and what follows"...)
}

func TestUnpackBzImage(t *testing.T) {
	kernel := append([]byte("\x7fELF"), bytes.Repeat([]byte("kernel "), 1000)...)
	for _, tool := range [][]string{{"zstd", "-c"}, {"lz4", "-l", "-c"}} {
		t.Run(tool[0], func(t *testing.T) {
			if _, err := exec.LookPath(tool[0]); err != nil {
				t.Skip(err)
			}
			compress := func(data []byte) []byte {
				cmd := exec.Command(tool[0], tool[1:]...)
				cmd.Stdin = bytes.NewReader(data)
				out, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			dir := t.TempDir()
			src, dst := filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "vmlinux")
			if err := os.WriteFile(src, bzImage(compress(kernel)), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := unpackBzImage(t.Context(), src, dst); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, kernel) {
				t.Errorf("unpacked %d bytes, %v, want the %d that went in", len(got), err, len(kernel))
			}
			// What is inside must be a kernel.
			if err := os.WriteFile(src, bzImage(compress([]byte("no kernel"))), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := unpackBzImage(t.Context(), src, dst); err == nil {
				t.Error("a payload without a kernel gave no error")
			}
			if _, err := os.Stat(dst); err == nil {
				t.Error("a payload without a kernel left a file")
			}
		})
	}
}

func TestBadBzImage(t *testing.T) {
	good := bzImage([]byte("payload"))
	if got, err := bzPayload(good); err != nil || string(got) != "payload" {
		t.Fatalf("payload %q, %v", got, err)
	}
	change := func(off int, b ...byte) []byte {
		image := bytes.Clone(good)
		copy(image[off:], b)
		return image
	}
	for name, image := range map[string][]byte{
		"empty":             nil,
		"short":             good[:0x24f],
		"no magic":          change(0x202, 'X'),
		"old protocol":      change(0x206, 7, 2),
		"payload too long":  change(0x24c, 0xff, 0xff),
		"payload too short": change(0x24c, 4, 0),
		"payload far away":  change(0x248, 0xff, 0xff, 0xff, 0xff),
	} {
		if got, err := bzPayload(image); err == nil {
			t.Errorf("%s: payload %q, want an error", name, got)
		}
	}
}

func TestSetLoader(t *testing.T) {
	const old = "/lib64/ld-linux-x86-64.so.2\x00"
	program := []byte("before\x00" + old + "after")
	if err := setLoader(program); err != nil {
		t.Fatal(err)
	}
	want := "before\x00./ld.so" + strings.Repeat("\x00", len(old)-len("./ld.so")) + "after"
	if string(program) != want {
		t.Errorf("program is %q, want %q", program, want)
	}
	for _, text := range []string{"nothing", old + old} {
		if err := setLoader([]byte(text)); err == nil {
			t.Errorf("setLoader(%q) gave no error", text)
		}
	}
}

func TestFindKernel(t *testing.T) {
	for _, path := range []string{"boot/vmlinuz-6.1.0-50-cloud-amd64", "usr/lib/modules/7.2.12+deb13-cloud-amd64/vmlinuz", "boot/vmlinux-6.12.107+deb13-riscv64"} {
		dir := t.TempDir()
		for _, name := range []string{path, "usr/share/doc/linux-image/changelog.gz"} {
			name = filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := findKernel(dir); err != nil || got != filepath.Join(dir, path) {
			t.Errorf("findKernel = %q, %v, want %s", got, err, path)
		}
	}
	if got, err := findKernel(t.TempDir()); err != nil || got != "" {
		t.Errorf("findKernel in an empty wrapper = %q, %v", got, err)
	}
}

// Two fetches at the same time: the second waits, and gives up when told to.
func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := lock(impatient, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a second lock: %v, want a wait for the deadline", err)
	}
	got := make(chan error, 1)
	go func() {
		unlock, err := lock(t.Context(), name)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Errorf("a lock after the first was given back: %v", err)
	}
}
