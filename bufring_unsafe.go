package uring

// The array of entries of a buffer ring, which is memory shared with the kernel.

import (
	"sync/atomic"
	"unsafe"

	"github.com/uring-go/uring/sys"
)

// bufEntries returns the entries in a mapping, and the word that holds the first
// one's id and the tail.
func bufEntries(mem []byte, count int) ([]sys.Buf, *atomic.Uint32) {
	return view[sys.Buf](mem, 0, count), wordAt(mem, uint32(unsafe.Offsetof(sys.Buf{}.Bid)))
}

// loadLen reads how much is left of an incremental buffer, which the kernel writes.
func loadLen(e *sys.Buf) uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&e.Len)).Load()
}

// halves returns the word whose first two bytes hold a and whose last two hold b.
func halves(a, b uint16) (w uint32) {
	*(*[2]uint16)(unsafe.Pointer(&w)) = [2]uint16{a, b}
	return w
}
