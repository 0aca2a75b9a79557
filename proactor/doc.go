// Package proactor lets goroutines wait for io_uring operations.
//
// A Proactor carries out operations: Read, Accept, Renameat and some forty others,
// each a value made by a constructor. Do waits for one of them, Batch for many that
// one system call begins, Link for a chain in which each begins when the one before
// it has succeeded, and Multishot ranges over the results of one that repeats itself.
// The calls honour contexts, and Close ends all of them.
//
//	p, err := proactor.New(nil)
//	…
//	n, err := p.Do(ctx, proactor.Read(fd, buf, 0))
//
// Packages ringfs and ringnet put the faces of os and net on it.
//
// # Memory
//
// No call returns while the kernel may touch memory of the caller. A call whose
// context ends has its operation cancelled and waits until the kernel says that it is
// over, which is soon but not at once, and for a zero-copy send until the kernel has
// let go of the buffer; Close waits likewise, and only then unmaps the rings. In the
// meantime a slot keeps all that an operation refers to reachable, and in place.
// Nothing more is asked of the caller than what a call to read(2) asks: not to touch
// a buffer until the call has returned.
//
// In the long run no call allocates.
//
// # When it pays
//
// One read of a cached file costs about as much as with os.File.ReadAt, sometimes a
// little more; a batch of eight or more costs less, and a program that has many reads
// to make should batch them. What the kernel cannot do without waiting it gives to
// threads of its own (fsync, renames, most reads of what is not cached with a file
// system that must look things up), which costs several microseconds an operation:
// one after another such calls are cheaper with package os, many at a time they are
// not. Sockets gain when many are busy at once.
//
// # Rings
//
// There are as many rings as processors, each made when it is first needed and then
// found again by the processor that used it last; nobody waits for a ring that another
// one is in. A caller submits on its own thread and takes the completions that are
// there. For what does not complete at once, each ring has a goroutine in the
// runtime's poller, and while that is kept busy it submits for all, many operations
// with one system call. So a lone caller pays for no change of threads, a crowd shares
// its system calls, and nothing needs to be configured.
//
// When the attendant finds that it wakes many goroutines at a time, the ring gets a
// thread, with a second ring whose completions are collected only when that thread
// asks for them (IORING_SETUP_DEFER_TASKRUN, Linux 6.1). Operations that are likely to
// wait, and sends, begin there, until the crowd has gone. Config.Crowd can say
// otherwise, and Stats.Crowds how many such threads there are.
//
// Rings and threads share nothing, so that 64 processors are 64 rings, and under load
// as many threads beside those of Go. No operation blocks a thread.
//
// # Without io_uring
//
// Many containers forbid io_uring. There, and for single operations that an older
// kernel lacks, the same calls use ordinary system calls: they are as safe and as
// complete, but not as fast. Stats and the Logger say so, and Config.Fallback says
// whether it may be. Three things differ. Work on files is done by the calling thread
// and cannot be cancelled once it has begun; Raw operations fail; and a socket that is
// accepted on is left with O_NONBLOCK set.
//
// The package needs Linux 5.7 to use io_uring. Zero-copy sends need 6.0, and so does a
// multishot receive; where they are missing, ordinary sends and receives take their
// place.
package proactor
