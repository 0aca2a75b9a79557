//go:build linux

package purego

// RLIMIT_NOFILE, which bounds the table of registered files.

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// tableSize returns how many files a registration wants, if it is one that
// liburing has a function for.
func tableSize(op sys.RegisterOp, arg unsafe.Pointer, n uint32) (uint32, bool) {
	switch {
	case op == sys.IORING_REGISTER_FILES:
		return n, true
	case op == sys.IORING_REGISTER_FILES2 && arg != nil && uintptr(n) == unsafe.Sizeof(sys.RsrcRegister{}):
		reg := *(*sys.RsrcRegister)(arg)
		sparse := sys.RsrcRegister{Nr: reg.Nr, Flags: sys.IORING_RSRC_REGISTER_SPARSE}
		table := sys.RsrcRegister{Nr: reg.Nr, Data: reg.Data, Tags: reg.Tags}
		return reg.Nr, reg == sparse || reg == table
	}
	return 0, false
}

// raiseFileLimit makes room for n more files under the soft limit, if it is below
// n. Failure shows in the next registration. The system call is made directly:
// syscall.Setrlimit would also change what child processes inherit.
func raiseFileLimit(n uint64) {
	var limit unix.Rlimit
	_, _, errno := syscall.Syscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, 0, uintptr(unsafe.Pointer(&limit)), 0, 0)
	if errno != 0 || limit.Cur >= n {
		return
	}
	limit.Cur += n
	syscall.Syscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
}
