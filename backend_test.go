//go:build linux

package uring_test

// What a Backend promises (see the interface's comments), held against both
// backends in every ring mode, below the API that Ring puts on top. A second
// mapping of the ring says what the kernel was told and what was consumed.

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

// stepOf returns the slots of an entry.
func stepOf(b uring.Backend) int {
	if b.Params().Flags&sys.IORING_SETUP_SQE128 != 0 {
		return 2
	}
	return 1
}

// handOver hands n NOPs to the backend, across as many windows as it takes, with
// user data that counts up from first.
func handOver(t testing.TB, b uring.Backend, first, n int) {
	t.Helper()
	step := stepOf(b)
	sqpoll := b.Params().Flags&sys.IORING_SETUP_SQPOLL != 0
	start := time.Now()
	for done := 0; done < n; {
		q := b.Queue()
		if len(q) < step && sqpoll && time.Since(start) < 10*time.Second {
			runtime.Gosched()
			continue // the kernel's thread posts completions before it makes room
		}
		if len(q) < step {
			t.Fatalf("Queue has %d slots after %d of %d entries: %+v", len(q), done, n, b.Status())
		}
		k := min(len(q)/step, n-done)
		for i := range k {
			s := &q[i*step]
			s.PrepNop()
			s.UserData = uint64(first + done + i)
		}
		b.Advance(k * step)
		done += k
	}
}

// submit submits and fails unless the backend took exactly n entries.
func submit(t testing.TB, b uring.Backend, w sys.Wait, n int) {
	t.Helper()
	if got, err := b.Submit(w); got != n || err != nil {
		t.Fatalf("Submit(%+v) = %d, %v; want %d, nil", w, got, err, n)
	}
}

// reap peeks until n completions have come and returns their user data.
func reap(t testing.TB, b uring.Backend, n int) []uint64 {
	t.Helper()
	var got []uint64
	cqes := make([]sys.CQE, n)
	for len(got) < n {
		if err := waitFor(b, 1); err != nil {
			t.Fatalf("after %d of %d completions: %v", len(got), n, err)
		}
		for _, c := range cqes[:b.Peek(cqes[:n-len(got)])] {
			got = append(got, c.UserData)
		}
	}
	return got
}

// settle waits until the kernel has taken all that was submitted: the polling
// thread posts completions before it makes room in the queue.
func settle(t testing.TB, b interface{ Status() sys.Status }) {
	t.Helper()
	for start := time.Now(); b.Status().SQReady > 0; runtime.Gosched() {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("the kernel does not take what was submitted: %+v", b.Status())
		}
	}
}

// waitFor waits until n completions are ready, at most ten seconds.
func waitFor(b uring.Backend, n int) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		w := sys.Wait{N: uint32(n), Timeout: max(1, time.Until(deadline))}
		untimed := b.Params().Features&sys.IORING_FEAT_EXT_ARG == 0
		if untimed {
			w = sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}
		}
		err := b.Wait(w)
		switch {
		case b.Ready() >= n:
			return nil
		case err != nil && !errors.Is(err, sys.ErrInterrupted):
			return err
		case untimed && time.Now().After(deadline):
			return os.ErrDeadlineExceeded
		case untimed:
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// guarded bounds a wait that should end by itself, where the kernel has timeouts.
func guarded(b interface{ Params() sys.Params }, w sys.Wait) sys.Wait {
	if b.Params().Features&sys.IORING_FEAT_EXT_ARG != 0 {
		w.Timeout = 10 * time.Second
	}
	return w
}

// needWait skips the test if the kernel or the library lacks what the wait needs.
func needWait(t testing.TB, b interface {
	Params() sys.Params
	Wait(sys.Wait) error
}, w sys.Wait) {
	t.Helper()
	if err := w.Check(b.Params().Features); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if w.MinTimeout > 0 { // which an old library may lack
		if err := b.Wait(sys.Wait{N: 1, Timeout: 1, MinTimeout: 1}); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
	}
}

// overflowed submits entries whose completions may find no room. Linux 5.10 takes
// nothing more while some wait for room; the test ends there.
func overflowed(t testing.TB, b interface {
	Submit(sys.Wait) (int, error)
	Status() sys.Status
}, n int) {
	t.Helper()
	got, err := b.Submit(sys.Wait{})
	mayOverflow(t, b, err)
	if got != n || err != nil {
		t.Fatalf("Submit = %d, %v; want %d", got, err, n)
	}
}

// mayOverflow waits until the kernel has taken what was submitted with that
// error, and ends the test if it does not take any because of an overflow.
func mayOverflow(t testing.TB, b interface{ Status() sys.Status }, err error) {
	t.Helper()
	stuck := errors.Is(err, syscall.EBUSY)
	for start := time.Now(); err == nil && b.Status().SQReady > 0 && !stuck; runtime.Gosched() {
		stuck = b.Status().Overflow && time.Since(start) > 300*time.Millisecond
	}
	if stuck {
		t.Skip("this kernel takes nothing while completions overflow")
	}
}

func counting(first, n int) []uint64 {
	s := make([]uint64, n)
	for i := range s {
		s[i] = uint64(first + i)
	}
	return s
}

func TestNothingIsPublishedBeforeSubmit(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		b := k.Open(t, 8, m.Params())
		v := bt.ViewOf(t, b)
		handOver(t, b, 1, 5) // so that what follows wraps
		submit(t, b, sys.Wait{}, 5)
		if got := reap(t, b, 5); !slices.Equal(got, counting(1, 5)) {
			t.Fatalf("completions %v", got)
		}
		tail := v.SQTail.Load()
		for i := 6; i < 12; i++ {
			handOver(t, b, i, 1)
		}
		if m.Has(sys.IORING_SETUP_SQPOLL) {
			time.Sleep(20 * time.Millisecond) // a thread that could see them would take them
		}
		if now := v.SQTail.Load(); now != tail {
			t.Errorf("handing over moved the shared tail from %d to %d", tail, now)
		}
		if s := b.Status(); s.CQReady != 0 || s.SQReady != 6 || s.SQSpace != 2 {
			t.Errorf("before Submit: %+v; want no completion, 6 ready, room for 2", s)
		}
		submit(t, b, sys.Wait{}, 6)
		if got := reap(t, b, 6); !slices.Equal(got, counting(6, 6)) {
			t.Errorf("completions %v", got)
		}
	})
}

