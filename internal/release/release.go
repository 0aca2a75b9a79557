// Package release publishes ring indices to the kernel.
//
// The kernel pairs its loads of an index with stores that have release order:
// what was read or written before the store must not be seen to happen after it.
// Go's atomic stores give more than that, sequential consistency, and on amd64
// the difference is an XCHG for a MOV: some 7 ns twice per submission, measured
// on a machine where a NOP's whole round trip takes 190 ns.
package release
