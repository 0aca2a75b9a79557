//go:build linux

package uring_test

// The ring that callers see: handing out entries, counting, waiting and reaping,
// over both backends, and over a backend of the test's where it takes one that
// misbehaves on command.

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

// nop puts a NOP with that user data into the ring, which must have room.
func nop(t testing.TB, r *uring.Ring, userData uint64) *uring.SQE {
	t.Helper()
	s := r.GetSQE()
	for start := time.Now(); s == nil; s = r.GetSQE() {
		if r.Params().Flags&sys.IORING_SETUP_SQPOLL == 0 || time.Since(start) > 10*time.Second {
			t.Fatalf("the queue is full: %+v", r.Status())
		}
	}
	s.PrepNop()
	s.UserData = userData
	return s
}

// userData reaps what Completions gives.
func userData(r *uring.Ring) (got []uint64) {
	for c := range r.Completions() {
		got = append(got, c.UserData)
	}
	return got
}

func TestGetSQEUntilFull(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 8, m.Params())
		for lap := range 10 {
			// Laps of 8 entries keep the tail at the start of the queue; an odd one
			// in between moves the wrap into the middle.
			if lap%2 == 1 {
				for range lap {
					nop(t, r, 0)
					if _, err := r.SubmitWait(uring.Wait{N: 1}); err != nil {
						t.Fatal(err)
					}
					userData(r)
				}
				settle(t, r)
			}
			for i := range 8 {
				if space := r.Space(); space != 8-i {
					t.Fatalf("lap %d: Space = %d after %d entries", lap, space, i)
				}
				if s := r.Status(); s.SQReady != i || s.SQSpace != 8-i {
					t.Fatalf("lap %d: Status %+v after %d entries", lap, s, i)
				}
				s := r.GetSQE()
				if s == nil || *s != (uring.SQE{}) {
					t.Fatalf("lap %d: entry %d is %+v", lap, i, s)
				}
				*s = uring.SQE{Off: 1, Addr: 2, Len: 3, UserData: uint64(i + 1), Addr3: 4, Pad2: 5}
			}
			for range 3 {
				if s := r.GetSQE(); s != nil || r.Space() != 0 {
					t.Fatalf("lap %d: a ninth entry of 8: %p, Space %d", lap, s, r.Space())
				}
			}
			if n, err := r.SubmitWait(uring.Wait{N: 8}); n != 8 || err != nil {
				t.Fatalf("SubmitWait = %d, %v", n, err)
			}
			if got := userData(r); !slices.Equal(got, counting(1, 8)) {
				t.Fatalf("lap %d: completions %v", lap, got)
			}
			settle(t, r)
		}
	})
}

// Entries that the kernel refused to look at stay, in order, before those that
// come later.
func TestShortSubmissionsKeepTheOrder(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 16, m.Params())
		rng := rand.New(rand.NewPCG(11, 11))
		var want []int32 // the results to come, in order
		next, seen := uint64(0), uint64(0)
		var queue []bool // entries not taken yet: is it bad?
		for range 500 {
			for range rng.IntN(r.Space() + 1) {
				s := nop(t, r, next)
				next++
				bad := rng.IntN(5) == 0
				res := int32(0)
				if bad {
					s.Opcode, res = 255, -int32(syscall.EINVAL)
				}
				queue, want = append(queue, bad), append(want, res)
			}
			takes := len(queue)
			if i := slices.Index(queue, true); i >= 0 {
				takes = i + 1
			}
			var n int
			var err error
			switch rng.IntN(4) {
			case 0:
				n, err = r.Submit()
			case 1:
				n, err = r.SubmitWait(uring.Wait{})
			case 2:
				n, err = r.SubmitWait(uring.Wait{N: uint32(takes)})
			case 3:
				n, err = r.SubmitWait(guarded(r, uring.Wait{N: uint32(takes)}))
			}
			if n != takes || err != nil {
				t.Fatalf("Submit = %d, %v; want %d of %d", n, err, takes, len(queue))
			}
			queue = queue[n:]
			if s := r.Status(); s.SQReady != len(queue) || r.Space() != 16-len(queue) {
				t.Fatalf("%d entries left: %+v", len(queue), s)
			}
			got := slices.Collect(r.Completions())
			// Linux 6.1 posts a failure ahead of its batch.
			slices.SortFunc(got, func(a, b uring.CQE) int { return cmp.Compare(a.UserData, b.UserData) })
			for _, c := range got {
				if c.UserData != seen || c.Res != want[0] {
					t.Fatalf("completion %+v where %d with result %d was next", c, seen, want[0])
				}
				seen, want = seen+1, want[1:]
			}
			if len(want) != len(queue) {
				t.Fatalf("%d completions are missing", len(want)-len(queue))
			}
		}
	}, "plain", "defer", "sqe128", "cqe32", "no_sqarray")
}

