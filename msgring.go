package uring

// Messages to a ring from code that has none.

import (
	"errors"
	"fmt"
	"math"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// SendMsg posts a completion to the ring whose descriptor is fd: with UserData
// userData, Res res, and Flags flags. It needs no ring of its own, and any
// goroutine may call it at any time, which makes it a way to wake up a ring that
// waits. Flags that change how a completion is read, such as
// IORING_CQE_F_32, mislead whoever reaps it.
//
// It is EBADF if fd is not open, EBADFD if it is not a ring or one that is not
// enabled, EOVERFLOW if there was no memory to keep the completion,
// errors.ErrUnsupported on a kernel that cannot do it; before Linux 6.13 that
// cannot be told from a bad descriptor.
//
// liburing: io_uring_register_sync_msg   kernel: 6.13
func SendMsg(fd int, userData uint64, res int32, flags sys.CQEFlags) error {
	return sendMsg(registerRingless, fd, userData, res, flags)
}

func sendMsg(call ringless, fd int, userData uint64, res int32, flags sys.CQEFlags) error {
	const method, op = "SendMsg", sys.IORING_REGISTER_SEND_MSG_RING
	if fd < 0 || fd > math.MaxInt32 {
		return fmt.Errorf("uring: %s: descriptor %d: %w", method, fd, syscall.EBADF)
	}
	sqe := &SQE{Opcode: sys.IORING_OP_MSG_RING, Fd: int32(fd), Addr: sys.IORING_MSG_DATA, Off: userData, Len: uint32(res)}
	if flags != 0 {
		sqe.OpFlags, sqe.FileIndex = sys.IORING_MSG_RING_FLAGS_PASS, uint32(flags)
	}
	_, err := call(op, sys.PointerTo(sqe), 1)
	if errors.Is(err, syscall.EBADF) {
		return fmt.Errorf("uring: descriptor %d is not open, or this kernel has no %v (Linux %s): %w", fd, op, op.Since(), err)
	}
	return unsupportedRingless(op, op.Since(), err)
}
