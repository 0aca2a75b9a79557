//go:build linux

package purego

// The three system calls. io_uring_enter comes in two kinds: enterNow for calls
// that cannot wait and do little work, which skips the scheduler's bookkeeping
// (some 45 ns) but holds the processor, and enterWait for all others.

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func setup(entries uint32, p *sys.Params) (fd int, errno syscall.Errno) {
	r, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
	return int(r), errno
}

func register(fd int, op sys.RegisterOp, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	r, _, errno := syscall.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op), uintptr(arg), uintptr(n), 0, 0)
	return int(r), errno
}

func enterNow(fd int, submit, wait uint32, flags sys.EnterFlags) (uint32, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(wait), uintptr(flags), 0, 0)
	return uint32(r), errno
}

func enterWait(fd int, submit, wait uint32, flags sys.EnterFlags) (uint32, syscall.Errno) {
	r, _, errno := syscall.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(wait), uintptr(flags), 0, 0)
	return uint32(r), errno
}

// waitArg is what a timed or masked wait points the kernel at. It lives in the
// Ring, which is on the heap: a goroutine's stack moves, and the kernel holds
// these addresses as integers.
type waitArg struct {
	arg  sys.GetEventsArg
	ts   unix.KernelTimespec
	mask sys.Sigset
}

// enterTimed enters with a deadline, a minimum wait or a signal mask, as
// IORING_ENTER_EXT_ARG passes them.
func (a *waitArg) enterTimed(fd int, submit uint32, w *sys.Wait, flags sys.EnterFlags) (uint32, syscall.Errno) {
	a.arg = sys.GetEventsArg{MinWaitUsec: w.MinMicroseconds()}
	if w.Timeout > 0 {
		a.ts = unix.KernelTimespec{Sec: int64(w.Timeout / time.Second), Nsec: int64(w.Timeout % time.Second)}
		a.arg.Ts = uint64(uintptr(unsafe.Pointer(&a.ts)))
	}
	if w.Sigmask != nil {
		a.mask = *w.Sigmask
		a.arg.Sigmask = uint64(uintptr(unsafe.Pointer(&a.mask)))
		a.arg.SigmaskSz = uint32(unsafe.Sizeof(a.mask))
	}
	flags |= w.Flags&sys.IORING_ENTER_ABS_TIMER | sys.IORING_ENTER_EXT_ARG
	r, _, errno := syscall.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(w.N),
		uintptr(flags), uintptr(unsafe.Pointer(&a.arg)), unsafe.Sizeof(a.arg))
	return uint32(r), errno
}

// enterRegistered enters with a registered wait: the argument is its offset in
// the registered region.
func enterRegistered(fd int, submit uint32, w *sys.Wait, flags sys.EnterFlags) (uint32, syscall.Errno) {
	const size = unsafe.Sizeof(sys.RegWait{})
	flags |= sys.IORING_ENTER_EXT_ARG | sys.IORING_ENTER_EXT_ARG_REG
	r, _, errno := syscall.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(w.N),
		uintptr(flags), uintptr(w.Reg)*size, size)
	return uint32(r), errno
}

// enterMasked is enterTimed for kernels without IORING_FEAT_EXT_ARG, which take
// a bare signal mask.
func (a *waitArg) enterMasked(fd int, submit uint32, w *sys.Wait, flags sys.EnterFlags) (uint32, syscall.Errno) {
	a.mask = *w.Sigmask
	r, _, errno := syscall.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(w.N),
		uintptr(flags), uintptr(unsafe.Pointer(&a.mask)), unsafe.Sizeof(a.mask))
	return uint32(r), errno
}
