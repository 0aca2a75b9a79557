//go:build amd64 && !race

package release

import (
	"sync/atomic"
	"unsafe"
)

// Store stores v to a ring word with release order. Every amd64 store has it, so
// a plain one will do; the compiler keeps the order of memory operations around
// it because it cannot see that they do not overlap. It must not be used where a
// later load has to come after it, as under IORING_SETUP_SQPOLL.
func Store(p *atomic.Uint32, v uint32) {
	*(*uint32)(unsafe.Pointer(p)) = v
}
