//go:build linux

package uring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

// needDrain skips the test where Drain cannot cancel.
func needDrain(t *testing.T, r live) {
	t.Helper()
	needRegister(t, r.Fd(), sys.IORING_REGISTER_SYNC_CANCEL, 1)
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// drained drains the ring and checks that nothing is left.
func (r live) drained(what string) {
	r.t.Helper()
	if err := r.Drain(within(r.t, 20*time.Second)); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
	if n, err := r.SyncCancel(uring.MatchAny(), 0); n != 0 || err != nil {
		r.t.Errorf("%s: after Drain there were %d requests to cancel, %v", what, n, err)
	}
	r.idle()
	s := r.Status()
	if s.SQReady != 0 || s.CQReady != 0 || s.Overflow {
		r.t.Errorf("%s: after Drain %+v", what, s)
	}
	r.sqe(1).PrepNop()
	expect(r.t, what+": a NOP afterwards", r.submit(1), []uring.CQE{{UserData: 1}})
}

// TestDrain puts everything in flight that waits, in every mode.
func TestDrain(t *testing.T) {
	backendtest.EachMode(t, func(t *testing.T, b backendtest.Backend, m backendtest.Mode) {
		r := open(t, b, m.Flags)
		needDrain(t, r)
		r.drained("an idle ring")
		p, w := backendtest.Pipe(t)
		l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(l)
		if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 1)); err != nil {
			t.Fatal(err)
		}
		hour := sys.KernelTimespec(time.Hour)
		for round := range 3 {
			buf := make([]byte, 64)
			r.sqe(10).PrepRead(p, buf[:8], 0)
			r.sqe(11).PrepPollMultishot(p, unix.POLLIN)
			r.sqe(12).PrepTimeout(&hour, 0, 0)
			r.sqe(13).PrepMultishotAccept(l, nil, nil, unix.SOCK_CLOEXEC)
			r.sqe(14).PrepRead(p, buf[8:16], 0)
			r.sqe(15).PrepNop()
			s := r.sqe(16)
			s.PrepRead(p, buf[16:24], 0)
			s.Flags = sys.IOSQE_ASYNC
			if round > 0 {
				if _, err := r.Submit(); err != nil {
					t.Fatal(err)
				}
			}
			// A chain that is not complete: the proof must not become part of it.
			s = r.sqe(17)
			s.PrepRead(p, buf[24:32], 0)
			s.Flags = sys.IOSQE_IO_LINK
			r.drained(fmt.Sprint("round ", round))
			send(t, w, "too late")
			expect(t, "what the reads got", string(buf), string(make([]byte, 64)))
			got := make([]byte, 16)
			n, err := unix.Read(p, got)
			expectErr(t, "reading the pipe", err, nil)
			expect(t, "left in the pipe", string(got[:n]), "too late")
		}
	}, "plain", "single", "defer", "defer+flag", "coop+flag", "sqpoll", "sqe128", "cqe32", "cqe_mixed", "sq_rewind")
}

// TestDrainFullQueues: with the submission queue full, completions overflowing, and
// some that an iteration has left behind.
func TestDrainFullQueues(t *testing.T) {
	backendtest.EachMode(t, func(t *testing.T, b backendtest.Backend, m backendtest.Mode) {
		r := live{t, b.Ring(t, 4, &sys.Params{Flags: m.Flags | sys.IORING_SETUP_CQSIZE, CQEntries: 4})}
		needDrain(t, r)
		p, _ := backendtest.Pipe(t)
		buf := make([]byte, 4)
		fill := func(n int, prep func(i int, s *uring.SQE)) {
			for i := 0; i < n; {
				s := r.GetSQE()
				if s == nil {
					if _, err := r.Submit(); err != nil {
						t.Fatal(err)
					}
					continue
				}
				prep(i, s)
				i++
			}
		}
		fill(40, func(i int, s *uring.SQE) {
			if i%4 == 3 {
				s.PrepRead(p, buf, 0)
			} else {
				s.PrepNop()
			}
		})
		for range r.Completions() {
			break // leaves completions in the ring's own buffer
		}
		fill(4, func(i int, s *uring.SQE) { s.PrepRead(p, buf, 0) })
		r.drained("full queues")
	}, "plain", "defer", "sqpoll", "coop+flag")
}

