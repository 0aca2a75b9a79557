//go:build linux

package uring_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

// TestRingResize: Resize through Ring keeps completions, what is submitted and what
// is only filled in, and the window of free entries is the new queue's.
func TestRingResize(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, deferred)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_RESIZE_RINGS, 1)
		for i := range 3 {
			r.sqe(uint64(i)).PrepNop()
		}
		if _, err := r.SubmitWait(uring.Wait{N: 3}); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			r.sqe(uint64(10 + i)).PrepNop()
		}
		if err := r.Resize(32, 128); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		p, s := r.Params(), r.Status()
		expect(t, "sizes", [2]uint32{p.SQEntries, p.CQEntries}, [2]uint32{32, 128})
		expect(t, "ready", [2]int{s.SQReady, s.CQReady}, [2]int{2, 3})
		expect(t, "space", r.Space(), 30)
		for i := range 30 {
			r.sqe(uint64(20 + i)).PrepNop()
		}
		expect(t, "an entry above the size", r.GetSQE() == nil, true)
		n, err := r.SubmitWait(uring.Wait{N: 35})
		expectErr(t, "SubmitWait", err, nil)
		expect(t, "submitted", n, 32)
		var got []uint64
		for c := range r.Completions() {
			got = append(got, c.UserData)
		}
		wantData := []uint64{0, 1, 2, 10, 11}
		for i := range 30 {
			wantData = append(wantData, uint64(20+i))
		}
		expect(t, "completions", got, wantData)
		// What does not fit is refused, and nothing has changed.
		for i := range 6 {
			r.sqe(uint64(i)).PrepNop()
		}
		if _, err := r.SubmitWait(uring.Wait{N: 6}); err != nil {
			t.Fatal(err)
		}
		expectErr(t, "6 completions into 4", r.Resize(2, 4), syscall.EOVERFLOW, "2 and 4")
		expect(t, "completions after the refusal", len(r.reap(6)), 6)
		expectErr(t, "shrink", r.Resize(2, 0), nil)
		p = r.Params()
		expect(t, "sizes", [2]uint32{p.SQEntries, p.CQEntries}, [2]uint32{2, 4})
		r.sqe(1).PrepNop()
		r.sqe(2).PrepNop()
		expect(t, "a third entry", r.GetSQE() == nil, true)
		expect(t, "submitted to the small ring", r.submit(2), []uring.CQE{{UserData: 1}, {UserData: 2}})
		for _, bad := range [][2]uint32{{0, 0}, {1 << 20, 0}, {8, 4}, {8, 1 << 20}} {
			expectErr(t, "a bad size", r.Resize(bad[0], bad[1]), syscall.EINVAL, "Resize")
		}
	})
}

// TestWaitRegion waits as registered memory says.
func TestWaitRegion(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, sys.IORING_SETUP_R_DISABLED)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_MEM_REGION, 1)
		waits, err := r.NewWaitRegion(100) // more than a page of them
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.NewWaitRegion(1)
		expectErr(t, "a second region", err, syscall.EBUSY, "already")
		expectErr(t, "enable", r.Enable(), nil)
		expect(t, "Len", waits.Len(), 100)
		const pause = 30 * time.Millisecond
		expectErr(t, "Set", waits.Set(99, uring.Wait{Timeout: pause}), nil)
		expectErr(t, "Set with N", waits.Set(0, uring.Wait{N: 1}), syscall.EINVAL, "N")
		expectErr(t, "Set past the end", waits.Set(100, uring.Wait{}), syscall.EINVAL, "100 of 100")
		expectErr(t, "Set a negative timeout", waits.Set(0, uring.Wait{Timeout: -1}), syscall.EINVAL, "-1ns")
		start := time.Now()
		expectErr(t, "a wait that ends by its timeout", r.Wait(waits.Wait(99, 1)), os.ErrDeadlineExceeded)
		if took := time.Since(start); took < pause || took > 5*time.Second {
			t.Errorf("a registered wait of %v took %v", pause, took)
		}
		r.sqe(1).PrepNop()
		n, err := r.SubmitWait(waits.Wait(99, 1))
		expectErr(t, "a wait that ends by a completion", err, nil)
		expect(t, "submitted", n, 1)
		r.reap(1)
		// With a minimum of its own, one completion of two suffices after it. The
		// backend makes one attempt, which a signal would end.
		none := ^sys.Sigset(0)
		expectErr(t, "Set", waits.Set(0, uring.Wait{Timeout: 5 * time.Second, MinTimeout: pause, Sigmask: &none}), nil)
		r.sqe(2).PrepNop()
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		expectErr(t, "a wait with a minimum", r.Backend().Wait(waits.Wait(0, 2)), nil)
		if took := time.Since(start); took < pause || took > 4*time.Second {
			t.Errorf("a registered wait with a minimum of %v took %v", pause, took)
		}
		r.reap(1)
		expectErr(t, "a wait that is not in the region", r.Wait(waits.Wait(1<<20, 1)), syscall.EFAULT)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		expect(t, "Len of a closed ring", waits.Len(), 0)
		expectErr(t, "Set on a closed ring", waits.Set(0, uring.Wait{}), os.ErrClosed)
	})
}

