//go:build linux

package uring_test

// What callers get wrong. Every mistake has an error that names the value and the
// limit, the same from both backends, and none of them panics or hangs.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uring-go/uring"
	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

// both returns what the two backends say, or ends the test if there are not two.
func both(t *testing.T, f func(k bt.Backend) error) (purego, liburing error) {
	t.Helper()
	bt.Liburing.Need(t)
	return f(bt.Purego), f(bt.Liburing)
}

func TestBadSetup(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries uint32
		p       sys.Params
		says    []string // what the sentence names; none: the kernel's errno alone
		is      error    // nil: what the kernel says to a bare system call
	}{
		{"no entries", 0, sys.Params{}, []string{"0 entries", "1"}, syscall.EINVAL},
		{"too many", 32769, sys.Params{}, []string{"32769", "32768"}, syscall.EINVAL},
		{"far too many", math.MaxUint32, sys.Params{}, []string{"4294967295", "32768"}, syscall.EINVAL},
		{"above a power of two that does not exist", 1<<31 + 1, sys.Params{}, []string{"2147483649", "32768"}, syscall.EINVAL},
		{"no entries, clamped", 0, sys.Params{Flags: sys.IORING_SETUP_CLAMP}, []string{"0 entries"}, syscall.EINVAL},
		{"no completion entries", 8, sys.Params{Flags: sys.IORING_SETUP_CQSIZE}, []string{"0 entries", "8"}, syscall.EINVAL},
		{"too many completion entries", 8, sys.Params{Flags: sys.IORING_SETUP_CQSIZE, CQEntries: 65537}, []string{"65537", "65536"}, syscall.EINVAL},
		{"fewer completion entries than entries", 100, sys.Params{Flags: sys.IORING_SETUP_CQSIZE, CQEntries: 64}, []string{"64", "128"}, syscall.EINVAL},
		{"unknown flag", 8, sys.Params{Flags: 1 << 30}, []string{"0x40000000"}, syscall.EINVAL},
		{"all flags", 8, sys.Params{Flags: math.MaxUint32}, []string{"0x"}, syscall.EINVAL},
		{"defer without single issuer", 8, sys.Params{Flags: sys.IORING_SETUP_DEFER_TASKRUN}, []string{"IORING_SETUP_DEFER_TASKRUN", "IORING_SETUP_SINGLE_ISSUER"}, syscall.EINVAL},
		{"flag without task runs", 8, sys.Params{Flags: sys.IORING_SETUP_TASKRUN_FLAG}, []string{"IORING_SETUP_TASKRUN_FLAG", "IORING_SETUP_COOP_TASKRUN", "IORING_SETUP_DEFER_TASKRUN"}, syscall.EINVAL},
		{"task runs under SQPOLL", 8, sys.Params{Flags: sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_COOP_TASKRUN}, []string{"IORING_SETUP_SQPOLL", "IORING_SETUP_COOP_TASKRUN"}, syscall.EINVAL},
		{"affinity without SQPOLL", 8, sys.Params{Flags: sys.IORING_SETUP_SQ_AFF}, []string{"IORING_SETUP_SQ_AFF", "IORING_SETUP_SQPOLL"}, syscall.EINVAL},
		{"hybrid without IOPOLL", 8, sys.Params{Flags: sys.IORING_SETUP_HYBRID_IOPOLL}, []string{"IORING_SETUP_HYBRID_IOPOLL", "IORING_SETUP_IOPOLL"}, syscall.EINVAL},
		{"registered only, in the kernel's memory", 8, sys.Params{Flags: sys.IORING_SETUP_REGISTERED_FD_ONLY}, []string{"IORING_SETUP_REGISTERED_FD_ONLY", "IORING_SETUP_NO_MMAP"}, syscall.EINVAL},
		{"two sizes of completions", 8, sys.Params{Flags: sys.IORING_SETUP_CQE32 | sys.IORING_SETUP_CQE_MIXED}, []string{"IORING_SETUP_CQE_MIXED", "IORING_SETUP_CQE32"}, syscall.EINVAL},
		{"two sizes of entries", 8, sys.Params{Flags: sys.IORING_SETUP_SQE128 | sys.IORING_SETUP_SQE_MIXED}, []string{"IORING_SETUP_SQE_MIXED", "IORING_SETUP_SQE128"}, syscall.EINVAL},
		{"rewound under SQPOLL", 8, sys.Params{Flags: sys.IORING_SETUP_SQ_REWIND | sys.IORING_SETUP_SQPOLL}, []string{"IORING_SETUP_SQ_REWIND", "IORING_SETUP_SQPOLL"}, syscall.EINVAL},
		{"a CPU that is not there", 8, sys.Params{Flags: sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_SQ_AFF, SQThreadCPU: 1 << 20}, nil, syscall.EINVAL},
		{"attached to nothing", 8, sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: math.MaxUint32}, nil, nil},
		{"attached to what is no ring", 8, sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: 0}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.says == nil {
				bt.NeedKernel(t, 0)
			}
			if c.is == nil {
				c.is = bt.KernelSetup(c.entries, c.p)
			}
			said := map[string]string{}
			bt.Each(t, func(t *testing.T, k bt.Backend) {
				p := c.p
				r, err := k.New(c.entries, &p)
				if err == nil {
					r.Close()
					t.Fatal("it was made")
				}
				if !errors.Is(err, c.is) {
					t.Errorf("%v; want %v", err, c.is)
				}
				for _, s := range c.says {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%q does not name %q", err, s)
					}
				}
				if p != c.p {
					t.Errorf("a failed setup changed the parameters from %+v to %+v", c.p, p)
				}
				said[k.Name] = err.Error()
				var call *os.SyscallError
				if c.says == nil && (!errors.As(err, &call) || call.Err != c.is) {
					t.Errorf("%#v is no *os.SyscallError with %v", err, c.is)
				}
			})
			if c.says != nil && len(said) == 2 && said["purego"] != said["liburing"] {
				t.Errorf("purego says %q, liburing %q", said["purego"], said["liburing"])
			}
			// New wraps it.
			_, err := uring.New(&uring.Config{Entries: max(c.entries, 1), CQEntries: c.p.CQEntries, Setup: c.p.Flags, SQThreadCPU: c.p.SQThreadCPU})
			var setup *uring.SetupError
			if err != nil && !errors.As(err, &setup) {
				t.Errorf("New: %#v is no *SetupError", err)
			}
		})
	}
}

