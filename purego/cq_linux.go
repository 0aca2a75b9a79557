package purego

// The completion queue over ring memory. Nothing here enters the kernel.

import (
	"sync/atomic"

	"github.com/uring-go/uring/internal/release"
	"github.com/uring-go/uring/sys"
)

// cq is the completion queue. Its head is read from ring memory on every use
// and not remembered: a second view of the same ring may move it.
type cq struct {
	head, tail *atomic.Uint32 // shared: peek moves head, the kernel tail
	overflow   *atomic.Uint32 // shared: completions lost
	flags      *atomic.Uint32 // shared: sys.CQRingFlags; nil on kernels before 5.8

	cqes    []sys.CQE // the entries, in 16-byte slots
	entries uint32
	mask    uint32
	wide    bool // IORING_SETUP_CQE32: every entry takes two slots
	mixed   bool // IORING_SETUP_CQE_MIXED: entries take one slot or two, and some are padding
}

func (q *cq) ready() uint32 { return q.tail.Load() - q.head.Load() }

// peek copies completions into dst and consumes them with one store, so that
// the kernel sees the room of a whole batch at once.
func (q *cq) peek(dst []sys.CQE) int {
	if q.wide || q.mixed {
		return q.peekWide(len(dst), func(i int, c sys.CQE32) { dst[i] = c.CQE })
	}
	tail, head := q.tail.Load(), q.head.Load()
	n := min(uint32(len(dst)), tail-head)
	if n == 0 {
		return 0
	}
	at := head & q.mask
	if n == 1 {
		// Spares a single completion the call of memmove. Field by field, since the
		// kernel wrote it so a moment ago: a load wider than the stores before it
		// has to wait for them.
		from, to := &q.cqes[at], &dst[0]
		to.UserData, to.Res, to.Flags = from.UserData, from.Res, from.Flags
	} else if done := uint32(copy(dst[:n], q.cqes[at:])); done < n {
		copy(dst[done:n], q.cqes)
	}
	release.Store(q.head, head+n)
	return int(n)
}

// peek32 is peek with the second half of 32-byte completions; it is zero where
// a completion has none.
func (q *cq) peek32(dst []sys.CQE32) int {
	return q.peekWide(len(dst), func(i int, c sys.CQE32) { dst[i] = c })
}

// peekWide visits up to limit completions of rings whose entries are not all
// 16 bytes, and consumes them. Padding is consumed on the way and not visited.
func (q *cq) peekWide(limit int, visit func(int, sys.CQE32)) int {
	head := q.head.Load()
	left, n := q.tail.Load()-head, 0
	start := head
	for left > 0 && n < limit {
		var c sys.CQE32
		at := head & q.mask
		head, left = head+1, left-1
		switch {
		case q.wide:
			c.CQE, c.Extra = q.cqes[at*2], extra(&q.cqes[at*2+1])
		default:
			c.CQE = q.cqes[at]
			if !q.mixed {
				break
			}
			if c.Flags&sys.IORING_CQE_F_SKIP != 0 {
				continue
			}
			if c.Flags&sys.IORING_CQE_F_32 != 0 && left > 0 {
				// The kernel pads with a skip entry rather than split a completion
				// at the wrap, so the second half is the next slot.
				c.Extra = extra(&q.cqes[head&q.mask])
				head, left = head+1, left-1
			}
		}
		visit(n, c)
		n++
	}
	if head != start {
		release.Store(q.head, head)
	}
	return n
}
