package scenario

// Registrations as scenarios make them. Each records what the kernel answered.

import (
	"math"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// register makes a registration with a structure or array as its argument.
func register[T any](g *Ring, op sys.RegisterOp, arg *T, n int) int {
	g.run.Keep(arg)
	res, _ := g.Register(op, sys.PointerTo(arg), uint32(n))
	return res
}

// Unregister makes a registration that has no argument.
func (g *Ring) Unregister(op sys.RegisterOp) { g.Register(op, nil, 0) }

// RegisterBuffers registers buffers 0, 1 and so on.
func (g *Ring) RegisterBuffers(bufs ...[]byte) {
	register(g, sys.IORING_REGISTER_BUFFERS, &g.run.Iovecs(bufs...)[0], len(bufs))
}

// Sizes of the arguments that the kernel wants to be told.
const (
	sizeofRsrcRegister = 32
	sizeofRsrcUpdate2  = 32
)

// SparseBuffers registers a table of n buffers, all empty.
func (g *Ring) SparseBuffers(n uint32) {
	register(g, sys.IORING_REGISTER_BUFFERS2, &sys.RsrcRegister{Nr: n, Flags: sys.IORING_RSRC_REGISTER_SPARSE}, sizeofRsrcRegister)
}

// UpdateBuffer replaces a registered buffer; an empty one clears it. The tag
// comes back in a completion once the buffer is replaced or unregistered and no
// longer used.
func (g *Ring) UpdateBuffer(index uint32, buf []byte, tag uint64) {
	v := g.run.Iovecs(buf)
	register(g, sys.IORING_REGISTER_BUFFERS_UPDATE, &sys.RsrcUpdate2{
		Offset: index,
		Data:   addressOf(g.run, &v[0]),
		Tags:   addressOf(g.run, &tag),
		Nr:     1,
	}, sizeofRsrcUpdate2)
}

// RegisterFiles registers descriptors; -1 leaves a slot empty.
func (g *Ring) RegisterFiles(fds ...int) {
	register(g, sys.IORING_REGISTER_FILES, &g.run.table(fds)[0], len(fds))
}

// SparseFiles registers a table of n files, all empty.
func (g *Ring) SparseFiles(n uint32) {
	register(g, sys.IORING_REGISTER_FILES2, &sys.RsrcRegister{Nr: n, Flags: sys.IORING_RSRC_REGISTER_SPARSE}, sizeofRsrcRegister)
}

// UpdateFiles replaces registered files from slot first on.
func (g *Ring) UpdateFiles(first uint32, fds ...int) {
	t := g.run.table(fds)
	register(g, sys.IORING_REGISTER_FILES_UPDATE, &sys.RsrcUpdate{Offset: first, Data: addressOf(g.run, &t[0])}, len(fds))
}

// table returns descriptors as the kernel takes them.
func (r *Run) table(fds []int) []int32 {
	t := make([]int32, len(fds))
	for i, fd := range fds {
		t[i] = int32(fd)
	}
	r.Keep(t)
	return t
}

// SyncCancel cancels requests and waits for that, if timeout says so.
func (g *Ring) SyncCancel(arg sys.SyncCancelReg) {
	arg.Timeout = sys.Timespec{Sec: -1, Nsec: -1}
	register(g, sys.IORING_REGISTER_SYNC_CANCEL, &arg, 1)
}

// A BufRing is a ring of provided buffers.
type BufRing struct {
	g     *Ring
	slots []sys.Buf
	word  *atomic.Uint32
	tail  uint16
	group uint16
}

// BufRing registers a ring of provided buffers. flags are IOU_PBUF_RING_ flags.
func (g *Ring) BufRing(entries int, group, flags uint16) *BufRing {
	b := &BufRing{g: g, group: group}
	mem := g.run.Pages(max(unix.Getpagesize(), entries*16))
	b.slots, b.word = ringSlots(mem, entries)
	register(g, sys.IORING_REGISTER_PBUF_RING, &sys.BufReg{
		RingAddr:    addressOf(g.run, &mem[0]),
		RingEntries: uint32(entries),
		Bgid:        group,
		Flags:       flags,
	}, 1)
	return b
}

// Add puts a buffer into the ring, for Publish to show to the kernel.
func (b *BufRing) Add(buf []byte, id uint16) {
	s := &b.slots[int(b.tail)&(len(b.slots)-1)]
	s.Addr, s.Len = addressOf(b.g.run, &buf[0]), uint32(len(buf))
	if s == &b.slots[0] {
		// The tail is in this entry, and only Publish changes it.
		old := b.word.Load()
		b.word.Store(old&^word16s(math.MaxUint16, 0) | word16s(id, 0))
	} else {
		s.Bid = id
	}
	b.tail++
}

// Publish gives the kernel what was added.
func (b *BufRing) Publish() {
	old := b.word.Load()
	b.word.Store(old&word16s(math.MaxUint16, 0) | word16s(0, b.tail))
}

// Fill adds n buffers of a size, with ids from first on, and publishes them. It
// returns them.
func (b *BufRing) Fill(n, size int, first uint16) [][]byte {
	var bufs [][]byte
	for i := range n {
		buf := b.g.run.Bytes(size)
		b.Add(buf, first+uint16(i))
		bufs = append(bufs, buf)
	}
	b.Publish()
	return bufs
}

// NoteHead records how many buffers the kernel has taken since the beginning.
func (b *BufRing) NoteHead() {
	st := sys.BufStatus{BufGroup: uint32(b.group)}
	register(b.g, sys.IORING_REGISTER_PBUF_STATUS, &st, 1)
	b.g.emit("head", strconv.Itoa(int(st.Head)))
}

// Unregister takes the ring of provided buffers back.
func (b *BufRing) Unregister() {
	register(b.g, sys.IORING_UNREGISTER_PBUF_RING, &sys.BufReg{Bgid: b.group}, 1)
}