// What is refused beforehand is what the kernel refuses: a rule that is too strict
// would take something away.
func TestSetupRulesAgreeWithTheKernel(t *testing.T) {
	bt.NeedKernel(t, 0)
	var flags []sys.SetupFlags
	for i := range 21 {
		if f := sys.SetupFlags(1) << i; f != sys.IORING_SETUP_ATTACH_WQ && f != sys.IORING_SETUP_CQSIZE {
			flags = append(flags, f)
		}
	}
	check := func(f sys.SetupFlags) {
		p := sys.Params{Flags: f}
		if err := sys.CheckSetup(8, &p); err != nil {
			if errno := bt.KernelSetup(8, p); errno != syscall.EINVAL {
				t.Errorf("CheckSetup refuses %v: %v; the kernel: %v", f, err, errno)
			}
		}
	}
	for i, a := range flags {
		check(a)
		for j, b := range flags[:i] {
			check(a | b)
			for _, c := range flags[:j] {
				check(a | b | c)
			}
		}
	}
	for _, entries := range []uint32{0, 1, 2, 3, 8, 9, 4096, 32767, 32768, 32769, 65536, 1 << 31, math.MaxUint32} {
		for _, cq := range []uint32{0, 1, 2, 8, 9, 16, 4096, 65535, 65536, 65537, 1 << 31, math.MaxUint32} {
			for _, f := range []sys.SetupFlags{0, sys.IORING_SETUP_CLAMP, sys.IORING_SETUP_CQSIZE, sys.IORING_SETUP_CLAMP | sys.IORING_SETUP_CQSIZE} {
				p := sys.Params{Flags: f, CQEntries: cq}
				err, errno := sys.CheckSetup(entries, &p), bt.KernelSetup(entries, p)
				if (err != nil) != (errno == syscall.EINVAL) || err == nil && errno != 0 {
					t.Errorf("%d and %d entries, %v: CheckSetup says %v, the kernel %v", entries, cq, f, err, errno)
				}
				if err != nil {
					continue
				}
				r, e := bt.Purego.New(entries, &p)
				if e != nil {
					t.Errorf("%d and %d entries, %v: %v", entries, cq, f, e)
					continue
				}
				asked := sys.Params{Flags: f, CQEntries: cq}
				if sq, cq := sys.RingEntries(entries, &asked); sq != p.SQEntries || cq != p.CQEntries {
					t.Errorf("%d and %d entries, %v: RingEntries gives %d and %d, the kernel %d and %d", entries, asked.CQEntries, f, sq, cq, p.SQEntries, p.CQEntries)
				}
				r.Close()
			}
		}
	}
}