// A chain of links that is longer than the first window must reach the polling
// thread in one piece: half of it would be a chain of its own, whose last entry
// starts what follows too early.
func TestSQPollSeesNoHalfChain(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 8, &sys.Params{Flags: m.Flags, SQThreadIdle: 2000})
		if r.Params().Features&sys.IORING_FEAT_SQPOLL_NONFIXED == 0 {
			t.Skip("this kernel's SQPOLL takes registered files only")
		}
		for lap := range 40 {
			fd, w := bt.Pipe(t)
			n := 1 + lap%8
			// The chain: a read that must wait for its data, then NOPs. None of them
			// may start before the read has ended.
			buf := make([]byte, 1)
			for i := range n {
				s := r.GetSQE()
				for s == nil { // the thread has yet to publish its head
					s = r.GetSQE()
				}
				if i == 0 {
					s.PrepRead(fd, buf, 0)
				} else {
					s.PrepNop()
				}
				s.UserData = uint64(i)
				if i < n-1 {
					s.Flags |= sys.IOSQE_IO_LINK
				}
				if i%3 == 2 {
					time.Sleep(100 * time.Microsecond)
				}
			}
			if got, err := r.Submit(); got != n || err != nil {
				t.Fatalf("Submit = %d, %v; want %d", got, err, n)
			}
			time.Sleep(500 * time.Microsecond)
			if ready := r.Status().CQReady; ready != 0 {
				t.Fatalf("a chain of %d: %d completions before its first request could end", n, ready)
			}
			unix.Write(w, []byte{1})
			if err := waitFor(r.Backend(), n); err != nil {
				t.Fatal(err)
			}
			next := uint64(0)
			for c := range r.Completions() {
				if c.UserData != next || c.Res < 0 {
					t.Fatalf("chain of %d: completion %+v, want user data %d", n, c, next)
				}
				next++
			}
			if next != uint64(n) {
				t.Fatalf("chain of %d: %d completions", n, next)
			}
		}
	}, "sqpoll")
}

// The window is the contiguous free part up to the wrap, Status the whole, and a
// slot that is handed out is zero unless it was handed out before and not given
// back: random laps with partial use against a model.
func TestQueueAgainstAModel(t *testing.T) {
	garbage := func(rng *rand.Rand) (s sys.SQE) {
		s.PrepNop()
		s.Fd, s.Off, s.Addr, s.Len = int32(rng.Uint32()), rng.Uint64()|1, rng.Uint64(), rng.Uint32()
		s.UserData, s.FileIndex, s.Addr3, s.Pad2 = rng.Uint64()|1, rng.Uint32(), rng.Uint64(), rng.Uint64()
		return s
	}
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		for _, entries := range []uint32{1, 2, 8, 64} {
			if entries == 1 && m.Has(sys.IORING_SETUP_SQE_MIXED) {
				continue // a large entry would not fit
			}
			b := k.Open(t, entries, m.Params())
			step, rewind := stepOf(b), m.Has(sys.IORING_SETUP_SQ_REWIND)
			size := int(b.Params().SQEntries)
			rng := rand.New(rand.NewPCG(1, uint64(entries)))
			tail, waiting := 0, 0 // entries handed over since the ring began, and not submitted
			var written []sys.SQE // slots of the window that were written and not handed over
			var expect []uint64
			for range 400 {
				q := b.Queue()
				at := tail % size
				free := size - waiting
				want := min(free, size-at) * step
				if len(q) != want {
					t.Fatalf("%d entries, tail at %d, %d waiting: Queue has %d slots, want %d", size, at, waiting, len(q), want)
				}
				if s := b.Status(); s.SQSpace != free || s.SQReady != waiting {
					t.Fatalf("tail at %d: Status %+v, want %d free and %d ready", at, s, free, waiting)
				}
				for i := range q {
					var want sys.SQE
					if i < len(written) {
						want = written[i]
					}
					if q[i] != want {
						t.Fatalf("%d entries, tail at %d: slot %d of %d is %+v, want %+v", size, at, i, len(q), q[i], want)
					}
				}
				switch rng.IntN(4) {
				case 0: // write some and keep them
					n := rng.IntN(len(q) + 1)
					for i := range n {
						q[i] = garbage(rng)
					}
					written = append(slices.Clone(q[:n]), written[min(n, len(written)):]...)
				case 1, 2: // write some and hand over a part, of which nothing is left
					n := rng.IntN(len(q)/step+1) * step
					for i := range n {
						q[i] = garbage(rng)
						if i%step == 0 {
							expect = append(expect, q[i].UserData)
						}
					}
					b.Advance(n)
					written = slices.Clone(written[min(n, len(written)):])
					tail, waiting = tail+n/step, waiting+n/step
				case 3:
					submit(t, b, sys.Wait{}, waiting)
					if got := reap(t, b, waiting); !slices.Equal(got, expect) {
						t.Fatalf("completions %v, want %v", got, expect)
					}
					settle(t, b)
					waiting, expect = 0, nil
					if rewind {
						tail, written = 0, nil
					}
				}
			}
		}
	})
}

