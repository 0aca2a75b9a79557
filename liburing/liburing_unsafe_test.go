//go:build linux && cgo

package liburing

// What the root's tests cannot see from outside: the completions that a submission
// finds, the staging area, and the versions.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func open1(t *testing.T, entries uint32, p *sys.Params) *Ring {
	t.Helper()
	r, err := New(entries, p)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		bare := sys.Params{Flags: p.Flags}
		fd, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(&bare)), 0)
		if errno == syscall.EINVAL {
			t.Skipf("this kernel has no ring with %v", p.Flags)
		}
		if errno == 0 {
			syscall.Close(int(fd))
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func handOver(t *testing.T, r *Ring, first uint64, n int) {
	t.Helper()
	for i := range n {
		q := r.Queue()
		if len(q) == 0 {
			t.Fatalf("Queue is empty after %d of %d", i, n)
		}
		q[0].PrepNop()
		q[0].UserData = first + uint64(i)
		r.Advance(1)
	}
}

// A waiting Submit notes where completions are and consumes none; Peek goes by that
// as long as the queue's head is where it was.
func TestFoundIsUsedAndDiscarded(t *testing.T) {
	r := open1(t, 256, nil)
	dst := make([]sys.CQE, 512)
	check := func(n int, first uint64) {
		t.Helper()
		for i, c := range dst[:n] {
			if c.UserData != first+uint64(i) {
				t.Fatalf("completion %d is %d, want %d", i, c.UserData, first+uint64(i))
			}
		}
	}
	found := func() int { return int(r.end - r.next) }

	handOver(t, r, 0, 5)
	if n, err := r.Submit(sys.Wait{N: 5}); n != 5 || err != nil {
		t.Fatalf("Submit = %d, %v", n, err)
	}
	if found() != 5 || r.Ready() != 5 || r.chead.Load() != 0 {
		t.Fatalf("after a waiting Submit %d found, %d ready, head %d", found(), r.Ready(), r.chead.Load())
	}
	if n := r.Peek(dst[:2]); n != 2 || found() != 3 || r.Ready() != 3 {
		t.Fatalf("Peek = %d, %d found, %d ready", n, found(), r.Ready())
	}
	check(2, 0)

	// What came since is not among those found.
	handOver(t, r, 5, 3)
	if n, err := r.Submit(sys.Wait{}); n != 3 || err != nil {
		t.Fatalf("Submit = %d, %v", n, err)
	}
	if found() != 3 || r.Ready() != 6 {
		t.Fatalf("after a Submit that does not look: %d found, %d ready", found(), r.Ready())
	}
	if n := r.Peek(dst); n != 6 { // more are ready than were found
		t.Fatalf("Peek = %d, want 6", n)
	}
	check(6, 2)
	if found() != 0 || r.Ready() != 0 {
		t.Fatalf("after Peek %d found, %d ready", found(), r.Ready())
	}

	// Somebody else consumed.
	handOver(t, r, 8, 4)
	if n, err := r.Submit(sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}); n != 4 || err != nil || found() != 4 {
		t.Fatalf("Submit = %d, %v, %d found", n, err, found())
	}
	r.chead.Add(1)
	if n := r.Peek(dst); n != 3 {
		t.Fatalf("after the head moved: Peek = %d, want 3", n)
	}
	check(3, 9)

	// More completions than are noted.
	handOver(t, r, 12, 200)
	if n, err := r.Submit(sys.Wait{N: 200}); n != 200 || err != nil {
		t.Fatalf("Submit = %d, %v", n, err)
	}
	if found() != len(r.found) {
		t.Fatalf("%d found, want %d", found(), len(r.found))
	}
	if n := r.Peek(dst[:100]); n != 100 {
		t.Fatalf("Peek = %d", n)
	}
	check(100, 12)
	if n := r.Peek(dst); n != 100 {
		t.Fatalf("Peek = %d", n)
	}
	check(100, 112)

	// Peek32 does not use it, and Peek afterwards does not repeat it.
	handOver(t, r, 212, 4)
	if n, err := r.Submit(sys.Wait{N: 4}); n != 4 || err != nil || found() != 4 {
		t.Fatalf("Submit = %d, %v, %d found", n, err, found())
	}
	var wide [2]sys.CQE32
	if n := r.Peek32(wide[:]); n != 2 || wide[1].UserData != 213 || found() != 0 {
		t.Fatalf("Peek32 = %d, %+v, %d found", n, wide, found())
	}
	if n := r.Peek(dst); n != 2 {
		t.Fatalf("Peek = %d", n)
	}
	check(2, 214)
}