// TestRegisteredWaitSigmask: a signal ends a registered wait whose mask lets it
// through, and does not end one whose mask blocks it.
func TestRegisteredWaitSigmask(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		backendtest.LockThread(t)
		r := open(t, b, sys.IORING_SETUP_R_DISABLED)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_MEM_REGION, 1)
		waits, err := r.NewWaitRegion(2)
		if err != nil {
			t.Fatal(err)
		}
		expectErr(t, "enable", r.Enable(), nil)
		const pause = 200 * time.Millisecond
		none, all := sys.Sigset(0), ^sys.Sigset(0)
		expectErr(t, "Set", waits.Set(0, uring.Wait{Timeout: pause, Sigmask: &none}), nil)
		expectErr(t, "Set", waits.Set(1, uring.Wait{Timeout: pause, Sigmask: &all}), nil)
		for i, want := range []error{syscall.EINTR, os.ErrDeadlineExceeded} {
			stop, tid := make(chan struct{}), unix.Gettid()
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
						unix.Tgkill(unix.Getpid(), tid, unix.SIGURG) // which the Go runtime ignores
					}
				}
			}()
			start := time.Now()
			// The backend makes one attempt.
			err := r.Backend().Wait(waits.Wait(i, 1))
			took := time.Since(start)
			close(stop)
			expectErr(t, "wait", err, want)
			if want == os.ErrDeadlineExceeded && took < pause {
				t.Errorf("a wait of %v with signals blocked took %v", pause, took)
			}
		}
	})
}

func TestMsgRing(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		for _, flags := range []sys.SetupFlags{0, deferred} {
			r := open(t, b, flags)
			needRegister(t, -1, sys.IORING_REGISTER_SEND_MSG_RING, 1)
			expectErr(t, "send", uring.SendMsgWith(ringless(b), r.Fd(), 77, 3, 0), nil)
			expectErr(t, "send with flags", uring.SendMsgWith(ringless(b), r.Fd(), 78, -4, sys.IORING_CQE_F_BUFFER|9<<sys.IORING_CQE_BUFFER_SHIFT), nil)
			expect(t, "messages", r.reap(2), []uring.CQE{{UserData: 77, Res: 3}, {UserData: 78, Res: -4, Flags: sys.IORING_CQE_F_BUFFER | 9<<sys.IORING_CQE_BUFFER_SHIFT}})
			// It wakes a ring that waits.
			fd, sent := r.Fd(), make(chan error)
			go func() {
				time.Sleep(10 * time.Millisecond)
				sent <- uring.SendMsgWith(ringless(b), fd, 79, 0, 0)
			}()
			expect(t, "a message to a ring that waits", r.reap(1), []uring.CQE{{UserData: 79}})
			expectErr(t, "sending it", <-sent, nil)
		}
		f := tempFile(t, "")
		expectErr(t, "to a file", uring.SendMsgWith(ringless(b), int(f.Fd()), 1, 1, 0), syscall.EBADFD)
		expectErr(t, "to nothing", uring.SendMsgWith(ringless(b), 1<<20, 1, 1, 0), syscall.EBADF, "1048576")
		expectErr(t, "to a negative descriptor", uring.SendMsgWith(ringless(b), -1, 1, 1, 0), syscall.EBADF, "-1")
		off := open(t, b, sys.IORING_SETUP_R_DISABLED)
		expectErr(t, "to a disabled ring", uring.SendMsgWith(ringless(b), off.Fd(), 1, 1, 0), syscall.EBADFD)
	})
}