// Peek gives min(len(dst), ready) and consumes as many; nothing else consumes.
func TestOnlyPeekConsumes(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		b := k.Open(t, 16, m.Params())
		v := bt.ViewOf(t, b)
		head, sent := v.CQHead.Load(), 0
		rng := rand.New(rand.NewPCG(7, 7))
		for lap := range 60 {
			n := 1 + rng.IntN(16)
			handOver(t, b, sent, n)
			switch lap % 3 {
			case 0:
				submit(t, b, sys.Wait{}, n)
			case 1:
				submit(t, b, sys.Wait{N: uint32(n)}, n)
			case 2:
				submit(t, b, guarded(b, sys.Wait{N: uint32(n)}), n)
			}
			if err := waitFor(b, n); err != nil {
				t.Fatal(err)
			}
			b.Wait(sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS})
			b.Status()
			if v.CQHead.Load() != head || b.Ready() != n {
				t.Fatalf("lap %d: before Peek the head is %d and %d are ready; want %d and %d", lap, v.CQHead.Load(), b.Ready(), head, n)
			}
			for left := n; left > 0; {
				dst := make([]sys.CQE, 1+rng.IntN(20))
				var got int
				if rng.IntN(2) == 0 {
					got = b.Peek(dst)
				} else {
					wide := make([]sys.CQE32, len(dst))
					got = b.Peek32(wide)
					for i, c := range wide[:got] {
						dst[i] = c.CQE
						if c.Extra != [2]uint64{} {
							t.Errorf("a NOP's completion has an extra half: %x", c.Extra)
						}
					}
				}
				if got != min(len(dst), left) {
					t.Fatalf("Peek into %d with %d ready gave %d", len(dst), left, got)
				}
				for _, c := range dst[:got] {
					if c.UserData != uint64(sent) {
						t.Fatalf("completion %d came where %d was next", c.UserData, sent)
					}
					sent++
				}
				head, left = head+uint32(got), left-got
				if v.CQHead.Load() != head || b.Ready() != left {
					t.Fatalf("after Peek the head is %d and %d are ready; want %d and %d", v.CQHead.Load(), b.Ready(), head, left)
				}
			}
		}
	})
}

// A submission may copy completions out early. Somebody else may consume some of
// them (a C program that shares the ring); then the copy is stale.
func TestPeekFollowsAHeadThatSomebodyMoved(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		b := k.Open(t, 16, m.Params())
		v := bt.ViewOf(t, b)
		handOver(t, b, 0, 10)
		submit(t, b, sys.Wait{N: 10}, 10)
		dst := make([]sys.CQE, 3)
		if n := b.Peek(dst); n != 3 || dst[2].UserData != 2 {
			t.Fatalf("Peek = %d, %+v", n, dst)
		}
		v.CQHead.Add(4) // 3 … 6
		if n := b.Ready(); n != 3 {
			t.Errorf("Ready = %d, want 3", n)
		}
		if n := b.Peek(dst[:2]); n != 2 || dst[0].UserData != 7 || dst[1].UserData != 8 {
			t.Errorf("after the head moved from 3 to 7: Peek = %d, %+v", n, dst[:2])
		}
		v.CQHead.Add(^uint32(0)) // and back
		if n := b.Peek(dst); n != 2 || dst[0].UserData != 8 || dst[1].UserData != 9 {
			t.Errorf("after the head moved back to 8: Peek = %d, %+v", n, dst[:2])
		}
		// More completions arrive after the copy was made.
		handOver(t, b, 10, 2)
		submit(t, b, sys.Wait{N: 2}, 2)
		handOver(t, b, 12, 3)
		submit(t, b, sys.Wait{}, 3)
		if got := reap(t, b, 5); !slices.Equal(got, counting(10, 5)) {
			t.Errorf("completions %v", got)
		}
	}, "plain", "defer", "sqpoll", "cqe32")
}

// Completions that find the queue full wait in the kernel. Peek brings over one
// queue full at a time, in one entry, and only when nothing is ready.
func TestPeekFlushesAnOverflowOnce(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		p := m.Params()
		p.Flags |= sys.IORING_SETUP_CQSIZE
		p.CQEntries = 4
		b := k.Open(t, 4, p)
		if b.Params().Features&sys.IORING_FEAT_NODROP == 0 {
			t.Skip("this kernel drops completions that find the queue full")
		}
		for i := range 3 {
			handOver(t, b, 4*i, 4)
			overflowed(t, b, 4)
		}
		if s := b.Status(); s.CQReady != 4 || !s.Overflow {
			t.Fatalf("12 completions in a queue of 4: %+v", s)
		}
		cqes := make([]sys.CQE, 100)
		var all []uint64
		for i, want := range []int{3, 1, 4, 4, 0, 0} {
			dst := cqes
			if i == 0 {
				dst = cqes[:3]
			}
			n := b.Peek(dst)
			if n != want {
				t.Errorf("Peek number %d gave %d, want %d; %+v", i, n, want, b.Status())
			}
			for _, c := range cqes[:n] {
				all = append(all, c.UserData)
			}
		}
		if !slices.Equal(all, counting(0, 12)) {
			t.Errorf("completions %v", all)
		}
		if s := b.Status(); s.Overflow || s.CQOverflow != 0 {
			t.Errorf("after all were reaped: %+v", s)
		}
	}, "plain", "single", "defer", "defer+flag", "coop+flag", "sqpoll", "sqe128", "cqe32", "no_sqarray")
}

