//go:build linux && cgo && !uringgo

// Readgo is the Go half of a C or C++ program: built with -buildmode=c-archive, it
// gives C functions that read files through the program's own ring and return
// their SHA-256. ../c-main and ../cpp-main link it.
package main

/*
#include <stdint.h>
#include <stddef.h>

struct io_uring;
struct uring_dispatch;
*/
import "C"

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"runtime"
	"runtime/cgo"
	"syscall"
	"unsafe"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/sys"
)

func main() {} // a c-archive has one, and nobody calls it

const chunk = 64 << 10

// errno turns an error into what C expects.
func errno(err error) int64 {
	if e := syscall.Errno(0); errors.As(err, &e) {
		return -int64(e)
	}
	fmt.Fprintln(os.Stderr, "readgo:", err)
	return -int64(syscall.EIO)
}

// attached is the Go side of a ring that C has all to itself between calls.
//
//export readgo_attach
func readgo_attach(ring *C.struct_io_uring, handle *C.uintptr_t) int64 {
	b, err := liburing.Adopt(unsafe.Pointer(ring))
	if err != nil {
		return errno(err)
	}
	*handle = C.uintptr_t(cgo.NewHandle(uring.NewRing(b)))
	return 0
}

// readgo_detach lets go of C's ring; C closes it.
//
//export readgo_detach
func readgo_detach(handle C.uintptr_t) int64 {
	h := cgo.Handle(handle)
	defer h.Delete()
	if err := h.Value().(*uring.Ring).Close(); err != nil {
		return errno(err)
	}
	return 0
}

// readgo_sum reads a file through the ring and puts its SHA-256 into the 32 bytes
// at sum. It returns the file's size, or an error as -errno. What C has queued and
// not submitted is submitted along with the first read.
//
//export readgo_sum
func readgo_sum(handle C.uintptr_t, path *C.char, sum *C.uchar) int64 {
	ring := cgo.Handle(handle).Value().(*uring.Ring)
	return digest(path, sum, func(fd int, buf []byte, off uint64) (int, error) {
		const mine = 0x60 << 56 // C's completions have other numbers
		sqe := ring.GetSQE()
		if sqe == nil {
			return 0, syscall.EBUSY
		}
		sqe.PrepRead(fd, buf, off)
		sqe.UserData = mine | off
		if _, err := ring.SubmitWait(uring.Wait{N: 1}); err != nil {
			return 0, err
		}
		// C has nothing in flight while Go reads: the next completion is ours.
		var cqe [1]uring.CQE
		for ring.Peek(cqe[:]) == 0 {
			if err := ring.Wait(uring.Wait{N: 1}); err != nil {
				return 0, err
			}
		}
		if cqe[0].UserData != mine|off {
			return 0, syscall.EPROTO
		}
		return cqe[0].Result()
	})
}

// readgo_dispatch takes a dispatcher that C made: then C may use the ring at the
// same time, in as many threads as it likes, and so may readgo_dispatch_sum.
//
//export readgo_dispatch
func readgo_dispatch(d *C.struct_uring_dispatch, handle *C.uintptr_t) int64 {
	b, err := liburing.AdoptDispatcher(unsafe.Pointer(d))
	if err != nil {
		return errno(err)
	}
	*handle = C.uintptr_t(cgo.NewHandle(b))
	return 0
}

//export readgo_dispatch_end
func readgo_dispatch_end(handle C.uintptr_t) int64 {
	h := cgo.Handle(handle)
	defer h.Delete()
	if err := h.Value().(*liburing.Dispatcher).Close(); err != nil {
		return errno(err)
	}
	return 0
}

// readgo_dispatch_sum is readgo_sum for any thread at any time.
//
//export readgo_dispatch_sum
func readgo_dispatch_sum(handle C.uintptr_t, path *C.char, sum *C.uchar) int64 {
	d := cgo.Handle(handle).Value().(*liburing.Dispatcher)
	tag, err := d.Reserve()
	if err != nil {
		return errno(err)
	}
	defer d.GiveBack(tag)
	return digest(path, sum, func(fd int, buf []byte, off uint64) (int, error) {
		if err := submit(d, func(sqe *sys.SQE) {
			sqe.PrepRead(fd, buf, off)
			sqe.UserData = tag
		}); err != nil {
			return 0, err
		}
		var cqe [1]sys.CQE
		if _, err := d.Wait(tag, cqe[:]); err != nil {
			return 0, err
		}
		return cqe[0].Result()
	})
}

// submit fills in one entry and submits it.
func submit(d *liburing.Dispatcher, prep func(*sys.SQE)) error {
	d.Lock()
	defer d.Unlock()
	q := d.Ring().Queue()
	if len(q) == 0 {
		return syscall.EBUSY
	}
	prep(&q[0])
	d.Ring().Advance(1)
	_, err := d.Ring().Submit(sys.Wait{})
	return err
}

// digest feeds a file to SHA-256, a chunk at a time.
func digest(path *C.char, sum *C.uchar, read func(fd int, buf []byte, off uint64) (int, error)) int64 {
	f, err := os.Open(C.GoString(path))
	if err != nil {
		return errno(err)
	}
	defer f.Close()
	buf := make([]byte, chunk)
	var h hash.Hash = sha256.New()
	size := int64(0)
	for {
		n, err := read(int(f.Fd()), buf, uint64(size))
		runtime.KeepAlive(buf) // the kernel wrote to it until the completion
		if err != nil {
			return errno(err)
		}
		if n == 0 {
			break
		}
		h.Write(buf[:n])
		size += int64(n)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(sum)), sha256.Size), h.Sum(nil))
	return size
}
