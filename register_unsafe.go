package uring

// Addresses in the arguments of registrations.
//
// An argument holds addresses as integers, which the garbage collector does not
// see. What they point to is pinned for as long as the kernel looks at it: that
// keeps it alive and in its place, and forces it to the heap.

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/uring-go/uring/sys"
)

// iovec is the kernel's struct iovec: words, whatever their size.
type iovec struct{ base, length uintptr }

// iovecs describes buffers to the kernel. One without bytes is an empty slot. The
// buffers are pinned by their owner.
func iovecs(bufs [][]byte) []iovec {
	v := make([]iovec, len(bufs))
	for i, b := range bufs {
		if len(b) > 0 {
			v[i] = iovec{uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))}
		}
	}
	return v
}

// addressIn returns the address of a slice's elements, 0 if it has none, and pins
// them to p.
func addressIn[T any](p *runtime.Pinner, s []T) uint64 {
	if len(s) == 0 {
		return 0
	}
	p.Pin(unsafe.SliceData(s))
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s))))
}

// elements returns a slice as the argument of a registration.
func elements[T any](s []T) sys.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

// setTaskRestriction makes the first element of a table of restrictions the header
// that tells their number. Both have 16 bytes.
func setTaskRestriction(header *sys.Restriction, n uint16) {
	*(*sys.TaskRestriction)(unsafe.Pointer(header)) = sys.TaskRestriction{NrRes: n}
}

// sizeOf returns the size of a kernel structure in bytes.
func sizeOf[T any]() uint32 {
	var t T
	return uint32(unsafe.Sizeof(t))
}

// view returns n elements of a mapping, from an offset in it on.
func view[T any](mem []byte, offset, n int) []T {
	part := mem[offset : offset+n*int(sizeOf[T]())]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(part))), n)
}

// mappedAt returns the address of memory that is not the garbage collector's.
func mappedAt[T any](mem []T) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))
}

// wordAt returns a word of a mapping that is shared with the kernel.
func wordAt(mem []byte, offset uint32) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&mem[offset]))
}