// dead puts another file under the ring's descriptor until the function it
// returns is called: whatever enters the kernel then fails.
func dead(t testing.TB, b uring.Backend) (revive func()) {
	t.Helper()
	fd := b.Fd()
	keep, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	put := func(from int) {
		if err := unix.Dup3(from, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	put(null)
	return func() { put(keep); unix.Close(keep) }
}

func TestWhenTheKernelIsEntered(t *testing.T) {
	type call func(b uring.Backend) (int, error)
	doSubmit := func(w sys.Wait) call { return func(b uring.Backend) (int, error) { return b.Submit(w) } }
	doWait := func(w sys.Wait) call { return func(b uring.Backend) (int, error) { return 0, b.Wait(w) } }
	peek := func(b uring.Backend) (int, error) { return b.Peek(make([]sys.CQE, 100)), nil }
	two := func(t testing.TB, b uring.Backend) {
		handOver(t, b, 0, 2)
		submit(t, b, sys.Wait{}, 2)
		if err := waitFor(b, 2); err != nil {
			t.Fatal(err)
		}
	}
	overflow := func(t testing.TB, b uring.Backend) {
		for range 5 {
			handOver(t, b, 0, 2)
			overflowed(t, b, 2)
		}
		if s := b.Status(); !s.Overflow {
			t.Fatalf("10 completions in a queue of 4: %+v", s)
		}
	}
	one := func(t testing.TB, b uring.Backend) {
		if b.Params().Flags&sys.IORING_SETUP_SQPOLL != 0 { // a new thread may begin by falling asleep
			handOver(t, b, 0, 1)
			submit(t, b, sys.Wait{}, 1)
			reap(t, b, 1)
		}
		handOver(t, b, 0, 1)
	}
	nothing := func(testing.TB, uring.Backend) {}
	for _, c := range []struct {
		name   string
		mode   string
		before func(testing.TB, uring.Backend)
		call   call
		enters bool
		n      int // if not
	}{
		{"Submit nothing", "plain", nothing, doSubmit(sys.Wait{}), false, 0},
		{"Submit nothing/defer", "defer", nothing, doSubmit(sys.Wait{}), false, 0},
		{"Submit nothing, completions ready", "plain", two, doSubmit(sys.Wait{}), false, 0},
		{"Submit one", "plain", one, doSubmit(sys.Wait{}), true, 0},
		{"Submit nothing and look", "plain", nothing, doSubmit(sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}), true, 0},
		{"Submit nothing, overflow", "plain", overflow, doSubmit(sys.Wait{}), true, 0},
		{"Submit nothing, timed wait for what is ready", "plain", two, doSubmit(sys.Wait{N: 2, Timeout: time.Second}), false, 0},
		{"Submit nothing, timed wait for more", "plain", two, doSubmit(sys.Wait{N: 3, Timeout: time.Second}), true, 0},
		{"Submit nothing, plain wait for what is ready", "plain", two, doSubmit(sys.Wait{N: 2}), true, 0},
		{"Wait for nothing", "plain", nothing, doWait(sys.Wait{}), false, 0},
		{"Wait for nothing, overflow", "plain", overflow, doWait(sys.Wait{}), true, 0},
		{"Wait for nothing and look", "plain", nothing, doWait(sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}), true, 0},
		{"Wait for what is ready", "plain", two, doWait(sys.Wait{N: 2}), false, 0},
		{"Wait for what is ready, overflow", "plain", overflow, doWait(sys.Wait{N: 4}), false, 0},
		{"timed Wait for what is ready", "plain", two, doWait(sys.Wait{N: 1, Timeout: time.Second}), false, 0},
		{"Wait for more", "plain", two, doWait(sys.Wait{N: 3}), true, 0},
		{"Peek at what is ready", "plain", two, peek, false, 2},
		{"Peek at what is ready, overflow", "plain", overflow, peek, false, 4},
		{"SQPOLL: Submit to a thread that is awake", "sqpoll", one, doSubmit(sys.Wait{}), false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
				p := &sys.Params{Flags: m.Flags | sys.IORING_SETUP_CQSIZE, CQEntries: 4, SQThreadIdle: 60_000}
				b := k.Open(t, 4, p)
				if strings.Contains(c.name, "timed") && b.Params().Features&sys.IORING_FEAT_EXT_ARG == 0 {
					t.Skip("no IORING_FEAT_EXT_ARG")
				}
				c.before(t, b)
				v := bt.ViewOf(t, b)
				tail := v.SQTail.Load()
				revive := dead(t, b)
				n, err := c.call(b)
				revive()
				if entered := err != nil; entered != c.enters || !c.enters && n != c.n {
					t.Fatalf("= %d, %v; enters the kernel: %v, want %v", n, err, entered, c.enters)
				}
				if err == nil {
					return
				}
				var call *os.SyscallError
				if n != 0 || !errors.Is(err, syscall.EOPNOTSUPP) || !errors.As(err, &call) || call.Syscall != "io_uring_enter" {
					t.Errorf("entering with a descriptor that is no ring = %d, %q", n, err)
				}
				// The failed call lost nothing.
				if pending := int(v.SQTail.Load() - v.SQHead.Load()); b.Status().SQReady != pending {
					t.Errorf("after the error: %d entries in the queue, Status %+v, the tail was %d", pending, b.Status(), tail)
				}
				if pending := b.Status().SQReady; pending > 0 {
					submit(t, b, sys.Wait{}, pending)
				}
			}, c.mode)
		})
	}
}

// With IORING_SETUP_DEFER_TASKRUN completions that are not ready at submission
// appear only when the kernel is asked for them; with IORING_SETUP_TASKRUN_FLAG
// a flag in the ring says when to ask, and every call looks at it.
func TestDeferredCompletions(t *testing.T) {
	peek := func(b uring.Backend) (int, error) { return 0, nil }
	for _, c := range []struct {
		name        string
		call        func(b uring.Backend) (int, error)
		defer_      bool // brings them over without the flag
		deferFlag   bool // and with it
		alsoSubmits int
	}{
		{"Ready", peek, false, false, 0},
		{"Peek", func(b uring.Backend) (int, error) { return 0, nil }, false, false, 0},
		{"Submit", func(b uring.Backend) (int, error) { return b.Submit(sys.Wait{}) }, false, true, 0},
		{"Submit an entry", func(b uring.Backend) (int, error) { handOver(t, b, 99, 1); return b.Submit(sys.Wait{}) }, false, true, 1},
		{"Submit and look", func(b uring.Backend) (int, error) { return b.Submit(sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}) }, true, true, 0},
		{"Wait for nothing", func(b uring.Backend) (int, error) { return 0, b.Wait(sys.Wait{}) }, false, true, 0},
		{"Wait for nothing and look", func(b uring.Backend) (int, error) { return 0, b.Wait(sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}) }, true, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
				b := k.Open(t, 8, m.Params())
				flagged := m.Has(sys.IORING_SETUP_TASKRUN_FLAG)
				fd, w := bt.Pipe(t)
				buf := make([]byte, 1)
				b.Queue()[0].PrepRead(fd, buf, 0)
				b.Advance(1)
				submit(t, b, sys.Wait{}, 1)
				unix.Write(w, []byte{1}) // the request completes, as soon as this thread asks
				if s := b.Status(); s.CQReady != 0 || s.TaskRun != flagged {
					t.Fatalf("before the call: %+v", s)
				}
				n, err := c.call(b)
				if n != c.alsoSubmits || err != nil {
					t.Fatalf("= %d, %v", n, err)
				}
				want := c.alsoSubmits
				if flagged && c.deferFlag || !flagged && c.defer_ {
					want++
				}
				if got := b.Ready(); got != want {
					t.Errorf("%d completions ready, want %d; %+v", got, want, b.Status())
				}
				cqes := make([]sys.CQE, 8)
				n = b.Peek(cqes)
				if flagged && want == 0 { // Peek itself asks, if nothing is ready
					want = 1
				}
				if n != want {
					t.Errorf("Peek = %d, want %d", n, want)
				}
			}, "defer", "defer+flag")
		})
	}
}