func TestQuery(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		call := ringless(b)
		q, err := uring.QueryOpcodesWith(call)
		if errors.Is(err, errors.ErrUnsupported) {
			if knowsRegister(-1, sys.IORING_REGISTER_QUERY, 0) {
				t.Errorf("the kernel has queries: %v", err)
			}
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := open(t, b, 0)
		last := sys.Op(0)
		for op := range probed(t, r.Ring) {
			last = max(last, op)
		}
		expect(t, "operations, by query and by probe", q.NrRequestOpcodes, uint32(last)+1)
		expect(t, "features, by query and by setup", q.FeatureFlags, uint64(r.Params().Features))
		for _, m := range backendtest.Modes {
			errno := backendtest.KernelSetup(8, sys.Params{Flags: m.Flags})
			expect(t, "setup flags of mode "+m.Name+", by query and by trying", q.RingSetupFlags&uint64(m.Flags) == uint64(m.Flags), errno == 0)
		}
		if q.NrRegisterOpcodes <= uint32(sys.IORING_REGISTER_QUERY) || q.SQEFlags&uint64(sys.IOSQE_ASYNC) == 0 || q.EnterFlags&uint64(sys.IORING_ENTER_GETEVENTS) == 0 {
			t.Errorf("the kernel denies what it has: %+v", q)
		}
		for i, one := range []func() error{
			func() error { _, err := uring.QueryOpcodesWith(call); return err },
			func() error { _, err := uring.QueryZCRXWith(call); return err },
			func() error { _, err := uring.QuerySCQWith(call); return err },
			func() error { _, err := uring.QueryZCRXEventWith(call); return err },
		} {
			err := one()
			if known := uint32(i) < q.NrQueryOpcodes; known != (err == nil) || err != nil && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("query %d of %d: %v", i, q.NrQueryOpcodes, err)
			}
		}
		if s, err := uring.QuerySCQWith(call); err == nil && (s.HdrSize == 0 || s.HdrAlignment == 0) {
			t.Errorf("the kernel's header before the completions: %+v", s)
		}
		expectErr(t, "an unknown query", uring.QueryUnknownWith(call), errors.ErrUnsupported, "1048576")
	})
}

func TestNAPI(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_NAPI, 1)
		first := uring.NAPI{BusyPoll: 70 * time.Microsecond, Prefer: true}
		_, err := r.RegisterNAPI(first)
		expectErr(t, "register", err, nil)
		second := uring.NAPI{BusyPoll: time.Millisecond, Tracking: sys.IO_URING_NAPI_TRACKING_STATIC}
		old, err := r.RegisterNAPI(second)
		if !has613(r) {
			// There is no tracking to choose.
			expectErr(t, "tracking", err, syscall.EINVAL)
			old, err = r.RegisterNAPI(uring.NAPI{BusyPoll: time.Millisecond})
			second.Tracking = 0
		}
		expectErr(t, "register again", err, nil)
		expect(t, "settings before", old, first)
		if second.Tracking != 0 {
			expectErr(t, "an id that is none", r.AddNAPI(1), syscall.EINVAL, "NAPI id 1")
			expectErr(t, "an id that is not there", r.RemoveNAPI(1<<20), syscall.ENOENT)
			expectErr(t, "add", r.AddNAPI(1<<20), nil)
			expectErr(t, "add again", r.AddNAPI(1<<20), syscall.EEXIST)
			expectErr(t, "remove", r.RemoveNAPI(1<<20), nil)
		}
		old, err = r.UnregisterNAPI()
		expectErr(t, "unregister", err, nil)
		old.Tracking = second.Tracking // which this call does not tell
		expect(t, "settings before", old, second)
		poll := open(t, b, sys.IORING_SETUP_IOPOLL)
		_, err = poll.RegisterNAPI(uring.NAPI{})
		expectErr(t, "on a polling ring", err, syscall.EINVAL)
	})
}
