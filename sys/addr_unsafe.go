//go:build linux

package sys

// The one place where an address becomes an integer. Every pointer and slice
// that a Prep method is given goes through addrOf; prep_rw_unsafe.go holds the
// only method with an untyped pointer and comes here too.

import (
	"math"
	"unsafe"
)

// escape.never is false for as long as the program runs. The compiler does not
// know that, so it must take the store in addrOf for real.
var escape struct {
	never bool
	sink  unsafe.Pointer
}

// addrOf returns the address in p, 0 for nil.
//
// A goroutine's stack moves when it grows, and an integer made from an address
// in it does not follow: the kernel would then write to memory that is somebody
// else's by now. A pointer stored in a global variable cannot point to a stack,
// so the store below, though it never happens, makes the compiler put the
// object on the heap, which does not move. It does not keep the object alive:
// the garbage collector does not see integers, and the caller must hold a
// reference until the kernel is done.
func addrOf[T any](p *T) uint64 {
	if escape.never {
		escape.sink = unsafe.Pointer(p)
	}
	return uint64(uintptr(unsafe.Pointer(p)))
}

// maxLen is the greatest length that an entry's 32-bit field holds and a slice
// can have.
const maxLen = math.MaxUint32 & math.MaxInt

// addrSlice returns the address of the first element and the number of
// elements, at most maxLen. An empty slice is address 0, whether it is nil or
// not.
func addrSlice[T any](s []T) (addr uint64, n uint32) {
	if len(s) != 0 {
		addr = addrOf(unsafe.SliceData(s))
		n = uint32(min(len(s), maxLen))
	}
	return
}
