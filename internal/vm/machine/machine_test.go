//go:build linux

package machine

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/uring-go/uring/internal/vm/guest"
	"github.com/uring-go/uring/internal/vm/kernel"
)

func TestParseLdd(t *testing.T) {
	out := "\tlinux-vdso.so.1 (0x00007ffd6b5f2000)\n" +
		"\tliburing.so.2 => /lib/x86_64-linux-gnu/liburing.so.2 (0x00007f0000000000)\n" +
		"\t/usr/lib/preloaded.so (0x00007f0000100000)\n" +
		"\t/lib/ld-linux-aarch64.so.1 => /lib64/ld-linux-aarch64.so.1 (0x00007f0000200000)\n" +
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007f0000300000)\n"
	want := []string{
		"/lib/x86_64-linux-gnu/liburing.so.2", "/usr/lib/preloaded.so",
		"/lib64/ld-linux-aarch64.so.1", "/lib/ld-linux-aarch64.so.1", "/lib64/ld-linux-x86-64.so.2",
	}
	got, err := parseLdd("p", out)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("parseLdd: %v (-want +got):\n%s", err, d)
	}
	if _, err := parseLdd("p", "\tliburing.so.2 => not found\n"); err == nil || !strings.Contains(err.Error(), "liburing.so.2") {
		t.Errorf("a missing library: %v, want an error that names it", err)
	}
}

func TestLibraries(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, text := range []string{"", "x", "#!/bin/sh\n", "\x7fELF"} {
		if err := os.WriteFile(data, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if libs, err := libraries(data); err != nil || len(libs) != 0 {
			t.Errorf("libraries of a file with %q: %q, %v", text, libs, err)
		}
		if arch, err := GOARCH(data); err == nil {
			t.Errorf("GOARCH of a file with %q: %q, want an error", text, arch)
		}
	}
	if _, err := libraries(data + "no"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("libraries of no file: %v", err)
	}
	libs, err := libraries("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, lib := range libs {
		if _, err := os.Stat(lib); err != nil {
			t.Errorf("a library of /bin/sh: %v", err)
		}
	}
}

func TestLastLines(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"", 2, ""},
		{"\r\n\r\n", 2, ""},
		{"a\r\n", 2, "a"},
		{"a\nb\n", 2, "a\nb"},
		{"a\nb\r\nc\r\n\n", 2, "b\nc"},
	} {
		if got := lastLines([]byte(tt.text), tt.n); got != tt.want {
			t.Errorf("lastLines(%q, %d) = %q, want %q", tt.text, tt.n, got, tt.want)
		}
	}
}

