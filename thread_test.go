//go:build linux

package uring_test

// Signals and threads: nothing shortens a wait, a ring that belongs to a thread
// says so and loses nothing, and one goroutine may submit while another reaps.

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
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

func TestSignalsDoNotShortenAWait(t *testing.T) {
	for _, c := range []struct {
		name    string
		wait    uring.Wait
		want    error
		atLeast time.Duration
		ready   int
	}{
		{"plain", uring.Wait{N: 2}, nil, 40 * ms, 2},
		{"timed", uring.Wait{N: 2, Timeout: time.Minute}, nil, 40 * ms, 2},
		{"deadline", uring.Wait{N: 3, Timeout: 60 * ms}, os.ErrDeadlineExceeded, 60 * ms, 0},
		{"minimum", uring.Wait{N: 3, MinTimeout: 60 * ms}, nil, 60 * ms, 1},
		{"minimum passes first", uring.Wait{N: 3, MinTimeout: 5 * ms}, nil, 20 * ms, 1},
		{"nothing", uring.Wait{}, nil, 0, 0},
	} {
		for _, how := range bothWaits {
			t.Run(how.name+"/"+c.name, func(t *testing.T) {
				bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
					sent := bt.Storm(t)
					r := k.Ring(t, 8, m.Params())
					needWait(t, r, c.wait)
					start := time.Now()
					readLater(t, r, 20*ms, 1)
					readLater(t, r, 40*ms, 2)
					n, err := how.wait(r, c.wait)
					took, signals := time.Since(start), sent()
					if n != 2 || !errors.Is(err, c.want) || err != nil && c.want == nil {
						t.Errorf("= %d, %v; want 2, %v", n, err, c.want)
					}
					if ready := r.Status().CQReady; took < c.atLeast || ready < c.ready {
						t.Errorf("came back after %v with %d ready, %d signals; want %v and %d", took, ready, signals, c.atLeast, c.ready)
					}
					if c.atLeast > 0 && signals == 0 {
						t.Errorf("no signal in %v: this tested nothing", took)
					}
				}, "plain", "defer", "defer+flag", "coop+flag", "sqpoll")
			})
		}
	}
}

// Under the same storm no submission is lost or counted wrong.
func TestSignalsDoNotDisturbSubmission(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		bt.Storm(t)
		r := k.Ring(t, 32, m.Params())
		sent, seen := uint64(0), uint64(0)
		for start := time.Now(); time.Since(start) < 100*ms; {
			for lap := range 64 {
				n := 1 + lap%32
				for range n {
					nop(t, r, sent)
					sent++
				}
				var got int
				var err error
				switch lap % 4 {
				case 0:
					if got, err = r.Submit(); err == nil {
						err = r.Wait(uring.Wait{N: uint32(n)})
					}
				case 1:
					got, err = r.SubmitWait(uring.Wait{N: uint32(n)})
				case 2:
					got, err = r.SubmitWait(guarded(r, uring.Wait{N: uint32(n)}))
				case 3:
					if got, err = r.SubmitWait(uring.Wait{}); err == nil {
						err = r.Wait(guarded(r, uring.Wait{N: uint32(n)}))
					}
				}
				if got != n || err != nil {
					t.Fatalf("= %d, %v; want %d", got, err, n)
				}
				for c := range r.Completions() {
					if c.UserData != seen {
						t.Fatalf("completion %d came where %d was next", c.UserData, seen)
					}
					seen++
				}
				if seen != sent {
					t.Fatalf("%d of %d completions", seen, sent)
				}
			}
		}
	}, "plain", "defer", "sqpoll")
}

// The deadline of a wait under a signal mask may pass while the entries are
// submitted, which is a call of its own there.
func TestSigmaskDeadlinePassesInSubmit(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 8, m.Params())
		w := uring.Wait{N: 2, Timeout: 1, Sigmask: new(sys.Sigset)}
		needWait(t, r, w)
		nop(t, r, 1)
		if n, err := r.SubmitWait(w); n != 1 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("SubmitWait = %d, %v; want 1, %v", n, err, os.ErrDeadlineExceeded)
		}
	})
}