// Three times as many completions as the queue holds: none is lost, and reaping
// and submitting go on in between.
func TestOverflowLosesNothing(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		p := m.Params()
		p.Flags |= sys.IORING_SETUP_CQSIZE
		p.CQEntries = 8
		for _, how := range []string{"Completions", "Peek", "one at a time", "wait first"} {
			r := k.Ring(t, 8, p)
			if r.Params().Features&sys.IORING_FEAT_NODROP == 0 {
				t.Skip("this kernel drops completions that find the queue full")
			}
			sent := 0
			for range 3 {
				for range 8 {
					nop(t, r, uint64(sent))
					sent++
				}
				n, err := r.Submit()
				mayOverflow(t, r, err)
				if n != 8 || err != nil {
					t.Fatalf("%s: Submit = %d, %v", how, n, err)
				}
			}
			if s := r.Status(); s.CQReady != 8 || !s.Overflow {
				t.Fatalf("%s: 24 completions in a queue of 8: %+v", how, s)
			}
			var got []uint64
			cqes := make([]uring.CQE, 3)
			switch how {
			case "Completions":
				for c := range r.Completions() {
					got = append(got, c.UserData)
					if len(got) == 5 { // one more, from within
						nop(t, r, uint64(sent))
						sent++
						if n, err := r.Submit(); n != 1 || err != nil {
							t.Fatalf("Submit in the loop = %d, %v", n, err)
						}
						settle(t, r)
					}
				}
			case "Peek":
				for n := r.Peek(cqes); n > 0; n = r.Peek(cqes) {
					for _, c := range cqes[:n] {
						got = append(got, c.UserData)
					}
				}
			case "one at a time":
				for {
					stop := true
					for c := range r.Completions() {
						got = append(got, c.UserData)
						stop = false
						break
					}
					if stop {
						break
					}
				}
			case "wait first":
				for len(got) < sent {
					if err := r.Wait(guarded(r, uring.Wait{N: 8})); err != nil {
						t.Fatal(err)
					}
					for n := r.Peek(cqes); n > 0; n = r.Peek(cqes) {
						for _, c := range cqes[:n] {
							got = append(got, c.UserData)
						}
						if r.Status().CQReady == 0 {
							break
						}
					}
				}
			}
			if !slices.Equal(got, counting(0, sent)) {
				t.Errorf("%s: completions %v, want 0 … %d", how, got, sent-1)
			}
			if s := r.Status(); s.Overflow || s.CQOverflow != 0 || s.CQReady != 0 {
				t.Errorf("%s: afterwards %+v", how, s)
			}
		}
	}, "plain", "single", "defer", "defer+flag", "coop+flag", "sqpoll", "sqe128", "cqe32")
}

// Iterations may break, nest, peek and submit: every completion comes once, in
// order.
func TestCompletions(t *testing.T) {
	type reaper func(t *testing.T, r *uring.Ring, yield func(uint64))
	reapers := map[string]reaper{
		"break": func(t *testing.T, r *uring.Ring, yield func(uint64)) {
			for range 3 {
				for c := range r.Completions() {
					yield(c.UserData)
					break
				}
			}
		},
		"break, then Peek": func(t *testing.T, r *uring.Ring, yield func(uint64)) {
			for c := range r.Completions() {
				yield(c.UserData)
				break
			}
			cqes := make([]uring.CQE, 2)
			for _, c := range cqes[:r.Peek(cqes)] {
				yield(c.UserData)
			}
			if r.Peek(nil) != 0 || r.Peek32(nil) != 0 {
				t.Error("an empty Peek gave something")
			}
		},
		"break, then Peek32": func(t *testing.T, r *uring.Ring, yield func(uint64)) {
			for c := range r.Completions() {
				yield(c.UserData)
				break
			}
			cqes := make([]uring.CQE32, 3)
			for _, c := range cqes[:r.Peek32(cqes)] {
				yield(c.UserData)
			}
		},
		"break, then Completions32": func(t *testing.T, r *uring.Ring, yield func(uint64)) {
			for c := range r.Completions32() {
				yield(c.UserData)
				break
			}
			for c := range r.Completions() {
				yield(c.UserData)
				break
			}
			for c := range r.Completions32() {
				yield(c.UserData)
			}
		},
		"nested": func(t *testing.T, r *uring.Ring, yield func(uint64)) {
			for c := range r.Completions() {
				yield(c.UserData)
				for c := range r.Completions() {
					yield(c.UserData)
					if c.UserData%3 == 0 {
						break
					}
				}
			}
		},
		"Peek inside": func(t *testing.T, r *uring.Ring, yield func(uint64)) {
			cqes := make([]uring.CQE, 2)
			for c := range r.Completions() {
				yield(c.UserData)
				for _, c := range cqes[:r.Peek(cqes)] {
					yield(c.UserData)
				}
			}
		},
		"two iterators": func(t *testing.T, r *uring.Ring, yield func(uint64)) {
			a, stopA := iter.Pull(r.Completions())
			defer stopA()
			b, stopB := iter.Pull(r.Completions())
			defer stopB()
			for {
				c, ok := a()
				if !ok {
					return
				}
				yield(c.UserData)
				if c, ok = b(); !ok {
					return
				}
				yield(c.UserData)
			}
		},
		"again after the end": func(t *testing.T, r *uring.Ring, yield func(uint64)) {
			seq := r.Completions()
			for range 2 {
				for c := range seq {
					yield(c.UserData)
				}
			}
		},
	}
	for name, reap := range reapers {
		t.Run(name, func(t *testing.T) {
			bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
				r := k.Ring(t, 128, m.Params())
				sent, next := uint64(0), uint64(0)
				for lap := range 40 {
					n := 1 + lap*7%128
					for range n {
						nop(t, r, sent)
						sent++
					}
					if got, err := r.SubmitWait(uring.Wait{N: uint32(n)}); got != n || err != nil {
						t.Fatalf("SubmitWait = %d, %v", got, err)
					}
					reap(t, r, func(userData uint64) {
						if userData != next {
							t.Fatalf("completion %d came where %d was next", userData, next)
						}
						next++
						if userData%50 == 17 { // submit from within
							nop(t, r, sent)
							sent++
							if got, err := r.SubmitWait(uring.Wait{}); got != 1 || err != nil {
								t.Fatalf("SubmitWait inside = %d, %v", got, err)
							}
						}
					})
					for c := range r.Completions() {
						if c.UserData != next {
							t.Fatalf("completion %d came where %d was next", c.UserData, next)
						}
						next++
					}
					settle(t, r)
				}
				if r.Wait(uring.Wait{}); next != sent {
					next += uint64(len(userData(r)))
				}
				if next != sent {
					t.Errorf("%d of %d completions came", next, sent)
				}
			}, "plain", "defer", "cqe32", "sqpoll")
		})
	}
}

