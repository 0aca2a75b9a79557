//go:build linux

package uring_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

const ecanceled = -int32(syscall.ECANCELED)

// canceled is the completion of a cancelled request.
func canceled(userData uint64) uring.CQE { return uring.CQE{UserData: userData, Res: ecanceled} }

func TestSyncCancel(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_SYNC_CANCEL, 1)
		p, _ := backendtest.Pipe(t)
		q, _ := backendtest.Pipe(t)
		buf := make([]byte, 4)
		// block queues reads of empty pipes and submits them.
		block := func(userData uint64, fds ...int) {
			t.Helper()
			for i, fd := range fds {
				r.sqe(userData+uint64(i)).PrepRead(fd, buf, 0)
			}
			if n, err := r.Submit(); err != nil || n != len(fds) {
				t.Fatalf("Submit: %d, %v", n, err)
			}
		}
		cancel := func(what string, m uring.Match, want int) {
			t.Helper()
			n, err := r.SyncCancel(m, time.Second)
			expectErr(t, what, err, nil)
			expect(t, what+": found", n, want)
		}
		none := func(what string, m uring.Match) {
			t.Helper()
			_, err := r.SyncCancel(m, time.Second)
			expectErr(t, what, err, syscall.ENOENT, "no request")
		}
		none("nothing there", uring.MatchUserData(1))
		cancel("everything, of nothing", uring.MatchAny(), 0)

		block(1, p, p, q)
		cancel("by user data", uring.MatchUserData(2), 1)
		expect(t, "cancelled", r.reap(1), []uring.CQE{canceled(2)})
		none("by user data again", uring.MatchUserData(2))
		cancel("one by descriptor", uring.MatchFd(p), 1)
		expect(t, "cancelled", r.reap(1), []uring.CQE{canceled(1)})
		none("by descriptor again", uring.MatchFd(p))
		cancel("all of a descriptor", uring.MatchFd(q).All(), 1)
		expect(t, "cancelled", r.reap(1), []uring.CQE{canceled(3)})

		block(10, p, p, p, q)
		cancel("all of a descriptor", uring.MatchFd(p).All(), 3)
		expect(t, "cancelled", sorted(r.reap(3)), []uring.CQE{canceled(10), canceled(11), canceled(12)})
		cancel("everything", uring.MatchAny().All(), 1)
		expect(t, "cancelled", r.reap(1), []uring.CQE{canceled(13)})

		// Not submitted, not found.
		r.sqe(20).PrepRead(p, buf, 0)
		none("an entry that is only queued", uring.MatchUserData(20))
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		cancel("once it is submitted", uring.MatchUserData(20), 1)
		r.reap(1)

		expectErr(t, "register files", r.RegisterFiles(int32s(p, q)), nil)
		s := r.sqe(30)
		s.PrepRead(1, buf, 0)
		s.Flags = sys.IOSQE_FIXED_FILE
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		none("by another slot", uring.MatchDirect(0))
		cancel("by slot", uring.MatchDirect(1), 1)
		expect(t, "cancelled", r.reap(1), []uring.CQE{canceled(30)})
		_, err := r.SyncCancel(uring.MatchDirect(2), 0)
		expectErr(t, "a slot that does not exist", err, syscall.EBADF)

		block(40, p, p)
		r.sqe(42).PrepPollAdd(p, unix.POLLIN)
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		// Matching operations is older by a release than multishot reads.
		if _, err := r.SyncCancel(uring.MatchOp(sys.IORING_OP_SPLICE).All(), 0); !probed(t, r.Ring)[sys.IORING_OP_READ_MULTISHOT] && err != nil {
			expectErr(t, "by operation", err, syscall.EINVAL)
			cancel("the rest, of which nothing is missing", uring.MatchAny(), 3)
			t.Skip("this kernel matches no operations (Linux 6.6)")
		}
		cancel("by operation", uring.MatchOp(sys.IORING_OP_POLL_ADD), 1)
		expect(t, "cancelled", r.reap(1), []uring.CQE{canceled(42)})
		none("by operation and user data that disagree", uring.MatchOp(sys.IORING_OP_POLL_ADD).And(uring.MatchUserData(40)))
		cancel("by all three", uring.MatchOp(sys.IORING_OP_READ).And(uring.MatchUserData(41)).And(uring.MatchFd(p)), 1)
		expect(t, "cancelled", r.reap(1), []uring.CQE{canceled(41)})
		cancel("anything, and by user data", uring.MatchAny().And(uring.MatchUserData(40)), 1)
		expect(t, "cancelled", r.reap(1), []uring.CQE{canceled(40)})
		r.idle()
	})
}

// TestSyncCancelWaits: a request that a worker carries out cannot be cancelled, and
// is waited for.
func TestSyncCancelWaits(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_SYNC_CANCEL, 1)
		// A worker that opens a FIFO for reading stays there until there is a
		// writer; a signal of the kernel's own ends it early.
		path := t.TempDir() + "/fifo"
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		name := append([]byte(path), 0)
		s := r.sqe(1)
		s.PrepOpenat(unix.AT_FDCWD, &name[0], unix.O_RDONLY, 0)
		s.Flags = sys.IOSQE_ASYNC
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // until the worker has it
		n, err := r.SyncCancel(uring.MatchUserData(1), 5*time.Second)
		expectErr(t, "SyncCancel", err, nil)
		expect(t, "found", n, 1)
		c := r.reap(1)[0]
		// ERESTARTSYS is the kernel's own errno for an interrupted open. It is made
		// EINTR for system calls, and sometimes not for a worker's.
		const erestartsys = 512
		if c.UserData != 1 || c.Res != -int32(syscall.EINTR) && c.Res != ecanceled && c.Res != -erestartsys {
			t.Errorf("the request ended with %+v", c)
		}
	})
}

// TestMatch: what And makes of contradictions, and that a timeout is a timeout.
func TestMatch(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_SYNC_CANCEL, 1)
		for name, m := range map[string]uring.Match{
			"two descriptors":         uring.MatchFd(1).And(uring.MatchFd(2)),
			"a descriptor and a slot": uring.MatchFd(1).And(uring.MatchDirect(1)),
			"two operations":          uring.MatchOp(1).And(uring.MatchOp(2)),
			"two user data":           uring.MatchUserData(1).And(uring.MatchUserData(2)),
			"deep":                    uring.MatchOp(1).And(uring.MatchUserData(1).And(uring.MatchUserData(2))),
			"with All":                uring.MatchFd(1).All().And(uring.MatchFd(2)),
		} {
			_, err := r.SyncCancel(m, 0)
			expectErr(t, name, err, syscall.EINVAL, "two different")
		}
		expect(t, "twice the same", uring.MatchFd(1).And(uring.MatchFd(1)) == uring.MatchFd(1), true)
		expect(t, "All on either side", uring.MatchFd(1).All().And(uring.MatchUserData(2)) == uring.MatchFd(1).And(uring.MatchUserData(2).All()), true)
		_, err := r.SyncCancel(uring.MatchUserData(1), time.Nanosecond)
		expectErr(t, "nothing there and hardly any time", err, syscall.ENOENT)
		if err == os.ErrDeadlineExceeded {
			t.Error("nothing to wait for was waited for")
		}
	})
}