// With a signal mask a signal that the mask lets through ends the wait with
// EINTR, beside the number of entries taken; one that it blocks does not.
func TestSigmask(t *testing.T) {
	ignored := make(chan os.Signal, 100) // so that SIGUSR1 does not end the process
	signal.Notify(ignored, syscall.SIGUSR1)
	t.Cleanup(func() { signal.Stop(ignored) })
	usr1 := sys.MakeSigset(syscall.SIGUSR1)
	onlyUsr1, none := ^usr1, ^sys.Sigset(0)

	for _, c := range []struct {
		name   string
		mask   *sys.Sigset
		at     time.Duration // when the signal is sent; below 0: before the wait
		want   error
		before time.Duration // when the wait ends at the latest
	}{
		{"lets it through", &onlyUsr1, 8 * ms, syscall.EINTR, 5 * time.Second},
		{"pending already", &onlyUsr1, -1, syscall.EINTR, 5 * time.Second},
		{"blocks it", &none, 4 * ms, nil, 0},
		{"blocks it, pending already", &none, -1, nil, 0},
		{"no mask, blocked in the thread", nil, 4 * ms, nil, 0},
		{"no signal", &onlyUsr1, time.Hour, nil, 0},
	} {
		for _, timeout := range []time.Duration{0, time.Minute} {
			for _, how := range bothWaits {
				t.Run(fmt.Sprintf("%s/%s/%v", how.name, c.name, timeout), func(t *testing.T) {
					bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
						bt.LockThread(t)
						block(t, syscall.SIGUSR1)
						r := k.Ring(t, 8, m.Params())
						needWait(t, r, uring.Wait{N: 2, Timeout: timeout})
						pid, tid := unix.Getpid(), unix.Gettid()
						send := func() {
							if err := unix.Tgkill(pid, tid, syscall.SIGUSR1); err != nil {
								t.Error(err)
							}
						}
						start := time.Now()
						if c.at < 0 {
							send()
						} else {
							later(t, c.at, send)
						}
						end := 15 * ms
						if c.want != nil {
							end = time.Hour
						}
						readLater(t, r, end, 1)
						nop(t, r, 2)
						n, err := how.wait(r, uring.Wait{N: 2, Timeout: timeout, Sigmask: c.mask})
						took := time.Since(start)
						if n != 2 || !errors.Is(err, c.want) || err != nil && c.want == nil {
							t.Errorf("= %d, %v after %v; want 2, %v", n, err, took, c.want)
						}
						if c.want != nil && (took < c.at || took > c.before) {
							t.Errorf("came back after %v, the signal was sent after %v", took, c.at)
						}
						if c.want == nil && took < end {
							t.Errorf("came back after %v with %+v", took, r.Status())
						}
						if err := r.Wait(uring.Wait{N: 1}); err != nil { // SQPOLL may not be as far
							t.Error(err)
						}
						if got := userData(r); !slices.Contains(got, 2) {
							t.Errorf("completions %v", got)
						}
					}, "plain", "defer", "sqpoll")
				})
			}
		}
	}
}

// block blocks a signal in the calling thread, which is locked, until the test
// ends, and then takes one off that may be pending.
func block(t testing.TB, sig syscall.Signal) {
	t.Helper()
	var set, old unix.Sigset_t
	set.Val[(sig-1)/bitsOfWord] |= 1 << ((sig - 1) % bitsOfWord)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
			t.Error(err)
		}
	})
}

const bitsOfWord = 32 << (^uint(0) >> 63)

// A ring of one thread refuses the others in a sentence and loses nothing.
func TestWrongThread(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 8, m.Params())
		refused := func(what string, err error) {
			t.Helper()
			var call *os.SyscallError
			if !errors.Is(err, syscall.EEXIST) || !strings.Contains(err.Error(), "another thread") || !errors.As(err, &call) {
				t.Errorf("%s from another thread: %v; want a sentence and EEXIST", what, err)
			}
		}
		deferred := m.Has(sys.IORING_SETUP_DEFER_TASKRUN)
		for i := range 8 {
			nop(t, r, uint64(i))
			bt.OnNewThread(func() {
				for _, w := range []uring.Wait{{}, {N: 1}, {N: 1, Timeout: time.Second}, {N: 1, Sigmask: new(sys.Sigset)}} {
					n, err := r.SubmitWait(w)
					if n != 0 {
						t.Errorf("SubmitWait(%+v) from another thread took %d entries", w, n)
					}
					refused("SubmitWait", err)
				}
				n, err := r.Submit()
				if n != 0 {
					t.Errorf("Submit from another thread took %d entries", n)
				}
				refused("Submit", err)
				if deferred { // otherwise others may wait
					refused("Wait", r.Wait(uring.Wait{N: 1, Timeout: time.Second}))
					refused("Wait for nothing", r.Wait(uring.Wait{}))
				}
				refused("UnregisterFiles", r.UnregisterFiles())
				if _, err := r.Backend().Register(sys.IORING_UNREGISTER_FILES, nil, 0); !errors.Is(err, syscall.EEXIST) {
					t.Errorf("Register from another thread: %v, want EEXIST", err)
				}
				if got := r.Peek(make([]uring.CQE, 8)); got != 0 {
					t.Errorf("Peek from another thread gave %d", got)
				}
			})
			if s := r.Status(); s.SQReady != i+1 || s.SQSpace != 7-i {
				t.Fatalf("after refused calls: %+v", s)
			}
		}
		if n, err := r.SubmitWait(uring.Wait{N: 8}); n != 8 || err != nil {
			t.Fatalf("on the ring's own thread: SubmitWait = %d, %v", n, err)
		}
		if got := userData(r); !slices.Equal(got, counting(0, 8)) {
			t.Errorf("completions %v", got)
		}
	}, "single", "defer", "defer+flag")
}

