//go:build linux && cgo && !uringgo

// Package mixed is the C half of the tests in which C and Go use one ring. Nothing
// but tests imports it. It is a package of its own because test files cannot use
// cgo. What it does with a ring, it does as a C program would: by calling liburing.
package mixed

// #cgo CFLAGS: -D_GNU_SOURCE -std=gnu11 -Wall -Wextra -Wno-sign-compare -Wno-unused-parameter -I${SRCDIR}/../../liburing
// #cgo !uringstatic LDFLAGS: -luring
// #cgo uringstatic LDFLAGS: -l:liburing.a
// #include "mixed.h"
// #include <stdlib.h>
import "C"

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// A Ring is a struct io_uring in C's hands.
type Ring struct{ c *C.struct_io_uring }

func answer(call string, ret C.int) (int, error) {
	if ret < 0 {
		return 0, os.NewSyscallError(call, syscall.Errno(-ret))
	}
	return int(ret), nil
}

// Open makes a ring; p holds the flags and gets the kernel's answer.
func Open(entries uint32, p *sys.Params) (Ring, error) {
	var r Ring
	_, err := answer("io_uring_queue_init_params", C.mixed_open(&r.c, C.uint(entries), (*C.struct_io_uring_params)(unsafe.Pointer(p))))
	return r, err
}

// View is a second view of a ring, made with io_uring_queue_mmap.
func View(fd int, p *sys.Params) (Ring, error) {
	var r Ring
	_, err := answer("io_uring_queue_mmap", C.mixed_map(&r.c, C.int(fd), (*C.struct_io_uring_params)(unsafe.Pointer(p))))
	return r, err
}

// At is the ring that C is given as a struct io_uring *.
func At(p unsafe.Pointer) Ring { return Ring{(*C.struct_io_uring)(p)} }

// Pointer returns the struct io_uring *.
func (r Ring) Pointer() unsafe.Pointer { return unsafe.Pointer(r.c) }

// Fd returns the descriptor in the struct; SetFd replaces it.
func (r Ring) Fd() int      { return int(r.c.ring_fd) }
func (r Ring) SetFd(fd int) { r.c.ring_fd, r.c.enter_ring_fd = C.int(fd), C.int(fd) }

// SetMask replaces the copy of the submission queue's mask in the struct.
func (r Ring) SetMask(m uint32) uint32 {
	old := uint32(r.c.sq.ring_mask)
	r.c.sq.ring_mask = C.uint(m)
	return old
}

// SetArray writes a slot of the index array, and returns what was there.
func (r Ring) SetArray(i int, v uint32) (old uint32) {
	slot := (*C.uint)(unsafe.Add(unsafe.Pointer(r.c.sq.array), 4*i))
	old = uint32(*slot)
	*slot = C.uint(v)
	return old
}

// Sync takes over the tail that another view left.
func (r Ring) Sync() { C.mixed_sync(r.c) }

// Close is io_uring_queue_exit. Unmap leaves the descriptor to its owner.
func (r Ring) Close() { C.mixed_exit(r.c) }
func (r Ring) Unmap() { C.mixed_unmap(r.c) }

// Exit is io_uring_queue_exit, and leaves the struct in memory as it was.
func (r Ring) Exit() { C.io_uring_queue_exit(r.c) }

// Zeroed returns a struct io_uring that nobody set up.
func Zeroed() Ring {
	return Ring{(*C.struct_io_uring)(C.calloc(1, C.sizeof_struct_io_uring))}
}

// Free frees the struct alone.
func (r Ring) Free() { C.free(unsafe.Pointer(r.c)) }

// Nops prepares n entries that do nothing, numbered from first on, and returns how
// many found room.
func (r Ring) Nops(first uint64, n int) int {
	return int(C.mixed_nops(r.c, C.uint64_t(first), C.uint(n)))
}

// Submit submits and waits for as many completions.
func (r Ring) Submit(wait int) (int, error) {
	return answer("io_uring_submit_and_wait", C.mixed_submit(r.c, C.uint(wait)))
}

// Reap consumes what is ready, up to most, and returns the numbers.
func (r Ring) Reap(most int) []uint64 {
	data := make([]uint64, most)
	n := C.mixed_reap(r.c, (*C.uint64_t)(unsafe.Pointer(unsafe.SliceData(data))), C.uint(most))
	return data[:n]
}

// Register and Unregister concern the ring's descriptor.
func (r Ring) Register() (int, error) {
	return answer("io_uring_register_ring_fd", C.mixed_register(r.c))
}

func (r Ring) Unregister() (int, error) {
	return answer("io_uring_unregister_ring_fd", C.mixed_unregister(r.c))
}

// What a child of Fork does.
const (
	Nothing   = C.MIXED_NOTHING
	TouchSQE  = C.MIXED_TOUCH_SQE
	TouchRing = C.MIXED_TOUCH_RING
	Submit    = C.MIXED_SUBMIT
	Add       = C.MIXED_ADD
	CloseFd   = C.MIXED_CLOSE
	OwnRing   = C.MIXED_OWN
)

// Fork makes a child with fork(2), which does what it is told and exits, with
// status 7 unless said otherwise.
func (r Ring) Fork(what int) (unix.WaitStatus, error) {
	n, err := answer("fork", C.mixed_fork(r.c, C.int(what)))
	return unix.WaitStatus(n), err
}

// ForkAt makes a child that writes to the address, and exits with status 7 if it
// lives.
func ForkAt(at uintptr) (unix.WaitStatus, error) {
	n, err := answer("fork", C.mixed_fork_at(C.uintptr_t(at)))
	return unix.WaitStatus(n), err
}

// Address is where an entry lies.
func Address(s *sys.SQE) uintptr { return uintptr(unsafe.Pointer(s)) }

// Beyond returns a pointer that many bytes further on.
func Beyond(p unsafe.Pointer, n int) unsafe.Pointer { return unsafe.Add(p, n) }

// Byte is where a byte lies.
func Byte(b *byte) uintptr { return uintptr(unsafe.Pointer(b)) }

// A Crew is threads of C's at work.
type Crew struct{ c *C.struct_mixed_crew }

// Start makes threads that pass n entries each through the dispatcher, up to window
// at a time.
func Start(dispatcher unsafe.Pointer, threads, n, window int) Crew {
	return Crew{C.mixed_crew_start((*C.struct_uring_dispatch)(dispatcher), C.uint(threads), C.uint(n), C.uint(window))}
}

// Join waits for the threads and says what went wrong; EPROTO is a completion that
// was not a thread's.
func (c Crew) Join() error {
	_, err := answer("crew", C.mixed_crew_join(c.c))
	return err
}

// Dispatch makes a dispatcher in C; FreeDispatch releases it.
func (r Ring) Dispatch(bits int) unsafe.Pointer {
	return unsafe.Pointer(C.mixed_dispatch(r.c, C.uint(bits)))
}

func FreeDispatch(d unsafe.Pointer) { C.mixed_dispatch_free((*C.struct_uring_dispatch)(d)) }

// Asked reports whether the library of TestOtherLayout was called. C's environment
// is not Go's.
func Asked() bool {
	name := C.CString("URING_ASKED")
	defer C.free(unsafe.Pointer(name))
	return C.getenv(name) != nil
}
