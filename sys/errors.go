package sys

// Errors of the system calls. Both backends translate an errno here, so that they
// cannot differ in what they tell.

import (
	"fmt"
	"os"
	"syscall"
)

// ErrInterrupted is what io_uring_enter(2) gives when a signal ends it before
// anything was done. It is one value, so that a wait that goes on after a
// signal allocates nothing.
var ErrInterrupted error = &os.SyscallError{Syscall: "io_uring_enter", Err: syscall.EINTR}

// WrongThread is the error of a call that must come from another thread.
// errors.Is finds syscall.EEXIST in it, the kernel's own answer.
func WrongThread(call, sentence string) error {
	return fmt.Errorf("uring: %s: %w", sentence, os.NewSyscallError(call, syscall.EEXIST))
}

// RegisterError translates an errno of io_uring_register(2).
func RegisterError(op RegisterOp, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	if errno == syscall.EEXIST && op == IORING_REGISTER_ENABLE_RINGS {
		return WrongThread("io_uring_register", "this ring belongs to another thread (IORING_SETUP_SINGLE_ISSUER)")
	}
	return os.NewSyscallError("io_uring_register("+op.String()+")", errno)
}