// The thread that enables a ring becomes its owner.
func TestEnableOnAnotherThread(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		p := m.Params()
		p.Flags |= sys.IORING_SETUP_R_DISABLED
		r := k.Ring(t, 4, p)
		nop(t, r, 1)
		bt.OnNewThread(func() {
			if _, err := r.Backend().Register(sys.IORING_REGISTER_ENABLE_RINGS, nil, 0); err != nil {
				t.Errorf("enabling: %v", err)
			}
			if n, err := r.SubmitWait(uring.Wait{N: 1}); n != 1 || err != nil {
				t.Errorf("on the thread that enabled the ring: SubmitWait = %d, %v", n, err)
			}
			if got := userData(r); !slices.Equal(got, []uint64{1}) {
				t.Errorf("completions %v", got)
			}
		})
		nop(t, r, 2)
		if n, err := r.Submit(); n != 0 || !errors.Is(err, syscall.EEXIST) {
			t.Errorf("on the thread that made the ring: Submit = %d, %v; want EEXIST", n, err)
		}
		if _, err := r.Backend().Register(sys.IORING_REGISTER_ENABLE_RINGS, nil, 0); !errors.Is(err, syscall.EEXIST) || !strings.Contains(err.Error(), "another thread") {
			t.Errorf("enabling again from another thread: %v", err)
		}
	}, "single", "defer")
}

// A plain ring belongs to nobody: every call may come from another thread.
func TestPlainRingOnManyThreads(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 4, m.Params())
		if m.Has(sys.IORING_SETUP_SQPOLL) && r.Params().Features&sys.IORING_FEAT_NATIVE_WORKERS == 0 {
			t.Skip("this kernel's SQPOLL ends with a thread that submitted")
		}
		for i := range 50 {
			bt.OnNewThread(func() { nop(t, r, uint64(i)) })
			bt.OnNewThread(func() {
				if n, err := r.Submit(); n != 1 || err != nil {
					t.Errorf("Submit = %d, %v", n, err)
				}
			})
			bt.OnNewThread(func() {
				if err := r.Wait(guarded(r, uring.Wait{N: 1})); err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
			bt.OnNewThread(func() {
				if got := userData(r); !slices.Equal(got, []uint64{uint64(i)}) {
					t.Errorf("completions %v, want %d", got, i)
				}
			})
		}
	}, "plain", "coop+flag", "sqpoll")
}

