package uring

// The kernel's worker threads (io-wq), which carry out what would block.

import (
	"math"
	"math/bits"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// SetIOWQAffinity confines worker threads to CPUs: under IORING_SETUP_SQPOLL those
// of the ring's kernel thread, else those that the calling thread has for all of
// its rings. A goroutine that cares about whose these are calls
// runtime.LockOSThread. Workers that run already stay where they are.
//
// It is EINVAL if the process may not run on one of the CPUs, or if the thread has
// not submitted anything yet.
//
// liburing: io_uring_register_iowq_aff   kernel: 5.14
func (r *Ring) SetIOWQAffinity(cpus ...int) error {
	const method = "SetIOWQAffinity"
	if err := r.usable(); err != nil {
		return err
	}
	if len(cpus) == 0 {
		return refuse(method, "no CPUs; ClearIOWQAffinity permits all")
	}
	const wordBytes = bits.UintSize / 8
	// The kernel would not look at CPUs above those that it has room for, and
	// take a mask of nothing else for one that permits no CPU at all.
	most := maxCPUs()
	var mask []uint
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= most {
			return refuse(method, "CPU %d; this system has numbers from 0 to %d", cpu, most-1)
		}
		word := cpu / bits.UintSize
		if more := word + 1 - len(mask); more > 0 {
			mask = append(mask, make([]uint, more)...)
		}
		mask[word] |= 1 << (cpu % bits.UintSize)
	}
	_, err := r.register(sys.IORING_REGISTER_IOWQ_AFF, elements(mask), uint32(len(mask)*wordBytes))
	return explain(err, syscall.EINVAL, "the process may not run on all of CPUs %v, or this thread has no workers yet", cpus)
}

// ClearIOWQAffinity undoes SetIOWQAffinity.
//
// liburing: io_uring_unregister_iowq_aff   kernel: 5.14
func (r *Ring) ClearIOWQAffinity() error {
	_, err := r.register(sys.IORING_UNREGISTER_IOWQ_AFF, nil, 0)
	return err
}

// IOWQMaxWorkers limits the number of worker threads, on each NUMA node, for every
// thread that uses the ring: bounded ones do what ends by itself (files), unbounded
// ones what may wait for ever (sockets, pipes). 0 leaves a limit as it is. It
// returns the limits that the calling thread had before; a thread that has not
// submitted to any ring yet has none, and they are 0.
//
// It is EINVAL for a number above 1<<31 - 1.
//
// liburing: io_uring_register_iowq_max_workers   kernel: 5.15
func (r *Ring) IOWQMaxWorkers(bounded, unbounded uint32) (oldBounded, oldUnbounded uint32, err error) {
	if err := r.usable(); err != nil {
		return 0, 0, err
	}
	for _, n := range []uint32{bounded, unbounded} {
		if n > math.MaxInt32 {
			return 0, 0, refuse("IOWQMaxWorkers", "%d workers; the most is %d", n, math.MaxInt32)
		}
	}
	count := []uint32{sys.IO_WQ_BOUND: bounded, sys.IO_WQ_UNBOUND: unbounded}
	if _, err := r.register(sys.IORING_REGISTER_IOWQ_MAX_WORKERS, elements(count), uint32(len(count))); err != nil {
		return 0, 0, err
	}
	return count[sys.IO_WQ_BOUND], count[sys.IO_WQ_UNBOUND], nil
}
