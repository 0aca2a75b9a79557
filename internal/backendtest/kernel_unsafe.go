//go:build linux

package backendtest

// The ring as the kernel and a second mapping show it, without any backend.

import (
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// KernelSetup tries io_uring_setup(2) and closes what it made. Flags that need
// memory of the caller's get some.
func KernelSetup(entries uint32, p sys.Params) syscall.Errno {
	if p.Flags&sys.IORING_SETUP_NO_MMAP != 0 {
		var parts [2]uint64
		for i := range parts {
			mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
			if err != nil {
				return err.(syscall.Errno)
			}
			defer unix.Munmap(mem)
			parts[i] = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))
		}
		p.SQOff.UserAddr, p.CQOff.UserAddr = parts[0], parts[1]
	}
	fd, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return errno
	}
	if p.Flags&sys.IORING_SETUP_REGISTERED_FD_ONLY != 0 {
		up := sys.RsrcUpdate{Offset: uint32(fd)}
		syscall.Syscall6(unix.SYS_IO_URING_REGISTER, fd, uintptr(sys.IORING_UNREGISTER_RING_FDS|sys.IORING_REGISTER_USE_REGISTERED_RING), uintptr(unsafe.Pointer(&up)), 1, 0, 0)
		return 0
	}
	unix.Close(int(fd))
	return 0
}

// A View is a second mapping of a ring's shared words. The backend does not know
// of it.
type View struct {
	SQHead, SQTail, SQFlags, CQHead, CQTail *atomic.Uint32
}

// ViewOf maps the words of a ring that the kernel mapped (not IORING_SETUP_NO_MMAP).
func ViewOf(t testing.TB, b uring.Backend) View {
	t.Helper()
	p := b.Params()
	word := func(offset int64, at uint32) *atomic.Uint32 {
		mem, err := unix.Mmap(b.Fd(), offset, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatalf("mapping the ring a second time: %v", err)
		}
		t.Cleanup(func() { unix.Munmap(mem) })
		return (*atomic.Uint32)(unsafe.Pointer(&mem[at]))
	}
	return View{
		SQHead:  word(sys.IORING_OFF_SQ_RING, p.SQOff.Head),
		SQTail:  word(sys.IORING_OFF_SQ_RING, p.SQOff.Tail),
		SQFlags: word(sys.IORING_OFF_SQ_RING, p.SQOff.Flags),
		CQHead:  word(sys.IORING_OFF_CQ_RING, p.CQOff.Head),
		CQTail:  word(sys.IORING_OFF_CQ_RING, p.CQOff.Tail),
	}
}

// PageAligned returns mapped memory that is unmapped at the end of the test.
func PageAligned(t testing.TB, size int) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	return mem
}

// Pid returns the process id in decimal.
func Pid() string { return strconv.Itoa(os.Getpid()) }