// What an iteration left behind is given first, and no longer counts as ready.
func TestBreakLeavesTheRest(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 8, m.Params())
		for i := range 5 {
			nop(t, r, uint64(i))
		}
		if _, err := r.SubmitWait(uring.Wait{N: 5}); err != nil {
			t.Fatal(err)
		}
		for c := range r.Completions() {
			if c.UserData == 1 {
				break
			}
		}
		if s := r.Status(); s.CQReady != 0 {
			t.Errorf("after the break: %+v", s)
		}
		needWait(t, r, uring.Wait{N: 2, Timeout: 1})
		nop(t, r, 5)
		if n, err := r.SubmitWait(uring.Wait{N: 2, Timeout: 30 * time.Millisecond}); n != 1 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a wait for 2 with 1 in the kernel's queue and 3 left behind = %d, %v", n, err)
		}
		cqes := make([]uring.CQE, 2)
		if n := r.Peek(cqes); n != 2 || cqes[0].UserData != 2 || cqes[1].UserData != 3 {
			t.Errorf("Peek = %d, %+v", n, cqes)
		}
		if got := userData(r); !slices.Equal(got, []uint64{4, 5}) {
			t.Errorf("Completions gave %v", got)
		}
	}, "plain", "defer", "cqe32")
}

// later runs f after d, unless the test has ended by then.
func later(t testing.TB, d time.Duration, f func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	timer := time.AfterFunc(d, func() { f(); wg.Done() })
	t.Cleanup(func() {
		if timer.Stop() {
			wg.Done()
		}
		wg.Wait()
	})
}

// readLater queues a read that completes after d.
func readLater(t testing.TB, r *uring.Ring, d time.Duration, userData uint64) {
	t.Helper()
	if p := r.Params(); p.Flags&sys.IORING_SETUP_SQPOLL != 0 && p.Features&sys.IORING_FEAT_SQPOLL_NONFIXED == 0 {
		t.Skip("this kernel's SQPOLL takes registered files only")
	}
	fd, w := bt.Pipe(t)
	buf := make([]byte, 1)
	s := r.GetSQE()
	s.PrepRead(fd, buf, 0)
	s.UserData = userData
	later(t, d, func() {
		if _, err := unix.Write(w, buf); err != nil {
			t.Error(err)
		}
	})
}

const ms = time.Millisecond

// aWait is a call that waits, made with SubmitWait or with Submit and Wait.
type aWait struct {
	name string
	wait func(r *uring.Ring, w uring.Wait) (int, error)
}

var bothWaits = []aWait{
	{"SubmitWait", func(r *uring.Ring, w uring.Wait) (int, error) { return r.SubmitWait(w) }},
	{"Wait", func(r *uring.Ring, w uring.Wait) (int, error) {
		n, err := r.Submit()
		if err != nil {
			return n, err
		}
		return n, r.Wait(w)
	}},
}

