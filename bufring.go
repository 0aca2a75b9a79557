package uring

// Rings of provided buffers: the kernel takes a buffer from the ring when a
// request has data for it, and the completion says which. Buffers are put back when
// they have been used.
//
// A ring of provided buffers is an array of entries, each with the address, length
// and id of a buffer. We write entries at the tail, the kernel consumes them at its
// head. It consumes them in order, so the position at which a buffer was put tells
// which buffers follow it in a completion that spans several.

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// BufRingConfig says what buffer ring to make.
type BufRingConfig struct {
	// Group is the number by which requests name the ring: SQE.BufIndex beside
	// IOSQE_BUFFER_SELECT.
	Group uint16
	// Count is the number of buffers, a power of two up to 32768. Their ids are 0
	// to Count - 1.
	Count int
	// Size is the size of a buffer in bytes, up to 1<<31 - 1.
	Size int

	// Incremental lets the kernel fill a buffer with several completions before it
	// goes on to the next one (Linux 6.12). It is for what can be polled: sockets,
	// pipes. A read of a regular file takes as much of the buffer as it asked for,
	// whatever it got, so that a short one makes what follows appear too early.
	Incremental bool
	// MinLeft ends an incremental buffer early: with fewer bytes left than this it is
	// done (Linux 7.2). 0 is no such limit.
	MinLeft int
	// KernelMemory has the kernel allocate the array of entries (Linux 6.4) instead
	// of pinning memory of the process. It needs the ring's descriptor.
	KernelMemory bool
	// Empty makes a ring whose buffers are all with the caller at first. It is for
	// buffers to send from, which are filled before they are put.
	Empty bool
}

// A BufRing is a ring of provided buffers with the memory for them. Like its Ring
// it is used by one goroutine at a time.
//
// Each completion that names a buffer (CQE.Buffer) is shown to the BufRing of its
// request's group exactly once, in the order in which completions were reaped: to
// Take or to Bytes. Buffers that are used up then belong to the caller until Put.
type BufRing struct {
	r     *Ring
	group uint16
	size  int
	inc   bool
	low   int // BufRingConfig.MinLeft

	entries []sys.Buf
	word    *atomic.Uint32 // the entries' bytes 12 to 15: the first one's id, and the tail
	tail    uint32         // free running; the kernel sees the lower 16 bits
	mask    uint32
	array   []byte // the mapping of the entries

	mem   []byte   // the mapping of the buffers
	bufs  []bufUse // by id
	order []uint16 // ids by position, of those that were put
	parts [][]byte // for what Take returns
	done  []uint16
}

// bufUse is where a buffer is.
type bufUse struct {
	position uint32 // at which it was put last
	used     int    // bytes of it that completions have told of
	length   int    // with which it was put
	out      bool   // it is with the caller
}

// NewBufRing makes a ring of count buffers of size bytes each for requests that
// name the group, and puts all of them into it. NewBufRingConfig can do more.
//
// liburing: io_uring_setup_buf_ring   kernel: 5.19
func (r *Ring) NewBufRing(group uint16, count, size int) (*BufRing, error) {
	return r.NewBufRingConfig(BufRingConfig{Group: group, Count: count, Size: size})
}

// NewBufRingConfig makes a ring of provided buffers. The memory is not the garbage
// collector's.
//
// It is EEXIST if the group is in use, EINVAL for a configuration that no kernel
// takes or this kernel does not know.
//
// liburing: io_uring_setup_buf_ring, io_uring_register_buf_ring   kernel: 5.19
func (r *Ring) NewBufRingConfig(cfg BufRingConfig) (b *BufRing, err error) {
	const method = "NewBufRing"
	if err := r.usable(); err != nil {
		return nil, err
	}
	switch {
	case cfg.Count < 1 || cfg.Count > 1<<15 || bits.OnesCount(uint(cfg.Count)) != 1:
		return nil, refuse(method, "%d buffers; there is a power of two of them, 1 to 32768", cfg.Count)
	case cfg.Size < 1 || cfg.Size > math.MaxInt32:
		return nil, refuse(method, "buffers of %d bytes; they have 1 to %d", cfg.Size, math.MaxInt32)
	case uint64(cfg.Count)*uint64(cfg.Size) > math.MaxInt:
		return nil, refuse(method, "%d buffers of %d bytes; together they have at most %d", cfg.Count, cfg.Size, math.MaxInt)
	case cfg.MinLeft < 0 || cfg.MinLeft > cfg.Size || cfg.MinLeft > 0 && !cfg.Incremental:
		return nil, refuse(method, "MinLeft %d; it is for incremental buffers, and at most their size of %d", cfg.MinLeft, cfg.Size)
	case r.reg.groups[cfg.Group] != nil:
		return nil, fmt.Errorf("uring: %s: group %d has a buffer ring already: %w", method, cfg.Group, syscall.EEXIST)
	}
	b = &BufRing{
		r:     r,
		group: cfg.Group,
		size:  cfg.Size,
		inc:   cfg.Incremental,
		low:   cfg.MinLeft,
		mask:  uint32(cfg.Count - 1),
		bufs:  make([]bufUse, cfg.Count),
		order: make([]uint16, cfg.Count),
	}
	defer func() {
		if err != nil {
			b.release()
			b = nil
		}
	}()
	if b.mem, err = mapMemory(cfg.Count * cfg.Size); err != nil {
		return b, err
	}
	if err = b.register(cfg.KernelMemory); err != nil {
		return b, err
	}
	if r.reg.groups == nil {
		r.reg.groups = make(map[uint16]*BufRing)
	}
	r.reg.groups[b.group] = b
	for id := range b.bufs {
		b.bufs[id].out = true
	}
	if !cfg.Empty {
		for id := range b.bufs {
			b.put(uint16(id), b.size)
		}
		b.publish()
	}
	return b, nil
}