// Nothing is noted where completions are not all of one size.
func TestWideRingsDoNotLook(t *testing.T) {
	for _, f := range []sys.SetupFlags{sys.IORING_SETUP_CQE32, sys.IORING_SETUP_CQE_MIXED} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			r := open1(t, 8, &sys.Params{Flags: f})
			handOver(t, r, 1, 4)
			if n, err := r.Submit(sys.Wait{N: 4}); n != 4 || err != nil || r.end != r.next {
				t.Errorf("Submit = %d, %v, %d found", n, err, r.end-r.next)
			}
		})
	}
}

// Entry i of the staging area is entry i of the library's queue, whatever was
// submitted before.
func TestStagingMirrorsTheQueue(t *testing.T) {
	for _, f := range []sys.SetupFlags{0, sys.IORING_SETUP_SQE128} {
		r := open1(t, 8, &sys.Params{Flags: f})
		step := 1 << r.shift
		rng := rand.New(rand.NewPCG(1, 1))
		for range 200 {
			q := r.Queue()
			if len(q) > 0 && &q[0] != &r.stage[int(r.local&r.mask)*step] {
				t.Fatal("Queue does not begin at the tail")
			}
			n := rng.IntN(len(q)/step + 1)
			for i := range n {
				q[i*step].PrepNop()
			}
			r.Advance(n * step)
			if tail := uint32(r.h.ring.sq.sqe_tail); r.local-r.staged != tail {
				t.Fatalf("tail %d with %d staged, the library's is %d", r.local, r.staged, tail)
			}
			if rng.IntN(2) == 0 {
				want := int(r.staged)
				if n, err := r.Submit(sys.Wait{}); n != want || err != nil || r.staged != 0 {
					t.Fatalf("Submit = %d, %v, %d staged; want %d", n, err, r.staged, want)
				}
				r.Peek(make([]sys.CQE, 16))
			}
		}
	}
}

// The destination of Peek may lie anywhere: on the stack, or in an object of the
// caller's that has pointers elsewhere.
func TestPeekIntoAnything(t *testing.T) {
	r := open1(t, 8, nil)
	type holder struct {
		p    *int
		cqes [4]sys.CQE
		wide [4]sys.CQE32
		next *holder
	}
	h := &holder{p: new(int), next: new(holder)}
	for range 3 {
		handOver(t, r, 1, 4)
		if n, err := r.Submit(sys.Wait{}); n != 4 || err != nil {
			t.Fatal(n, err)
		}
		if n := r.Peek(h.cqes[:2]); n != 2 || h.cqes[1].UserData != 2 {
			t.Errorf("Peek into a field = %d, %+v", n, h.cqes)
		}
		if n := r.Peek32(h.wide[:1]); n != 1 || h.wide[0].UserData != 3 {
			t.Errorf("Peek32 into a field = %d, %+v", n, h.wide)
		}
		var local [4]sys.CQE
		if n := r.Peek(local[:]); n != 1 || local[0].UserData != 4 {
			t.Errorf("Peek into a local = %d, %+v", n, local)
		}
	}
	if unsafe.Sizeof(h.cqes[0]) != 16 {
		t.Error("a CQE is not 16 bytes")
	}
}

// The header and the library that runs are told, and one is not older than the
// other, or New would have refused.
func TestVersions(t *testing.T) {
	t.Logf("header %s, library %s", HeaderVersion(), Version())
	var major, minor int
	if n, err := fmt.Sscanf(HeaderVersion(), "%d.%d", &major, &minor); n != 2 || err != nil || major < 2 {
		t.Errorf("HeaderVersion = %q", HeaderVersion())
	}
	if !header(2, 3) || header(99, 0) || !header(major, minor) || header(major, minor+1) {
		t.Error("header compares versions wrongly")
	}
	if err := usable(0); err != nil {
		t.Errorf("this build does not run here: %v", err)
	}
	for _, n := range setupNeeds {
		for bit := sys.SetupFlags(1); bit != 0; bit <<= 1 {
			if n.flag&bit == 0 {
				continue
			}
			err := usable(bit)
			if old := !header(n.major, n.minor); (err != nil) != old {
				t.Errorf("%v with the header of %s: %v", bit, HeaderVersion(), err)
			}
			if err != nil && (!errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), bit.String()) || !strings.Contains(err.Error(), fmt.Sprintf("%d.%d", n.major, n.minor))) {
				t.Errorf("%v: %q does not say what is needed", bit, err)
			}
		}
	}
}