// TestDrainRefusedEntry: the queue has an entry that the kernel refuses, behind which
// a Submit stops.
func TestDrainRefusedEntry(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needDrain(t, r)
		p, _ := backendtest.Pipe(t)
		buf := make([]byte, 4)
		for i := range 7 {
			s := r.sqe(uint64(i))
			s.PrepRead(p, buf, 0)
			if i%2 == 0 {
				s.Opcode = 250
			}
		}
		r.drained("refused entries")
	})
}

// TestDrainDirectIO: reads of a disk cannot be cancelled, and are over when Drain
// returns. What is in the buffers then stays.
func TestDrainDirectIO(t *testing.T) {
	const size, count = 1 << 20, 8
	f, err := os.CreateTemp(".", "drain-*.tmp") // a disk, which a temporary directory may not be on
	if err != nil {
		t.Skip(err)
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(bytes.Repeat([]byte("0123456789abcdef"), size*count/16)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(f.Name(), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no O_DIRECT here: %v", err)
	}
	defer unix.Close(fd)
	mem, err := unix.Mmap(-1, 0, size*count, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	backendtest.EachMode(t, func(t *testing.T, b backendtest.Backend, m backendtest.Mode) {
		r := open(t, b, m.Flags)
		needDrain(t, r)
		pending := 0
		for range 20 {
			for i := range count {
				s := r.sqe(uint64(i))
				s.PrepRead(fd, mem[i*size:(i+1)*size], uint64(i*size))
			}
			if _, err := r.Submit(); err != nil {
				t.Fatal(err)
			}
			pending += count - r.Status().CQReady
			if err := r.Drain(within(t, 20*time.Second)); err != nil {
				t.Fatal(err)
			}
			clear(mem)
			time.Sleep(time.Millisecond)
			for i, c := range mem {
				if c != 0 {
					t.Fatalf("byte %d was written after Drain", i)
				}
			}
		}
		t.Logf("%d of %d reads were in flight when Drain began", pending, 20*count)
		if pending == 0 && m.Name == "plain" {
			t.Skip("every read was over before Drain began")
		}
	}, "plain", "defer", "sqpoll")
}

// TestDrainContext: what cannot be cancelled outlasts a context, and another Drain
// gets it. Restrictions take the means to cancel away.
func TestDrainContext(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		needDisabled(t, b)
		r := open(t, b, sys.IORING_SETUP_R_DISABLED)
		expectErr(t, "restrict", r.RegisterRestrictions(uring.Restrictions{
			Ops:         []sys.Op{sys.IORING_OP_NOP, sys.IORING_OP_READ},
			RegisterOps: []sys.RegisterOp{sys.IORING_REGISTER_ENABLE_RINGS},
			Allowed:     sys.IOSQE_IO_DRAIN,
		}), nil)
		expectErr(t, "enable", r.Enable(), nil)
		p, w := backendtest.Pipe(t)
		buf := make([]byte, 4)
		r.sqe(1).PrepRead(p, buf, 0)
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		const patience = 50 * time.Millisecond
		start := time.Now()
		expectErr(t, "a deadline", r.Drain(within(t, patience)), context.DeadlineExceeded, "Drain")
		if took := time.Since(start); took < patience || took > 5*time.Second {
			t.Errorf("a deadline of %v took %v", patience, took)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(patience, func() { cancel(nil) })
		expectErr(t, "a context cancelled meanwhile", r.Drain(ctx), context.Canceled)
		expectErr(t, "a context cancelled before", r.Drain(ctx), context.Canceled)
		send(t, w, "go")
		expectErr(t, "when the read can end", r.Drain(within(t, 10*time.Second)), nil)
		expect(t, "what it read", string(buf[:2]), "go")
		r.idle()
	})
}

// TestDrainByRequest: where the kernel's call for cancelling is not permitted but
// requests are.
func TestDrainByRequest(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, sys.IORING_SETUP_R_DISABLED)
		needDrain(t, r)
		expectErr(t, "restrict", r.RegisterRestrictions(uring.Restrictions{
			Ops:         []sys.Op{sys.IORING_OP_NOP, sys.IORING_OP_READ, sys.IORING_OP_ASYNC_CANCEL},
			RegisterOps: []sys.RegisterOp{sys.IORING_REGISTER_ENABLE_RINGS},
			Allowed:     sys.IOSQE_IO_DRAIN | sys.IOSQE_ASYNC,
		}), nil)
		expectErr(t, "enable", r.Enable(), nil)
		p, w := backendtest.Pipe(t)
		buf := make([]byte, 64)
		for i := range 6 {
			s := r.sqe(uint64(i))
			s.PrepRead(p, buf[i*8:(i+1)*8], 0)
			if i%2 == 1 {
				s.Flags = sys.IOSQE_ASYNC
			}
		}
		expectErr(t, "Drain", r.Drain(within(t, 20*time.Second)), nil)
		send(t, w, "too late")
		expect(t, "what the reads got", string(buf), string(make([]byte, 64)))
	})
}