// register makes the array of entries known to the kernel.
func (b *BufRing) register(kernelMemory bool) (err error) {
	count := len(b.bufs)
	bytes := count * int(sizeOf[sys.Buf]())
	reg := &sys.BufReg{RingEntries: uint32(count), Bgid: b.group, MinLeft: uint32(b.low)}
	if b.inc {
		reg.Flags |= sys.IOU_PBUF_RING_INC
	}
	if kernelMemory {
		reg.Flags |= sys.IOU_PBUF_RING_MMAP
		if b.r.Fd() < 0 {
			return refuse("NewBufRing", "KernelMemory on a ring without a descriptor, through which it is mapped")
		}
	} else {
		if b.array, err = mapMemory(bytes); err != nil {
			return err
		}
		reg.RingAddr = mappedAt(b.array)
	}
	if _, err = b.r.register(sys.IORING_REGISTER_PBUF_RING, sys.PointerTo(reg), 1); err != nil {
		if _, owner := b.status(); errors.Is(owner, syscall.EEXIST) {
			return owner // nothing about the group: the ring is another thread's
		}
		err = explain(err, syscall.EEXIST, "group %d has buffers already", b.group)
		return explain(err, syscall.EINVAL, "a buffer ring with flags %#x and MinLeft %d, which this kernel may not know", reg.Flags, b.low)
	}
	if kernelMemory {
		offset := int64(sys.IORING_OFF_PBUF_RING) | int64(b.group)<<sys.IORING_OFF_PBUF_SHIFT
		if b.array, err = mapRing(b.r.Fd(), offset, bytes); err != nil {
			b.unregister()
			return err
		}
	}
	b.entries, b.word = bufEntries(b.array, count)
	return nil
}

func (b *BufRing) unregister() error {
	reg := &sys.BufReg{Bgid: b.group}
	_, err := b.r.register(sys.IORING_UNREGISTER_PBUF_RING, sys.PointerTo(reg), 1)
	return err
}

// put writes the entry at the tail. The kernel sees it with the next publish.
func (b *BufRing) put(id uint16, length int) {
	at := b.tail & b.mask
	e := &b.entries[at]
	e.Addr = mappedAt(b.mem) + uint64(id)*uint64(b.size)
	e.Len = uint32(length)
	if at != 0 {
		e.Bid = id // the first entry's is in the word that publish writes
	}
	b.order[at] = id
	b.bufs[id] = bufUse{position: b.tail, length: length}
	b.tail++
}

// publish hands the entries up to the tail to the kernel. The tail has 16 bits and
// lies where the first entry has two unused ones, behind that entry's id; one store
// of 32 bits writes both.
func (b *BufRing) publish() {
	b.word.Store(halves(b.order[0], uint16(b.tail)))
}

// Group returns the number that requests put into SQE.BufIndex.
func (b *BufRing) Group() uint16 {
	if b == nil {
		return 0
	}
	return b.group
}

// state tells why the ring cannot be used.
func (b *BufRing) state() error {
	switch {
	case b == nil:
		return os.ErrInvalid
	case b.mem == nil:
		return os.ErrClosed
	}
	return nil
}

// has reports whether there is a buffer with an id.
func (b *BufRing) has(id uint16) bool { return b.state() == nil && int(id) < len(b.bufs) }

// Buffer returns all of buffer id, nil if there is none or the ring is closed.
func (b *BufRing) Buffer(id uint16) []byte {
	if !b.has(id) {
		return nil
	}
	at := int(id) * b.size
	return b.mem[at : at+b.size : at+b.size]
}

// Put gives buffers back to the kernel, all with one store: each is one that the
// caller has, from Take, Bytes or BufRingConfig.Empty, and no longer uses.
//
// It is EINVAL for an id that does not exist and EBUSY for a buffer that the kernel
// has; the buffers before it in ids are given back.
//
// liburing: io_uring_buf_ring_add, io_uring_buf_ring_advance
func (b *BufRing) Put(ids ...uint16) error {
	if err := b.state(); err != nil {
		return err
	}
	return b.give(ids, b.size)
}

