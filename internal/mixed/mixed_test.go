//go:build linux && cgo && !uringgo

package mixed

// C and Go on one ring, by turns: rings made in C, rings made in Go, and two views
// of one ring. Requests are NOPs, whose completions come in the order of their
// entries, so that each number tells whose entry stood where.

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// open makes a ring in C, which is closed at the end of the test.
func open(t testing.TB, entries uint32, flags sys.SetupFlags) (Ring, sys.Params) {
	t.Helper()
	bt.NeedKernel(t, flags)
	bt.LockThread(t)
	p := sys.Params{Flags: flags}
	c, err := Open(entries, &p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, p
}

// A direction is a way in which the two languages come to share a ring.
type direction struct {
	name string
	// open returns Go's ring and C's, which are one.
	open func(t testing.TB, entries uint32, flags sys.SetupFlags) (*uring.Ring, Ring)
}

var directions = []direction{
	{"adopt", func(t testing.TB, entries uint32, flags sys.SetupFlags) (*uring.Ring, Ring) {
		c, _ := open(t, entries, flags)
		b, err := liburing.Adopt(c.Pointer())
		if err != nil {
			t.Fatal(err)
		}
		r := uring.NewRing(b)
		t.Cleanup(func() {
			if err := r.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
		})
		return r, c
	}},
	{"pointer", func(t testing.TB, entries uint32, flags sys.SetupFlags) (*uring.Ring, Ring) {
		bt.NeedKernel(t, flags)
		bt.LockThread(t)
		b, err := liburing.New(entries, &sys.Params{Flags: flags})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return uring.NewRing(b), At(b.Pointer())
	}},
	{"map", func(t testing.TB, entries uint32, flags sys.SetupFlags) (*uring.Ring, Ring) {
		c, p := open(t, entries, flags)
		b, err := purego.Map(c.Fd(), &p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return uring.NewRing(b), c
	}},
	{"queue_mmap", func(t testing.TB, entries uint32, flags sys.SetupFlags) (*uring.Ring, Ring) {
		bt.NeedKernel(t, flags)
		bt.LockThread(t)
		made, err := purego.New(entries, &sys.Params{Flags: flags})
		if err != nil {
			t.Fatal(err)
		}
		p := made.Params()
		b, err := purego.Map(made.Fd(), &p)
		if err != nil {
			t.Fatal(err)
		}
		c, err := View(made.Fd(), &p)
		if err != nil {
			t.Fatal(err)
		}
		made.Close() // the views live on
		t.Cleanup(func() { c.Unmap(); b.Close() })
		c.SetFd(b.Fd())
		return uring.NewRing(b), c
	}},
}

func each(t *testing.T, f func(t *testing.T, d direction)) {
	bt.Liburing.Need(t)
	for _, d := range directions {
		t.Run(d.name, func(t *testing.T) { f(t, d) })
	}
}

// turn lets C look at a ring that has two views of its memory.
func (d direction) turn(c Ring) {
	if d.name == "map" || d.name == "queue_mmap" {
		c.Sync()
	}
}

func goNops(t testing.TB, r *uring.Ring, first uint64, n int) {
	t.Helper()
	for i := range n {
		sqe := r.GetSQE()
		if sqe == nil {
			t.Fatalf("GetSQE gave nothing for %d of %d", i, n)
		}
		sqe.PrepNop()
		sqe.UserData = first + uint64(i)
	}
}

func goReap(r *uring.Ring, most int) (data []uint64) {
	for len(data) < most {
		var cqe [1]uring.CQE
		if r.Peek(cqe[:]) == 0 {
			break
		}
		data = append(data, cqe[0].UserData)
	}
	return data
}

func count(first uint64, n int) (data []uint64) {
	for i := range n {
		data = append(data, first+uint64(i))
	}
	return data
}

func same(t testing.TB, what string, got, want []uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: completions %v, want %v", what, got, want)
	}
}

var modes = []bt.Mode{
	{Name: "plain"},
	{Name: "defer", Flags: sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN},
	{Name: "sqe128", Flags: sys.IORING_SETUP_SQE128},
	{Name: "cqe32", Flags: sys.IORING_SETUP_CQE32},
}

// Entries stand in the queue in the order of the flushes, whoever submits, and
// either side reaps what the other submitted.
func TestTurns(t *testing.T) {
	each(t, func(t *testing.T, d direction) {
		for _, m := range modes {
			t.Run(m.Name, func(t *testing.T) {
				r, c := d.open(t, 8, m.Flags)
				for lap := range 40 {
					base := uint64(lap) * 100
					// Go, C, Go in one submission of C's.
					goNops(t, r, base, 2)
					if err := r.Flush(); err != nil {
						t.Fatal(err)
					}
					d.turn(c)
					if n := c.Nops(base+2, 3); n != 3 {
						t.Fatalf("C found room for %d of 3", n)
					}
					want := 5
					if d.name == "adopt" || d.name == "pointer" { // C's entries wait in the same queue
						goNops(t, r, base+5, 1)
						if err := r.Flush(); err != nil {
							t.Fatal(err)
						}
						want = 6
					}
					if s := r.Status(); (d.name == "adopt" || d.name == "pointer") && (s.SQReady != 6 || s.SQSpace != 2) {
						t.Fatalf("Status %+v", s)
					}
					if n, err := c.Submit(want); n != want || err != nil {
						t.Fatalf("C submitted %d, %v; want %d", n, err, want)
					}
					// Go reaps first in even laps, C in odd ones.
					if lap%2 == 0 {
						same(t, "Go", goReap(r, 4), count(base, 4))
						same(t, "C", c.Reap(9), count(base+4, want-4))
					} else {
						same(t, "C", c.Reap(1), count(base, 1))
						same(t, "Go", goReap(r, 9), count(base+1, want-1))
					}
					// C prepares and leaves it to Go.
					d.turn(c)
					if d.name == "adopt" || d.name == "pointer" {
						if n := c.Nops(base+50, 2); n != 2 {
							t.Fatalf("C found room for %d of 2", n)
						}
						goNops(t, r, base+52, 2)
						if n, err := r.SubmitWait(uring.Wait{N: 4}); n != 4 || err != nil {
							t.Fatalf("Go submitted %d, %v; want 4", n, err)
						}
						same(t, "C", c.Reap(9), count(base+50, 4))
					} else {
						goNops(t, r, base+52, 2)
						if n, err := r.SubmitWait(uring.Wait{N: 2}); n != 2 || err != nil {
							t.Fatalf("Go submitted %d, %v; want 2", n, err)
						}
						same(t, "C", c.Reap(9), count(base+52, 2))
					}
				}
			})
		}
	})
}

// A submission of Go's copies completions early. C may take them before Go asks.
func TestTheOtherSideReapsFirst(t *testing.T) {
	each(t, func(t *testing.T, d direction) {
		r, c := d.open(t, 16, 0)
		for lap := range 20 {
			base := uint64(lap) * 100
			goNops(t, r, base, 6)
			if n, err := r.SubmitWait(uring.Wait{N: 6}); n != 6 || err != nil {
				t.Fatal(n, err)
			}
			same(t, "C", c.Reap(2), count(base, 2))
			same(t, "Go", goReap(r, 2), count(base+2, 2))
			same(t, "C", c.Reap(1), count(base+4, 1))
			same(t, "Go", goReap(r, 9), count(base+5, 1))
			if got := c.Reap(9); len(got) != 0 {
				t.Fatalf("C reaped %v twice", got)
			}
		}
	})
}

// A queue that C filled leaves Go's entries where they are staged.
func TestNoRoomToFlush(t *testing.T) {
	for _, d := range directions[:2] {
		t.Run(d.name, func(t *testing.T) {
			bt.Liburing.Need(t)
			r, c := d.open(t, 8, 0)
			goNops(t, r, 10, 4)
			if n := c.Nops(1, 6); n != 6 {
				t.Fatalf("C found room for %d of 6", n)
			}
			err := r.Flush()
			if !errors.Is(err, syscall.EAGAIN) || !strings.Contains(err.Error(), "2 of 4") || !strings.Contains(err.Error(), "queue of 8") {
				t.Fatalf("Flush into a full queue: %v", err)
			}
			if s := r.Status(); s.SQReady != 10 || s.SQSpace != 0 || r.Space() != 0 || r.GetSQE() != nil {
				t.Fatalf("%+v, space %d", s, r.Space())
			}
			if n, err := c.Submit(8); n != 8 || err != nil {
				t.Fatal(n, err)
			}
			same(t, "C", c.Reap(9), append(count(1, 6), count(10, 2)...))
			if n, err := r.SubmitWait(uring.Wait{N: 2}); n != 2 || err != nil {
				t.Fatalf("the rest: %d, %v", n, err)
			}
			same(t, "Go", goReap(r, 9), count(12, 2))
		})
	}
}

// Whose ring it is decides what Close closes.
func TestCloseOfAnAdoptedRing(t *testing.T) {
	c, _ := open(t, 8, 0)
	before := bt.Descriptors(t)
	r, err := liburing.Adopt(c.Pointer())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Shared() || !r.Adopted() || r.Fd() != c.Fd() || r.Pointer() != c.Pointer() {
		t.Errorf("shared %v, adopted %v, descriptor %d, C's is %d", r.Shared(), r.Adopted(), r.Fd(), c.Fd())
	}
	ring := uring.NewRing(r)
	goNops(t, ring, 1, 1)
	if err := ring.Flush(); err != nil {
		t.Fatal(err)
	}
	goNops(t, ring, 2, 3)
	var left *liburing.StagedError
	if err := ring.Close(); !errors.As(err, &left) || left.N != 3 || !strings.Contains(err.Error(), "3 entries") {
		t.Errorf("Close with 3 entries staged: %v", err)
	}
	if err := ring.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if after := bt.Descriptors(t); !slices.Equal(before, after) {
		t.Errorf("descriptors before: %v, after: %v", before, after)
	}
	// What was flushed is C's, and the ring works.
	if n, err := c.Submit(1); n != 1 || err != nil {
		t.Errorf("C's ring after Go's Close: %d, %v", n, err)
	}
	same(t, "C", c.Reap(9), count(1, 1))
	if r, err = liburing.Adopt(c.Pointer()); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close with nothing staged: %v", err)
	}
}