func TestBadConfig(t *testing.T) {
	closed, err := uring.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  uring.Config
		says string
	}{
		{"negative idle time", uring.Config{SQThreadIdle: -1}, "-1ns"},
		{"very negative idle time", uring.Config{SQThreadIdle: math.MinInt64}, "SQThreadIdle"},
		{"idle time above 32 bits of milliseconds", uring.Config{SQThreadIdle: 1 << 32 * time.Millisecond}, "SQThreadIdle"},
		{"the longest idle time", uring.Config{SQThreadIdle: math.MaxInt64}, "SQThreadIdle"},
		{"closed ring to attach to", uring.Config{AttachWQ: closed}, "AttachWQ"},
		{"too many entries", uring.Config{Entries: 1 << 20}, "1048576"},
		{"too small a completion queue", uring.Config{Entries: 64, CQEntries: 4}, "4"},
	} {
		r, err := uring.New(&c.cfg)
		var setup *uring.SetupError
		if r != nil || !errors.Is(err, syscall.EINVAL) || !errors.As(err, &setup) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: New = %v, %v; want a *SetupError with EINVAL that names %q", c.name, r, err, c.says)
		}
		if r != nil {
			r.Close()
		}
	}
	for _, idle := range []time.Duration{1, time.Millisecond, (1<<32 - 1) * time.Millisecond} {
		r, err := uring.New(&uring.Config{SQThreadIdle: idle, Setup: sys.IORING_SETUP_SQPOLL})
		if err != nil {
			t.Errorf("an idle time of %v: %v", idle, err)
			continue
		}
		if got, want := r.Params().SQThreadIdle, uint32((idle+time.Millisecond-1)/time.Millisecond); got != want {
			t.Errorf("an idle time of %v became %d ms, want %d", idle, got, want)
		}
		r.Close()
	}
}

func TestBadNewMem(t *testing.T) {
	mem := bt.PageAligned(t, 64<<10)
	for _, c := range []struct {
		name string
		mem  []byte
		is   error
	}{
		{"nil", nil, syscall.EINVAL},
		{"empty", mem[:0], syscall.EINVAL},
		{"not aligned", mem[64:], syscall.EINVAL},
		{"too small", mem[:os.Getpagesize()], syscall.ENOMEM},
	} {
		t.Run(c.name, func(t *testing.T) {
			bt.Each(t, func(t *testing.T, k bt.Backend) {
				bt.NeedKernel(t, sys.IORING_SETUP_NO_MMAP)
				r, used, err := k.NewMem(64, nil, c.mem)
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				}
				if r != nil || used != 0 || !errors.Is(err, c.is) {
					t.Errorf("NewMem = %v, %d, %v; want %v", r, used, err, c.is)
				}
			})
		})
	}
}

