// Package features tells what the running kernel's io_uring can do.
//
// # Three answers
//
// Every Have function returns an error with three meanings:
//
//   - nil: the kernel has it;
//   - an error in which errors.Is finds [ErrNotSupported]: it has not;
//   - any other error: it could not be told, and the error says why.
//
// The first two are remembered for the life of the process. The third is not:
// the next call asks again, for a filter, a limit or a full table that stood in
// the way may be gone.
//
// # What is asked
//
// The kernel's answer counts, never its version number, which says little about
// kernels that distributions maintain. First comes IORING_REGISTER_QUERY (Linux
// 6.18), which needs no ring. Then IORING_REGISTER_PROBE, for what a kernel was
// built without. What neither tells is tried: with a ring of one or a few
// entries, on a thread that ends afterwards, with loopback sockets and memory of
// its own. Nothing of the process is changed, and nothing is left behind.
//
// A yes means that the kernel has it, not that this process may use it: a
// kernel with kernel.io_uring_disabled set still tells through
// IORING_REGISTER_QUERY what it knows. Whether a ring can be made, uring.New
// tells, and why not.
//
// # Versions
//
// Since, in [Feature] and in messages, is the release of Linux that brought
// something. It is for people. A test of this package fails if a kernel that is
// new enough by that number says no.
package features
