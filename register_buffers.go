package uring

// Registered ("fixed") buffers: the kernel maps and pins them once, and requests
// such as IORING_OP_READ_FIXED name them by index.

import (
	"fmt"
	"math"
	"runtime"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// fixedBuffer is a slot of the table of registered buffers. Its memory is pinned:
// the kernel holds the address.
type fixedBuffer struct {
	mem []byte
	pin runtime.Pinner
}

func pinBuffer(mem []byte) (b fixedBuffer) {
	if len(mem) > 0 {
		b.mem = mem
		b.pin.Pin(&mem[0])
	}
	return b
}

func pinBuffers(bufs [][]byte) []fixedBuffer {
	pinned := make([]fixedBuffer, len(bufs))
	for i, b := range bufs {
		pinned[i] = pinBuffer(b)
	}
	return pinned
}

func (b *fixedBuffer) release() {
	b.pin.Unpin()
	b.mem = nil
}

func releaseBuffers(bufs []fixedBuffer) {
	for i := range bufs {
		bufs[i].release()
	}
}

// newTable makes bufs the table and releases what was in the one before.
func (g *registrations) newTable(bufs []fixedBuffer) {
	releaseBuffers(g.buffers)
	g.buffers = bufs
}

// setBuffers puts pinned buffers into the table from index first on and releases
// what was there.
func (g *registrations) setBuffers(first int, bufs []fixedBuffer) {
	if more := first + len(bufs) - len(g.buffers); more > 0 {
		g.buffers = append(g.buffers, make([]fixedBuffer, more)...)
	}
	releaseBuffers(g.buffers[first : first+len(bufs)])
	copy(g.buffers[first:], bufs)
}

// RegisterBuffers makes bufs the ring's table of registered buffers: bufs[i] has
// index i. An empty one is an empty slot (Linux 5.13). Requests may use any part
// of a buffer; the kernel pins its pages, which count against RLIMIT_MEMLOCK
// unless the process has CAP_IPC_LOCK.
//
// Each buffer is also pinned for the Go runtime (runtime.Pinner) until its slot is
// updated, the table is unregistered or the ring is closed. That is as long as the
// kernel accepts requests for it; a request in flight beyond that still needs its
// memory, and its submitter keeps it. A ring that is dropped instead of closed
// while it has Go memory registered makes the runtime panic over a pin that
// leaked.
//
// It is EBUSY if there is a table already, ENOMEM above RLIMIT_MEMLOCK, EFAULT for
// a buffer of more than 1 GiB, EOPNOTSUPP for a mapping of a file, EINVAL for more
// than 16384 buffers (1024 before Linux 5.13).
//
// liburing: io_uring_register_buffers   kernel: 5.1
func (r *Ring) RegisterBuffers(bufs [][]byte) error {
	return r.registerBuffers("RegisterBuffers", bufs, nil, func(v []iovec) (int, error) {
		return r.register(sys.IORING_REGISTER_BUFFERS, elements(v), uint32(len(v)))
	})
}

// RegisterBuffersTagged is RegisterBuffers with a tag for each buffer. When the
// kernel has let go of a buffer, after its slot was updated (Linux 6.13: or the
// table unregistered) and the last request that used it has ended, it posts a
// completion with UserData set to the tag and Res 0. Tag 0 posts none.
//
// liburing: io_uring_register_buffers_tags   kernel: 5.13
func (r *Ring) RegisterBuffersTagged(bufs [][]byte, tags []uint64) error {
	return r.registerBuffers("RegisterBuffersTagged", bufs, tags, func(v []iovec) (int, error) {
		var pin runtime.Pinner
		defer pin.Unpin()
		arg := &sys.RsrcRegister{Nr: uint32(len(v)), Data: addressIn(&pin, v), Tags: addressIn(&pin, tags)}
		return r.register(sys.IORING_REGISTER_BUFFERS2, sys.PointerTo(arg), rsrcSize)
	})
}

// rsrcSize is the size of sys.RsrcRegister and sys.RsrcUpdate2, which their
// operations take in place of a number.
const rsrcSize = 32

func (r *Ring) registerBuffers(method string, bufs [][]byte, tags []uint64, call func([]iovec) (int, error)) error {
	if err := r.usable(); err != nil {
		return err
	}
	if len(bufs) == 0 {
		return refuse(method, "no buffers")
	}
	if err := tagged(method, "buffer", len(bufs), tags); err != nil {
		return err
	}
	pinned := pinBuffers(bufs)
	if _, err := call(iovecs(bufs)); err != nil {
		releaseBuffers(pinned)
		return buffersError(err, bufs)
	}
	r.reg.newTable(pinned)
	return nil
}

// buffersError says what the errnos of a registration of buffers stand for.
func buffersError(err error, bufs [][]byte) error {
	longest, total := 0, 0
	for _, b := range bufs {
		longest, total = max(longest, len(b)), total+len(b)
	}
	err = explain(err, syscall.EBUSY, "the ring has a table of buffers already")
	err = explain(err, syscall.ENOMEM, "the kernel cannot pin %d bytes; RLIMIT_MEMLOCK bounds what it may", total)
	err = explain(err, syscall.EFAULT, "the longest of %d buffers has %d bytes; the most is 1 GiB", len(bufs), longest)
	return explain(err, syscall.EINVAL, "%d buffers; the most is 16384, and an empty one has no tag", len(bufs))
}

// RegisterBuffersSparse registers a table of n empty slots, which UpdateBuffers
// fills.
//
// liburing: io_uring_register_buffers_sparse   kernel: 5.19
func (r *Ring) RegisterBuffersSparse(n int) error {
	if err := r.usable(); err != nil {
		return err
	}
	if n <= 0 || n > math.MaxInt32 {
		return refuse("RegisterBuffersSparse", "a table of %d buffers; it has 1 to 16384", n)
	}
	arg := &sys.RsrcRegister{Nr: uint32(n), Flags: sys.IORING_RSRC_REGISTER_SPARSE}
	if _, err := r.register(sys.IORING_REGISTER_BUFFERS2, sys.PointerTo(arg), rsrcSize); err != nil {
		err = explain(err, syscall.EBUSY, "the ring has a table of buffers already")
		return explain(err, syscall.EINVAL, "a table of %d buffers; the most is 16384", n)
	}
	r.reg.newTable(make([]fixedBuffer, n))
	return nil
}

// UpdateBuffers replaces the table's buffers from index first on, and their tags;
// nil tags are no tags. An empty buffer empties its slot. It returns how many slots
// it changed: if one of them fails after others were changed that is their number,
// without an error.
//
// Requests in flight go on with the buffer they began with, which must stay
// reachable until they have ended.
//
// It is ENXIO if there is no table and EINVAL for an index outside it.
//
// liburing: io_uring_register_buffers_update_tag   kernel: 5.13
func (r *Ring) UpdateBuffers(first int, bufs [][]byte, tags []uint64) (int, error) {
	const method = "UpdateBuffers"
	if err := r.usable(); err != nil {
		return 0, err
	}
	if len(bufs) == 0 {
		return 0, refuse(method, "no buffers")
	}
	offset, err := indices(method, "buffer", first, len(bufs))
	if err != nil {
		return 0, err
	}
	if err := tagged(method, "buffer", len(bufs), tags); err != nil {
		return 0, err
	}
	pinned, v := pinBuffers(bufs), iovecs(bufs)
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := &sys.RsrcUpdate2{Offset: offset, Nr: uint32(len(v)), Data: addressIn(&pin, v), Tags: addressIn(&pin, tags)}
	n, err := r.register(sys.IORING_REGISTER_BUFFERS_UPDATE, sys.PointerTo(arg), rsrcSize)
	if err != nil {
		releaseBuffers(pinned)
		err = explain(err, syscall.ENXIO, "the ring has no table of buffers")
		err = explain(err, syscall.EFAULT, "buffer %d has %d bytes; the most is 1 GiB", first, len(bufs[0]))
		return 0, explain(err, syscall.EINVAL, "buffers %d to %d: an index outside the table, or a tag for an empty slot", first, first+len(bufs)-1)
	}
	r.reg.setBuffers(first, pinned[:n])
	releaseBuffers(pinned[n:])
	return n, nil
}

// UnregisterBuffers removes the table of buffers. Requests in flight go on with
// their buffers, which must stay reachable until they have ended; kernels before
// 6.13 wait for them here instead. It is ENXIO if there is no table.
//
// liburing: io_uring_unregister_buffers   kernel: 5.1
func (r *Ring) UnregisterBuffers() error {
	if _, err := r.register(sys.IORING_UNREGISTER_BUFFERS, nil, 0); err != nil {
		return explain(err, syscall.ENXIO, "the ring has no table of buffers")
	}
	r.reg.newTable(nil)
	return nil
}

// BufferClone says which registered buffers to clone, and where to. The zero value
// is the whole table. Anything else needs Linux 6.13.
type BufferClone struct {
	From  int // the first index in the source's table
	To    int // the first index in the ring's own
	Count int // how many; 0 is all from From on

	// Replace lets the buffers replace others in a table that exists already. It
	// grows if need be.
	Replace bool
}

// CloneBuffers puts registered buffers of another ring into this ring's table. The
// two share the kernel's mapping of them: it costs neither the time nor the
// RLIMIT_MEMLOCK of a second registration. The clones stay when the other ring
// unregisters its buffers or is closed. They have no tags. from may be the ring
// itself; no other goroutine may use it meanwhile.
//
// It is ENXIO if from has no buffers, EBUSY if the ring has a table and c.Replace
// is false, EOVERFLOW or EINVAL for a range outside from's table.
//
// liburing: io_uring_clone_buffers, io_uring_clone_buffers_offset   kernel: 6.12
func (r *Ring) CloneBuffers(from *Ring, c BufferClone) error {
	const method = "CloneBuffers"
	if err := r.usable(); err != nil {
		return err
	}
	if err := from.usable(); err != nil {
		return fmt.Errorf("uring: CloneBuffers: the source: %w", err)
	}
	if c.Count < 0 {
		return refuse(method, "%d buffers", c.Count)
	}
	src, err := indices(method, "source buffer", c.From, c.Count)
	if err != nil {
		return err
	}
	dst, err := indices(method, "buffer", c.To, c.Count)
	if err != nil {
		return err
	}
	fd := from.Fd()
	if fd < 0 {
		return refuse(method, "the source is a ring without a descriptor")
	}
	known := from.reg.buffers
	count := c.Count
	if count == 0 {
		// The kernel's 0 is all of the table whatever the offset, and then past
		// its end.
		count = max(0, len(known)-c.From)
	}
	arg := &sys.CloneBuffers{SrcFd: uint32(fd), SrcOff: src, DstOff: dst}
	if src != 0 || dst != 0 || c.Count != 0 {
		arg.Nr = uint32(count)
	}
	if c.Replace {
		arg.Flags = sys.IORING_REGISTER_DST_REPLACE
	}
	if _, err := r.register(sys.IORING_REGISTER_CLONE_BUFFERS, sys.PointerTo(arg), 1); err != nil {
		err = explain(err, syscall.ENXIO, "the source ring has no table of buffers")
		if c.Replace {
			err = explain(err, syscall.EBUSY, "this kernel cannot replace registered buffers by clones (Linux 6.13)")
		} else {
			err = explain(err, syscall.EBUSY, "the ring has a table of buffers already")
		}
		err = explain(err, syscall.EOVERFLOW, "%d buffers from index %d on, of a source table of %d", count, c.From, len(known))
		return explain(err, syscall.EINVAL, "%d buffers from index %d on, of a source table of %d", count, c.From, len(known))
	}
	clones := make([]fixedBuffer, count)
	for i := range clones {
		if at := c.From + i; at < len(known) {
			clones[i] = pinBuffer(known[at].mem)
		}
	}
	r.reg.setBuffers(c.To, clones)
	return nil
}