// PutLen is Put of one buffer with less than its full length: to send from, or to
// limit what one completion can bring.
func (b *BufRing) PutLen(id uint16, length int) error {
	if err := b.state(); err != nil {
		return err
	}
	if length < 1 || length > b.size {
		return refuse("BufRing.PutLen", "%d bytes of buffer %d; it has 1 to %d", length, id, b.size)
	}
	return b.give([]uint16{id}, length)
}

func (b *BufRing) give(ids []uint16, length int) (err error) {
	before := b.tail
	for _, id := range ids {
		if !b.has(id) {
			err = refuse("BufRing.Put", "buffer %d of %d", id, len(b.bufs))
			break
		}
		if !b.bufs[id].out {
			err = fmt.Errorf("uring: BufRing.Put: the kernel has buffer %d: %w", id, syscall.EBUSY)
			break
		}
		b.put(id, length)
	}
	if b.tail != before {
		b.publish()
	}
	return err
}

// Take accounts for a completion that names a buffer of this ring. parts is what
// the request wrote or, for a send, read: one piece, or several for a bundle; none
// if it failed or moved nothing. done are the buffers that the kernel is through
// with: to be given to Put when parts are no longer needed. An incremental buffer
// is among them only with its last completion.
//
// Both slices are valid until the next Take; what parts contain, until the buffers
// are put, and until the ring is closed: then their memory is gone.
//
// A completion without a buffer, or with an id that is not of this ring, gives
// neither.
func (b *BufRing) Take(c CQE) (parts [][]byte, done []uint16) {
	id, ok := c.Buffer()
	if !ok || !b.has(id) || b.bufs[id].out {
		return nil, nil
	}
	b.parts, b.done = b.parts[:0], b.done[:0]
	left := int(max(0, c.Res))
	for {
		u := &b.bufs[id]
		n := min(left, u.length-u.used)
		if n > 0 {
			at := int(id)*b.size + u.used
			b.parts = append(b.parts, b.mem[at:at+n:at+n])
		}
		u.used += n
		left -= n
		// What is left is in the buffers that were put behind this one.
		next := u.position + 1
		last := left == 0 || int32(next-b.tail) >= 0
		if !last || b.finished(id, c) {
			u.out = true
			b.done = append(b.done, id)
		}
		if last {
			return b.parts, b.done
		}
		id = b.order[next&b.mask]
	}
}

// finished reports whether the kernel is through with the last buffer of a
// completion. An incremental buffer's completion says if it is not. The reverse
// does not hold on every kernel: one that moved no bytes, or was for a regular file,
// may come without the flag though the buffer stays. The entry tells then: the
// kernel keeps in it how much is left, and leaves 0 behind.
func (b *BufRing) finished(id uint16, c CQE) bool {
	switch {
	case !b.inc:
		return true
	case c.BufferMore():
		return false
	}
	return loadLen(&b.entries[b.bufs[id].position&b.mask]) == 0
}

// Bytes is Take for rings that are used without bundles: the one piece of data of a
// completion, nil if there is none. Of a completion that spans several buffers it
// returns a copy of all. The buffer is then put back with its id, unless
// CQE.BufferMore says that it is not used up.
func (b *BufRing) Bytes(c CQE) []byte {
	parts, _ := b.Take(c)
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// Head returns the kernel's position in the ring, of which it keeps 16 bits: it
// counts the buffers consumed since the ring was made.
//
// liburing: io_uring_buf_ring_head   kernel: 6.8
func (b *BufRing) Head() (uint16, error) {
	if err := b.state(); err != nil {
		return 0, err
	}
	return b.status()
}

func (b *BufRing) status() (head uint16, err error) {
	arg := &sys.BufStatus{BufGroup: uint32(b.group)}
	_, err = b.r.register(sys.IORING_REGISTER_PBUF_STATUS, sys.PointerTo(arg), 1)
	return uint16(arg.Head), err
}

// Available returns how many buffers the kernel has that no request has taken, as
// of now.
//
// liburing: io_uring_buf_ring_available   kernel: 6.8
func (b *BufRing) Available() (int, error) {
	head, err := b.Head()
	if err != nil {
		return 0, err
	}
	return int(uint16(b.tail) - head), nil
}

// Close removes the ring and unmaps the buffers: what Take and Bytes returned must
// not be touched any more. Requests that have taken a buffer must have ended, or the
// kernel writes to memory that is something else by then; Ring.Drain sees to that.
// After the Ring was closed, which closes its buffer rings, and a second time it is
// os.ErrClosed.
//
// liburing: io_uring_free_buf_ring   kernel: 5.19
func (b *BufRing) Close() error {
	if err := b.state(); err != nil {
		return err
	}
	if err := b.unregister(); err != nil {
		return err
	}
	delete(b.r.reg.groups, b.group)
	return b.release()
}

// release unmaps what is mapped.
func (b *BufRing) release() error {
	var errs [2]error
	for i, m := range []*[]byte{&b.array, &b.mem} {
		if *m != nil {
			errs[i] = unmapMemory(*m)
			*m = nil
		}
	}
	b.entries, b.word = nil, nil
	return errors.Join(errs[:]...)
}
