//go:build linux

package uring_test

// What the tests of registrations share, what is refused before the kernel sees
// it, and the small registrations. Every test runs over both backends.

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

// deferred are the setup flags of the rings that some registrations need.
const deferred = sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN

// knowsRegister asks the kernel whether it knows an operation of
// io_uring_register(2): one that it knows looks at the argument, which is not to be
// read. n is the number that the operation takes, fd a ring for which it is
// permitted, or -1 for a call without a ring.
func knowsRegister(fd int, op sys.RegisterOp, n uint32) bool {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op), 8, uintptr(n), 0, 0)
	return errno == unix.EFAULT
}

func needRegister(t *testing.T, fd int, op sys.RegisterOp, n uint32) {
	t.Helper()
	if !knowsRegister(fd, op, n) {
		t.Skipf("this kernel has no %v (Linux %s)", op, op.Since())
	}
}

// needOps skips the test unless the kernel has all of the operations.
func needOps(t *testing.T, r *uring.Ring, ops ...sys.Op) {
	t.Helper()
	has := probed(t, r)
	for _, op := range ops {
		if !has[op] {
			t.Skipf("this kernel has no %v (Linux %s)", op, op.Since())
		}
	}
}

// probed returns the operations that IORING_REGISTER_PROBE reports.
func probed(t *testing.T, r *uring.Ring) map[sys.Op]bool {
	t.Helper()
	var p struct {
		sys.Probe
		Ops [256]sys.ProbeOp
	}
	if _, err := r.Backend().Register(sys.IORING_REGISTER_PROBE, sys.PointerTo(&p), uint32(len(p.Ops))); err != nil {
		t.Fatal(err)
	}
	has := map[sys.Op]bool{}
	for _, op := range p.Ops[:p.OpsLen] {
		if op.Flags&sys.IO_URING_OP_SUPPORTED != 0 {
			has[op.Op] = true
		}
	}
	return has
}

// A live is a ring under test.
type live struct {
	t *testing.T
	*uring.Ring
}

