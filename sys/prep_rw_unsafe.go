//go:build linux

package sys

// The base filler of all requests, for opcodes that have no method yet. Its
// address may point to anything, which only unsafe.Pointer can say.

import "unsafe"

// PrepRW fills the five fields that nearly every request uses: opcode,
// descriptor, address, length, offset. It is what an operation newer than this
// package is built with; the kernel's documentation of the operation says what
// the fields mean, in which unit length counts, and which further fields to
// set. What addr points to, it may be nil, must stay reachable until the last
// CQE, and longer if the operation posts a notification after it.
//
// liburing: io_uring_prep_rw   kernel: 5.1
func (s *SQE) PrepRW(op Op, fd int, addr unsafe.Pointer, length uint32, offset uint64) {
	s.prep(op, fd, addrOf((*byte)(addr)), length, offset)
}
