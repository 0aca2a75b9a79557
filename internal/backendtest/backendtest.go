//go:build linux

// Package backendtest lets a test run over both backends, in every ring mode
// that the kernel has, with a second look at the ring that belongs to neither.
//
// What is absent decides how a test ends. A ring mode that the kernel refuses to
// a bare io_uring_setup(2) is a skip. A mode that the kernel grants and a backend
// refuses is a failure, unless the backend says errors.ErrUnsupported (a liburing
// that is older than the mode). A backend that the build lacks is a skip, and
// with CI=true in the environment a failure, unless CGO_ENABLED=0 asked for it.
package backendtest

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// A Backend is one of the ways to open a ring.
type Backend struct {
	Name   string
	New    func(entries uint32, p *sys.Params) (uring.Backend, error)
	NewMem func(entries uint32, p *sys.Params, mem []byte) (uring.Backend, int, error)
}

// Purego and Liburing are the two backends.
var (
	Purego = Backend{
		Name: "purego",
		New: func(entries uint32, p *sys.Params) (uring.Backend, error) {
			r, err := purego.New(entries, p)
			if err != nil {
				return nil, err
			}
			return r, nil
		},
		NewMem: func(entries uint32, p *sys.Params, mem []byte) (uring.Backend, int, error) {
			r, used, err := purego.NewMem(entries, p, mem)
			if err != nil {
				return nil, 0, err
			}
			return r, used, nil
		},
	}
	Liburing = Backend{
		Name: "liburing",
		New: func(entries uint32, p *sys.Params) (uring.Backend, error) {
			r, err := liburing.New(entries, p)
			if err != nil {
				return nil, err
			}
			return r, nil
		},
		NewMem: func(entries uint32, p *sys.Params, mem []byte) (uring.Backend, int, error) {
			r, used, err := liburing.NewMem(entries, p, mem)
			if err != nil {
				return nil, 0, err
			}
			return r, used, nil
		},
	}
)

// Each runs f as a subtest for each backend.
func Each(t *testing.T, f func(t *testing.T, b Backend)) {
	t.Helper()
	for _, b := range []Backend{Purego, Liburing} {
		t.Run(b.Name, func(t *testing.T) {
			b.Need(t)
			f(t, b)
		})
	}
}

// Need ends the test if the build lacks the backend.
func (b Backend) Need(t testing.TB) {
	t.Helper()
	if b.Name != Liburing.Name || liburing.HeaderVersion() != "" {
		return
	}
	if os.Getenv("CI") == "true" && os.Getenv("CGO_ENABLED") != "0" {
		t.Fatal("this build has no liburing, though nobody set CGO_ENABLED=0: is a C compiler installed?")
	}
	t.Skip("this build has no cgo, so no liburing")
}

// A Mode is a combination of setup flags under a name.
type Mode struct {
	Name  string
	Flags sys.SetupFlags
}

// Modes are the ways to set a ring up that change how a backend drives it. Rings
// that poll for completions (IORING_SETUP_IOPOLL) are not among them: they carry
// no NOP.
var Modes = []Mode{
	{"plain", 0},
	{"single", sys.IORING_SETUP_SINGLE_ISSUER},
	{"defer", sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN},
	{"defer+flag", sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN | sys.IORING_SETUP_TASKRUN_FLAG},
	{"coop+flag", sys.IORING_SETUP_COOP_TASKRUN | sys.IORING_SETUP_TASKRUN_FLAG},
	{"sqpoll", sys.IORING_SETUP_SQPOLL},
	{"sqe128", sys.IORING_SETUP_SQE128},
	{"cqe32", sys.IORING_SETUP_CQE32},
	{"sqe128+cqe32", sys.IORING_SETUP_SQE128 | sys.IORING_SETUP_CQE32},
	{"no_sqarray", sys.IORING_SETUP_NO_SQARRAY},
	{"cqe_mixed", sys.IORING_SETUP_CQE_MIXED},
	{"sqe_mixed", sys.IORING_SETUP_SQE_MIXED},
	{"sq_rewind", sys.IORING_SETUP_SQ_REWIND | sys.IORING_SETUP_NO_SQARRAY},
}

