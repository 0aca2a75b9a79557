//go:build linux

package ringfs

import "unsafe"

// misalignment returns how far the address of b is above a multiple of align, a power
// of two. What is on the heap stays where it is, so that the answer stays true.
func misalignment(b []byte, align int) int {
	return int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) & uintptr(align-1))
}
