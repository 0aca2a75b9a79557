//go:build linux

package uring_test

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

const eacces = -int32(syscall.EACCES)

// ringless returns the backend's io_uring_register(2) without a ring.
func ringless(b backendtest.Backend) func(sys.RegisterOp, sys.Pointer, uint32) (int, error) {
	if b.Name == backendtest.Liburing.Name {
		return liburing.RegisterRingless
	}
	return purego.RegisterRingless
}

// TestPersonality opens a file that only the remembered credentials may open. The
// thread ends with the test: its credentials are not those of the others.
func TestPersonality(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing credentials needs root")
	}
	f := tempFile(t, "secret")
	if err := f.Chmod(0o600); err != nil {
		t.Fatal(err)
	}
	path := append([]byte(f.Name()), 0)
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		var r live
		var id uint16
		var open1, open2, open3 int32
		var failed error
		r = open(t, b, 0)
		backendtest.OnNewThread(func() {
			if id, failed = r.RegisterPersonality(); failed != nil {
				return
			}
			// Raw: the wrappers change all threads.
			if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); errno != 0 {
				failed = errno
				return
			}
			try := func(personality uint16) int32 {
				s := r.sqe(1)
				s.PrepOpenat(unix.AT_FDCWD, &path[0], unix.O_RDONLY, 0)
				s.Personality = personality
				if _, failed = r.SubmitWait(uring.Wait{N: 1}); failed != nil {
					return 0
				}
				var c [1]uring.CQE
				r.Peek(c[:])
				if c[0].Res >= 0 {
					unix.Close(int(c[0].Res))
					return 0
				}
				return c[0].Res
			}
			open1, open2 = try(0), try(id)
			if failed == nil {
				failed = r.UnregisterPersonality(id)
			}
			open3 = try(id)
		})
		if failed != nil {
			t.Fatal(failed)
		}
		expect(t, "with the thread's own credentials", open1, eacces)
		expect(t, "with the personality", open2, 0)
		expect(t, "with a personality unregistered", open3, -int32(syscall.EINVAL))
		expectErr(t, "unregister again", r.UnregisterPersonality(id), syscall.EINVAL, "personality")
		runtime.KeepAlive(path)
	})
}

// needDisabled skips the test on kernels that never enable a disabled ring (early
// 5.10), which bare system calls show.
func needDisabled(t *testing.T, b backendtest.Backend) {
	t.Helper()
	r := open(t, b, sys.IORING_SETUP_R_DISABLED)
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.Fd()), uintptr(sys.IORING_REGISTER_ENABLE_RINGS), 0, 0, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.Fd()), 0, 0, 0, 0, 0); errno == unix.EBADFD {
		t.Skip("this kernel does not enable a ring that was disabled")
	}
}