// open opens a ring of 8 entries with the setup flags.
func open(t *testing.T, b backendtest.Backend, flags sys.SetupFlags) live {
	t.Helper()
	r := b.Ring(t, 8, &sys.Params{Flags: flags})
	t.Cleanup(func() {
		if err := r.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return live{t, r}
}

// sqe returns a free entry with the user data set.
func (r live) sqe(userData uint64) *uring.SQE {
	r.t.Helper()
	s := r.GetSQE()
	for i := 0; s == nil && r.Params().Flags&sys.IORING_SETUP_SQPOLL != 0 && i < 10000; i++ {
		time.Sleep(time.Millisecond) // until the kernel's thread has made room
		s = r.GetSQE()
	}
	if s == nil {
		r.t.Fatal("the submission queue is full")
	}
	s.UserData = userData
	return s
}

// Some abilities cannot be asked for without using them. For these the tests ask for
// an operation that came with the same release of Linux, or a later one.

// has519 reports whether the kernel has what came with Linux 5.19: sparse tables.
func has519(r live) bool { return knowsRegister(r.Fd(), sys.IORING_REGISTER_PBUF_RING, 1) }

// has612 reports whether the kernel has what came with Linux 6.12: incremental
// buffers.
func has612(r live) bool { return knowsRegister(r.Fd(), sys.IORING_REGISTER_CLOCK, 0) }

// has613 reports whether the kernel has what came with Linux 6.13: tags posted by
// unregistering, clones of a part of a table, NAPI tracking.
func has613(r live) bool { return knowsRegister(r.Fd(), sys.IORING_REGISTER_MEM_REGION, 1) }

// submit submits what is queued and returns the next n completions.
func (r live) submit(n int) []uring.CQE {
	r.t.Helper()
	if _, err := r.Submit(); err != nil {
		r.t.Fatalf("Submit: %v", err)
	}
	return r.reap(n)
}

// reap waits for n completions and returns them.
func (r live) reap(n int) []uring.CQE {
	r.t.Helper()
	got := make([]uring.CQE, n)
	for done := 0; done < n; {
		err := r.Wait(uring.Wait{N: 1, Timeout: 10 * time.Second})
		if errors.Is(err, errors.ErrUnsupported) {
			err = r.Wait(uring.Wait{N: 1}) // before Linux 5.11 a wait cannot be timed
		}
		if err != nil {
			r.t.Fatalf("waiting for completion %d of %d: %v", done+1, n, err)
		}
		done += r.Peek(got[done:])
	}
	return got
}

// idle checks that no completion is there.
func (r live) idle() {
	r.t.Helper()
	if err := r.Wait(uring.Wait{}); err != nil {
		r.t.Error(err)
	}
	for c := range r.Completions() {
		r.t.Errorf("unexpected completion %+v", c)
	}
}

func expect[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// expectErr checks that an error is what it should be, and says so in words.
func expectErr(t *testing.T, what string, err, target error, words ...string) {
	t.Helper()
	if target == nil {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if !errors.Is(err, target) {
		t.Errorf("%s: error %v; want %v", what, err, target)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", what, err, w)
		}
	}
}

// tempFile returns a file with content, open for reading and writing.
func tempFile(t *testing.T, content string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	return f
}

// int32s converts descriptors for tables of files.
func int32s(fds ...int) []int32 {
	s := make([]int32, len(fds))
	for i, fd := range fds {
		s[i] = int32(fd)
	}
	return s
}

// badInput lists calls that are refused on every kernel, without asking it, and
// what the error must name.
var badInput = []struct {
	name  string
	call  func(r *uring.Ring) error
	words []string
}{
	{"RegisterBuffers nil", func(r *uring.Ring) error { return r.RegisterBuffers(nil) }, []string{"no buffers"}},
	{"RegisterBuffersTagged nil", func(r *uring.Ring) error { return r.RegisterBuffersTagged(nil, nil) }, []string{"no buffers"}},
	{"RegisterBuffersTagged lengths", func(r *uring.Ring) error {
		return r.RegisterBuffersTagged([][]byte{make([]byte, 1), nil}, []uint64{1})
	}, []string{"2 buffers", "1 tags"}},
	{"RegisterBuffersSparse 0", func(r *uring.Ring) error { return r.RegisterBuffersSparse(0) }, []string{"0 buffers", "16384"}},
	{"RegisterBuffersSparse negative", func(r *uring.Ring) error { return r.RegisterBuffersSparse(-1) }, []string{"-1"}},
	{"UpdateBuffers nil", func(r *uring.Ring) error { _, err := r.UpdateBuffers(0, nil, nil); return err }, []string{"no buffers"}},
	{"UpdateBuffers negative", func(r *uring.Ring) error { _, err := r.UpdateBuffers(-1, [][]byte{nil}, nil); return err }, []string{"-1"}},
	{"UpdateBuffers far", func(r *uring.Ring) error {
		_, err := r.UpdateBuffers(math.MaxInt, make([][]byte, 8), nil)
		return err
	}, nil},
	{"UpdateBuffers lengths", func(r *uring.Ring) error { _, err := r.UpdateBuffers(0, [][]byte{nil}, []uint64{1, 2}); return err }, []string{"1 buffers", "2 tags"}},
	{"CloneBuffers negative", func(r *uring.Ring) error { return r.CloneBuffers(r, uring.BufferClone{From: -1}) }, []string{"-1"}},
	{"CloneBuffers count", func(r *uring.Ring) error { return r.CloneBuffers(r, uring.BufferClone{Count: -2}) }, []string{"-2"}},
	{"RegisterFiles nil", func(r *uring.Ring) error { return r.RegisterFiles(nil) }, []string{"no files"}},
	{"RegisterFiles skip", func(r *uring.Ring) error { return r.RegisterFiles([]int32{-1, uring.FileSkip}) }, []string{"-2", "index 1"}},
	{"RegisterFilesTagged lengths", func(r *uring.Ring) error { return r.RegisterFilesTagged([]int32{-1}, []uint64{}) }, []string{"1 files", "0 tags"}},
	{"RegisterFilesSparse 0", func(r *uring.Ring) error { return r.RegisterFilesSparse(0) }, []string{"0 files"}},
	{"UpdateFiles nil", func(r *uring.Ring) error { _, err := r.UpdateFiles(0, nil, nil); return err }, []string{"no files"}},
	{"UpdateFiles negative", func(r *uring.Ring) error { _, err := r.UpdateFiles(-3, []int32{0}, nil); return err }, []string{"-3"}},
	{"UpdateFiles descriptor", func(r *uring.Ring) error { _, err := r.UpdateFiles(4, []int32{0, -3}, nil); return err }, []string{"-3", "index 5"}},
	{"RegisterFileAllocRange", func(r *uring.Ring) error { return r.RegisterFileAllocRange(0, -1) }, []string{"-1"}},
	{"RegisterEventfd", func(r *uring.Ring) error { return r.RegisterEventfd(-1, false) }, []string{"-1"}},
	{"Restrictions op", func(r *uring.Ring) error {
		return r.RegisterRestrictions(uring.Restrictions{RegisterOps: []sys.RegisterOp{256}})
	}, []string{"0x100", "255"}},
	{"SetIOWQAffinity none", func(r *uring.Ring) error { return r.SetIOWQAffinity() }, []string{"no CPUs"}},
	{"SetIOWQAffinity negative", func(r *uring.Ring) error { return r.SetIOWQAffinity(0, -1) }, []string{"CPU -1"}},
	{"SetIOWQAffinity far", func(r *uring.Ring) error { return r.SetIOWQAffinity(1 << 20) }, []string{"1048576"}},
	{"IOWQMaxWorkers", func(r *uring.Ring) error { _, _, err := r.IOWQMaxWorkers(0, 1<<31); return err }, []string{"2147483648"}},
	{"Resize plain", func(r *uring.Ring) error { return r.Resize(8, 0) }, []string{"IORING_SETUP_DEFER_TASKRUN"}},
	{"RegisterNAPI negative", func(r *uring.Ring) error { _, err := r.RegisterNAPI(uring.NAPI{BusyPoll: -1}); return err }, []string{"-1ns"}},
	{"RegisterNAPI fraction", func(r *uring.Ring) error { _, err := r.RegisterNAPI(uring.NAPI{BusyPoll: 1500}); return err }, []string{"1.5µs"}},
	{"RegisterNAPI long", func(r *uring.Ring) error { _, err := r.RegisterNAPI(uring.NAPI{BusyPoll: 2 * time.Hour}); return err }, []string{"2h0m0s"}},
	{"RegisterMemRegion nil", func(r *uring.Ring) error { return r.RegisterMemRegion(nil, 0) }, []string{"no description"}},
	{"NewWaitRegion 0", func(r *uring.Ring) error { _, err := r.NewWaitRegion(0); return err }, []string{"0 waits"}},
	{"NewWaitRegion enabled", func(r *uring.Ring) error { _, err := r.NewWaitRegion(1); return err }, []string{"IORING_SETUP_R_DISABLED"}},
	{"NewBufRing 0", func(r *uring.Ring) error { _, err := r.NewBufRing(1, 0, 64); return err }, []string{"0 buffers"}},
	{"NewBufRing 3", func(r *uring.Ring) error { _, err := r.NewBufRing(1, 3, 64); return err }, []string{"3 buffers", "power of two"}},
	{"NewBufRing 65536", func(r *uring.Ring) error { _, err := r.NewBufRing(1, 65536, 64); return err }, []string{"65536", "32768"}},
	{"NewBufRing size", func(r *uring.Ring) error { _, err := r.NewBufRing(1, 4, 0); return err }, []string{"0 bytes"}},
	{"NewBufRing min left", func(r *uring.Ring) error {
		_, err := r.NewBufRingConfig(uring.BufRingConfig{Count: 4, Size: 64, MinLeft: 8})
		return err
	}, []string{"MinLeft 8"}},
	{"SyncCancel empty", func(r *uring.Ring) error { _, err := r.SyncCancel(uring.Match{}, 0); return err }, []string{"empty Match"}},
	{"SyncCancel timeout", func(r *uring.Ring) error { _, err := r.SyncCancel(uring.MatchAny(), -time.Second); return err }, []string{"-1s"}},
	{"SyncCancel clash", func(r *uring.Ring) error {
		_, err := r.SyncCancel(uring.MatchFd(1).And(uring.MatchFd(2)), 0)
		return err
	}, []string{"two different"}},
	{"SyncCancel fd", func(r *uring.Ring) error { _, err := r.SyncCancel(uring.MatchFd(-1), 0); return err }, []string{"-1"}},
	{"BPF empty", func(r *uring.Ring) error { return r.RegisterBPFFilter(uring.BPFFilter{}) }, []string{"0 instructions", "4096"}},
	{"BPF long", func(r *uring.Ring) error {
		return r.RegisterBPFFilter(uring.BPFFilter{Program: make([]uring.BPFInstruction, 4097)})
	}, []string{"4097"}},
	{"RegisterZCRX nil", func(r *uring.Ring) error { return r.RegisterZCRX(nil, nil, nil, nil) }, []string{"no description"}},
	{"ZCRXCtrl nil", func(r *uring.Ring) error { return r.ZCRXCtrl(nil) }, []string{"no operation"}},
	{"NewZCRX area", func(r *uring.Ring) error { _, err := r.NewZCRX(uring.ZCRXConfig{Entries: 8}); return err }, []string{"0 bytes"}},
	{"NewZCRX entries", func(r *uring.Ring) error { _, err := r.NewZCRX(uring.ZCRXConfig{AreaSize: 1, Entries: 9}); return err }, []string{"9 entries"}},
	{"NewZCRX device", func(r *uring.Ring) error {
		_, err := r.NewZCRX(uring.ZCRXConfig{NoDevice: true, Interface: 1})
		return err
	}, []string{"NoDevice"}},
}

func TestRegisterBadInput(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		for _, c := range badInput {
			if c.name == "UpdateBuffers far" && math.MaxInt == math.MaxInt32 {
				continue // every int is an index that the kernel can be asked for
			}
			expectErr(t, c.name, c.call(r.Ring), syscall.EINVAL, append(c.words, "uring: ")...)
		}
		for _, c := range badInput {
			expectErr(t, "nil ring: "+c.name, c.call(nil), os.ErrInvalid)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		for _, c := range badInput {
			expectErr(t, "closed ring: "+c.name, c.call(r.Ring), os.ErrClosed)
		}
	})
}

// TestRegisterSameErrors holds the words and errnos of what the kernel refuses on
// one backend against the other.
func TestRegisterSameErrors(t *testing.T) {
	calls := map[string]func(r *uring.Ring) error{
		"UnregisterBuffers":     func(r *uring.Ring) error { return r.UnregisterBuffers() },
		"UpdateBuffers":         func(r *uring.Ring) error { _, err := r.UpdateBuffers(0, [][]byte{make([]byte, 8)}, nil); return err },
		"RegisterBuffersSparse": func(r *uring.Ring) error { return r.RegisterBuffersSparse(1 << 20) },
		"RegisterBuffers many":  func(r *uring.Ring) error { return r.RegisterBuffers(make([][]byte, 1<<15)) },
		"tag for nothing":       func(r *uring.Ring) error { return r.RegisterBuffersTagged([][]byte{nil}, []uint64{7}) },
		"UnregisterFiles":       func(r *uring.Ring) error { return r.UnregisterFiles() },
		"RegisterFiles closed":  func(r *uring.Ring) error { return r.RegisterFiles([]int32{1 << 20}) },
		"UpdateFiles":           func(r *uring.Ring) error { _, err := r.UpdateFiles(0, []int32{1}, nil); return err },
		"UpdateFiles tagged":    func(r *uring.Ring) error { _, err := r.UpdateFiles(0, []int32{1}, []uint64{1}); return err },
		"AllocRange":            func(r *uring.Ring) error { return r.RegisterFileAllocRange(0, 1) },
		"UnregisterEventfd":     func(r *uring.Ring) error { return r.UnregisterEventfd() },
		"RegisterEventfd":       func(r *uring.Ring) error { return r.RegisterEventfd(1<<20, false) },
		"UnregisterPersonality": func(r *uring.Ring) error { return r.UnregisterPersonality(77) },
		"Restrictions":          func(r *uring.Ring) error { return r.RegisterRestrictions(uring.Restrictions{}) },
		"Enable":                func(r *uring.Ring) error { return r.Enable() },
		"UnregisterRingFd":      func(r *uring.Ring) error { return r.UnregisterRingFd() },
		"CloseRingFd":           func(r *uring.Ring) error { return r.CloseRingFd() },
		"SyncCancel":            func(r *uring.Ring) error { _, err := r.SyncCancel(uring.MatchUserData(4), 0); return err },
		"SyncCancel descriptor": func(r *uring.Ring) error { _, err := r.SyncCancel(uring.MatchFd(1<<20), 0); return err },
		"SyncCancel slot":       func(r *uring.Ring) error { _, err := r.SyncCancel(uring.MatchDirect(3), 0); return err },
		"RegisterClock":         func(r *uring.Ring) error { return r.RegisterClock(unix.CLOCK_REALTIME) },
		"CloneBuffers":          func(r *uring.Ring) error { return r.CloneBuffers(r, uring.BufferClone{}) },
		"RemoveNAPI":            func(r *uring.Ring) error { return r.RemoveNAPI(1) },
		"NAPI tracking":         func(r *uring.Ring) error { _, err := r.RegisterNAPI(uring.NAPI{Tracking: 9}); return err },
		"RegisterMemRegion":     func(r *uring.Ring) error { return r.RegisterMemRegion(&sys.RegionDesc{}, 0) },
		"RegisterZCRX":          func(r *uring.Ring) error { return r.RegisterZCRX(&sys.ZCRXIfqReg{}, nil, nil, nil) },
		"ZCRXCtrl":              func(r *uring.Ring) error { return r.ZCRXCtrl(&sys.ZCRXCtrl{ZCRXID: 5}) },
		"BPF": func(r *uring.Ring) error {
			return r.RegisterBPFFilter(uring.BPFFilter{Op: 250, Program: make([]uring.BPFInstruction, 1)})
		},
		"unknown operation": func(r *uring.Ring) error { _, err := r.Backend().Register(200, nil, 0); return err },
	}
	said := map[string]map[string]string{}
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		said[b.Name] = map[string]string{}
		for name, call := range calls {
			err := call(b.Ring(t, 4, nil))
			if err == nil {
				t.Errorf("%s: no error", name)
				continue
			}
			var errno syscall.Errno
			if !errors.As(err, &errno) && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v has no errno inside", name, err)
			}
			if errors.Is(err, errors.ErrUnsupported) && b.Name == backendtest.Liburing.Name {
				delete(said[backendtest.Purego.Name], name) // the library is older than this
				continue
			}
			said[b.Name][name] = err.Error()
		}
		// The kernel's own answers to arguments that no typed function can make.
		for _, c := range rawArguments() {
			_, err := open(t, b, 0).Backend().Register(c.op, c.arg, c.n)
			said[b.Name][fmt.Sprint("raw ", c.op, " ", c.n)] = fmt.Sprint(err)
			if err == nil {
				t.Errorf("%v with reserved fields set: no error", c.op)
			}
		}
	})
	if len(said) == 2 {
		expect(t, "errors of liburing (want) and purego (got)", said[backendtest.Purego.Name], said[backendtest.Liburing.Name])
	}
}

