package proactor

// What all tests share: a Proactor per backend, a watchdog that says what hangs,
// and a look at what is left behind.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

var soak = flag.Duration("soak", 0, "how long each part of a hostile test runs; 0 is a fraction of a second")

// variant is a way to run the tests.
type variant struct {
	name   string
	config Config
}

func variants() []variant {
	pure := func(n uint32, p *sys.Params) (uring.Backend, error) { return purego.New(n, p) }
	return []variant{
		{"purego", Config{Backend: pure}},
		{"crowd", Config{Backend: pure, Crowd: CrowdAlways}},
		{"liburing", Config{Backend: func(n uint32, p *sys.Params) (uring.Backend, error) { return liburing.New(n, p) }}},
		{"fallback", Config{Fallback: FallbackAlways}},
	}
}

// each runs a test with every backend that the build has, and without any.
func each(t *testing.T, test func(t *testing.T, config Config)) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			if b, err := v.config.backendWorks(); !b {
				t.Skip(err)
			}
			test(t, v.config)
		})
	}
}

// eachRing is each for what is about rings.
func eachRing(t *testing.T, test func(t *testing.T, config Config)) {
	each(t, func(t *testing.T, config Config) {
		if config.Backend == nil {
			t.Skip("without a ring there is nothing to see")
		}
		config.Fallback = FallbackNever
		test(t, config)
	})
}

// backendWorks reports whether a variant can be had here: a build may lack liburing,
// and the tests may run where io_uring is refused.
func (c Config) backendWorks() (bool, error) {
	if c.Backend == nil {
		return true, nil
	}
	b, err := c.Backend(1, new(sys.Params))
	if errors.Is(err, errors.ErrUnsupported) || denied {
		return false, err
	}
	if err == nil {
		b.Close()
	}
	return true, nil
}

// denied is true in a process that has forbidden io_uring to itself.
var denied bool

// eachOpen is each with a Proactor that is closed, and searched for leaks, in the
// end.
func eachOpen(t *testing.T, test func(t *testing.T, p *Proactor)) {
	each(t, func(t *testing.T, config Config) { test(t, open(t, config)) })
}

// open makes a Proactor for a test. When the test is over it must have left nothing
// behind: no operation, goroutine, descriptor or mapping.
func open(t *testing.T, config Config) *Proactor {
	t.Helper()
	leaks := lookForLeaks(t)
	p, err := New(&config)
	if err != nil {
		t.Fatal(err)
	}
	stop := watch(t, p)
	t.Cleanup(func() {
		if err := p.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		stop()
		if s := p.Stats(); s.InFlight != 0 || s.Strays != 0 || s.Lost != 0 {
			t.Errorf("in the end: %+v", s)
		}
		leaks()
	})
	return p
}

// patienceOfWatch is how long a test may take, beside what -soak adds.
const patienceOfWatch = 3 * time.Minute

// watch ends the program when a test does not end, and names the operations that
// are in flight.
func watch(t *testing.T, p *Proactor) (stop func()) {
	timer := time.AfterFunc(patienceOfWatch+*soak, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs; in flight: %s\n%s", t.Name(), inFlight(p), buf[:runtime.Stack(buf, true)]))
	})
	return func() { timer.Stop() }
}

// inFlight names the operations that the kernel has. It takes no locks, for one may
// be what hangs.
func inFlight(p *Proactor) string {
	count := make(map[string]int)
	for i, r := range p.all() {
		for _, c := range *r.table.chunks.Load() {
			for k := range c {
				if s := &c[k]; s.armed != 0 {
					count[fmt.Sprintf("%v on ring %d", s.code, i)]++
				}
			}
		}
	}
	var list []string
	for what, n := range count {
		list = append(list, fmt.Sprintf("%d × %s", n, what))
	}
	slices.Sort(list)
	p.user.poller.mu.Lock()
	defer p.user.poller.mu.Unlock()
	for fd, s := range p.user.poller.waiting {
		list = append(list, fmt.Sprintf("%v on descriptor %d without a ring", s.code, fd))
	}
	return strings.Join(list, ", ")
}

// lookForLeaks notes what there is, and returns a function that compares.
func lookForLeaks(t *testing.T) func() {
	t.Helper()
	// The runtime's poller has descriptors of its own, made at first use.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	goroutines, fds, maps := runtime.NumGoroutine(), descriptors(t), ringMappings(t)
	return func() {
		t.Helper()
		if t.Failed() {
			return
		}
		// Goroutines end a moment after they were told to.
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Errorf("%d goroutines, there were %d:\n%s", runtime.NumGoroutine(), goroutines, buf[:runtime.Stack(buf, true)])
				break
			}
		}
		if now := descriptors(t); now > fds {
			t.Errorf("%d descriptors, there were %d", now, fds)
		}
		if now := ringMappings(t); now > maps {
			t.Errorf("%d mappings of rings, there were %d", now, maps)
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

func ringMappings(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "[io_uring]")
}

// do is p.Do for operations that must succeed.
func do(t *testing.T, p *Proactor, op Op) int {
	t.Helper()
	n, err := p.Do(t.Context(), op)
	if err != nil {
		t.Fatalf("%v: %v", op.Code(), err)
	}
	return n
}

// tempFile makes a file with size bytes in which every byte carries its place.
func tempFile(t *testing.T, size int) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	b := make([]byte, size)
	place(b, 0)
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	return f
}

// place makes every byte carry its place: the bytes from off on of an endless
// sequence in which no stretch of 8 bytes comes twice within 16 TiB.
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

// pair returns two connected unix stream sockets.
func pair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { unix.Close(fds[0]); unix.Close(fds[1]) }) })
	return fds[0], fds[1]
}

// listener returns a listening TCP socket on loopback and its address.
func listener(t *testing.T) (fd int, addr Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 128); err != nil {
		t.Fatal(err)
	}
	return fd, boundTo(t, fd)
}

// boundTo returns the address of a socket.
func boundTo(t *testing.T, fd int) (addr Sockaddr) {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	in := sa.(*unix.SockaddrInet4)
	ap := (&net.TCPAddr{IP: in.Addr[:], Port: in.Port}).AddrPort()
	if err := addr.SetInet(ap); err != nil {
		t.Fatal(err)
	}
	return addr
}

// within runs f and fails if it takes longer than d.
func within(t *testing.T, d time.Duration, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > d {
		t.Errorf("%s took %v, more than %v", what, took, d)
	}
}

// later returns a context that is cancelled after d.
func later(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(d, cancel)
	t.Cleanup(func() { timer.Stop(); cancel() })
	return ctx
}