// Memory that the kernel may use by C's requests does not go back to Go.
func TestAdoptedRingWithBuffers(t *testing.T) {
	r, c := directions[0].open(t, 8, 0)
	buf := make([]byte, 4096)
	if err := r.RegisterBuffers([][]byte{buf}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); !errors.Is(err, syscall.EBUSY) {
		t.Fatalf("Close with a registered buffer: %v", err)
	}
	if err := r.UnregisterBuffers(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n := c.Nops(1, 1); n != 1 {
		t.Fatal(n)
	}
	if n, err := c.Submit(1); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

// A descriptor that C registered binds Go to C's thread.
func TestRegisteredByC(t *testing.T) {
	for _, d := range directions[:2] {
		t.Run(d.name, func(t *testing.T) {
			bt.Liburing.Need(t)
			r, c := d.open(t, 8, 0)
			if _, err := c.Register(); errors.Is(err, syscall.EINVAL) {
				t.Skip("this kernel registers no ring descriptors")
			} else if err != nil {
				t.Fatal(err)
			}
			goNops(t, r, 1, 2)
			if n, err := r.SubmitWait(uring.Wait{N: 2}); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			var err error
			bt.OnNewThread(func() { _, err = r.Submit() })
			if !errors.Is(err, syscall.EEXIST) {
				t.Errorf("Submit on another thread: %v", err)
			}
			if err := r.RegisterRingFd(); !errors.Is(err, syscall.EEXIST) {
				t.Errorf("registering twice: %v", err)
			}
			if _, err := c.Unregister(); err != nil {
				t.Fatal(err)
			}
			bt.OnNewThread(func() { _, err = r.Submit() })
			if err != nil {
				t.Errorf("Submit on another thread, after C unregistered: %v", err)
			}
			same(t, "Go", goReap(r, 9), count(1, 2))
		})
	}
	t.Run("before", func(t *testing.T) {
		c, _ := open(t, 8, 0)
		if _, err := c.Register(); err != nil {
			t.Skip(err)
		}
		defer c.Unregister()
		r, err := liburing.Adopt(c.Pointer())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		bt.OnNewThread(func() { _, err = r.Submit(sys.Wait{}) })
		if !errors.Is(err, syscall.EEXIST) {
			t.Errorf("Submit on another thread: %v", err)
		}
		bt.OnNewThread(func() {
			var other *liburing.Ring
			if other, err = liburing.Adopt(c.Pointer()); err == nil {
				other.Close()
			}
		})
		if err == nil {
			t.Error("another thread, which cannot enter the ring, adopted it")
		}
	})
}

// What does not lead to a ring is refused with a sentence, and nothing stays behind.
func TestBadAdopt(t *testing.T) {
	bt.Liburing.Need(t)
	before := bt.Descriptors(t)
	t.Cleanup(func() {
		if after := bt.Descriptors(t); !slices.Equal(before, after) {
			t.Errorf("descriptors before: %v, after: %v", before, after)
		}
	})
	try := func(name string, at sys.Pointer, errno syscall.Errno, words ...string) {
		t.Helper()
		r, err := liburing.Adopt(at)
		if err == nil {
			r.Close()
		}
		if r != nil || !errors.Is(err, errno) {
			t.Errorf("%s: %v, %v; want %v", name, r, err, errno)
			return
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", name, err, w)
			}
		}
	}
	try("nil", nil, syscall.EINVAL, "nil pointer")
	zero := Zeroed()
	defer zero.Free()
	try("zeroes", zero.Pointer(), syscall.EINVAL, "sq.khead is NULL", "not set up")
	try("odd", Beyond(zero.Pointer(), 1), syscall.EINVAL, "aligned")
	try("nowhere", Beyond(nil, 1<<30), syscall.EINVAL, "no memory")

	func() {
		c, _ := open(t, 8, 0)
		mask := c.SetMask(3)
		try("another layout", c.Pointer(), syscall.EINVAL, "8 entries", "0x3", "lays it out differently")
		c.SetMask(mask)
		fd := c.Fd()
		null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		c.SetFd(null)
		try("foreign", c.Pointer(), syscall.EOPNOTSUPP, fmt.Sprint(null), "not a ring")
		unix.Close(null)
		try("closed", c.Pointer(), syscall.EBADF, fmt.Sprint(null))
		c.SetFd(fd)
		r, err := liburing.Adopt(c.Pointer())
		if err != nil {
			t.Fatalf("after all that: %v", err)
		}
		r.Close()
	}()
	p := sys.Params{}
	gone, err := Open(4096, &p)
	if err != nil {
		t.Fatal(err)
	}
	gone.Exit()
	try("exited", gone.Pointer(), syscall.EINVAL, "leads nowhere")
	gone.Free()
}

// Entries prepared in the wrong turn are not submitted in place of others.
func TestStaleView(t *testing.T) {
	for _, d := range directions[2:] {
		t.Run(d.name, func(t *testing.T) {
			bt.Liburing.Need(t)
			r, c := d.open(t, 8, 0)
			goNops(t, r, 1, 2) // and no Flush
			d.turn(c)
			if n := c.Nops(10, 3); n != 3 {
				t.Fatal(n)
			}
			if n, err := c.Submit(3); n != 3 || err != nil {
				t.Fatal(n, err)
			}
			n, err := r.Submit()
			if n != 0 || !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "2 entries") {
				t.Fatalf("Submit in the other's turn = %d, %v", n, err)
			}
			same(t, "C", c.Reap(9), count(10, 3))
			// From here on all is well.
			goNops(t, r, 20, 8)
			if n, err := r.SubmitWait(uring.Wait{N: 8}); n != 8 || err != nil {
				t.Fatal(n, err)
			}
			same(t, "Go", goReap(r, 9), count(20, 8))
			// Flush is the same.
			goNops(t, r, 30, 1)
			d.turn(c)
			c.Nops(40, 1)
			if n, err := c.Submit(1); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if err := r.Flush(); !errors.Is(err, syscall.EBUSY) {
				t.Fatalf("Flush in the other's turn: %v", err)
			}
			if s := r.Status(); s.SQReady != 0 || s.SQSpace != 8 {
				t.Errorf("%+v", s)
			}
			same(t, "Go", goReap(r, 9), count(40, 1))
		})
	}
}

