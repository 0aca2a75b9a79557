//go:build linux

package features

// The raw calls: questions that go around a ring's methods.

import (
	"errors"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// register calls io_uring_register with an argument that is no memory of this
// process: 0 or badAddress.
func register(fd int, op sys.RegisterOp, arg uintptr, n uint32) (int, syscall.Errno) {
	r, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op), arg, uintptr(n), 0, 0)
	return int(r), errno
}

// badAddress belongs to the kernel on every architecture, or to nobody: an
// argument there is EFAULT, if the kernel comes as far as looking at it.
const badAddress = ^uintptr(4095)

// enter calls io_uring_enter with these flags, to submit nothing and wait for
// nothing.
func enter(fd int, flags sys.EnterFlags) syscall.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), 0, 0, uintptr(flags), 0, 0)
	return errno
}

// query holds what IORING_REGISTER_QUERY answered. The answer itself is a
// variable of the package because the kernel is given its address as an integer,
// and memory of a goroutine's stack moves.
var query struct {
	mu    sync.Mutex
	asked bool
	err   error

	hdr  sys.QueryHdr
	data sys.QueryOpcode
}

// errNoQuery is how askQuery says that the kernel is older than 6.18: it is no
// answer to anything else.
var errNoQuery = errors.New("the kernel has no IORING_REGISTER_QUERY")

// askQuery returns what the kernel tells without a ring. The error is errNoQuery,
// or what stood in the way.
func askQuery() (sys.QueryOpcode, error) {
	q := &query
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asked {
		return q.data, q.err
	}
	q.data = sys.QueryOpcode{}
	q.hdr = sys.QueryHdr{
		QueryOp:   sys.IO_URING_QUERY_OPCODES,
		QueryData: uint64(uintptr(unsafe.Pointer(&q.data))),
		Size:      uint32(unsafe.Sizeof(q.data)),
	}
	const noRing = ^uintptr(0)
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, noRing, uintptr(sys.IORING_REGISTER_QUERY), uintptr(unsafe.Pointer(&q.hdr)), 0, 0, 0)
	switch {
	case errno == syscall.EINVAL || errno == syscall.EBADF:
		// EBADF: the kernel looked at the descriptor first.
		q.asked, q.err = true, errNoQuery
		return q.data, q.err
	case errno != 0:
		return q.data, sys.RegisterError(sys.IORING_REGISTER_QUERY, errno)
	case q.hdr.Result != 0:
		return q.data, sys.RegisterError(sys.IORING_REGISTER_QUERY, syscall.Errno(-q.hdr.Result))
	}
	q.asked, q.err = true, nil
	return q.data, nil
}

// address returns where a mapping begins.
func address(mem []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))) }