// TestDrainUnproven: a ring that cannot tell when it is idle says so, after it has
// cancelled everything.
func TestDrainUnproven(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needDrain(t, r)
		s := r.sqe(1)
		s.PrepNop()
		s.Flags = sys.IOSQE_CQE_SKIP_SUCCESS
		p, w := backendtest.Pipe(t)
		buf := make([]byte, 8)
		r.sqe(2).PrepRead(p, buf, 0)
		err := r.Drain(within(t, 10*time.Second))
		if err != nil { // a kernel may learn it
			expectErr(t, "Drain", err, errors.ErrUnsupported, "idle")
		}
		if n, err := r.SyncCancel(uring.MatchAny(), 0); n != 0 || err != nil {
			t.Errorf("there were %d requests left to cancel, %v", n, err)
		}
		send(t, w, "too late")
		expect(t, "what the read got", string(buf), string(make([]byte, 8)))
	})
}

// TestDrainZeroCopy: a send without a copy is over with its notification. Here it is
// of more than the connection holds, so that the end waits for the peer to read.
func TestDrainZeroCopy(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needDrain(t, r)
		needOps(t, r.Ring, sys.IORING_OP_SEND_ZC)
		if !probed(t, r.Ring)[sys.IORING_OP_PIPE] {
			t.Skip("this kernel does not count notifications for IOSQE_IO_DRAIN (Linux 6.16, as is IORING_OP_PIPE)")
		}
		x, y := tcpPair(t)
		data := bytes.Repeat([]byte("zero-copy"), 1<<20)
		s := r.sqe(5)
		s.PrepSendZC(x, data, 0, 0)
		s.OpFlags = unix.MSG_DONTWAIT
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		const patience = 100 * time.Millisecond
		err := r.Drain(within(t, patience))
		if err == nil {
			t.Fatal("Drain ended while the peer had not read")
		}
		expectErr(t, "while the peer has not read", err, context.DeadlineExceeded)
		done := make(chan error, 1)
		go func() { done <- r.Drain(within(t, 20*time.Second)) }()
		if err := unix.SetNonblock(y, true); err != nil {
			t.Fatal(err)
		}
		buf, at := make([]byte, 1<<20), 0
		for {
			n, err := unix.Read(y, buf)
			if n > 0 {
				for _, c := range buf[:n] {
					if c != data[at%9] {
						t.Fatalf("byte %d was sent as %q and read as %q", at, data[at%9], c)
					}
					at++
				}
				continue
			}
			if err != unix.EAGAIN {
				t.Fatalf("reading: %d, %v", n, err)
			}
			select {
			case err := <-done:
				expectErr(t, "while the peer reads", err, nil)
				t.Logf("%d bytes went without a copy", at)
				r.idle()
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
}

// tcpPair returns two connected TCP sockets on loopback.
func tcpPair(t *testing.T) (int, int) {
	t.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 1)); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(l)
	if err != nil {
		t.Fatal(err)
	}
	x, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(x) })
	if err := unix.Connect(x, at); err != nil {
		t.Fatal(err)
	}
	y, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(y) })
	return x, y
}

// TestDrainStates: rings that have nothing to drain, or cannot.
func TestDrainStates(t *testing.T) {
	expectErr(t, "nil", (*uring.Ring)(nil).Drain(t.Context()), os.ErrInvalid)
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		expectErr(t, "closed", r.Drain(t.Context()), os.ErrClosed)
		off := open(t, b, sys.IORING_SETUP_R_DISABLED)
		expectErr(t, "disabled", off.Drain(t.Context()), syscall.EBADFD)
		poll := open(t, b, sys.IORING_SETUP_IOPOLL)
		if err := poll.Drain(within(t, 10*time.Second)); err != nil {
			expectErr(t, "polling", err, errors.ErrUnsupported)
		}
	})
	// Another thread's ring is not drained, and says why.
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, deferred)
		var err error
		backendtest.OnNewThread(func() { err = r.Drain(t.Context()) })
		expectErr(t, "another thread's", err, syscall.EEXIST, "another thread")
	})
}