// A request that the kernel refuses to start ends the submission. The count says
// how far it came; the rest stays queued, in order, and is offered by the next
// Submit. IORING_SETUP_SUBMIT_ALL goes on instead.
func TestSubmitStopsAtABadRequest(t *testing.T) {
	waits := map[string]sys.Wait{
		"plain":    {},
		"look":     {Flags: sys.IORING_ENTER_GETEVENTS},
		"wait":     {N: 6},
		"timeout":  {N: 6, Timeout: 10 * time.Second},
		"minimum":  {N: 6, MinTimeout: 10 * time.Second},
		"sigmask":  {N: 6, Sigmask: new(sys.Sigset)},
		"one":      {N: 1},
		"one, 10s": {N: 1, Timeout: 10 * time.Second},
	}
	for name, w := range waits {
		t.Run(name, func(t *testing.T) {
			bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
				for _, all := range []bool{false, true} {
					p := m.Params()
					if all {
						if p.Flags |= sys.IORING_SETUP_SUBMIT_ALL; bt.KernelSetup(8, *p) == syscall.EINVAL {
							continue
						}
					}
					b := k.Open(t, 8, p)
					needWait(t, b, w)
					step := stepOf(b)
					handOver(t, b, 1, 2)
					q := b.Queue()
					q[0].Opcode = 255
					q[0].UserData = 3
					b.Advance(step)
					handOver(t, b, 4, 3)
					start := time.Now()
					n, err := b.Submit(w)
					if d := time.Since(start); d > 5*time.Second {
						t.Errorf("Submit took %v", d)
					}
					want := 3
					if all {
						want = 6
					}
					if n != want || err != nil {
						t.Fatalf("Submit(%+v) = %d, %v; want %d", w, n, err, want)
					}
					if s := b.Status(); s.SQReady != 6-want || s.SQSpace != 8-(6-want) {
						t.Errorf("after the first Submit: %+v", s)
					}
					submit(t, b, sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}, 6-want)
					cqes := make([]sys.CQE, 8)
					if n := b.Peek(cqes); n != 6 {
						t.Fatalf("Peek = %d, want 6", n)
					}
					// Linux 6.1 posts the failure ahead of its batch.
					slices.SortFunc(cqes[:6], func(a, b sys.CQE) int { return cmp.Compare(a.UserData, b.UserData) })
					for i, c := range cqes[:6] {
						if res, bad := c.Res, i == 2; c.UserData != uint64(i+1) || bad != (res == -int32(syscall.EINVAL)) || !bad && res != 0 {
							t.Errorf("completion %d: %+v", i, c)
						}
					}
				}
			}, "plain", "defer", "sqe128", "no_sqarray")
		})
	}
}

// Under SQ_REWIND what the kernel did not take is dropped.
func TestRewindDropsTheRest(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 8, m.Params())
		for range 3 {
			for i := range 5 {
				s := r.GetSQE()
				s.PrepNop()
				s.UserData = uint64(i)
				if i == 2 {
					s.Opcode = 255
				}
			}
			if n, err := r.Submit(); n != 3 || err != nil {
				t.Fatalf("Submit = %d, %v; want 3", n, err)
			}
			if n, err := r.Submit(); n != 0 || err != nil {
				t.Fatalf("the second Submit = %d, %v; want 0", n, err)
			}
			if s := r.Status(); s.SQReady != 0 || s.SQSpace != 8 || r.Space() != 8 {
				t.Errorf("%+v", s)
			}
			n := 0
			for c := range r.Completions() {
				if c.UserData != uint64(n) {
					t.Errorf("completion %+v", c)
				}
				n++
			}
			if n != 3 {
				t.Errorf("%d completions", n)
			}
		}
	}, "sq_rewind")
}

// Under SQPOLL Submit counts what is newly handed over, not what the thread has
// not taken yet.
func TestSQPollCounts(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		b := k.Open(t, 64, m.Params())
		sent := 0
		for lap := range 200 {
			n := lap % 5
			handOver(t, b, sent, n)
			w := sys.Wait{}
			switch lap % 4 {
			case 1:
				w.Flags = sys.IORING_ENTER_GETEVENTS
			case 2:
				if b.Params().Features&sys.IORING_FEAT_EXT_ARG != 0 {
					w.N = uint32(b.Ready() + 1)
					w.Timeout = time.Millisecond
				}
			case 3:
				w.N = uint32(min(1, n))
			}
			got, err := b.Submit(w)
			if got != n || err != nil && !(errors.Is(err, os.ErrDeadlineExceeded) && w.Timeout != 0) && err != sys.ErrInterrupted {
				t.Fatalf("lap %d: Submit(%+v) = %d, %v; want %d", lap, w, got, err, n)
			}
			sent += n
			if lap%8 == 7 {
				if got := reap(t, b, sent); !slices.Equal(got, counting(0, sent)) {
					t.Fatalf("completions %v", got)
				}
				sent = 0
				settle(t, b)
			}
		}
	}, "sqpoll")
}

// A thread that fell asleep says so, and the next Submit wakes it.
func TestSQPollWakesUp(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		b := k.Open(t, 4, &sys.Params{Flags: m.Flags, SQThreadIdle: 1})
		for i, w := range []sys.Wait{{}, {N: 1}, guarded(b, sys.Wait{N: 1}), {Flags: sys.IORING_ENTER_GETEVENTS}} {
			for start := time.Now(); !b.Status().NeedWakeup; time.Sleep(time.Millisecond) {
				if time.Since(start) > 10*time.Second {
					t.Fatal("the thread does not fall asleep")
				}
			}
			handOver(t, b, i, 1)
			for {
				n, err := b.Submit(w)
				if err == nil || err == sys.ErrInterrupted && n == 0 {
					break
				}
				t.Fatalf("Submit(%+v) = %d, %v", w, n, err)
			}
			if got := reap(t, b, 1); got[0] != uint64(i) {
				t.Fatalf("completion %v", got)
			}
		}
	}, "sqpoll")
}

