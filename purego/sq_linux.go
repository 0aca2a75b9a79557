package purego

// The submission queue over ring memory. Nothing here enters the kernel, so
// that index arithmetic can be tested on memory that a test made.

import (
	"sync/atomic"

	"github.com/uring-go/uring/internal/release"
	"github.com/uring-go/uring/sys"
)

// sq is the submission queue. Indices are the kernel's: free running 32-bit
// entry numbers, masked on use. An entry is one 64-byte slot, or two under
// IORING_SETUP_SQE128.
type sq struct {
	head, tail *atomic.Uint32 // shared: the kernel moves head, publish moves tail
	flags      *atomic.Uint32 // shared: sys.SQRingFlags
	dropped    *atomic.Uint32 // shared: entries refused for a bad index

	slots   []sys.SQE // the entries, in 64-byte slots
	entries uint32
	mask    uint32
	shift   uint8 // log2 of the slots of an entry
	rewind  bool  // IORING_SETUP_SQ_REWIND: every submission starts at entry 0
	sqpoll  bool  // IORING_SETUP_SQPOLL: a kernel thread watches the tail
	foreign bool  // another view of the ring moves the tail too (Map)

	local  uint32 // the tail up to which entries were handed over
	shared uint32 // the tail that the kernel was told
	zeroed uint32 // entries from local up to here hold zeros
	dirty  uint32 // with rewind: the first entries, used by the last submission
}

// window returns the free entries at the tail, up to the wrap, as zeroed slots.
// Entries are cleared here, in bulk, and each only once per lap: what is known
// to be zero, because the kernel mapped it so or an earlier window cleared it,
// is left alone.
func (q *sq) window() []sys.SQE {
	if q.foreign {
		q.follow()
	}
	if q.dirty > 0 {
		clear(q.slots[:q.dirty<<q.shift])
		q.dirty = 0
	}
	free := q.entries - (q.local - q.head.Load())
	first := q.local & q.mask
	n := min(free, q.entries-first)
	w := q.slots[first<<q.shift : (first+n)<<q.shift]
	if known := q.zeroed - q.local; int32(known) < int32(n) {
		if int32(known) < 0 {
			known = 0
		}
		clear(w[known<<q.shift:])
		q.zeroed = q.local + n
	}
	return w
}

// advance hands over the first n slots of the window. A 128-byte entry that is
// only half there is not handed over.
func (q *sq) advance(n int) {
	q.local += uint32(n) >> q.shift
}

// publish tells the kernel of everything handed over and returns how many
// entries it has not taken, and how many of those are new to it.
//
// Without a kernel thread it is this thread's next system call that reads the
// tail. With one, the load of the wake-up flag that follows must not be moved
// before the store, and only a sequentially consistent store promises that.
func (q *sq) publish() (pending, fresh uint32) {
	if q.rewind {
		n := q.local
		q.local, q.shared, q.zeroed, q.dirty = 0, 0, 0, n
		return n, n
	}
	if fresh = q.local - q.shared; fresh != 0 {
		q.shared = q.local
		if q.sqpoll {
			q.tail.Store(q.local)
		} else {
			release.Store(q.tail, q.local)
		}
	}
	return q.local - q.head.Load(), fresh
}

// ready returns the number of entries handed over and not taken.
func (q *sq) ready() uint32 {
	if q.foreign && q.stale() {
		return q.tail.Load() - q.head.Load()
	}
	return q.local - q.head.Load()
}

// stale reports whether another view of the ring moved the tail.
func (q *sq) stale() bool { return !q.rewind && q.tail.Load() != q.shared }

// follow takes over the tail that another view left, and returns how many entries
// were handed over in vain: they lay where the other view's are now.
func (q *sq) follow() (lost uint32) {
	if !q.stale() {
		return 0
	}
	lost = q.local - q.shared
	q.local = q.tail.Load()
	q.shared, q.zeroed = q.local, q.local
	return lost
}

func (q *sq) has(f sys.SQRingFlags) bool { return sys.SQRingFlags(q.flags.Load())&f != 0 }