// What a guest sends, and what must come of it.
func TestFollow(t *testing.T) {
	boot := func(w *guest.FrameWriter) { w.WriteJSON(guest.KindBoot, guest.Boot{Release: "6.1.0-test"}) }
	tests := []struct {
		name   string
		send   func(*guest.FrameWriter)
		status int
		stdout string
		err    string // what the error holds
	}{
		{"exit 42", func(w *guest.FrameWriter) {
			boot(w)
			w.Write(guest.KindStdout, []byte("out"))
			w.Write(guest.KindStderr, []byte("error"))
			w.WriteJSON(guest.KindExit, guest.Exit{Status: 42, Stdout: 3, Stderr: 5})
		}, 42, "out", ""},
		{"lost output", func(w *guest.FrameWriter) {
			boot(w)
			w.Write(guest.KindStdout, []byte("out"))
			w.WriteJSON(guest.KindExit, guest.Exit{Stdout: 4})
		}, 0, "out", "4 bytes of stdout and 0 of stderr, 3 and 0 arrived"},
		{"time limit", func(w *guest.FrameWriter) {
			boot(w)
			w.WriteJSON(guest.KindExit, guest.Exit{TimedOut: true})
		}, 0, "", "hang: kernel 6.1: the program was ended after 1m0s"},
		{"failure", func(w *guest.FrameWriter) {
			boot(w)
			w.WriteJSON(guest.KindExit, guest.Exit{Failure: "no such sysctl"})
		}, 0, "", "in the guest: no such sysctl"},
		{"no boot", func(*guest.FrameWriter) {}, 0, "", "crash: kernel 6.1 did not start; the kernel's last messages:\n  | no memory"},
		{"crash", func(w *guest.FrameWriter) {
			boot(w)
			w.Write(guest.KindStdout, []byte("half"))
		}, 0, "half", "crash: kernel 6.1 ended before the program; the kernel's last messages:\n  | no memory"},
		{"two boots", func(w *guest.FrameWriter) { boot(w); boot(w) }, 0, "", "started twice"},
		{"unknown frame", func(w *guest.FrameWriter) { boot(w); w.Write('?', nil) }, 0, "", "unknown kind '?'"},
		{"contents of no file", func(w *guest.FrameWriter) { boot(w); w.Write(guest.KindData, nil) }, 0, "", "without a file"},
		{"file not asked for", func(w *guest.FrameWriter) { boot(w); w.Write(guest.KindFile, []byte("/etc/passwd")) }, 0, "", "nobody asked for"},
		{"bad exit", func(w *guest.FrameWriter) { boot(w); w.Write(guest.KindExit, []byte("{")) }, 0, "", "unexpected end of JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var line, stdout bytes.Buffer
			tt.send(guest.NewFrameWriter(&line))
			c := &Config{
				Kernel:  kernel.Image{Spec: kernel.Spec{Series: "6.1", GOARCH: "amd64", Flavour: "cloud-amd64"}},
				Timeout: time.Minute, Stdout: &stdout, Stderr: io.Discard,
			}
			g := &running{frames: io.NopCloser(&line), ended: make(chan struct{}), dir: t.TempDir()}
			if err := os.WriteFile(consoleFile(g.dir), []byte("no memory\r\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			rec := newReceiver(c)
			err := rec.receive(guest.NewFrameReader(g.frames), make(chan struct{}))
			close(g.ended)
			r, err := g.judge(c, rec, err)
			got := ""
			switch {
			case errors.As(err, new(*HangError)):
				got = "hang: " + err.Error()
			case errors.As(err, new(*CrashError)):
				got = "crash: " + err.Error()
			case err != nil:
				got = err.Error()
			}
			if (tt.err == "") != (got == "") || !strings.Contains(got, tt.err) {
				t.Errorf("error %q, want %q", got, tt.err)
			}
			if r.Status != tt.status || stdout.String() != tt.stdout {
				t.Errorf("status %d and stdout %q, want %d and %q", r.Status, &stdout, tt.status, tt.stdout)
			}
		})
	}
}

func TestCollectedFiles(t *testing.T) {
	dir := t.TempDir()
	one, deep := filepath.Join(dir, "one"), filepath.Join(dir, "sub", "deep", "file")
	c := &Config{Collect: []string{one}, CollectDirs: []string{filepath.Join(dir, "sub")}, Stdout: io.Discard, Stderr: io.Discard}
	var line bytes.Buffer
	w := guest.NewFrameWriter(&line)
	w.WriteJSON(guest.KindBoot, guest.Boot{Release: "r"})
	w.Write(guest.KindFile, []byte(one))
	w.Write(guest.KindData, []byte("first, "))
	w.Write(guest.KindData, []byte("second"))
	w.Write(guest.KindFile, []byte(deep))
	w.WriteJSON(guest.KindExit, guest.Exit{})
	if err := newReceiver(c).receive(guest.NewFrameReader(&line), make(chan struct{})); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{one: "first, second", deep: ""} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v, want %q", name, got, err, want)
		}
	}
	for _, path := range []string{"", dir, one + "x", filepath.Join(dir, "sub"), dir + "/sub/../two", dir + "/subway", "one"} {
		if err := newReceiver(c).create(path); err == nil {
			t.Errorf("the path %q was accepted", path)
		}
	}
}

func TestKernelParameters(t *testing.T) {
	c := &Config{Append: "nvme.poll_queues=2"}
	p := strings.Fields(kernelParameters(c, "console=ttyS0"))
	for _, want := range []string{"console=ttyS0", "rdinit=/init", "panic=-1", "quiet", "nvme.poll_queues=2"} {
		if !slices.Contains(p, want) {
			t.Errorf("parameters %q lack %s", p, want)
		}
	}
	c.Console = io.Discard
	if p := strings.Fields(kernelParameters(c)); slices.Contains(p, "quiet") {
		t.Errorf("parameters %q are quiet though somebody listens", p)
	}
}

func TestCheck(t *testing.T) {
	good := Config{Timeout: time.Second, Memory: 512, CPUs: 1}
	if err := good.check(); err != nil {
		t.Errorf("a good config: %v", err)
	}
	for name, change := range map[string]func(*Config){
		"0s": func(c *Config) { c.Timeout = 0 }, "-1s": func(c *Config) { c.Timeout = -time.Second },
		"63": func(c *Config) { c.Memory = 63 }, "65": func(c *Config) { c.CPUs = 65 }, "-5": func(c *Config) { c.UID = -5 },
	} {
		c := good
		change(&c)
		if err := c.check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that names the value", name, err)
		}
	}
}