// nopCQE32 is IORING_NOP_CQE32: the completion has a second half, which holds
// the entry's off and addr.
func nopCQE32(s *sys.SQE, a, b uint64) {
	s.PrepNop()
	s.OpFlags |= uint32(sys.IORING_NOP_CQE32)
	s.Off, s.Addr = a, b
}

// needNopCQE32 skips the test on kernels whose NOP has no second half.
func needNopCQE32(t testing.TB, r *uring.Ring) {
	t.Helper()
	nopCQE32(r.GetSQE(), 5, 6)
	if _, err := r.SubmitWait(sys.Wait{N: 1}); err != nil {
		t.Fatal(err)
	}
	var c [1]sys.CQE32
	if n := r.Peek32(c[:]); n != 1 || c[0].Extra != [2]uint64{5, 6} {
		if c[0].Res != -int32(syscall.EINVAL) && r.Params().Features&sys.IORING_FEAT_NO_IOWAIT != 0 {
			t.Fatalf("Peek32 = %d, %+v", n, c)
		}
		t.Skip("this kernel's NOP has no second half")
	}
}

// The extra halves arrive with their completions: every entry of a CQE32 ring has
// one, on a mixed ring each may; padding before the wrap is not a completion, and
// an overflow loses none of it. Mixed rings are kept from overflowing: Linux 6.18
// then shows an entry twice (a wide completion that finds one free slot before the
// wrap and one after it takes the first for padding and forgets that it has).
func TestWideCompletions(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		for _, cq := range []uint32{4, 8, 64} {
			rng := rand.New(rand.NewPCG(3, uint64(cq)))
			p := &sys.Params{Flags: m.Flags | sys.IORING_SETUP_CQSIZE, CQEntries: cq}
			r := k.Ring(t, 4, p)
			needNopCQE32(t, r)
			var want []sys.CQE32
			next := uint64(1)
			get := func(got []sys.CQE32, halves bool) {
				for _, g := range got {
					if len(want) == 0 {
						t.Fatalf("an unexpected completion: %+v", g)
					}
					w := want[0]
					want = want[1:]
					if !halves {
						w.Extra = [2]uint64{}
					}
					if g.UserData != w.UserData || g.Res != w.Res || g.Extra != w.Extra {
						t.Fatalf("cq of %d: got %+v, want %+v", cq, g, w)
					}
				}
			}
			for lap := range 400 {
				for range rng.IntN(5) {
					if m.Has(sys.IORING_SETUP_CQE_MIXED) && 2*len(want)+3 > int(cq) {
						break
					}
					s := r.GetSQE()
					c := sys.CQE32{CQE: sys.CQE{UserData: next}}
					if rng.IntN(2) == 0 {
						c.Extra = [2]uint64{rng.Uint64(), rng.Uint64()}
						nopCQE32(s, c.Extra[0], c.Extra[1])
					} else {
						s.PrepNop()
					}
					s.UserData = next
					next++
					want = append(want, c)
				}
				if _, err := r.SubmitWait(sys.Wait{}); err != nil {
					t.Fatal(err)
				}
				switch rng.IntN(5) {
				case 0:
					dst := make([]sys.CQE32, rng.IntN(6))
					get(dst[:r.Peek32(dst)], true)
				case 1:
					dst := make([]sys.CQE, rng.IntN(6))
					for _, c := range dst[:r.Peek(dst)] {
						get([]sys.CQE32{{CQE: c}}, false)
					}
				case 2:
					stop := rng.IntN(4)
					for c := range r.Completions32() {
						get([]sys.CQE32{c}, true)
						if stop--; stop < 0 {
							break
						}
					}
				case 3:
					stop := rng.IntN(4)
					for c := range r.Completions() {
						get([]sys.CQE32{{CQE: c}}, false)
						if stop--; stop < 0 {
							break
						}
					}
				}
				if lap%50 == 49 {
					for c := range r.Completions32() {
						get([]sys.CQE32{c}, true)
					}
					if len(want) > 0 {
						t.Fatalf("cq of %d: %d completions did not come, first %+v; %+v", cq, len(want), want[0], r.Status())
					}
				}
			}
		}
	}, "cqe32", "cqe_mixed")
}

// One wide completion at each position of a mixed queue, so that each in turn
// meets the wrap.
func TestMixedCompletionsAtTheWrap(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		for at := range 4 {
			b := k.Open(t, 4, &sys.Params{Flags: m.Flags | sys.IORING_SETUP_CQSIZE, CQEntries: 4})
			handOver(t, b, 0, at)
			submit(t, b, sys.Wait{N: uint32(at)}, at)
			reap(t, b, at)
			nopCQE32(&b.Queue()[0], 11, 12)
			b.Advance(1)
			submit(t, b, sys.Wait{N: 2}, 1)
			slots := 2
			if at == 3 {
				slots = 3 // one of padding
			}
			if n := b.Ready(); n != slots {
				t.Errorf("at slot %d: a wide completion takes %d slots, want %d", at, n, slots)
			}
			var c [4]sys.CQE32
			if n := b.Peek32(c[:]); n != 1 || c[0].Extra != [2]uint64{11, 12} || b.Ready() != 0 {
				t.Errorf("at slot %d: Peek32 = %d, %+v; %d left", at, n, c[0], b.Ready())
			}
		}
	}, "cqe_mixed")
}