type rawArgument struct {
	op  sys.RegisterOp
	arg sys.Pointer
	n   uint32
}

// rawArguments are calls that no kernel takes: reserved fields set, sizes that are
// wrong, arguments where there must be none.
func rawArguments() []rawArgument {
	words := func() sys.Pointer {
		w := new([64]uint32)
		for i := range w {
			w[i] = 0x7f0000
		}
		return sys.PointerTo(w)
	}
	var calls []rawArgument
	for op := range sys.IORING_REGISTER_LAST {
		switch op {
		case sys.IORING_REGISTER_BUFFERS, sys.IORING_REGISTER_FILES, sys.IORING_REGISTER_PERSONALITY, sys.IORING_UNREGISTER_NAPI,
			sys.IORING_UNREGISTER_IOWQ_AFF, sys.IORING_REGISTER_IOWQ_AFF:
			// They have no fields to be wrong, or do nothing with them.
			calls = append(calls, rawArgument{op, nil, 3})
			if op == sys.IORING_UNREGISTER_NAPI {
				calls = calls[:len(calls)-1]
			}
		case sys.IORING_REGISTER_RESIZE_RINGS:
		default:
			for _, n := range []uint32{0, 1, 7, 32} {
				calls = append(calls, rawArgument{op, words(), n})
			}
		}
	}
	return calls
}

