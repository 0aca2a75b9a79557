package proactor

// Slots: the memory of operations in flight.
//
// A slot is taken when an operation begins, and given back by its caller after
// the last completion. In between it is the kernel's, with everything that it
// refers to. Slots lie in chunks that never move and are never freed while their
// ring lives, so that an entry may point into one. An entry names its slot by
// number and not by address:
//
//	user_data = generation<<32 | index
//
// The generation has 31 bits and grows whenever the slot is given back, so that a
// completion for an earlier life of a slot is noticed. With the highest bit set it is
// the request that cancels the operation.

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/uring-go/uring/sys"
)

const (
	chunkSlots = 64 // a power of two

	generationMask        = 1<<31 - 1
	ownRequest     uint64 = 1 << 63
)

// States of a call, in its lead.
const (
	running uint32 = iota // operations are in flight
	parked                // and the call sleeps, or is about to
	done                  // all have completed
)

// A slot is one operation in flight. Who may touch which part when:
//
//   - before it is submitted, and after its call has seen it complete: the call;
//   - in between: whoever holds the ring (a lane's lock; a loop's thread);
//   - atomic fields: anyone who knows that the slot has not been given back.
type slot struct {
	// For the life of the slot.
	index uint32
	table *table

	generation uint32 // of the present life
	armed      uint32 // who holds the ring: 1 and the generation in the upper bits while it is in flight
	res        int32  // of the completion
	flags      sys.CQEFlags

	// The slots of a call hang together by mate. The call sleeps on its lead, the
	// first one.
	mate  *slot
	lead  *slot
	left  int32         // in a lead: entries without their last completion; belongs to who holds the ring
	state atomic.Uint32 // in a lead: running, parked, done
	wake  chan struct{} // in a lead: receives when a parked call may go on

	next *slot // in a list of free slots, or of those to be submitted, or of a poller
	prev *slot // in the last

	companion bool   // the link timeout of the operation before it
	chain     int32  // in the first of linked entries: how many they are
	tries     int32  // how often cancelling it has failed
	dying     uint32 // as armed, while a request to cancel it is in flight

	doomed     atomic.Uint64 // a loop's: 1 while in the list of those to be cancelled, and the generation meant above it
	doomedNext *slot

	// What the kernel may touch.
	buf    []byte
	mem    *memory // made when an operation first needs it, then kept
	stream *Stream // of a multishot

	gatePrev, gateNext *slot // in the list of the gate

	code  sys.Op // for Trace, like the next
	began time.Time
	sqe   sys.SQE // what is to be submitted
}

func (s *slot) userData() uint64 { return uint64(s.generation)<<32 | uint64(s.index) }

func armedMark(generation uint32) uint32 { return generation<<1 | 1 }

// A table holds the slots of one ring. Free slots are in two lists: those to be
// taken next, and those that were given back, which needs no lock.
type table struct {
	owner    engine
	limit    int  // slots
	traced   bool // slots note when their operation began
	chunks   atomic.Pointer[[]*[chunkSlots]slot]
	mu       sync.Mutex // of free, and of making chunks
	free     *slot
	returned atomic.Pointer[slot]

	hungry atomic.Int32  // calls that wait for a slot
	crumb  chan struct{} // has an element when one of them should look again
}

// engine is what a slot's table belongs to.
type engine interface {
	// doom is cancel for who holds the ring.
	doom(s *slot, generation uint32)
	// cancel asks the kernel to cancel an operation, and returns before that has
	// had an effect. A slot that is in another generation by now is left alone.
	cancel(s *slot, generation uint32)
}

func (t *table) init(owner engine, limit int) {
	t.owner = owner
	t.limit = limit
	t.chunks.Store(new([]*[chunkSlots]slot))
	t.crumb = make(chan struct{}, 1)
}

// find returns the slot in flight that a completion names; nil if there is none
// of that generation. It is for the holder of the ring.
func (t *table) find(data uint64) *slot {
	s := t.at(uint32(data))
	if s == nil || s.armed != armedMark(uint32(data>>32)&generationMask) {
		return nil
	}
	return s
}

func (t *table) at(index uint32) *slot {
	chunks := *t.chunks.Load()
	if int(index/chunkSlots) >= len(chunks) {
		return nil
	}
	return &chunks[index/chunkSlots][index%chunkSlots]
}

// get returns a free slot, nil if limit are in use.
func (t *table) get() *slot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.take()
}

// take is get for the holder of the table's lock.
func (t *table) take() *slot {
	s := t.free
	if s == nil {
		if s = t.refill(); s == nil {
			return nil
		}
	}
	t.free = s.next
	s.next = nil
	return s
}

