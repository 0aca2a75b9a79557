//go:build linux

package proactor

// The entries of a buffer ring, which are memory shared with the kernel.

import (
	"sync/atomic"
	"unsafe"

	"github.com/uring-go/uring/sys"
)

// bufferEntries returns the entries in a mapping, and the word that holds the first
// one's id and, where the first one has two unused bytes, the tail of the ring.
func bufferEntries(mapping []byte, count int) ([]sys.Buf, *atomic.Uint32) {
	entries := unsafe.Slice((*sys.Buf)(unsafe.Pointer(unsafe.SliceData(mapping))), count)
	return entries, (*atomic.Uint32)(unsafe.Pointer(&entries[0].Bid))
}

// halves returns the word whose first two bytes hold a and whose last two hold b.
func halves(a, b uint16) (w uint32) {
	*(*[2]uint16)(unsafe.Pointer(&w)) = [2]uint16{a, b}
	return w
}