// TestRegisterOwner: a ring of another thread's says so.
func TestRegisterOwner(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, sys.IORING_SETUP_SINGLE_ISSUER)
		errs := map[string]error{}
		backendtest.OnNewThread(func() {
			errs["RegisterFiles"] = r.RegisterFiles([]int32{0})
			_, errs["NewBufRing"] = r.NewBufRing(1, 1, 64)
			_, errs["SyncCancel"] = r.SyncCancel(uring.MatchAny(), 0)
		})
		for name, err := range errs {
			if name == "NewBufRing" && !knowsRegister(r.Fd(), sys.IORING_REGISTER_PBUF_STATUS, 1) {
				expectErr(t, name, err, syscall.EEXIST)
				continue
			}
			expectErr(t, name, err, syscall.EEXIST, "another thread")
		}
	})
}

func TestEventfd(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		count := func() (n uint64) {
			var b [8]byte
			if _, err := unix.Read(fd, b[:]); err == nil {
				n = uint64(b[0])
			}
			return n
		}
		nop := func() {
			r.sqe(1).PrepNop()
			r.submit(1)
		}
		expectErr(t, "register", r.RegisterEventfd(fd, false), nil)
		expectErr(t, "again", r.RegisterEventfd(fd, false), syscall.EBUSY, "an eventfd already")
		nop()
		expect(t, "notifications of a completion", count(), 1)
		expectErr(t, "off", r.SetEventfdEnabled(false), nil)
		expect(t, "Status.EventfdDisabled", r.Status().EventfdDisabled, true)
		nop()
		expect(t, "notifications while off", count(), 0)
		expectErr(t, "on", r.SetEventfdEnabled(true), nil)
		nop()
		expect(t, "notifications after on", count(), 1)
		expectErr(t, "unregister", r.UnregisterEventfd(), nil)
		nop()
		expect(t, "notifications after unregister", count(), 0)
		p, _ := backendtest.Pipe(t)
		expectErr(t, "a pipe", r.RegisterEventfd(p, false), syscall.EINVAL, "not an eventfd")
		expectErr(t, "async", r.RegisterEventfd(fd, true), nil)
		nop()
		expect(t, "async notifications of an immediate completion", count(), 0)
	})
}

