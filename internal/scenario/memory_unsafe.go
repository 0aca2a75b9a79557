//go:build linux

package scenario

// Addresses as the kernel's structures hold them, and memory that is not Go's.

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// addressOf returns the address of what p points to, and keeps it reachable, and
// thereby on the heap, until the end of the run.
func addressOf[T any](r *Run, p *T) uint64 {
	r.Keep(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}

// Pages returns n zero bytes at a page boundary, outside Go's heap.
func (r *Run) Pages(n int) []byte {
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	r.Must("mmap", err)
	r.Cleanup(func() { unix.Munmap(mem) })
	return mem
}

// ringSlots sees page-aligned memory as the entries of a ring of provided
// buffers, and as the word that holds the first entry's id and the ring's tail.
func ringSlots(mem []byte, n int) ([]sys.Buf, *atomic.Uint32) {
	_ = mem[n*int(unsafe.Sizeof(sys.Buf{}))-1]
	base := unsafe.Pointer(&mem[0])
	return unsafe.Slice((*sys.Buf)(base), n), (*atomic.Uint32)(unsafe.Add(base, unsafe.Offsetof(sys.Buf{}.Bid)))
}

// word16s returns the word whose first two bytes in memory hold a and whose last
// two hold b.
func word16s(a, b uint16) uint32 {
	var w [4]byte
	binary.NativeEndian.PutUint16(w[:], a)
	binary.NativeEndian.PutUint16(w[2:], b)
	return binary.NativeEndian.Uint32(w[:])
}

// wordAt is a word of memory that is shared with the kernel.
func wordAt(mem []byte, at uint32) *atomic.Uint32 {
	_ = mem[at+3]
	return (*atomic.Uint32)(unsafe.Pointer(&mem[at]))
}
