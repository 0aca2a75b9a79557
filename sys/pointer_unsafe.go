package sys

import "unsafe"

// Pointer is unsafe.Pointer under a name that files without unsafe can write:
// the argument of io_uring_register(2), whose type depends on the operation.
type Pointer = unsafe.Pointer

// PointerTo returns the address of a registration's argument.
func PointerTo[T any](p *T) Pointer { return unsafe.Pointer(p) }