// When a wait ends: exactly at its deadline while too few are ready, as soon as
// enough are, and with MinTimeout as soon as that has passed and one is.
func TestWait(t *testing.T) {
	const never = time.Hour
	const soon = 3 * time.Second // for the machine may be busy
	for _, c := range []struct {
		name    string
		at      []time.Duration // when requests complete
		wait    uring.Wait
		want    error
		atLeast time.Duration // it must not end before
		before  time.Duration // nor after
		ready   int           // at least, at its end
	}{
		{"one of one", []time.Duration{8 * ms}, uring.Wait{N: 1}, nil, 8 * ms, 0, 1},
		{"two of two", []time.Duration{8 * ms, 20 * ms}, uring.Wait{N: 2}, nil, 20 * ms, 0, 2},
		{"two of two, in time", []time.Duration{8 * ms, 20 * ms}, uring.Wait{N: 2, Timeout: time.Minute}, nil, 20 * ms, 30 * time.Second, 2},
		{"none", []time.Duration{never}, uring.Wait{N: 1, Timeout: 20 * ms}, os.ErrDeadlineExceeded, 20 * ms, soon, 0},
		{"one of two", []time.Duration{8 * ms, never}, uring.Wait{N: 2, Timeout: 25 * ms}, os.ErrDeadlineExceeded, 25 * ms, soon, 0},
		{"two of three", []time.Duration{5 * ms, 10 * ms, never}, uring.Wait{N: 3, Timeout: 25 * ms}, os.ErrDeadlineExceeded, 25 * ms, soon, 0},
		{"1 ns", []time.Duration{never}, uring.Wait{N: 1, Timeout: 1}, os.ErrDeadlineExceeded, 1, soon, 0},
		{"centuries", []time.Duration{10 * ms}, uring.Wait{N: 1, Timeout: math.MaxInt64}, nil, 10 * ms, 0, 1},
		{"nothing", []time.Duration{never}, uring.Wait{Timeout: time.Minute}, nil, 0, soon, 0},
		{"minimum, all there before", []time.Duration{8 * ms, 16 * ms}, uring.Wait{N: 2, MinTimeout: time.Minute, Timeout: time.Hour}, nil, 16 * ms, soon, 2},
		{"minimum, one there", []time.Duration{5 * ms, never}, uring.Wait{N: 2, MinTimeout: 25 * ms, Timeout: time.Minute}, nil, 25 * ms, soon, 1},
		{"minimum, one there, no timeout", []time.Duration{5 * ms, never}, uring.Wait{N: 2, MinTimeout: 25 * ms}, nil, 25 * ms, soon, 1},
		{"minimum, one comes after", []time.Duration{30 * ms, never}, uring.Wait{N: 2, MinTimeout: 10 * ms, Timeout: time.Minute}, nil, 30 * ms, soon, 1},
		{"minimum, one comes after, no timeout", []time.Duration{30 * ms, never}, uring.Wait{N: 2, MinTimeout: 10 * ms}, nil, 30 * ms, soon, 1},
		{"minimum, none", []time.Duration{never}, uring.Wait{N: 2, MinTimeout: 10 * ms, Timeout: 30 * ms}, os.ErrDeadlineExceeded, 30 * ms, soon, 0},
		{"minimum above the timeout, none", []time.Duration{never}, uring.Wait{N: 2, MinTimeout: 2 * soon, Timeout: 20 * ms}, os.ErrDeadlineExceeded, 20 * ms, soon, 0},
		{"minimum above the timeout, one", []time.Duration{5 * ms, never}, uring.Wait{N: 2, MinTimeout: 2 * soon, Timeout: 25 * ms}, os.ErrDeadlineExceeded, 25 * ms, soon, 0},
		{"minimum of 1 ns", []time.Duration{10 * ms, never}, uring.Wait{N: 2, MinTimeout: 1, Timeout: time.Minute}, nil, 10 * ms, soon, 1},
	} {
		for _, how := range bothWaits {
			t.Run(how.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
					r := k.Ring(t, 8, m.Params())
					needWait(t, r, c.wait)
					start := time.Now()
					for i, d := range c.at {
						readLater(t, r, d, uint64(i))
					}
					n, err := how.wait(r, c.wait)
					took := time.Since(start)
					if n != len(c.at) || !errors.Is(err, c.want) || err != nil && c.want == nil {
						t.Errorf("= %d, %v; want %d, %v", n, err, len(c.at), c.want)
					}
					if took < c.atLeast || c.before > 0 && took > c.before {
						t.Errorf("took %v; want at least %v and less than %v", took, c.atLeast, c.before)
					}
					ready := r.Status().CQReady
					if ready < c.ready || c.want != nil && ready >= int(c.wait.N) {
						t.Errorf("%d completions ready after %v, want %d", ready, err, c.ready)
					}
				}, "plain", "defer", "sqpoll")
			})
		}
	}
}