// An entry of 128 bytes does not wrap: a lone last slot becomes a NOP that posts
// no completion.
func TestMixedEntriesAtTheWrap(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 4, m.Params())
		rng := rand.New(rand.NewPCG(5, 5))
		for lap := range 200 {
			var want []uint64
			for i := range 1 + rng.IntN(4) {
				if rng.IntN(2) == 0 {
					d := r.GetSQE128()
					if d == nil {
						break
					}
					if *d != (sys.SQE128{}) {
						t.Fatalf("lap %d: GetSQE128 is not zero: %+v", lap, *d)
					}
					d[0].PrepNop128()
					d[0].UserData = uint64(i)
					d[1] = sys.SQE{UserData: ^uint64(0), Opcode: 255} // not looked at
				} else {
					s := r.GetSQE()
					if s == nil {
						break
					}
					s.PrepNop()
					s.UserData = uint64(i)
				}
				want = append(want, uint64(i))
			}
			if _, err := r.SubmitWait(sys.Wait{N: uint32(len(want))}); err != nil {
				t.Fatal(err)
			}
			var got []uint64
			for c := range r.Completions() {
				if c.Res != 0 {
					t.Errorf("lap %d: %+v", lap, c)
				}
				got = append(got, c.UserData)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("lap %d: completions %v, want %v", lap, got, want)
			}
			if s := r.Status(); s.SQReady != 0 || s.SQSpace != 4 {
				t.Fatalf("lap %d: %+v", lap, s)
			}
		}
	}, "sqe_mixed")
}

// A ring that polls for completions finds them only by entering; Peek does. On a
// file system or device without polling the request fails with EOPNOTSUPP, and
// that completion is found the same way.
func TestIOPoll(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		f, err := os.CreateTemp(".", "iopoll-*.tmp")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close(); os.Remove(f.Name()) })
		data := make([]byte, 4096)
		for i := range data {
			data[i] = byte(i * 7)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(f.Name(), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Skipf("no O_DIRECT here: %v", err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		buf := bt.PageAligned(t, 4096)
		b := k.Open(t, 4, &sys.Params{Flags: sys.IORING_SETUP_IOPOLL})
		for _, how := range []string{"peek", "wait", "timed", "look", "peek32"} {
			clear(buf)
			s := &b.Queue()[0]
			s.PrepRead(fd, buf, 0)
			s.UserData = 42
			b.Advance(1)
			switch how {
			case "wait":
				submit(t, b, sys.Wait{N: 1}, 1)
			case "timed":
				submit(t, b, guarded(b, sys.Wait{N: 1}), 1)
			case "look":
				submit(t, b, sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}, 1)
			default:
				submit(t, b, sys.Wait{}, 1)
			}
			var c [2]sys.CQE32
			for start := time.Now(); ; {
				var n int
				if how == "peek32" {
					n = b.Peek32(c[:])
				} else {
					var short [2]sys.CQE
					n = b.Peek(short[:])
					c[0].CQE = short[0]
				}
				if n == 1 {
					break
				}
				if n != 0 || time.Since(start) > 10*time.Second {
					t.Fatalf("%s: Peek = %d", how, n)
				}
			}
			switch c[0].Res {
			case 4096:
				if !slices.Equal(buf, data) {
					t.Errorf("%s: the data read differ", how)
				}
			case -int32(syscall.EOPNOTSUPP):
				t.Logf("%s: no polling on this file system: EOPNOTSUPP", how)
			default:
				t.Errorf("%s: %+v", how, c[0])
			}
			if c[0].UserData != 42 {
				t.Errorf("%s: user data %d", how, c[0].UserData)
			}
		}
		// A request that cannot be polled is refused.
		b.Queue()[0].PrepPollAdd(fd, unix.POLLIN)
		b.Advance(1)
		submit(t, b, sys.Wait{}, 1)
		var c [1]sys.CQE
		if n := b.Peek(c[:]); n != 1 || c[0].Res != -int32(syscall.EINVAL) {
			t.Errorf("a poll on a ring that polls: Peek = %d, %+v; want EINVAL", n, c[0])
		}
	})
}

// Rings in the caller's memory, also without a descriptor, and in memory that
// held a ring before.
func TestNewMem(t *testing.T) {
	for _, flags := range []sys.SetupFlags{
		0, sys.IORING_SETUP_SQE128, sys.IORING_SETUP_CQE32, sys.IORING_SETUP_NO_SQARRAY, sys.IORING_SETUP_REGISTERED_FD_ONLY,
		sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN,
	} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			bt.Each(t, func(t *testing.T, k bt.Backend) {
				bt.NeedKernel(t, flags|sys.IORING_SETUP_NO_MMAP)
				bt.LockThread(t)
				mem := bt.PageAligned(t, 64<<10)
				for lap := range 3 {
					fds := bt.Descriptors(t)
					b, used, err := k.NewMem(8, &sys.Params{Flags: flags}, mem)
					if errors.Is(err, errors.ErrUnsupported) {
						t.Skip(err)
					}
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { b.Close() })
					page := os.Getpagesize()
					if used <= 0 || used > 3*page || used%page != 0 {
						t.Errorf("a ring of 8 entries takes %d bytes", used)
					}
					if only := flags&sys.IORING_SETUP_REGISTERED_FD_ONLY != 0; (b.Fd() < 0) != only {
						t.Errorf("Fd = %d", b.Fd())
					}
					for _, s := range b.Queue() {
						if s != (sys.SQE{}) {
							t.Fatalf("lap %d: Queue is not zero: %+v", lap, s)
						}
					}
					if s := b.Status(); s.SQReady != 0 || s.SQSpace != 8 || s.CQReady != 0 {
						t.Fatalf("lap %d: a new ring's Status is %+v", lap, s)
					}
					for i := range 5 {
						handOver(t, b, i*8, 8)
						submit(t, b, sys.Wait{N: 8}, 8)
						if got := reap(t, b, 8); !slices.Equal(got, counting(i*8, 8)) {
							t.Fatalf("lap %d: completions %v", lap, got)
						}
					}
					handOver(t, b, 0, 3)
					submit(t, b, sys.Wait{N: 3}, 3) // left in the queues
					if err := b.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
					if now := bt.Descriptors(t); !slices.Equal(now, fds) {
						t.Errorf("descriptors before %v, after %v", fds, now)
					}
				}
			})
		})
	}
}