func TestRestrictions(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		needDisabled(t, b)
		r := open(t, b, sys.IORING_SETUP_R_DISABLED)
		limits := uring.Restrictions{
			Ops:         []sys.Op{sys.IORING_OP_NOP, sys.IORING_OP_WRITE},
			RegisterOps: []sys.RegisterOp{sys.IORING_REGISTER_PROBE, sys.IORING_REGISTER_ENABLE_RINGS},
			Allowed:     sys.IOSQE_IO_LINK,
		}
		unknown := uring.Restrictions{Ops: []sys.Op{250}}
		expectErr(t, "an unknown operation", r.RegisterRestrictions(unknown), syscall.EINVAL, "does not know")
		expectErr(t, "restrict", r.RegisterRestrictions(limits), nil)
		expectErr(t, "again", r.RegisterRestrictions(limits), syscall.EBUSY, "already")
		expectErr(t, "enable", r.Enable(), nil)
		expectErr(t, "enable again", r.Enable(), syscall.EBADFD)
		try := func(op sys.Op, flags sys.SQEFlags) int32 {
			s := r.sqe(1)
			s.PrepNop()
			s.Opcode, s.Flags = op, flags
			return r.submit(1)[0].Res
		}
		expect(t, "a permitted operation", try(sys.IORING_OP_NOP, 0), 0)
		expect(t, "another operation", try(sys.IORING_OP_READ, 0), eacces)
		expect(t, "a permitted flag", try(sys.IORING_OP_NOP, sys.IOSQE_IO_LINK), 0)
		expect(t, "another flag", try(sys.IORING_OP_NOP, sys.IOSQE_ASYNC), eacces)
		expectErr(t, "a registration", r.RegisterFiles([]int32{uring.FileNone}), syscall.EACCES, "IORING_REGISTER_FILES")
		if !probed(t, r.Ring)[sys.IORING_OP_NOP] {
			t.Error("the permitted registration does not work")
		}
	})
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		needDisabled(t, b)
		r := open(t, b, sys.IORING_SETUP_R_DISABLED)
		expectErr(t, "required flags", r.RegisterRestrictions(uring.Restrictions{
			Ops: []sys.Op{sys.IORING_OP_NOP}, RegisterOps: []sys.RegisterOp{sys.IORING_REGISTER_ENABLE_RINGS}, Required: sys.IOSQE_ASYNC,
		}), nil)
		expectErr(t, "enable", r.Enable(), nil)
		for _, c := range []struct {
			flags sys.SQEFlags
			res   int32
		}{{0, eacces}, {sys.IOSQE_ASYNC, 0}, {sys.IOSQE_ASYNC | sys.IOSQE_IO_LINK, eacces}} {
			s := r.sqe(1)
			s.PrepNop()
			s.Flags = c.flags
			expect(t, "a NOP with "+c.flags.String(), r.submit(1)[0].Res, c.res)
		}
	})
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		needDisabled(t, b)
		r := open(t, b, sys.IORING_SETUP_R_DISABLED)
		expectErr(t, "nothing permitted", r.RegisterRestrictions(uring.Restrictions{}), nil)
		if err := r.Enable(); err != nil {
			expectErr(t, "enable", err, syscall.EACCES) // Linux 7.0 restricts at once
			return
		}
		r.sqe(1).PrepNop()
		expect(t, "a NOP", r.submit(1)[0].Res, eacces)
	})
}

func TestEnable(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		needDisabled(t, b)
		r := open(t, b, sys.IORING_SETUP_R_DISABLED)
		r.sqe(1).PrepNop()
		_, err := r.Submit()
		expectErr(t, "submitting to a disabled ring", err, syscall.EBADFD)
		expectErr(t, "enable", r.Enable(), nil)
		expect(t, "the entry that waited", r.submit(1), []uring.CQE{{UserData: 1}})
		expectErr(t, "enable again", r.Enable(), syscall.EBADFD)
		expectErr(t, "restrict an enabled ring", r.RegisterRestrictions(uring.Restrictions{}), syscall.EBADFD)
	})
	// The ring belongs to the thread that enabled it.
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, sys.IORING_SETUP_R_DISABLED|deferred)
		var enabled, submitted error
		backendtest.OnNewThread(func() {
			enabled = r.Enable()
			r.GetSQE().PrepNop()
			_, submitted = r.SubmitWait(uring.Wait{N: 1})
		})
		expectErr(t, "enabling on another thread", enabled, nil)
		expectErr(t, "submitting there", submitted, nil)
		_, err := r.Submit()
		if err == nil { // nothing is queued
			r.GetSQE().PrepNop()
			_, err = r.Submit()
		}
		expectErr(t, "submitting here", err, syscall.EEXIST)
		expectErr(t, "enabling here", r.Enable(), syscall.EEXIST, "another thread")
	})
}

// A program of classic BPF that refuses requests whose flags have a bit: word 2 of
// the context holds the operation, the flags and the size, a byte each.
func denyFlag(flag sys.SQEFlags) []uring.BPFInstruction {
	mask := uint32(flag) << 8
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		mask = uint32(flag) << 16
	}
	return []uring.BPFInstruction{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 8},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: mask, JT: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
}

