//go:build linux && cgo && !uringgo

// Go-main is a Go program with a library in C that queues on Go's ring. Go's own
// requests and the library's go to the kernel with one system call, and Go hands the
// library its completions.
//
//	go-main FILE...
package main

/*
#cgo CFLAGS: -D_GNU_SOURCE -std=gnu11 -Wall -Wextra
#cgo !uringstatic LDFLAGS: -luring
#cgo uringstatic LDFLAGS: -l:liburing.a
#include "reader.h"
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "go-main:", err)
		os.Exit(1)
	}
}

func run(paths []string) error {
	backend, err := liburing.New(8, nil)
	if err != nil {
		return err
	}
	ring := uring.NewRing(backend)
	defer ring.Close()
	if err := ring.DontFork(); err != nil {
		return err
	}

	lib, err := newReader(paths, 64)
	if err != nil {
		return err
	}
	defer C.reader_free(lib)

	sizes := make([]unix.Statx_t, len(paths))
	names := make([]*byte, len(paths))
	for next, done, queued, read := 0, 0, 0, 0; done < len(paths) || read < len(paths); {
		// Go's entries: the sizes. What the ring has no room for waits, and half of it is
		// the library's.
		for ; next < len(paths) && ring.Space() > 4; next++ {
			if names[next], err = syscall.BytePtrFromString(paths[next]); err != nil {
				return err
			}
			sqe := ring.GetSQE()
			sqe.PrepStatx(unix.AT_FDCWD, names[next], 0, unix.STATX_SIZE, &sizes[next])
			sqe.UserData = uint64(next)
		}
		// Go's turn ends with Flush, C's with its return.
		if err := ring.Flush(); err != nil {
			return err
		}
		queued += int(C.reader_queue(lib, (*C.struct_io_uring)(backend.Pointer())))
		if _, err := ring.SubmitWait(uring.Wait{N: 1}); err != nil {
			return err
		}
		for cqe := range ring.Completions() {
			if cqe.UserData>>32 == C.READER_MARK {
				if ret := C.reader_completed(lib, C.uint64_t(cqe.UserData), C.int(cqe.Res)); ret != 0 {
					return syscall.Errno(-ret)
				}
				read++
				continue
			}
			if _, err := cqe.Result(); err != nil {
				return fmt.Errorf("%s: %w", paths[cqe.UserData], err)
			}
			done++
		}
	}
	for i, path := range paths {
		var data *C.char
		n := C.reader_result(lib, C.uint(i), &data)
		if n < 0 {
			return fmt.Errorf("%s: %w", path, syscall.Errno(-n))
		}
		fmt.Printf("%d %q %s\n", sizes[i].Size, C.GoStringN(data, n), path)
	}
	return nil
}

// newReader makes the library's part; the paths are copied.
func newReader(paths []string, size uint) (*C.struct_reader, error) {
	list := (*[1 << 20]*C.char)(C.calloc(C.size_t(len(paths)+1), C.size_t(unsafe.Sizeof(uintptr(0)))))
	defer C.free(unsafe.Pointer(list))
	for i, p := range paths {
		list[i] = C.CString(p)
		defer C.free(unsafe.Pointer(list[i]))
	}
	lib, err := C.reader_new(&list[0], C.uint(len(paths)), C.uint(size))
	if lib == nil {
		return nil, err
	}
	return lib, nil
}
