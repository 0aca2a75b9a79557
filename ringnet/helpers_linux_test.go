package ringnet

// What all tests share: a Net for each way that it can work, connected pairs, bytes
// that carry their place, a watchdog, and a look at what is left behind.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/proactor"
)

var soak = flag.Duration("soak", 0, "how long each hostile test runs; 0 is a moment")

// denied is set in a process that has forbidden io_uring to itself.
var denied bool

const denyVariable = "RINGNET_TEST_DENY"

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
		if _, err := proactor.New(&proactor.Config{Fallback: proactor.FallbackNever}); err == nil {
			t.Fatal("io_uring is not forbidden")
		}
		return
	}
	args := []string{"-test.timeout=5m"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), denyVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// each runs a test with every backend that the build has, and without any; in a
// process without io_uring with what a program there gets.
func each(t *testing.T, test func(t *testing.T, n *Net)) {
	variants := []struct {
		name   string
		config proactor.Config
	}{
		{"purego", proactor.Config{Backend: backendtest.Purego.New, Fallback: proactor.FallbackNever}},
		{"liburing", proactor.Config{Backend: backendtest.Liburing.New, Fallback: proactor.FallbackNever}},
		{"fallback", proactor.Config{Fallback: proactor.FallbackAlways}},
	}
	if denied {
		variants = variants[2:]
		variants[0].config = proactor.Config{}
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			leaks := lookForLeaks(t)
			p, err := proactor.New(&v.config)
			if errors.Is(err, errors.ErrUnsupported) && v.name == "liburing" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			stop := guard(t, p)
			t.Cleanup(func() {
				if err := p.Close(); err != nil && !errors.Is(err, proactor.ErrClosed) {
					t.Error(err)
				}
				stop()
				if s := p.Stats(); s.InFlight != 0 || s.Strays != 0 || s.Lost != 0 {
					t.Errorf("in the end: %+v", s)
				}
				leaks()
			})
			test(t, &Net{Proactor: p})
		})
	}
}

// doing is what the calls of a test are about to do, for the watchdog to name.
type doing struct {
	mu   sync.Mutex
	what map[string]int
}

var calls doing

// call notes a call until the function returned is called.
func call(what string) (over func()) {
	calls.mu.Lock()
	defer calls.mu.Unlock()
	if calls.what == nil {
		calls.what = make(map[string]int)
	}
	calls.what[what]++
	return func() {
		calls.mu.Lock()
		defer calls.mu.Unlock()
		if calls.what[what]--; calls.what[what] == 0 {
			delete(calls.what, what)
		}
	}
}

// guard ends the program when a test does not end, and names the calls in flight.
func guard(t *testing.T, p *proactor.Proactor) (stop func()) {
	timer := time.AfterFunc(60*time.Second+*soak, func() {
		calls.mu.Lock()
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs; calls: %v\n%s", t.Name(), calls.what, buf[:runtime.Stack(buf, true)]))
	})
	return func() { timer.Stop() }
}

// lookForLeaks notes what there is, and returns a function that compares.
func lookForLeaks(t *testing.T) func() {
	t.Helper()
	// The runtime's poller has descriptors of its own, made at first use.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	return func() {
		t.Helper()
		if t.Failed() {
			return
		}
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines || descriptors(t) > fds; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Errorf("%d goroutines and %d descriptors, there were %d and %d:\n%s", runtime.NumGoroutine(), descriptors(t), goroutines, fds, buf[:runtime.Stack(buf, true)])
				break
			}
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// socketName returns the path of a unix socket that does not exist yet. The limit of
// 107 bytes is soon reached, so it is not in the test's own directory.
func socketName(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ringnet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// listen listens on a fresh address.
func listen(t testing.TB, n *Net, network string) *Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = socketName(t)
	}
	l, err := n.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dialAccept connects to a listener, and accepts.
func dialAccept(t testing.TB, n *Net, l *Listener) (a, b *Conn) {
	t.Helper()
	type result struct {
		c   *Conn
		err error
	}
	accepted := make(chan result, 1)
	go func() {
		c, err := l.AcceptContext(context.Background())
		accepted <- result{c, err}
	}()
	a, err := n.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := <-accepted
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { a.Close(); r.c.Close() })
	return a, r.c
}

// pair returns two ends of a fresh connection.
func pair(t testing.TB, n *Net, network string) (a, b *Conn) {
	t.Helper()
	l := listen(t, n, network)
	defer l.Close()
	return dialAccept(t, n, l)
}

// eachPair is each over tcp and unix.
func eachPair(t *testing.T, test func(t *testing.T, n *Net, a, b *Conn)) {
	each(t, func(t *testing.T, n *Net) {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(network, func(t *testing.T) {
				a, b := pair(t, n, network)
				test(t, n, a, b)
			})
		}
	})
}

// place makes every byte carry its place: the bytes from off on of a long sequence in
// which no stretch of 8 comes twice.
func place(b []byte, off int64) {
	for i := range b {
		b[i] = placed(off + int64(i))
	}
}

func placed(at int64) byte {
	word := (uint64(at>>3) + 1) * 0x9e3779b97f4a7c15
	return byte(word >> (at & 7 * 8))
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

// isOp checks that an error is a *net.OpError of a call, with another in it.
func isOp(t *testing.T, err error, op, network string, within error) {
	t.Helper()
	var o *net.OpError
	if !errors.As(err, &o) || o.Op != op || o.Net != network || !errors.Is(err, within) {
		t.Errorf("the error is %#v (%v), not a net.OpError of %s %s with %v", err, err, op, network, within)
	}
}