func TestBadWait(t *testing.T) {
	for _, c := range []struct {
		name string
		w    uring.Wait
		says string
	}{
		{"negative timeout", uring.Wait{N: 1, Timeout: -1}, "-1ns"},
		{"very negative timeout", uring.Wait{N: 1, Timeout: math.MinInt64}, "-2562047h47m16"},
		{"negative timeout, nothing to wait for", uring.Wait{Timeout: -time.Second}, "-1s"},
		{"negative minimum", uring.Wait{N: 1, MinTimeout: -1}, "-1ns"},
		{"negative minimum beside a timeout", uring.Wait{N: 1, MinTimeout: -1, Timeout: time.Second}, "-1ns"},
		{"too long a minimum", uring.Wait{N: 1, MinTimeout: (math.MaxUint32 + 1) * time.Microsecond}, "1h11m34.967296s"},
		{"the longest minimum", uring.Wait{N: 1, MinTimeout: math.MaxInt64}, "2562047h47m16"},
		{"too long a minimum beside a shorter timeout", uring.Wait{N: 1, MinTimeout: math.MaxInt64, Timeout: time.Millisecond}, "2562047h47m16"},
		{"SQ_WAKEUP", uring.Wait{Flags: sys.IORING_ENTER_SQ_WAKEUP}, "IORING_ENTER_SQ_WAKEUP"},
		{"EXT_ARG", uring.Wait{Flags: sys.IORING_ENTER_EXT_ARG}, "IORING_ENTER_EXT_ARG"},
		{"REGISTERED_RING", uring.Wait{N: 1, Flags: sys.IORING_ENTER_REGISTERED_RING | sys.IORING_ENTER_GETEVENTS}, "IORING_ENTER_REGISTERED_RING"},
		{"a flag that does not exist", uring.Wait{Flags: 1 << 31}, "0x80000000"},
		{"absolute without a timeout", uring.Wait{N: 1, Flags: sys.IORING_ENTER_ABS_TIMER}, "IORING_ENTER_ABS_TIMER"},
		{"registered beside a timeout", uring.Wait{N: 1, Timeout: 1, Flags: sys.IORING_ENTER_EXT_ARG_REG}, "Wait.Reg"},
		{"registered, too high", uring.Wait{N: 1, Reg: math.MaxUint32, Flags: sys.IORING_ENTER_EXT_ARG_REG}, "4294967295"},
	} {
		for _, how := range bothWaits {
			t.Run(how.name+"/"+c.name, func(t *testing.T) {
				said := map[string]string{}
				bt.Each(t, func(t *testing.T, k bt.Backend) {
					r := k.Ring(t, 4, nil)
					if how.name == "SubmitWait" { // which must not submit
						nop(t, r, 1)
					}
					n, err := how.wait(r, c.w)
					if n != 0 || !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), c.says) {
						t.Errorf("= %d, %v; want EINVAL and %q", n, err, c.says)
					}
					if err != nil {
						said[k.Name] = err.Error()
					}
					if how.name == "SubmitWait" {
						if n, err := r.SubmitWait(uring.Wait{N: 1}); n != 1 || err != nil {
							t.Errorf("afterwards: SubmitWait = %d, %v", n, err)
						}
					}
				})
				if len(said) == 2 && said["purego"] != said["liburing"] {
					t.Errorf("purego says %q, liburing %q", said["purego"], said["liburing"])
				}
			})
		}
	}
}

// More than can ever complete: the wait ends at its deadline.
func TestWaitForMoreThanCanComplete(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 4, m.Params())
		needWait(t, r, uring.Wait{N: 2, Timeout: 1})
		nop(t, r, 1)
		for _, n := range []uint32{2, 8, 1000} {
			submitted, err := r.SubmitWait(uring.Wait{N: n, Timeout: 5 * ms})
			if want := bits.OnesCount(uint(n) & 2); submitted != want || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("SubmitWait for %d = %d, %v", n, submitted, err)
			}
			if err := r.Wait(uring.Wait{N: n, Timeout: 5 * ms}); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Wait for %d: %v", n, err)
			}
		}
		if err := r.Wait(uring.Wait{N: 1}); err != nil { // SQPOLL may not be as far
			t.Error(err)
		}
		if err := r.Wait(uring.Wait{N: 1}); err != nil { // SQPOLL may not be as far
			t.Error(err)
		}
		if got := userData(r); len(got) != 1 {
			t.Errorf("completions %v", got)
		}
	}, "plain", "defer", "sqpoll")
}

