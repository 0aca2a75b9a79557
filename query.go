package uring

// What the kernel says it can do (IORING_REGISTER_QUERY). It takes no ring. A
// kernel that does not know a query answers errors.ErrUnsupported; one that knows
// less than sys does leaves what it does not know zero.

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// QueryOpcodes asks for the numbers of operations and the masks of flags that the
// kernel knows.
//
// liburing: io_uring_register_query   kernel: 6.18
func QueryOpcodes() (sys.QueryOpcode, error) {
	return query[sys.QueryOpcode](registerRingless, sys.IO_URING_QUERY_OPCODES)
}

// QueryZCRX asks what the kernel's zero-copy receive can do.
//
// liburing: io_uring_register_query   kernel: 6.19
func QueryZCRX() (sys.QueryZCRX, error) {
	return query[sys.QueryZCRX](registerRingless, sys.IO_URING_QUERY_ZCRX)
}

// QueryZCRXEvent asks which events of zero-copy receive the kernel can report.
//
// liburing: io_uring_register_query   kernel: 7.2
func QueryZCRXEvent() (sys.QueryZCRXEvent, error) {
	return query[sys.QueryZCRXEvent](registerRingless, sys.IO_URING_QUERY_ZCRX_EVENT)
}

// QuerySCQ asks for the size and the alignment, in bytes, of the header before the
// completions in ring memory.
//
// liburing: io_uring_register_query   kernel: 6.19
func QuerySCQ() (sys.QuerySCQ, error) {
	return query[sys.QuerySCQ](registerRingless, sys.IO_URING_QUERY_SCQ)
}

func query[T any](call ringless, op uint32) (T, error) {
	answer := make([]T, 1)
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := &sys.QueryHdr{QueryOp: op, QueryData: addressIn(&pin, answer), Size: sizeOf[T]()}
	_, err := call(sys.IORING_REGISTER_QUERY, sys.PointerTo(arg), 0)
	if err != nil {
		return answer[0], unsupportedRingless(sys.IORING_REGISTER_QUERY, sys.IORING_REGISTER_QUERY.Since(), err)
	}
	if arg.Result < 0 {
		var none T
		errno := syscall.Errno(-arg.Result)
		err := os.NewSyscallError("io_uring_register(IORING_REGISTER_QUERY)", errno)
		if errno == syscall.EOPNOTSUPP {
			return none, fmt.Errorf("uring: this kernel has no query %d: %w: %w", op, errors.ErrUnsupported, err)
		}
		return none, err
	}
	return answer[0], nil
}