// Memory that the caller lends need not be zero.
func TestNewMemIsNotZero(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		bt.NeedKernel(t, sys.IORING_SETUP_NO_MMAP)
		mem := bt.PageAligned(t, 64<<10)
		for i := range mem {
			mem[i] = 0xA5
		}
		b, _, err := k.NewMem(8, nil, mem)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		q := b.Queue()
		if len(q) != 8 {
			t.Fatalf("Queue has %d slots, want 8; %+v", len(q), b.Status())
		}
		for i, s := range q {
			if s != (sys.SQE{}) {
				t.Fatalf("slot %d is not zero: %+v", i, s)
			}
		}
		if s := b.Status(); s != (sys.Status{SQSpace: 8}) {
			t.Errorf("a new ring's Status is %+v", s)
		}
		handOver(t, b, 0, 8)
		submit(t, b, guarded(b, sys.Wait{N: 8}), 8)
		if got := reap(t, b, 8); !slices.Equal(got, counting(0, 8)) {
			t.Errorf("completions %v", got)
		}
	})
}

// needResize skips the test if the kernel or the library cannot resize.
func needResize(t testing.TB, k bt.Backend, m bt.Mode) {
	t.Helper()
	b := k.Open(t, 8, m.Params())
	_, err := b.Register(sys.IORING_REGISTER_RESIZE_RINGS, sys.PointerTo(&sys.Params{SQEntries: 8}), 1)
	if errors.Is(err, syscall.EINVAL) {
		t.Skip("this kernel does not resize rings")
	}
	if err := b.Close(); err != nil { // its mappings are stale
		t.Fatal(err)
	}
	b = k.Open(t, 8, m.Params())
	if err := b.Resize(8, new(sys.Params)); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
}

// Resize keeps what was handed over and what was not consumed, in order, and
// every slot it gives out afterwards is zero.
func TestResize(t *testing.T) {
	for _, extra := range []sys.SetupFlags{0, sys.IORING_SETUP_CQE32, sys.IORING_SETUP_SQE128} {
		t.Run(fmt.Sprint(extra), func(t *testing.T) {
			bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
				needResize(t, k, m)
				b := k.Open(t, 8, &sys.Params{Flags: m.Flags | extra})
				rng := rand.New(rand.NewPCG(9, 9))
				sent, reaped, waiting := 0, 0, 0
				step := stepOf(b)
				for lap := range 100 {
					room := b.Status().SQSpace
					n := rng.IntN(min(room, int(b.Params().CQEntries)-waiting-(sent-waiting-reaped)) + 1)
					handOver(t, b, sent, n)
					sent, waiting = sent+n, waiting+n
					if rng.IntN(2) == 0 {
						submit(t, b, sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}, waiting)
						waiting = 0
					}
					if rng.IntN(2) == 0 {
						for i := range b.Queue() { // written, not handed over: forgotten by Resize
							b.Queue()[i] = sys.SQE{UserData: ^uint64(0), Addr: 1}
						}
					}
					if rng.IntN(2) == 0 {
						cqes := make([]sys.CQE, rng.IntN(5))
						for _, c := range cqes[:b.Peek(cqes)] {
							if c.UserData != uint64(reaped) {
								t.Fatalf("lap %d: completion %d came where %d was next", lap, c.UserData, reaped)
							}
							reaped++
						}
					}
					p := sys.Params{}
					entries := uint32(1) << rng.IntN(7)
					if rng.IntN(2) == 0 {
						p.Flags, p.CQEntries = sys.IORING_SETUP_CQSIZE, entries<<rng.IntN(3)
					}
					asked := p
					before := b.Params()
					ready := b.Ready()
					err := b.Resize(entries, &p)
					wantSQ, wantCQ := sys.RingEntries(entries, &asked)
					fits := waiting <= int(wantSQ) && ready <= int(wantCQ)
					switch {
					case errors.Is(err, syscall.EOVERFLOW) && !fits:
						if now := b.Params(); now.SQEntries != before.SQEntries || now.CQEntries != before.CQEntries {
							t.Fatalf("lap %d: a refused Resize changed the sizes to %d and %d", lap, now.SQEntries, now.CQEntries)
						}
						for i := range b.Queue() {
							b.Queue()[i] = sys.SQE{}
						}
						wantSQ, wantCQ = before.SQEntries, before.CQEntries
					case err != nil:
						t.Fatalf("lap %d: Resize(%d, %+v) with %d waiting and %d ready: %v", lap, entries, asked, waiting, ready, err)
					case !fits:
						t.Fatalf("lap %d: Resize(%d, %+v) succeeded with %d waiting and %d ready", lap, entries, asked, waiting, ready)
					}
					if now := b.Params(); now.SQEntries != wantSQ || now.CQEntries != wantCQ || now.Flags != before.Flags || now.Features != before.Features {
						t.Fatalf("lap %d: Params %+v, want sizes %d and %d and the rest as before", lap, now, wantSQ, wantCQ)
					}
					if p.Flags != asked.Flags {
						t.Fatalf("lap %d: Resize changed the caller's flags from %v to %v", lap, asked.Flags, p.Flags)
					}
					if s := b.Status(); s.SQReady != waiting || s.SQSpace != int(wantSQ)-waiting || s.CQReady != ready {
						t.Fatalf("lap %d: after Resize %+v, want %d waiting and %d ready", lap, s, waiting, ready)
					}
					for i, s := range b.Queue() {
						if s != (sys.SQE{}) {
							t.Fatalf("lap %d: after Resize slot %d is %+v", lap, i/step, s)
						}
					}
					if lap%10 == 9 {
						submit(t, b, sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}, waiting)
						waiting = 0
						got := reap(t, b, sent-reaped)
						if !slices.Equal(got, counting(reaped, sent-reaped)) {
							t.Fatalf("lap %d: completions %v, want those from %d", lap, got, reaped)
						}
						reaped = sent
					}
				}
			}, "defer")
		})
	}
}

// The same Params can be used for one Resize after another.
func TestResizeTwice(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		needResize(t, k, m)
		b := k.Open(t, 8, m.Params())
		p := sys.Params{Flags: sys.IORING_SETUP_CQSIZE, CQEntries: 64}
		for i, entries := range []uint32{16, 32, 8} {
			err := b.Resize(entries, &p)
			if err != nil {
				t.Fatalf("Resize number %d, to %d: %v", i, entries, err)
			}
			if got := b.Params(); got.SQEntries != entries || got.CQEntries != 64 {
				t.Errorf("sizes %d and %d, want %d and 64", got.SQEntries, got.CQEntries, entries)
			}
		}
	}, "defer")
}