func TestRegisterClock(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_CLOCK, 0)
		for _, clock := range []int32{unix.CLOCK_BOOTTIME, unix.CLOCK_MONOTONIC} {
			expectErr(t, "RegisterClock", r.RegisterClock(clock), nil)
			// An absolute timeout is on that clock: boot time is ahead of
			// monotonic time by what the system slept, so only the past and the
			// near future are the same for both.
			var now unix.Timespec
			if err := unix.ClockGettime(clock, &now); err != nil {
				t.Fatal(err)
			}
			const pause = 20 * time.Millisecond
			start := time.Now()
			err := r.Wait(uring.Wait{N: 1, Timeout: time.Duration(now.Nano()) + pause, Flags: sys.IORING_ENTER_ABS_TIMER})
			expectErr(t, "absolute wait", err, os.ErrDeadlineExceeded)
			if took := time.Since(start); took < pause-time.Millisecond || took > 5*time.Second {
				t.Errorf("clock %d: an absolute wait for %v took %v", clock, pause, took)
			}
		}
	})
}

func TestRingFd(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		backendtest.LockThread(t)
		r := open(t, b, 0)
		if !r.TryRegisterRingFd() {
			needRegister(t, r.Fd(), sys.IORING_REGISTER_RING_FDS, 1)
			t.Fatal("the kernel registers descriptors, and did not register this one")
		}
		expect(t, "a second try", r.TryRegisterRingFd(), false)
		expectErr(t, "registering twice", r.RegisterRingFd(), syscall.EEXIST)
		r.sqe(1).PrepNop()
		expect(t, "NOP", r.submit(1), []uring.CQE{{UserData: 1}})
		expectErr(t, "unregister", r.UnregisterRingFd(), nil)
		expectErr(t, "register again", r.RegisterRingFd(), nil)
		if r.Params().Features&sys.IORING_FEAT_REG_REG_RING == 0 {
			expectErr(t, "close", r.CloseRingFd(), errors.ErrUnsupported)
			return
		}
		if err := r.CloseRingFd(); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err) // liburing before 2.4
		} else if err != nil {
			t.Fatal(err)
		}
		expect(t, "descriptor", r.Fd(), -1)
		// Registrations go through the index from here on.
		expectErr(t, "sparse files", r.RegisterFilesSparse(2), nil)
		f := tempFile(t, "x")
		n, err := r.UpdateFiles(1, int32s(int(f.Fd())), nil)
		expectErr(t, "update", err, nil)
		expect(t, "updated", n, 1)
		_, _, err = r.IOWQMaxWorkers(0, 0)
		expectErr(t, "workers", err, nil)
		buf := make([]byte, 4)
		s := r.sqe(2)
		s.PrepRead(1, buf, 0)
		s.Flags = sys.IOSQE_FIXED_FILE
		expect(t, "read of a registered file", r.submit(1), []uring.CQE{{UserData: 2, Res: 1}})
		runtime.KeepAlive(buf)
	})
}