// Empty slices take nothing and consume nothing; a full queue gives nothing.
func TestNothingForNothing(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		r := k.Ring(t, 4, m.Params())
		if n, err := r.Submit(); n != 0 || err != nil {
			t.Errorf("Submit of nothing = %d, %v", n, err)
		}
		if n, err := r.SubmitWait(uring.Wait{}); n != 0 || err != nil {
			t.Errorf("SubmitWait of nothing = %d, %v", n, err)
		}
		if err := r.Wait(uring.Wait{}); err != nil {
			t.Errorf("Wait for nothing: %v", err)
		}
		for i := range 4 {
			nop(t, r, uint64(i))
		}
		if r.GetSQE() != nil {
			t.Error("GetSQE on a full queue gave an entry")
		}
		if n, err := r.SubmitWait(uring.Wait{N: 4}); n != 4 || err != nil {
			t.Fatalf("SubmitWait = %d, %v", n, err)
		}
		if r.Peek(nil) != 0 || r.Peek([]uring.CQE{}) != 0 || r.Peek32(nil) != 0 || r.Peek32([]uring.CQE32{}) != 0 {
			t.Error("a Peek into nothing gave something")
		}
		if s := r.Status(); s.CQReady != 4 {
			t.Errorf("after Peeks into nothing: %+v", s)
		}
		if got := userData(r); len(got) != 4 {
			t.Errorf("completions %v", got)
		}
	})
}

// zeroArgs returns arguments for a method: zero values, and a context that has
// ended.
func zeroArgs(m reflect.Value) []reflect.Value {
	var args []reflect.Value
	for i := range m.Type().NumIn() {
		if m.Type().IsVariadic() && i == m.Type().NumIn()-1 {
			break
		}
		in := m.Type().In(i)
		if in == reflect.TypeFor[context.Context]() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			args = append(args, reflect.ValueOf(ctx))
			continue
		}
		args = append(args, reflect.Zero(in))
	}
	return args
}

// Every method of a nil ring and of a closed one: an error where there is one to
// return, zero values otherwise, no panic.
func TestNilAndClosedRings(t *testing.T) {
	call := func(t *testing.T, r any, want error) {
		v := reflect.ValueOf(r)
		if v.NumMethod() < 12 {
			t.Fatalf("%T has %d methods: this tests nothing", r, v.NumMethod())
		}
		for i := range v.NumMethod() {
			name := v.Type().Method(i).Name
			t.Run(name, func(t *testing.T) {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("panics: %v", p)
					}
				}()
				for _, out := range v.Method(i).Call(zeroArgs(v.Method(i))) {
					switch got := out.Interface().(type) {
					case error:
						if !errors.Is(got, want) {
							t.Errorf("= %v, want %v", got, want)
						}
					case nil: // an error or an interface
						if out.Type() == reflect.TypeFor[error]() {
							t.Errorf("= nil, want %v", want)
						}
					case sys.Params, uring.Backend:
						// A closed ring may remember what it was.
					case int:
						if got != 0 && !(name == "Fd" && got == -1) {
							t.Errorf("= %d", got)
						}
					default:
						if out.Kind() == reflect.Func {
							for range seq(out) {
								t.Error("yields something")
							}
						} else if !out.IsZero() {
							t.Errorf("= %v", got)
						}
					}
				}
			})
		}
	}
	t.Run("nil", func(t *testing.T) { call(t, (*uring.Ring)(nil), os.ErrInvalid) })
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		t.Run("closed", func(t *testing.T) {
			b := k.Open(t, 4, nil)
			r := uring.NewRing(b)
			nop(t, r, 1)
			nop(t, r, 2)
			if _, err := r.SubmitWait(uring.Wait{N: 2}); err != nil {
				t.Fatal(err)
			}
			for range r.Completions() {
				break
			}
			nop(t, r, 3)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			call(t, r, os.ErrClosed)
			t.Run("backend", func(t *testing.T) { call(t, b, os.ErrClosed) })
		})
	})
}