// prepare takes slots for as many of the operations as there are slots for, with
// whole for all or none, and makes their entries. It returns the slots, linked by
// mate, and how many operations they are.
func (t *table) prepare(ops []Op, chain, whole bool) (first *slot, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries := 0
	link := &first
	for i := range ops {
		o := &ops[i]
		s := t.take()
		if s == nil {
			break
		}
		*link = s
		s.fill(&s.sqe, o)
		if o.limit > 0 {
			c := t.take()
			if c == nil {
				*link = nil
				t.untake(s)
				break
			}
			c.fillLimit(o.limit)
			s.sqe.Flags |= sys.IOSQE_IO_LINK
			s.chain = 2
			s.mate = c
			s = c
		}
		if chain && i+1 < len(ops) {
			s.sqe.Flags |= sys.IOSQE_IO_LINK
		}
		link = &s.mate
		entries += o.entries()
		n++
	}
	if whole && n < len(ops) {
		t.untake(first)
		return nil, 0
	}
	for s := first; s != nil; s = s.mate {
		s.lead = first
	}
	if first != nil {
		first.left = int32(entries)
		first.state.Store(running)
		if chain {
			first.chain = int32(entries)
		}
	}
	return first, n
}

// refill finds free slots, or makes some.
func (t *table) refill() *slot {
	if s := t.returned.Swap(nil); s != nil {
		return s
	}
	chunks := *t.chunks.Load()
	if len(chunks)*chunkSlots >= t.limit {
		return nil
	}
	c := new([chunkSlots]slot)
	n := min(chunkSlots, t.limit-len(chunks)*chunkSlots)
	for i := range c[:n] {
		c[i].index = uint32(len(chunks)*chunkSlots + i)
		c[i].table = t
		if i+1 < n {
			c[i].next = &c[i+1]
		}
	}
	grown := append(chunks[:len(chunks):len(chunks)], c)
	t.chunks.Store(&grown)
	return &c[0]
}

// retire ends the slot's life. What comes for it from now on is a stray.
func (s *slot) retire() {
	s.generation = (s.generation + 1) & generationMask
	s.lead, s.mate, s.stream = nil, nil, nil
	s.buf = nil
	s.companion, s.chain, s.tries = false, 0, 0
	if s.mem != nil {
		s.mem.release()
	}
}

// put gives the slots of a call back. Anyone may.
func (t *table) put(first *slot) {
	if first == nil {
		return
	}
	var last *slot
	for s := first; s != nil; s = s.next {
		s.next = s.mate
		s.retire()
		last = s
	}
	for {
		head := t.returned.Load()
		last.next = head
		if t.returned.CompareAndSwap(head, first) {
			break
		}
	}
	if t.hungry.Load() > 0 {
		t.feed()
	}
}

// untake gives slots back that were taken under the same lock.
func (t *table) untake(first *slot) {
	for s := first; s != nil; {
		mate := s.mate
		s.retire()
		s.next, t.free = t.free, s
		s = mate
	}
}

// feed lets one of the hungry look again. Who found a slot and suspects more
// feeds the next.
func (t *table) feed() {
	select {
	case t.crumb <- struct{}{}:
	default:
	}
}

// deliver records a completion. It reports whether it was the slot's last, and
// whether the call was asleep and has been woken. It is for the holder of the
// ring.
func (s *slot) deliver(c *sys.CQE) (last, woken bool) {
	last = !c.More()
	if stream := s.stream; stream != nil {
		if last {
			s.armed = 0
			s.left = 0
		}
		// After the last one the stream may give the slot back at once.
		return last, stream.push(c, s)
	}
	if !c.Notif() {
		s.res, s.flags = c.Res, c.Flags
	}
	if !last {
		return false, false
	}
	s.armed = 0
	lead := s.lead
	if lead.left--; lead.left > 0 || lead.state.Swap(done) != parked {
		return true, false
	}
	lead.wake <- struct{}{}
	return true, true
}

// cancelled is told of the completion of a request that cancels an operation. If
// the kernel did not find it, or found it running, and it is still in flight, it
// is tried again: the operation may have been between two states.
func (t *table) cancelled(c *sys.CQE) {
	s := t.find(c.UserData &^ ownRequest)
	if s != nil && c.Res < 0 {
		s.dying = 0
		s.tries++
		t.cancelLater(s, uint32(c.UserData>>32)&generationMask)
	}
}

// cancelLater has the owner cancel the operation after a while, which is longer
// the more often that has failed.
func (t *table) cancelLater(s *slot, generation uint32) {
	delay := 50 * time.Microsecond << min(s.tries, 11)
	time.AfterFunc(delay, func() { t.owner.cancel(s, generation) })
}

// fillCancel makes the entry that cancels an operation.
func (s *slot) fillCancel(e *sys.SQE, generation uint32) {
	data := uint64(generation)<<32 | uint64(s.index)
	e.PrepCancel64(data, 0)
	e.UserData = ownRequest | data
}

// park announces that the call will sleep; false means that all its operations
// have completed and nothing will wake it.
func (s *slot) park() bool {
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
	}
	return s.state.CompareAndSwap(running, parked)
}