// mappings counts the mappings of memory that is shared with the kernel.
func mappings(t *testing.T) int {
	t.Helper()
	s, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(s), "/dev/zero")
}

// TestRegisterReleases: what registrations mapped is let go of.
func TestRegisterReleases(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		before := mappings(t)
		r := open(t, b, 0)
		var rings []*uring.BufRing
		for group := range uint16(3) {
			br, err := r.NewBufRing(group, 4, 4096)
			if err != nil {
				needRegister(t, r.Fd(), sys.IORING_REGISTER_PBUF_RING, 1)
				t.Fatal(err)
			}
			rings = append(rings, br)
		}
		if got := mappings(t); got != before+6 {
			t.Fatalf("%d mappings for 3 buffer rings, want 6", got-before)
		}
		_, err := r.NewBufRing(1, 4, 4096)
		expectErr(t, "a group in use", err, syscall.EEXIST, "group 1")
		if err := rings[1].Close(); err != nil {
			t.Error(err)
		}
		expect(t, "mappings after one was closed", mappings(t)-before, 4)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		expect(t, "mappings after the ring was closed", mappings(t)-before, 0)
		var none *uring.BufRing
		expectErr(t, "Put to no ring", none.Put(0), os.ErrInvalid)
		expectErr(t, "PutLen to no ring", none.PutLen(0, 1), os.ErrInvalid)
		expectErr(t, "Close of no ring", none.Close(), os.ErrInvalid)
		expect(t, "Bytes of no ring", none.Bytes(uring.CQE{Flags: sys.IORING_CQE_F_BUFFER, Res: 1}), nil)
		_, err = none.Available()
		expectErr(t, "Available of no ring", err, os.ErrInvalid)
		for _, br := range rings {
			expectErr(t, "Close after the ring", br.Close(), os.ErrClosed)
			expectErr(t, "Put after the ring", br.Put(0), os.ErrClosed)
			expect(t, "Buffer after the ring", br.Buffer(0), nil)
			if parts, done := br.Take(uring.CQE{Flags: sys.IORING_CQE_F_BUFFER, Res: 1}); parts != nil || done != nil {
				t.Errorf("Take after the ring: %v, %v", parts, done)
			}
		}
	})
	// A refusal of the kernel's leaves nothing behind either.
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		before := mappings(t)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_PBUF_RING, 1)
		if _, err := r.NewBufRingConfig(uring.BufRingConfig{Count: 4, Size: 64}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Backend().Register(sys.IORING_UNREGISTER_PBUF_RING, sys.PointerTo(&sys.BufReg{Bgid: 0}), 1); err != nil {
			t.Fatal(err)
		}
		expect(t, "mappings", mappings(t)-before, 2)
	})
}

// sorted returns completions in the order of their user data.
func sorted(cs []uring.CQE) []uring.CQE {
	slices.SortFunc(cs, func(a, b uring.CQE) int { return int(int64(a.UserData) - int64(b.UserData)) })
	return cs
}
