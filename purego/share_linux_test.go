package purego

// Map: what it refuses, what it leaves to whom, and what it finds in ring memory.
// Turns with C are tested in internal/mixed.

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// left counts descriptors and the kernel's mappings.
func left(t *testing.T) (fds, maps int) {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return len(dir), strings.Count(string(text), "[io_uring]")
}

func TestMapRefuses(t *testing.T) {
	r := open1(t, 64, sys.Params{})
	file, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	unix.Close(pipe[1])
	closed := pipe[1]
	defer unix.Close(pipe[0])
	fds, maps := left(t)
	for name, c := range map[string]struct {
		fd     int
		change func(p *sys.Params)
		want   syscall.Errno
	}{
		"negative":           {-1, nil, syscall.EBADF},
		"closed":             {closed, nil, syscall.EBADF},
		"a file":             {int(file.Fd()), nil, syscall.EOPNOTSUPP},
		"a pipe":             {pipe[0], nil, syscall.EOPNOTSUPP},
		"zeroes":             {r.fd, func(p *sys.Params) { *p = sys.Params{} }, syscall.EINVAL},
		"no offsets":         {r.fd, func(p *sys.Params) { p.SQOff, p.CQOff = sys.SQRingOffsets{}, sys.CQRingOffsets{} }, syscall.EINVAL},
		"no mmap":            {r.fd, func(p *sys.Params) { p.Flags |= sys.IORING_SETUP_NO_MMAP }, syscall.EINVAL},
		"index only":         {r.fd, func(p *sys.Params) { p.Flags |= sys.IORING_SETUP_REGISTERED_FD_ONLY }, syscall.EINVAL},
		"odd size":           {r.fd, func(p *sys.Params) { p.SQEntries = 63 }, syscall.EINVAL},
		"other size":         {r.fd, func(p *sys.Params) { p.SQEntries = 32 }, syscall.EINVAL},
		"too large":          {r.fd, func(p *sys.Params) { p.SQEntries, p.CQEntries = 32768, 65536 }, syscall.EINVAL},
		"absurd size":        {r.fd, func(p *sys.Params) { p.SQEntries = 1 << 31 }, syscall.EINVAL},
		"completions":        {r.fd, func(p *sys.Params) { p.CQEntries = 256 }, syscall.EINVAL},
		"few completions":    {r.fd, func(p *sys.Params) { p.CQEntries = 32 }, syscall.EINVAL},
		"wide completions":   {r.fd, func(p *sys.Params) { p.Flags |= sys.IORING_SETUP_CQE32 }, syscall.EINVAL},
		"offset far away":    {r.fd, func(p *sys.Params) { p.SQOff.Tail = 1 << 31 }, syscall.EINVAL},
		"offset not aligned": {r.fd, func(p *sys.Params) { p.CQOff.Head = 2 }, syscall.EINVAL},
		"offsets swapped":    {r.fd, func(p *sys.Params) { p.SQOff.RingMask, p.SQOff.RingEntries = p.SQOff.RingEntries, p.SQOff.RingMask }, syscall.EINVAL},
		"head is a mask":     {r.fd, func(p *sys.Params) { p.SQOff.Head = p.SQOff.RingMask }, syscall.EINVAL},
	} {
		p := r.Params()
		if c.change != nil {
			c.change(&p)
		}
		before := p
		m, err := Map(c.fd, &p)
		if m != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, m, err, c.want)
			if m != nil {
				m.Close()
			}
			continue
		}
		if !strings.Contains(err.Error(), "uring: ") || c.want == syscall.EBADF && !strings.Contains(err.Error(), strconv.Itoa(c.fd)) {
			t.Errorf("%s: %q is no sentence", name, err)
		}
		if p != before {
			t.Errorf("%s: the parameters were changed", name)
		}
	}
	if m, err := Map(r.fd, nil); m != nil || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("no parameters: %v, %v", m, err)
	}
	if f, m := left(t); f != fds || m != maps {
		t.Errorf("%d descriptors and %d mappings before, %d and %d after", fds, maps, f, m)
	}
	pass(t, r, 1, 64, sys.Wait{N: 64})
}

