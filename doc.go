// Package uring drives Linux io_uring from Go.
//
// A [Ring] is a pair of queues shared with the kernel. The caller takes free
// entries with GetSQE, fills each with one of the Prep methods of [sys.SQE],
// submits them all with one Submit or SubmitWait, and reads the results with
// Peek or Completions.
//
// # Two backends
//
// The same ring exists twice. Package purego makes the system calls itself;
// package liburing calls the C library. A build with cgo opens liburing, one
// without opens purego, and DefaultBackend says which. The tag uringgo chooses
// purego although cgo is on; the tag uringcgo makes a build without cgo fail
// rather than choose purego. Both packages can be used in one program, through
// [NewRing]. The tests of this module hold the two against each other.
//
// # Memory
//
// An entry holds addresses as integers, which the garbage collector does not
// see. The Prep methods force what they are given to the heap, where it does not
// move, but it is the caller who keeps it reachable: a buffer, a path, an iovec
// table, a timespec must stay referenced until the last completion of the
// request that names it, and for a zero-copy send until its notification. A
// completion for which [sys.CQE.More] reports true is not the last.
//
// # Threads
//
// A ring made with IORING_SETUP_SINGLE_ISSUER or IORING_SETUP_DEFER_TASKRUN
// belongs to the thread that made it, or that enabled it if it was made with
// IORING_SETUP_R_DISABLED. Goroutines move between threads: call
// runtime.LockOSThread first and stay locked while the ring is in use. A call
// from another thread fails with a sentence and syscall.EEXIST, and loses
// nothing. A ring descriptor registered with RegisterRingFd is known to one
// thread likewise, but there the kernel does not notice a wrong one; the liburing
// backend checks every call, and purego does with the tag uringdebug.
//
// A request's submitter matters too: the kernel cancels what a thread submitted
// when the thread exits. A goroutine that locks its thread and returns without
// unlocking ends the thread.
//
// # Signals
//
// The Go runtime interrupts threads with signals, many a second. No call of this
// package returns early for one, except a wait that carries a signal mask.
package uring