func TestBPFFilter(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_BPF_FILTER, 1)
		f := uring.BPFFilter{Op: sys.IORING_OP_NOP, Program: denyFlag(sys.IOSQE_IO_LINK), Flags: sys.IO_URING_BPF_FILTER_DENY_REST}
		expectErr(t, "register", r.RegisterBPFFilter(f), nil)
		checkFilter(t, r)
		expectErr(t, "an unknown operation", r.RegisterBPFFilter(uring.BPFFilter{Op: 250, Program: f.Program}), syscall.EINVAL)
		expectErr(t, "a forbidden instruction", r.RegisterBPFFilter(uring.BPFFilter{Program: []uring.BPFInstruction{{Code: 0xffff}}}), syscall.EINVAL)
	})
}

// checkFilter checks that NOPs without IOSQE_IO_LINK are permitted and nothing else.
func checkFilter(t *testing.T, r live) {
	t.Helper()
	try := func(op sys.Op, flags sys.SQEFlags) int32 {
		s := r.sqe(1)
		s.PrepNop()
		s.Opcode, s.Flags = op, flags
		return r.submit(1)[0].Res
	}
	expect(t, "a permitted request", try(sys.IORING_OP_NOP, 0), 0)
	expect(t, "a request that the program refuses", try(sys.IORING_OP_NOP, sys.IOSQE_IO_LINK), eacces)
	expect(t, "an operation without a filter", try(sys.IORING_OP_FSYNC, 0), eacces)
}

// TestTaskLimits restricts the rings of a thread, which ends with the test.
func TestTaskLimits(t *testing.T) {
	supported := knowsRegister(-1, sys.IORING_REGISTER_BPF_FILTER, 1)
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		var errs []error
		var unknown [2]error
		var res []int32
		limits := uring.Restrictions{Ops: []sys.Op{sys.IORING_OP_NOP}, Allowed: sys.IOSQE_IO_LINK}
		filter := uring.BPFFilter{Op: sys.IORING_OP_NOP, Program: denyFlag(sys.IOSQE_IO_LINK)}
		backendtest.OnNewThread(func() {
			note := func(err error) bool {
				errs = append(errs, err)
				return err == nil
			}
			// no_new_privs is the thread's own.
			if !note(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
				return
			}
			unknown[0] = uring.RegisterTaskRestrictionsWith(ringless(b), uring.Restrictions{Ops: []sys.Op{250}})
			unknown[1] = uring.RegisterTaskBPFFilterWith(ringless(b), uring.BPFFilter{Op: 250, Program: filter.Program})
			if !note(uring.RegisterTaskRestrictionsWith(ringless(b), limits)) ||
				!note(uring.RegisterTaskBPFFilterWith(ringless(b), filter)) {
				return
			}
			errs = append(errs, uring.RegisterTaskRestrictionsWith(ringless(b), limits))
			raw, err := b.New(8, nil)
			if !note(err) {
				return
			}
			r := uring.NewRing(raw)
			defer r.Close()
			for _, c := range []struct {
				op    sys.Op
				flags sys.SQEFlags
			}{{sys.IORING_OP_NOP, 0}, {sys.IORING_OP_NOP, sys.IOSQE_IO_LINK}, {sys.IORING_OP_NOP, sys.IOSQE_ASYNC}, {sys.IORING_OP_FSYNC, 0}} {
				s := r.GetSQE()
				s.PrepNop()
				s.Opcode, s.Flags = c.op, c.flags
				if _, err := r.SubmitWait(uring.Wait{N: 1}); !note(err) {
					return
				}
				for c := range r.Completions() {
					res = append(res, c.Res)
				}
			}
		})
		if !supported {
			for _, err := range append(errs[1:], unknown[:]...) {
				expectErr(t, "on a kernel without it", err, errors.ErrUnsupported, "Linux 7.0")
			}
			t.Skip("this kernel has no restrictions of a task (Linux 7.0)")
		}
		if len(errs) < 4 {
			t.Fatal(errs)
		}
		for _, err := range unknown {
			expectErr(t, "an operation that does not exist", err, syscall.EINVAL, "does not know")
		}
		expectErr(t, "restricting a second time", errs[3], syscall.EPERM)
		for i, err := range errs {
			if i != 3 && err != nil {
				t.Fatal(err)
			}
		}
		expect(t, "NOP, linked NOP, async NOP, fsync", res, []int32{0, eacces, eacces, eacces})
	})
}