// EachMode runs f for each backend in each mode, or in those named.
func EachMode(t *testing.T, f func(t *testing.T, b Backend, m Mode), names ...string) {
	t.Helper()
	for _, name := range names {
		if !slices.ContainsFunc(Modes, func(m Mode) bool { return m.Name == name }) {
			t.Fatalf("there is no mode %q", name)
		}
	}
	Each(t, func(t *testing.T, b Backend) {
		for _, m := range Modes {
			if len(names) == 0 || slices.Contains(names, m.Name) {
				t.Run(m.Name, func(t *testing.T) { f(t, b, m) })
			}
		}
	})
}

// Open opens a backend and closes it at the end of the test. A ring that belongs
// to a thread keeps the test on its thread.
func (b Backend) Open(t testing.TB, entries uint32, p *sys.Params) uring.Backend {
	t.Helper()
	if p == nil {
		p = new(sys.Params)
	}
	NeedKernel(t, p.Flags)
	if p.Flags&(sys.IORING_SETUP_SINGLE_ISSUER|sys.IORING_SETUP_REGISTERED_FD_ONLY) != 0 {
		LockThread(t)
	}
	r, err := b.New(entries, p)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%s.New(%d, %v): %v", b.Name, entries, p.Flags, err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

// Ring opens a ring with the flags and sizes in p.
func (b Backend) Ring(t testing.TB, entries uint32, p *sys.Params) *uring.Ring {
	t.Helper()
	return uring.NewRing(b.Open(t, entries, p))
}

// Mode returns parameters with the mode's flags.
func (m Mode) Params() *sys.Params { return &sys.Params{Flags: m.Flags} }

// Has reports whether the mode has all of the flags.
func (m Mode) Has(f sys.SetupFlags) bool { return m.Flags&f == f }

// LockThread keeps the test's goroutine on its thread until its end.
func LockThread(t testing.TB) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// NeedKernel skips the test if the kernel refuses the setup flags to a bare
// system call.
func NeedKernel(t testing.TB, flags sys.SetupFlags) {
	t.Helper()
	flags &^= sys.IORING_SETUP_CQSIZE // says that there is a number; there is none here
	switch errno := KernelSetup(8, sys.Params{Flags: flags}); errno {
	case 0:
	case syscall.EINVAL:
		if flags == 0 {
			t.Fatal("the kernel refuses a plain ring: EINVAL")
		}
		t.Skipf("this kernel has no ring with %v", flags)
	case syscall.ENOSYS, syscall.EPERM:
		if os.Getenv("CI") == "true" {
			t.Fatalf("io_uring is not available: %v", errno)
		}
		t.Skipf("io_uring is not available: %v", errno)
	default:
		t.Fatalf("io_uring_setup with %v: %v", flags, errno)
	}
}

// OnNewThread runs f on a thread of its own, which ends afterwards, and returns
// when f has. f must not end the test.
func OnNewThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		f()
	}()
	<-done
}

// Storm keeps the test on its thread and sends the thread a SIGURG, the signal
// that the Go runtime interrupts goroutines with, several thousand times a second
// until the test ends. The function it returns tells how many.
func Storm(t testing.TB) (sent func() int) {
	LockThread(t)
	pid, tid := unix.Getpid(), unix.Gettid()
	var stop atomic.Bool
	var n atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			if err := unix.Tgkill(pid, tid, syscall.SIGURG); err != nil {
				t.Error(err)
				return
			}
			n.Add(1)
			time.Sleep(150 * time.Microsecond)
		}
	})
	t.Cleanup(func() { stop.Store(true); wg.Wait() })
	return func() int { return int(n.Load()) }
}

// Pipe returns a pipe that is closed at the end of the test.
func Pipe(t testing.TB) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p[0], p[1]
}

// Descriptors returns what /proc/self/fd lists, one "number target" a line.
func Descriptors(t testing.TB) []string {
	t.Helper()
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	var fds []string
	for _, n := range names {
		// The descriptor of the listing itself is gone by now or goes with it.
		if to, err := os.Readlink("/proc/self/fd/" + n); err == nil && to != "/proc/"+Pid()+"/fd" {
			fds = append(fds, n+" "+to)
		}
	}
	slices.Sort(fds)
	return fds
}

// RingMappings returns how many mappings of the process are of io_uring memory.
func RingMappings(t testing.TB) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "[io_uring]")
}