// The descriptor of a ring registered with its thread: used by every call, not
// registered twice, closed and yet in use, and gone.
func TestRegisteredRing(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		bt.LockThread(t)
		p := m.Params()
		p.Flags |= sys.IORING_SETUP_CQSIZE
		p.CQEntries = 4
		b := k.Open(t, 4, p)
		r := uring.NewRing(b)
		needWait(t, r, uring.Wait{N: 1, Timeout: 1})
		is := func(what string, err error, want error) {
			t.Helper()
			if !errors.Is(err, want) || err != nil && want == nil {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		use := func(how string) {
			t.Helper()
			nop(t, r, 1)
			if n, err := r.Submit(); n != 1 || err != nil {
				t.Errorf("%s: Submit = %d, %v", how, n, err)
			}
			is(how+": Wait", r.Wait(guarded(r, uring.Wait{N: 1})), nil)
			userData(r)
			fd, w := bt.Pipe(t)
			buf := make([]byte, 1)
			r.GetSQE().PrepRead(fd, buf, 0)
			n, err := r.SubmitWait(uring.Wait{N: 1, Timeout: 1})
			if n != 1 {
				t.Errorf("%s: SubmitWait = %d", how, n)
			}
			is(how+": SubmitWait", err, os.ErrDeadlineExceeded)
			is(how+": timed Wait", r.Wait(uring.Wait{N: 1, Timeout: 1}), os.ErrDeadlineExceeded)
			is(how+": masked Wait", r.Wait(uring.Wait{N: 1, Timeout: 1, Sigmask: new(sys.Sigset)}), os.ErrDeadlineExceeded)
			unix.Write(w, buf)
			is(how+": Wait", r.Wait(guarded(r, uring.Wait{N: 1})), nil)
			userData(r)
			for range 3 { // overflow: Peek enters
				for range 4 {
					nop(t, r, 1)
				}
				if n, err := r.Submit(); n != 4 || err != nil {
					t.Errorf("%s: Submit = %d, %v", how, n, err)
				}
				settle(t, r)
			}
			if n := len(userData(r)); n != 12 {
				t.Errorf("%s: %d of 12 completions", how, n)
			}
			_, err = b.Register(sys.IORING_UNREGISTER_FILES, nil, 0)
			is(how+": Register", err, syscall.ENXIO)
		}
		use("by descriptor")
		if err := b.CloseRingFd(); !errors.Is(err, errors.ErrUnsupported) {
			is("CloseRingFd of an unregistered one", err, syscall.EINVAL)
		}
		is("UnregisterRingFd of an unregistered one", b.UnregisterRingFd(), syscall.EINVAL)
		err := b.RegisterRingFd()
		if errors.Is(err, syscall.EINVAL) {
			t.Skip("this kernel does not register ring descriptors")
		}
		is("RegisterRingFd", err, nil)
		use("by index")
		is("RegisterRingFd again", b.RegisterRingFd(), syscall.EEXIST)
		use("by index, after the second try")
		is("UnregisterRingFd", b.UnregisterRingFd(), nil)
		use("by descriptor again")
		is("UnregisterRingFd again", b.UnregisterRingFd(), syscall.EINVAL)
		is("RegisterRingFd", b.RegisterRingFd(), nil)
		use("by index again")
		fd := b.Fd()
		err = b.CloseRingFd()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		is("CloseRingFd", err, nil)
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); b.Fd() != -1 || r.Fd() != -1 || err != unix.EBADF {
			t.Errorf("after CloseRingFd: Fd = %d and %d; descriptor %d: %v", b.Fd(), r.Fd(), fd, err)
		}
		use("without a descriptor")
		is("CloseRingFd again", b.CloseRingFd(), syscall.EBADF)
		is("RegisterRingFd without a descriptor", b.RegisterRingFd(), syscall.EEXIST)
		if _, err := uring.New(&uring.Config{AttachWQ: r}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("attaching to a ring without a descriptor: %v", err)
		}
		is("Close", r.Close(), nil)
		is("RegisterRingFd of a closed one", b.RegisterRingFd(), os.ErrClosed)
		is("UnregisterRingFd of a closed one", b.UnregisterRingFd(), os.ErrClosed)
		is("CloseRingFd of a closed one", b.CloseRingFd(), os.ErrClosed)
	}, "plain", "defer", "sqpoll")
}

