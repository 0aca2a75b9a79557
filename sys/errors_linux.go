package sys

import (
	"fmt"
	"os"
	"syscall"
)

// EnterError translates an errno of io_uring_enter(2): an expired timeout is
// os.ErrDeadlineExceeded, the rest an *os.SyscallError, with a sentence before
// it where the errno alone does not say what to do.
func EnterError(errno syscall.Errno) error {
	switch errno {
	case 0:
		return nil
	case syscall.ETIME:
		return os.ErrDeadlineExceeded
	case syscall.EINTR:
		return ErrInterrupted
	case syscall.EEXIST:
		return WrongThread("io_uring_enter", "this ring belongs to another thread (IORING_SETUP_SINGLE_ISSUER); call runtime.LockOSThread before New, or create it with IORING_SETUP_R_DISABLED and enable it on the thread that will use it")
	case syscall.EBADFD:
		return fmt.Errorf("uring: the ring is disabled (IORING_SETUP_R_DISABLED); enable it first: %w", os.NewSyscallError("io_uring_enter", errno))
	case syscall.EBADR:
		return fmt.Errorf("uring: the kernel dropped completions, for it had no memory to keep an overflow: %w", os.NewSyscallError("io_uring_enter", errno))
	case syscall.EOWNERDEAD:
		return fmt.Errorf("uring: the kernel's submission thread (IORING_SETUP_SQPOLL) has ended: %w", os.NewSyscallError("io_uring_enter", errno))
	}
	return os.NewSyscallError("io_uring_enter", errno)
}