// A number above the size of the completion queue waits for a full queue, also
// the largest one.
func TestWaitForMoreThanTheQueueHolds(t *testing.T) {
	for _, n := range []uint32{5, 100, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32} {
		for _, how := range bothWaits {
			t.Run(fmt.Sprint(how.name, " for ", n), func(t *testing.T) {
				bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
					signals := bt.Storm(t)
					p := m.Params()
					p.Flags |= sys.IORING_SETUP_CQSIZE
					p.CQEntries = 4
					r := k.Ring(t, 4, p)
					for i := range 4 {
						readLater(t, r, time.Duration(i)*10*ms, uint64(i))
					}
					if got, err := how.wait(r, guarded(r, uring.Wait{N: n})); got != 4 || err != nil {
						t.Errorf("= %d, %v", got, err)
					}
					if s := r.Status(); s.CQReady != 4 {
						t.Errorf("came back with %+v; %d signals", s, signals())
					}
					// Full already, and then with an overflow behind it.
					if got, err := how.wait(r, guarded(r, uring.Wait{N: n})); got != 0 || err != nil {
						t.Errorf("on a full queue = %d, %v", got, err)
					}
					if n > math.MaxInt32 {
						return // see below: if this fails, the process cannot be killed
					}
					if r.Params().Features&sys.IORING_FEAT_NODROP == 0 {
						return
					}
					nop(t, r, 9)
					if got, err := how.wait(r, guarded(r, uring.Wait{N: n})); got != 1 || err != nil {
						t.Errorf("on a queue that overflows = %d, %v", got, err)
					}
				}, "plain", "defer")
			})
		}
	}
}

// A request of the kind IORING_OP_TIMEOUT makes the kernel wake up whoever waits,
// also when it posts no completion. The wait goes on. (With a signal mask and a
// completion ready the kernel gives the same answer for a signal, so there the
// request is a silent one.)
func TestATimeoutRequestDoesNotEndAWait(t *testing.T) {
	for _, c := range []struct {
		name   string
		silent bool
		wait   uring.Wait
		want   error
	}{
		{"plain", false, uring.Wait{N: 2}, nil},
		{"plain", true, uring.Wait{N: 1}, nil},
		{"timed", false, uring.Wait{N: 2, Timeout: time.Minute}, nil},
		{"timed", true, uring.Wait{N: 1, Timeout: time.Minute}, nil},
		{"sigmask", true, uring.Wait{N: 1, Sigmask: new(sys.Sigset)}, nil},
		{"sigmask, timed", true, uring.Wait{N: 1, Timeout: time.Minute, Sigmask: new(sys.Sigset)}, nil},
		{"minimum", false, uring.Wait{N: 2, MinTimeout: time.Minute}, nil},
		{"minimum", true, uring.Wait{N: 1, MinTimeout: time.Minute}, nil},
		{"deadline", false, uring.Wait{N: 3, Timeout: 45 * ms}, os.ErrDeadlineExceeded},
		{"deadline", true, uring.Wait{N: 2, Timeout: 45 * ms}, os.ErrDeadlineExceeded},
	} {
		if c.wait.Sigmask != nil {
			*c.wait.Sigmask = ^sys.Sigset(0) // no signal at all
		}
		for _, how := range bothWaits {
			t.Run(fmt.Sprintf("%s/%s/%v", how.name, c.name, c.silent), func(t *testing.T) {
				t.Parallel()
				bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
					r := k.Ring(t, 8, m.Params())
					needWait(t, r, c.wait)
					ts := sys.KernelTimespec(10 * ms)
					s := r.GetSQE()
					s.PrepTimeout(&ts, 0, 0)
					s.UserData = 1
					if c.silent {
						if r.Params().Features&sys.IORING_FEAT_CQE_SKIP == 0 {
							t.Skip("no IORING_FEAT_CQE_SKIP")
						}
						s.OpFlags |= uint32(sys.IORING_TIMEOUT_ETIME_SUCCESS)
						s.Flags |= sys.IOSQE_CQE_SKIP_SUCCESS
					}
					start := time.Now()
					readLater(t, r, 30*ms, 2)
					n, err := how.wait(r, c.wait)
					if n != 2 || !errors.Is(err, c.want) || err != nil && c.want == nil {
						t.Errorf("= %d, %v; want 2, %v", n, err, c.want)
					}
					if took := time.Since(start); took < 30*ms {
						t.Errorf("came back after %v with %+v", took, r.Status())
					}
					runtime.KeepAlive(&ts)
				}, "plain", "defer", "sqpoll")
			})
		}
	}
}

