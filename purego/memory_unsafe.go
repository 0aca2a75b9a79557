//go:build linux

package purego

// Ring memory as typed views. Offsets come from the kernel, and every one is
// checked against the mapping before it becomes a pointer.

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// word returns the 32-bit ring word at an offset of a mapping.
func word(mem []byte, off uint32) (*atomic.Uint32, error) {
	if uint64(off)+4 > uint64(len(mem)) || off%4 != 0 {
		return nil, fmt.Errorf("uring: the kernel put a ring word at offset %d of a mapping of %d bytes", off, len(mem))
	}
	return (*atomic.Uint32)(unsafe.Pointer(&mem[off])), nil
}

// sqeSlots returns n 64-byte slots at the start of a mapping.
func sqeSlots(mem []byte, n uint32) ([]sys.SQE, error) {
	if need := uint64(n) * uint64(unsafe.Sizeof(sys.SQE{})); n == 0 || need > uint64(len(mem)) {
		return nil, fmt.Errorf("uring: %d submission slots do not fit a mapping of %d bytes", n, len(mem))
	}
	return unsafe.Slice((*sys.SQE)(unsafe.Pointer(unsafe.SliceData(mem))), n), nil
}

// cqeSlots returns n 16-byte slots at an offset of a mapping.
func cqeSlots(mem []byte, off, n uint32) ([]sys.CQE, error) {
	if need := uint64(off) + uint64(n)*uint64(unsafe.Sizeof(sys.CQE{})); n == 0 || need > uint64(len(mem)) || off%8 != 0 {
		return nil, fmt.Errorf("uring: %d completion slots at offset %d do not fit a mapping of %d bytes", n, off, len(mem))
	}
	return unsafe.Slice((*sys.CQE)(unsafe.Pointer(&mem[off])), n), nil
}

// extra reads a 16-byte slot as the second half of a 32-byte completion.
func extra(slot *sys.CQE) [2]uint64 { return *(*[2]uint64)(unsafe.Pointer(slot)) }

// address returns where a mapping, or memory that outlives the call, begins.
func address(mem []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))) }

// mmap and munmap are not unix.Mmap and unix.Munmap, which unmap only what they
// mapped: a C program's mappings are unmapped here, too.
func mmap(fd int, offset int64, size, prot, flags int) ([]byte, error) {
	mem, err := unix.MmapPtr(fd, offset, nil, uintptr(size), prot, flags)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(mem), size), nil
}

func munmap(mem []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(mem)), uintptr(len(mem)))
}