// load moves n operations, turn by turn, C and Go submitting and reaping alike, and
// checks that every number comes back once.
func load(t *testing.T, d direction, flags sys.SetupFlags, n int) {
	r, c := d.open(t, 64, flags)
	seen := make([]uint8, n)
	note := func(who string, data []uint64) int {
		for _, u := range data {
			if u >= uint64(n) || seen[u] != 0 {
				t.Fatalf("%s reaped %d, which it cannot be", who, u)
			}
			seen[u]++
		}
		return len(data)
	}
	next, reaped := 0, 0
	for lap := 0; reaped < n; lap++ {
		flying := next - reaped
		batch := min(1+lap*7%29, n-next, 128-flying)
		mine := batch / 2
		if lap%4 < 2 {
			mine = batch - mine
		}
		mine = min(mine, r.Space())
		goNops(t, r, uint64(next), mine)
		next += mine
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		d.turn(c)
		next += c.Nops(uint64(next), batch-mine)
		if lap%3 == 0 || d.name == "map" || d.name == "queue_mmap" {
			if _, err := c.Submit(0); err != nil {
				t.Fatal(err)
			}
		} else if _, err := r.SubmitWait(uring.Wait{}); err != nil {
			t.Fatal(err)
		}
		if lap%5 < 2 {
			reaped += note("C", c.Reap(1+lap%17))
		} else {
			reaped += note("Go", goReap(r, 1+lap%19))
		}
		if lap%11 == 0 {
			runtime.Gosched()
		}
	}
	if extra := len(c.Reap(9)) + len(goReap(r, 9)); extra != 0 {
		t.Errorf("%d completions too many", extra)
	}
}

func TestLoad(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	each(t, func(t *testing.T, d direction) {
		for _, m := range modes[:2] {
			t.Run(m.Name, func(t *testing.T) { load(t, d, m.Flags, n) })
		}
	})
}

// Turns allocate nothing.
func TestTurnsDoNotAllocate(t *testing.T) {
	each(t, func(t *testing.T, d direction) {
		r, c := d.open(t, 8, 0)
		var cqes [8]uring.CQE
		turn := func() {
			for range 2 {
				r.GetSQE().PrepNop()
			}
			if err := r.Flush(); err != nil {
				t.Fatal(err)
			}
			d.turn(c)
			if n, err := c.Submit(2); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			if n := r.Peek(cqes[:]); n != 2 {
				t.Fatal(n)
			}
			r.GetSQE().PrepNop()
			if n, err := r.SubmitWait(uring.Wait{N: 1}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if n := r.Peek(cqes[:]); n != 1 {
				t.Fatal(n)
			}
		}
		if n := testing.AllocsPerRun(100, turn); n != 0 {
			t.Errorf("%v allocations a turn", n)
		}
	})
}