// A ring that is made disabled refuses to submit, in a sentence, until it is
// enabled, and loses nothing meanwhile.
func TestDisabledRing(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		p := m.Params()
		p.Flags |= sys.IORING_SETUP_R_DISABLED
		r := k.Ring(t, 4, p)
		for i := range 3 {
			nop(t, r, uint64(i))
			for _, w := range []uring.Wait{{}, {N: 1}, guarded(r, uring.Wait{N: 1})} {
				n, err := r.SubmitWait(w)
				if n != 0 || !errors.Is(err, syscall.EBADFD) || !strings.Contains(err.Error(), "IORING_SETUP_R_DISABLED") {
					t.Fatalf("SubmitWait(%+v) on a disabled ring = %d, %v", w, n, err)
				}
			}
			if n, err := r.Submit(); n != 0 || !errors.Is(err, syscall.EBADFD) {
				t.Fatalf("Submit on a disabled ring = %d, %v", n, err)
			}
			if s := r.Status(); s.SQReady != i+1 || s.SQSpace != 3-i {
				t.Fatalf("after refused submissions: %+v", s)
			}
		}
		if _, err := r.Backend().Register(sys.IORING_REGISTER_ENABLE_RINGS, nil, 0); err != nil {
			t.Fatal(err)
		}
		nop(t, r, 3)
		n, err := r.SubmitWait(uring.Wait{N: 4})
		if errors.Is(err, syscall.EBADFD) && r.Params().Features&sys.IORING_FEAT_EXT_ARG == 0 {
			t.Skip("this kernel forgets that the ring was enabled (Linux 5.10.46 does)")
		}
		if n != 4 || err != nil {
			t.Fatalf("SubmitWait after enabling = %d, %v", n, err)
		}
		if got := userData(r); !slices.Equal(got, counting(0, 4)) {
			t.Errorf("completions %v", got)
		}
	}, "plain", "single", "defer")
}

// A clone of the Wait semantics that needs no time: a backend that does what the
// test says.
type fakeBackend struct {
	uring.Backend // nil: calls that no test expects panic
	p             sys.Params

	slots      []sys.SQE
	head, tail int
	taken      []sys.SQE // all that was submitted

	submit func(w sys.Wait, offered int) (taken int, err error)
	wait   func(w sys.Wait) error
	ready  func() int
	close  func() error
}

func fake(entries int, flags sys.SetupFlags) *fakeBackend {
	return &fakeBackend{
		p:     sys.Params{SQEntries: uint32(entries), CQEntries: uint32(2 * entries), Flags: flags},
		slots: make([]sys.SQE, entries),
		ready: func() int { return 0 },
	}
}

func (f *fakeBackend) Params() sys.Params { return f.p }
func (f *fakeBackend) Fd() int            { return 3 }
func (f *fakeBackend) Ready() int         { return f.ready() }
func (f *fakeBackend) Peek([]sys.CQE) int { return 0 }
func (f *fakeBackend) Close() error       { return f.close() }

func (f *fakeBackend) Queue() []sys.SQE {
	at := f.tail % len(f.slots)
	w := f.slots[at:min(len(f.slots), at+len(f.slots)-(f.tail-f.head))]
	clear(w)
	return w
}

func (f *fakeBackend) Advance(n int) { f.tail += n }

func (f *fakeBackend) Status() sys.Status {
	return sys.Status{SQReady: f.tail - f.head, SQSpace: len(f.slots) - (f.tail - f.head)}
}

func (f *fakeBackend) Submit(w sys.Wait) (int, error) {
	n, err := f.tail-f.head, error(nil)
	if f.submit != nil {
		n, err = f.submit(w, n)
	}
	for range n {
		f.taken = append(f.taken, f.slots[f.head%len(f.slots)])
		f.head++
	}
	return n, err
}

func (f *fakeBackend) Wait(w sys.Wait) error {
	if w.N == 0 && f.wait == nil {
		return nil // only looks
	}
	return f.wait(w)
}