// seq is an iter.Seq of anything.
func seq(f reflect.Value) func(func(any) bool) {
	return func(yield func(any) bool) {
		body := reflect.MakeFunc(f.Type().In(0), func(args []reflect.Value) []reflect.Value {
			return []reflect.Value{reflect.ValueOf(yield(args[0].Interface()))}
		})
		f.Call([]reflect.Value{body})
	}
}

// Both backends refuse the same calls with the same words.
func TestSameWords(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(k bt.Backend) error
	}{
		{"CloseRingFd unregistered", func(k bt.Backend) error {
			return withRing(k, 0, func(b uring.Backend) error { return b.CloseRingFd() })
		}},
		{"UnregisterRingFd unregistered", func(k bt.Backend) error {
			return withRing(k, 0, func(b uring.Backend) error { return b.UnregisterRingFd() })
		}},
		{"Register nothing known", func(k bt.Backend) error {
			return withRing(k, 0, func(b uring.Backend) error { _, err := b.Register(1<<20, nil, 0); return err })
		}},
		{"Unregister what is not registered", func(k bt.Backend) error {
			return withRing(k, 0, func(b uring.Backend) error {
				_, err := b.Register(sys.IORING_UNREGISTER_FILES, nil, 0)
				return err
			})
		}},
		{"Resize of a plain ring", func(k bt.Backend) error {
			return withRing(k, 0, func(b uring.Backend) error { return b.Resize(16, new(sys.Params)) })
		}},
		{"Resize to 0", func(k bt.Backend) error {
			return withRing(k, 0, func(b uring.Backend) error { return b.Resize(0, new(sys.Params)) })
		}},
		{"Resize with a flag", func(k bt.Backend) error {
			return withRing(k, sys.IORING_SETUP_SINGLE_ISSUER|sys.IORING_SETUP_DEFER_TASKRUN, func(b uring.Backend) error {
				return b.Resize(16, &sys.Params{Flags: sys.IORING_SETUP_SQPOLL})
			})
		}},
		{"Submit to a disabled ring", func(k bt.Backend) error {
			return withRing(k, sys.IORING_SETUP_R_DISABLED, func(b uring.Backend) error {
				b.Queue()[0].PrepNop()
				b.Advance(1)
				_, err := b.Submit(sys.Wait{})
				return err
			})
		}},
		{"Wait on a disabled ring", func(k bt.Backend) error {
			return withRing(k, sys.IORING_SETUP_R_DISABLED, func(b uring.Backend) error { return b.Wait(sys.Wait{N: 1, Timeout: time.Second}) })
		}},
		{"second Close", func(k bt.Backend) error {
			return withRing(k, 0, func(b uring.Backend) error { b.Close(); return b.Close() })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := both(t, c.call)
			if errors.Is(b, errors.ErrUnsupported) && !errors.Is(a, errors.ErrUnsupported) {
				t.Skip(b)
			}
			if errors.Is(a, errNoSuchRing) && errors.Is(b, errNoSuchRing) {
				t.Skip(a)
			}
			if a == nil || b == nil || a.Error() != b.Error() {
				t.Errorf("purego says %q, liburing %q", fmt.Sprint(a), fmt.Sprint(b))
			}
		})
	}
}

// errNoSuchRing says that a bare system call is refused such a ring, too.
var errNoSuchRing = errors.New("this kernel has no such ring")

func withRing(k bt.Backend, flags sys.SetupFlags, f func(b uring.Backend) error) error {
	b, err := k.New(4, &sys.Params{Flags: flags})
	if err != nil {
		if bt.KernelSetup(4, sys.Params{Flags: flags}) != 0 {
			err = errNoSuchRing
		}
		return fmt.Errorf("there is no such ring on %s: %w", k.Name, err)
	}
	defer b.Close()
	return f(b)
}