// Close leaves the descriptor and the other view alone, and the ring lives until
// both are closed.
func TestMapOwnsItsView(t *testing.T) {
	for _, flags := range []sys.SetupFlags{0, sys.IORING_SETUP_SQE128, sys.IORING_SETUP_CQE32, sys.IORING_SETUP_NO_SQARRAY} {
		r := open1(t, 8, sys.Params{Flags: flags})
		fds, maps := left(t)
		p := r.Params()
		m, err := Map(r.fd, &p)
		if err != nil {
			t.Fatal(err)
		}
		if m.Fd() == r.Fd() || m.Params() != p || !m.Shared() || r.Shared() {
			t.Errorf("descriptor %d, the other's is %d; shared %v and %v", m.Fd(), r.Fd(), m.Shared(), r.Shared())
		}
		if cloexec, err := unix.FcntlInt(uintptr(m.Fd()), unix.F_GETFD, 0); err != nil || cloexec != unix.FD_CLOEXEC {
			t.Errorf("flags of the descriptor: %d, %v", cloexec, err)
		}
		pass(t, m, 1, 8, sys.Wait{N: 8})
		if err := m.Resize(16, &sys.Params{}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Resize of a view: %v", err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if err := m.Flush(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Flush after Close: %v", err)
		}
		if f, n := left(t); f != fds || n != maps {
			t.Errorf("%v: %d descriptors and %d mappings before, %d and %d after", flags, fds, maps, f, n)
		}
		// The other way round: the view outlives the ring that was made.
		if m, err = Map(r.fd, &p); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		pass(t, m, 20, 8, sys.Wait{N: 8})
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Entries that wait under other indices than liburing's are left alone.
func TestMapOfAForeignIndexArray(t *testing.T) {
	r := open1(t, 8, sys.Params{})
	p := r.Params()
	if p.Flags&sys.IORING_SETUP_NO_SQARRAY != 0 || p.SQOff.Array == 0 {
		t.Skip("this ring has no index array")
	}
	first, err := word(r.maps.sq, p.SQOff.Array)
	if err != nil {
		t.Fatal(err)
	}
	first.Store(5)
	q := r.Queue()
	q[0].PrepNop()
	q[5].PrepNop()
	r.Advance(1)
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if m, err := Map(r.fd, &p); m != nil || !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "names entry 5") {
		t.Errorf("Map = %v, %v", m, err)
	}
	if first.Load() != 5 {
		t.Error("the array was changed")
	}
	// With nothing waiting the array is made liburing's.
	if n, err := r.Submit(sys.Wait{N: 1}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	m, err := Map(r.fd, &p)
	if err != nil || first.Load() != 0 {
		t.Fatalf("Map = %v; slot 0 names entry %d", err, first.Load())
	}
	m.Close()
}

// Flush publishes without entering the kernel, and the other view's submission
// takes what it finds.
func TestFlushPublishes(t *testing.T) {
	r := open1(t, 8, sys.Params{})
	p := r.Params()
	m, err := Map(r.fd, &p)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i := range 3 {
		m.Queue()[0].PrepNop()
		m.Advance(1)
		if err := m.Flush(); err != nil {
			t.Fatal(err)
		}
		if s := m.Status(); s.SQReady != i+1 {
			t.Errorf("after %d flushes: %+v", i+1, s)
		}
	}
	other, err := Map(r.fd, &p)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if n, err := other.Submit(sys.Wait{N: 3}); n != 3 || err != nil {
		t.Errorf("the other view submitted %d, %v", n, err)
	}
	if n := m.Peek(make([]sys.CQE, 8)); n != 3 {
		t.Errorf("Peek = %d", n)
	}
	if _, err := unix.FcntlInt(uintptr(r.fd), unix.F_GETFD, 0); err != nil {
		t.Error(err)
	}
}