// A large entry never wraps, and a NOP is spent only where one would have.
func TestLargeEntriesOnAMixedRing(t *testing.T) {
	for _, entries := range []int{2, 4, 8} {
		f := fake(entries, sys.IORING_SETUP_SQE_MIXED)
		r := uring.NewRing(f)
		rng := rand.New(rand.NewPCG(1, uint64(entries)))
		f.submit = func(w sys.Wait, offered int) (int, error) {
			if rng.IntN(3) == 0 {
				return rng.IntN(offered + 1), nil
			}
			return offered, nil
		}
		next := uint64(1)
		for range 3000 {
			space := r.Space()
			at := (f.tail + r.Status().SQReady - (f.tail - f.head)) % entries // where the next entry goes
			switch rng.IntN(4) {
			case 0, 1:
				s := r.GetSQE()
				if (s == nil) != (space == 0) {
					t.Fatalf("GetSQE = %p with space for %d", s, space)
				}
				if s != nil {
					*s = sys.SQE{UserData: next}
					next++
				}
			case 2:
				need := 2
				if at == entries-1 {
					need = 3
				}
				d := r.GetSQE128()
				if (d == nil) != (space < need) {
					t.Fatalf("%d entries, next at %d: GetSQE128 = %p with space for %d", entries, at, d, space)
				}
				if d == nil && r.Space() != space {
					t.Fatalf("%d entries, next at %d: a GetSQE128 that gave nothing took %d of %d slots", entries, at, space-r.Space(), space)
				}
				if d != nil {
					if r.Space() != space-need {
						t.Fatalf("%d entries, next at %d: GetSQE128 took %d slots, want %d", entries, at, space-r.Space(), need)
					}
					if *d != (sys.SQE128{}) {
						t.Fatalf("GetSQE128 is not zero: %+v", *d)
					}
					d[0] = sys.SQE{UserData: next, Opcode: sys.IORING_OP_NOP128}
					d[1] = sys.SQE{UserData: next + 1}
					next += 2
				}
			case 3:
				if _, err := r.Submit(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for f.head != f.tail || r.Status().SQReady > 0 {
			r.Submit()
		}
		want := uint64(1)
		for i, s := range f.taken {
			if s == (sys.SQE{Fd: -1, Flags: sys.IOSQE_CQE_SKIP_SUCCESS}) && i%entries == entries-1 {
				continue // padding
			}
			if s.UserData != want {
				t.Fatalf("%d entries: entry number %d is %+v, want user data %d", entries, i, s, want)
			}
			if s.Opcode == sys.IORING_OP_NOP128 && i%entries == entries-1 {
				t.Fatalf("%d entries: the large entry %d wraps", entries, want)
			}
			want++
		}
		if want != next {
			t.Errorf("%d entries: %d of %d entries were submitted", entries, want-1, next-1)
		}
	}
}

// A signal before anything was done starts the same call again; a count beside a
// signal is not lost.
func TestSubmitAfterASignal(t *testing.T) {
	type result struct {
		n   int
		err error
	}
	for _, c := range []struct {
		name    string
		flags   sys.SetupFlags
		results []result
		want    int
	}{
		{"before anything", 0, []result{{0, sys.ErrInterrupted}, {0, sys.ErrInterrupted}, {3, nil}}, 3},
		{"with the thread's count", sys.IORING_SETUP_SQPOLL, []result{{3, sys.ErrInterrupted}, {0, nil}}, 3},
	} {
		for _, wait := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, wait %v", c.name, wait), func(t *testing.T) {
				f := fake(4, c.flags)
				results := c.results
				f.submit = func(sys.Wait, int) (int, error) {
					got := results[0]
					results = results[1:]
					return got.n, got.err
				}
				r := uring.NewRing(f)
				for i := range 3 {
					r.GetSQE().UserData = uint64(i)
				}
				var n int
				var err error
				if wait {
					n, err = r.SubmitWait(uring.Wait{})
				} else {
					n, err = r.Submit()
				}
				if n != c.want || err != nil {
					t.Errorf("= %d, %v; want %d, nil", n, err, c.want)
				}
			})
		}
	}
}

// The deadline of a wait is absolute: signals, early ends and what they leave do
// not move it, however often they come.
func TestTheDeadlineIsAbsolute(t *testing.T) {
	for _, w := range []uring.Wait{
		{N: 2, Timeout: 100 * ms},
		{N: 2, Timeout: 100 * ms, MinTimeout: 30 * ms},
		{N: 2, Timeout: 100 * ms, MinTimeout: 300 * ms},
	} {
		for _, early := range []error{nil, sys.ErrInterrupted, os.ErrDeadlineExceeded} {
			for _, how := range bothWaits {
				t.Run(fmt.Sprintf("%s/%v/%v,%v", how.name, early, w.Timeout, w.MinTimeout), func(t *testing.T) {
					f := fake(4, 0)
					start := time.Now()
					last := w.Timeout
					sleep := func(now sys.Wait) {
						left := time.Until(start.Add(w.Timeout))
						if now.Timeout <= 0 || now.Timeout > last || now.Timeout < left-time.Millisecond {
							t.Errorf("%v before the deadline the backend was told to wait %v, after %v", left, now.Timeout, last)
						}
						if now.MinTimeout > now.Timeout {
							t.Errorf("the backend was told to wait at least %v of %v", now.MinTimeout, now.Timeout)
						}
						last = now.Timeout
						time.Sleep(min(7*ms, now.Timeout))
					}
					f.submit = func(now sys.Wait, n int) (int, error) {
						if now.N > 0 {
							sleep(now)
						}
						return n, nil
					}
					f.wait = func(now sys.Wait) error { sleep(now); return early }
					r := uring.NewRing(f)
					r.GetSQE()
					n, err := how.wait(r, w)
					if took := time.Since(start); n != 1 || err != os.ErrDeadlineExceeded || took < w.Timeout || took > w.Timeout+3*time.Second {
						t.Errorf("= %d, %v after %v", n, err, took)
					}
				})
			}
		}
	}
}