// A thread has few places for registered rings. Closing a ring gives its place
// back, with or without a descriptor.
func TestRegisteredRingsGiveTheirPlaceBack(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		bt.LockThread(t)
		for i := range 100 {
			b := k.Open(t, 1, nil)
			err := b.RegisterRingFd()
			if errors.Is(err, syscall.EINVAL) {
				t.Skip("this kernel does not register ring descriptors")
			}
			if err != nil {
				t.Fatalf("number %d: %v", i, err)
			}
			switch i % 3 {
			case 1:
				if err := b.CloseRingFd(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
					t.Fatal(err)
				}
			case 2:
				if err := b.UnregisterRingFd(); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The index of a registered ring can name another ring on another thread. There
// the ring is refused before the kernel could take it for that one: by liburing
// in every call, by both where it would unregister or close the other's.
func TestRegisteredRingOnAnotherThread(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		bt.LockThread(t)
		b := k.Open(t, 4, m.Params())
		r := uring.NewRing(b)
		if err := b.RegisterRingFd(); errors.Is(err, syscall.EINVAL) {
			t.Skip("this kernel does not register ring descriptors")
		} else if err != nil {
			t.Fatal(err)
		}
		nop(t, r, 1)
		bt.OnNewThread(func() {
			// Another ring, which gets the same index here.
			other, err := k.New(4, nil)
			if err == nil {
				defer other.Close()
				err = other.RegisterRingFd()
			}
			if err != nil {
				t.Error(err)
				return
			}
			refused := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, syscall.EEXIST) || !strings.Contains(err.Error(), "another thread") {
					t.Errorf("%s from another thread: %v; want a sentence and EEXIST", what, err)
				}
			}
			refused("UnregisterRingFd", b.UnregisterRingFd())
			refused("Close", r.Close())
			if k.Name == bt.Liburing.Name || bt.DebugThreads {
				_, err := r.Submit()
				refused("Submit", err)
				_, err = r.SubmitWait(uring.Wait{N: 1, Timeout: time.Second})
				refused("SubmitWait", err)
				refused("Wait", r.Wait(uring.Wait{N: 1, Timeout: time.Second}))
				_, err = b.Register(sys.IORING_UNREGISTER_FILES, nil, 0)
				refused("Register", err)
				if n := r.Peek(make([]uring.CQE, 1)); n != 0 {
					t.Errorf("Peek gave %d", n)
				}
			}
			handOver(t, other, 7, 1)
			if n, err := other.Submit(sys.Wait{N: 1}); n != 1 || err != nil {
				t.Errorf("the other ring afterwards: Submit = %d, %v", n, err)
			}
			if got := reap(t, other, 1); got[0] != 7 {
				t.Errorf("the other ring's completion: %v", got)
			}
		})
		if n, err := r.SubmitWait(uring.Wait{N: 1}); n != 1 || err != nil {
			t.Fatalf("on the thread of the registration: SubmitWait = %d, %v", n, err)
		}
		if got := userData(r); !slices.Equal(got, []uint64{1}) {
			t.Errorf("completions %v", got)
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}, "plain", "defer")
}

// One goroutine submits, another one reaps, on a ring that belongs to no thread.
func TestOneSubmitsOneReaps(t *testing.T) {
	for _, how := range []string{"Completions", "Peek", "timed", "Peek32"} {
		t.Run(how, func(t *testing.T) {
			bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
				r := k.Ring(t, 16, m.Params())
				if how == "timed" {
					needWait(t, r, uring.Wait{N: 3, Timeout: 1})
				}
				const stop = 1 << 62
				length := 200 * ms
				if testing.Short() {
					length = 50 * ms
				}
				var wg sync.WaitGroup
				var sent, seen uint64
				wg.Go(func() {
					defer func() { // the last one, however the loop ended
						for {
							if s := r.GetSQE(); s != nil {
								s.PrepNop()
								s.UserData = stop
								break
							}
							r.Submit()
						}
						for _, err := r.Submit(); errors.Is(err, syscall.EBUSY); _, err = r.Submit() {
							runtime.Gosched()
						}
					}()
					for start := time.Now(); time.Since(start) < length; {
						n := min(r.Space(), 1+int(sent%16))
						for range n {
							s := r.GetSQE()
							if s == nil {
								t.Error("GetSQE gave nothing though Space had said so")
								return
							}
							s.PrepNop()
							s.UserData = sent
							sent++
						}
						got, err := r.Submit()
						for errors.Is(err, syscall.EBUSY) { // until what overflowed is reaped
							runtime.Gosched()
							got, err = r.Submit()
						}
						if got != n || err != nil {
							t.Errorf("Submit = %d, %v; want %d", got, err, n)
							return
						}
					}
				})
				wg.Go(func() {
					check := func(c uring.CQE) (more bool) {
						if c.UserData == stop {
							return false
						}
						if c.UserData != seen {
							t.Errorf("completion %d came where %d was next", c.UserData, seen)
						}
						seen++
						return true
					}
					for {
						w := uring.Wait{N: 1}
						if how == "timed" {
							w = uring.Wait{N: 3, Timeout: 100 * time.Microsecond}
						}
						if err := r.Wait(w); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("Wait: %v", err)
							return
						}
						switch how {
						case "Completions", "timed":
							for c := range r.Completions() {
								if !check(c) {
									return
								}
							}
						case "Peek":
							var cqes [5]uring.CQE
							for _, c := range cqes[:r.Peek(cqes[:])] {
								if !check(c) {
									return
								}
							}
						case "Peek32":
							var cqes [5]uring.CQE32
							for _, c := range cqes[:r.Peek32(cqes[:])] {
								if !check(c.CQE) {
									return
								}
							}
						}
					}
				})
				wg.Wait()
				if sent != seen || sent == 0 {
					t.Errorf("%d sent, %d seen", sent, seen)
				}
			}, "plain", "sqpoll")
		})
	}
}
