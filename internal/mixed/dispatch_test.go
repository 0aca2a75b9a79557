//go:build linux && cgo && !uringgo

package mixed

// Threads of C's and goroutines of Go's on one ring at the same time.

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/sys"
)

// dispatchers gives a test a dispatcher of Go's for a ring of Go's, and one of C's
// for a ring of C's.
func dispatchers(t *testing.T, flags sys.SetupFlags, f func(t *testing.T, d *liburing.Dispatcher)) {
	t.Run("go", func(t *testing.T) {
		bt.NeedKernel(t, flags)
		r, err := liburing.New(64, &sys.Params{Flags: flags})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		d, err := liburing.NewDispatcher(r, 6)
		if err != nil {
			t.Fatal(err)
		}
		f(t, d)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := r.Submit(sys.Wait{}); err != nil {
			t.Errorf("the ring after the dispatcher's Close: %v", err)
		}
	})
	t.Run("c", func(t *testing.T) {
		c, _ := open(t, 64, flags)
		p := c.Dispatch(6)
		defer FreeDispatch(p)
		d, err := liburing.AdoptDispatcher(p)
		if err != nil {
			t.Fatal(err)
		}
		f(t, d)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

// prepare hands one NOP over. The caller holds the lock.
func prepare(r *liburing.Ring, data uint64) bool {
	q := r.Queue()
	if len(q) == 0 {
		return false
	}
	q[0].PrepNop()
	q[0].UserData = data
	r.Advance(1)
	return true
}

// worker is mixed_crew's work in Go.
func worker(d *liburing.Dispatcher, n, window int) error {
	tag, err := d.Reserve()
	if err != nil {
		return err
	}
	cqes := make([]sys.CQE, 16)
	sent, done := 0, 0
	for done < n {
		d.Lock()
		for sent < n && sent-done < window && prepare(d.Ring(), tag|uint64(sent)) {
			sent++
		}
		_, err := d.Ring().Submit(sys.Wait{})
		d.Unlock()
		if err != nil && !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		reap := d.Wait
		if done%3 == 0 {
			reap = d.Peek
		}
		k, err := reap(tag, cqes)
		if err != nil {
			return err
		}
		for _, c := range cqes[:k] {
			if c.UserData != tag|uint64(done) || c.Res != 0 || d.Data(c) != uint64(done) {
				return fmt.Errorf("completion %+v with the tag %#x, want number %d", c, tag, done)
			}
			done++
		}
	}
	return d.GiveBack(tag)
}

func TestDispatcherLoad(t *testing.T) {
	n := 25_000
	if testing.Short() {
		n = 1_000
	}
	for _, m := range []bt.Mode{{Name: "plain"}, {Name: "sqpoll", Flags: sys.IORING_SETUP_SQPOLL}} {
		t.Run(m.Name, func(t *testing.T) {
			n := n
			if m.Flags != 0 {
				n /= 10 // the kernel's thread takes one of the machine's cores
			}
			dispatchers(t, m.Flags, func(t *testing.T, d *liburing.Dispatcher) {
				crew := Start(d.Pointer(), 2, n, 8)
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						if err := worker(d, n, 8); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if err := crew.Join(); err != nil {
					t.Error(err)
				}
				if k, err := d.Peek(0, make([]sys.CQE, 8)); k != 0 || err != nil {
					t.Errorf("%d completions without an owner, %v", k, err)
				}
			})
		})
	}
}

// Who waits gets his own while somebody else holds the kernel, and a wait is ended
// by a NOP from outside.
func TestDispatcherHandsOn(t *testing.T) {
	dispatchers(t, 0, func(t *testing.T, d *liburing.Dispatcher) {
		submit := func(data uint64) {
			d.Lock()
			defer d.Unlock()
			if !prepare(d.Ring(), data) {
				t.Error("no room")
			}
			if n, err := d.Ring().Submit(sys.Wait{}); n != 1 || err != nil {
				t.Error(n, err)
			}
		}
		var tags [3]uint64
		for i := range tags {
			var err error
			if tags[i], err = d.Reserve(); err != nil {
				t.Fatal(err)
			}
		}
		got := make(chan uint64)
		for _, tag := range tags {
			go func() {
				var c [4]sys.CQE
				for range 2 {
					if n, err := d.Wait(tag, c[:1]); n != 1 || err != nil {
						t.Error(n, err)
					}
					got <- c[0].UserData
				}
			}()
		}
		for lap := range uint64(2) {
			for _, i := range []int{2, 0, 1} {
				time.Sleep(time.Millisecond)
				submit(tags[i] | lap)
				if u := <-got; u != tags[i]|lap {
					t.Fatalf("got %#x, want %#x", u, tags[i]|lap)
				}
			}
		}
		// What nobody reserved, and what a tag leaves behind, goes to tag 0.
		submit(tags[0] | 7)
		submit(^uint64(0) >> 1)
		if err := d.GiveBack(tags[0]); err != nil {
			t.Fatal(err)
		}
		submit(tags[0] | 8)
		var all []uint64
		for len(all) < 3 {
			var c [8]sys.CQE
			n, err := d.Wait(0, c[:])
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range c[:n] {
				all = append(all, c.UserData)
			}
		}
		if !slices.Contains(all, tags[0]|7) || !slices.Contains(all, tags[0]|8) || !slices.Contains(all, ^uint64(0)>>1) {
			t.Errorf("tag 0 got %#x", all)
		}
		// A box grows.
		for i := range uint64(100) {
			submit(tags[1] | i)
			if i%10 == 0 {
				d.Peek(0, make([]sys.CQE, 1))
			}
		}
		var big []sys.CQE
		for len(big) < 100 {
			var c [64]sys.CQE
			n, err := d.Peek(tags[1], c[:])
			if n == 0 || err != nil {
				t.Fatalf("after %d of 100 from a box: %d, %v", len(big), n, err)
			}
			big = append(big, c[:n]...)
		}
		for i, c := range big {
			if c.UserData != tags[1]|uint64(i) {
				t.Fatalf("completion %d of 100 from a box is %#x", i, c.UserData)
			}
		}
	})
}

func TestBadDispatcher(t *testing.T) {
	bt.Liburing.Need(t)
	r, err := liburing.New(8, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, bits := range []int{-1, 0, 11, 64} {
		if d, err := liburing.NewDispatcher(r, bits); d != nil || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("tags of %d bits: %v, %v", bits, d, err)
		}
	}
	d, err := liburing.NewDispatcher(r, 2)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := d.Reserve()
	b, errB := d.Reserve()
	if a != 1<<62 || b != 2<<62 || errA != nil || errB != nil {
		t.Errorf("tags %#x %v, %#x %v", a, errA, b, errB)
	}
	if _, err := d.Reserve(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a third of two tags: %v", err)
	}
	for _, tag := range []uint64{0, 3 << 62} {
		if err := d.GiveBack(tag); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("GiveBack(%#x): %v", tag, err)
		}
	}
	if err := d.GiveBack(a); err != nil {
		t.Error(err)
	}
	if _, err := d.Wait(a, make([]sys.CQE, 1)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Wait for a tag that was given back: %v", err)
	}
	if n, err := d.Wait(b, nil); n != 0 || err != nil {
		t.Errorf("Wait into nothing: %d, %v", n, err)
	}
	d.Close()
	for what, err := range map[string]error{"Close": d.Close(), "GiveBack": d.GiveBack(b)} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if _, err := d.Peek(b, make([]sys.CQE, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Peek after Close: %v", err)
	}
	r.Close()
	if _, err := liburing.NewDispatcher(r, 4); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a dispatcher for a closed ring: %v", err)
	}
	if _, err := liburing.AdoptDispatcher(nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("AdoptDispatcher(nil): %v", err)
	}
	if wide, err := liburing.New(8, &sys.Params{Flags: sys.IORING_SETUP_CQE32}); err == nil {
		defer wide.Close()
		if _, err := liburing.NewDispatcher(wide, 4); !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("a dispatcher for completions of 32 bytes: %v", err)
		}
	}
}

func TestDispatcherDoesNotAllocate(t *testing.T) {
	dispatchers(t, 0, func(t *testing.T, d *liburing.Dispatcher) {
		tag, err := d.Reserve()
		if err != nil {
			t.Fatal(err)
		}
		var cqes [4]sys.CQE
		trip := func() {
			d.Lock()
			ok := prepare(d.Ring(), tag)
			n, err := d.Ring().Submit(sys.Wait{})
			d.Unlock()
			if !ok || n != 1 || err != nil {
				t.Fatal(ok, n, err)
			}
			if n, err := d.Wait(tag, cqes[:]); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if n := testing.AllocsPerRun(100, trip); n != 0 {
			t.Errorf("%v allocations a trip", n)
		}
	})
}