// However many signals come before the kernel has taken anything, the deadline
// stands.
func TestTheDeadlineIsAbsoluteBeforeTheFirstEntry(t *testing.T) {
	f := fake(4, 0)
	start := time.Now()
	f.submit = func(w sys.Wait, n int) (int, error) {
		time.Sleep(min(10*ms, w.Timeout))
		if time.Since(start) > 5*time.Second {
			return 0, errors.New("the deadline of 100 ms was forgotten")
		}
		return 0, sys.ErrInterrupted
	}
	f.wait = func(w sys.Wait) error { return sys.ErrInterrupted }
	r := uring.NewRing(f)
	r.GetSQE()
	n, err := r.SubmitWait(uring.Wait{N: 1, Timeout: 100 * ms})
	if took := time.Since(start); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took > 3*time.Second {
		t.Errorf("= %d, %v after %v", n, err, took)
	}
}

// An error that is neither a signal nor a deadline ends a wait, and what the
// kernel took is still told.
func TestWaitErrors(t *testing.T) {
	broken := errors.New("broken")
	f := fake(4, 0)
	f.wait = func(sys.Wait) error { return broken }
	r := uring.NewRing(f)
	r.GetSQE()
	if n, err := r.SubmitWait(uring.Wait{N: 1}); n != 1 || err != broken {
		t.Errorf("SubmitWait = %d, %v", n, err)
	}
	if err := r.Wait(uring.Wait{N: 1}); err != broken {
		t.Errorf("Wait = %v", err)
	}
	if err := r.Wait(uring.Wait{}); err != broken {
		t.Errorf("Wait for nothing = %v", err)
	}
	f.submit = func(sys.Wait, int) (int, error) { return 0, broken }
	r.GetSQE().UserData = 7
	for range 2 {
		if n, err := r.Submit(); n != 0 || err != broken {
			t.Errorf("Submit = %d, %v", n, err)
		}
	}
	f.submit = nil
	if n, err := r.Submit(); n != 1 || err != nil || f.taken[len(f.taken)-1].UserData != 7 {
		t.Errorf("Submit = %d, %v; the backend got %+v", n, err, f.taken)
	}
}

// The kernel keeps the number to wait for in an int, and so does Go on 32-bit
// systems. Linux 6.18 waits for ever for a number above that, in a loop that not
// even SIGKILL ends if there is an overflow: no such number may reach it.
func TestTheLargestNumberToWaitFor(t *testing.T) {
	for _, n := range []uint32{8, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32} {
		for _, how := range bothWaits {
			f := fake(4, 0) // completion queue of 8
			ready, calls := 3, 0
			f.ready = func() int { return ready }
			f.submit = func(w sys.Wait, n int) (int, error) { return n, nil }
			f.wait = func(w sys.Wait) error {
				if calls++; calls == 3 {
					ready = 8
				}
				if w.N < 8 || w.N > math.MaxInt32 {
					t.Errorf("of a queue of 8 the backend was told to wait for %d", w.N)
				}
				return sys.ErrInterrupted
			}
			r := uring.NewRing(f)
			r.GetSQE()
			if got, err := how.wait(r, uring.Wait{N: n}); got != 1 || err != nil || calls != 3 {
				t.Errorf("%s for %d = %d, %v after %d waits with %d ready; want 1, nil after 3", how.name, n, got, err, calls, ready)
			}
		}
	}
}

// A Close that fails leaves a ring that is either open and whole or closed: what
// GetSQE gave out is neither lost nor written into memory that is gone.
func TestCloseThatFails(t *testing.T) {
	broken := errors.New("broken")
	f := fake(4, 0)
	f.close = func() error { return broken }
	r := uring.NewRing(f)
	r.GetSQE().UserData = 1
	if err := r.Close(); err != broken {
		t.Errorf("Close = %v", err)
	}
	// Still open: the entry is there.
	if n, err := r.Submit(); n != 1 || err != nil || len(f.taken) != 1 || f.taken[0].UserData != 1 {
		t.Errorf("after a Close that failed, Submit = %d, %v; the backend got %+v", n, err, f.taken)
	}
	// Closed all the same: no slot of the old window is given out.
	old := f.slots
	f.close = func() error { f.slots, f.head, f.tail = make([]sys.SQE, 4), 0, 0; return broken }
	r.GetSQE()
	r.Close()
	if s := r.GetSQE(); s == &old[1] || s == &old[2] {
		t.Error("after Close GetSQE gives a slot of the memory that was released")
	}
}
