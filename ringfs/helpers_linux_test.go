package ringfs

// What all tests share: an OS per backend and one without io_uring, a watchdog, a look
// at what is left behind.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

var soak = flag.Duration("soak", 0, "how long each hostile test runs; 0 is a second or less")

// denied is true in a process that has forbidden io_uring to itself.
var denied bool

func variants() map[string]proactor.Config {
	return map[string]proactor.Config{
		"purego":   {Backend: func(n uint32, p *sys.Params) (uring.Backend, error) { return purego.New(n, p) }},
		"liburing": {Backend: func(n uint32, p *sys.Params) (uring.Backend, error) { return liburing.New(n, p) }},
		"fallback": {Fallback: proactor.FallbackAlways},
	}
}

// backendWorks reports whether a variant can be had here: a build may lack liburing, and
// the tests may run where io_uring is refused.
func backendWorks(c proactor.Config) error {
	if c.Backend == nil {
		return nil
	}
	b, err := c.Backend(1, new(sys.Params))
	if errors.Is(err, errors.ErrUnsupported) || denied {
		return fmt.Errorf("this backend cannot be had here: %v", err)
	}
	if err == nil {
		b.Close()
	}
	return nil
}

// each runs a test with every backend that the build has, and without any.
func each(t *testing.T, test func(t *testing.T, o *OS)) {
	for name, config := range variants() {
		t.Run(name, func(t *testing.T) {
			if err := backendWorks(config); err != nil {
				t.Skip(err)
			}
			test(t, open(t, config))
		})
	}
}

// open makes an OS for a test. When the test is over it must have left nothing behind.
func open(t *testing.T, config proactor.Config) *OS {
	t.Helper()
	leaks := lookForLeaks(t)
	p, err := proactor.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(90*time.Second+*soak, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs; %+v\n%s", t.Name(), p.Stats(), buf[:runtime.Stack(buf, true)]))
	})
	t.Cleanup(func() {
		if err := p.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
		timer.Stop()
		if s := p.Stats(); s.InFlight != 0 || s.Strays != 0 || s.Lost != 0 {
			t.Errorf("in the end: %+v", s)
		}
		leaks()
	})
	return New(p)
}

// ringless reports whether an OS works without io_uring, where what has begun on a file
// cannot be cancelled.
func ringless(o *OS) bool { return o.p.Stats().Rings == 0 }

// lookForLeaks notes what there is, and returns a function that compares.
func lookForLeaks(t *testing.T) func() {
	t.Helper()
	if r, w, err := os.Pipe(); err == nil { // the runtime's poller has descriptors of its own
		r.Close()
		w.Close()
	}
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	return func() {
		t.Helper()
		if t.Failed() {
			return
		}
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Errorf("%d goroutines, there were %d:\n%s", runtime.NumGoroutine(), goroutines, buf[:runtime.Stack(buf, true)])
				break
			}
		}
		if now := descriptors(t); len(now) > len(fds) {
			t.Errorf("%d descriptors, there were %d: %v", len(now), len(fds), now)
		}
	}
}

func descriptors(t *testing.T) (names []string) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name())
		names = append(names, e.Name()+" "+to)
	}
	return names
}

// temp makes a file with size bytes in which every byte carries its place.
func temp(t testing.TB, size int) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	b := make([]byte, size)
	place(b, 0)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// must opens a file, and closes it when the test is over.
func must(t testing.TB, o *OS, name string, flag int) *File {
	t.Helper()
	f, err := o.OpenFile(context.Background(), name, flag, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// place makes every byte carry its place: the bytes from off on of an endless sequence.
func place(b []byte, off int64) {
	for i := range b {
		b[i] = placed(off + int64(i))
	}
}

func placed(at int64) byte {
	word := uint64(at/8+1) * 0x9e3779b97f4a7c15
	return byte(word >> (at % 8 * 8))
}

// checkPlace returns what is wrong with bytes that should be those from off on.
func checkPlace(b []byte, off int64) error {
	for i := range b {
		if want := placed(off + int64(i)); b[i] != want {
			return fmt.Errorf("byte %d of %d at offset %d is %#x, not %#x", i, len(b), off, b[i], want)
		}
	}
	return nil
}

// want fails unless err is, in the sense of errors.Is, what it should be, and with words
// in it.
func want(t *testing.T, what string, err, is error, words ...string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("%s: %v; want %v", what, err, is)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", what, err, w)
		}
	}
}
