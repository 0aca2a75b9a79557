package proactor

// Buffers that the kernel chooses from: it takes one when a multishot has data for
// it, so that a thousand idle connections need none.

import (
	"fmt"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// Buffers are buffers for multishot operations, of one size. Any number of streams
// may share them. A stream lays hands on one of them at a time, for the data that
// Next returned last, and on one for each completion that waits for Next; when all
// are taken, receiving pauses until one is free again.
//
// Each ring that is used with them has as many; their memory is made at first use
// and is ordinary memory, which lives as long as somebody refers to it.
type Buffers struct {
	p     *Proactor
	group uint16
	count int
	size  int

	mu    sync.Mutex
	rings map[*ring]*bufferRing
}

// NewBuffers makes count buffers of size bytes for each ring, a power of two of
// them, at most 32768.
func (p *Proactor) NewBuffers(count, size int) (*Buffers, error) {
	switch {
	case count < 1 || count > 1<<15 || bits.OnesCount(uint(count)) != 1:
		return nil, fmt.Errorf("proactor: %d buffers; there is a power of two of them, 1 to 32768: %w", count, syscall.EINVAL)
	case size < 1 || size > 1<<30 || count > 1<<30/size:
		return nil, fmt.Errorf("proactor: %d buffers of %d bytes; together they have 1 to %d: %w", count, size, 1<<30, syscall.EINVAL)
	case p.closed.Load():
		return nil, ErrClosed
	}
	group := p.groups.Add(1)
	if group > 1<<16-1 {
		return nil, fmt.Errorf("proactor: 65535 Buffers were made: %w", syscall.ENOSPC)
	}
	return &Buffers{p: p, group: uint16(group), count: count, size: size, rings: make(map[*ring]*bufferRing)}, nil
}

// bufferRing is the part of Buffers that belongs to one ring. The entries are
// shared with the kernel: we write them at the tail, which it watches.
type bufferRing struct {
	group   uint16
	size    int
	memory  []byte // of the buffers: the heap's, so that no slice of it can outlive it
	mapping []byte // of the entries
	entries []sys.Buf

	mu    sync.Mutex
	word  *atomic.Uint32 // the first entry's id, and the tail
	first uint16         // that id
	tail  uint16
	out   int           // buffers that the kernel does not have
	freed chan struct{} // has an element after one came back
}

// on returns the buffers of a ring, and makes them known to the kernel if they are
// not. An error means that this kernel has no such rings, or no memory.
func (b *Buffers) on(r *ring) (*bufferRing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if br := b.rings[r]; br != nil {
		return br, nil
	}
	br := &bufferRing{group: b.group, size: b.size, freed: make(chan struct{}, 1)}
	size := max(b.count*16, unix.Getpagesize())
	var err error
	if br.mapping, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS); err != nil {
		return nil, err
	}
	br.memory = make([]byte, b.count*b.size)
	br.lay(b.count)
	if err := r.provide(br); err != nil {
		unix.Munmap(br.mapping)
		return nil, err
	}
	b.rings[r] = br
	return br, nil
}

// lay fills in all entries.
func (br *bufferRing) lay(count int) {
	br.entries, br.word = bufferEntries(br.mapping, count)
	for id := range count {
		e := &br.entries[id]
		e.Addr, e.Len = address(&br.memory[id*br.size]), uint32(br.size)
		if id > 0 {
			e.Bid = uint16(id)
		}
	}
	br.tail = uint16(count)
	br.word.Store(halves(0, br.tail))
}

// data returns what the kernel put into a buffer.
func (br *bufferRing) data(id uint16, n int) []byte {
	at := int(id) * br.size
	return br.memory[at : at+n : at+n]
}

// take notes that the kernel has given a buffer to us.
func (br *bufferRing) take() {
	br.mu.Lock()
	br.out++
	br.mu.Unlock()
}

// put gives a buffer back to the kernel.
func (br *bufferRing) put(id uint16) {
	br.mu.Lock()
	if br.entries == nil {
		br.mu.Unlock() // the ring is closed
		return
	}
	at := br.tail & uint16(len(br.entries)-1)
	e := &br.entries[at]
	e.Addr, e.Len = address(&br.memory[int(id)*br.size]), uint32(br.size)
	if at == 0 {
		br.first = id
	} else {
		e.Bid = id
	}
	br.tail++
	br.word.Store(halves(br.first, br.tail))
	br.out--
	br.mu.Unlock()
	select {
	case br.freed <- struct{}{}:
	default:
	}
}

// close forgets the entries, after the ring was closed.
func (br *bufferRing) close() error {
	br.mu.Lock()
	defer br.mu.Unlock()
	br.entries, br.word = nil, nil
	return os.NewSyscallError("munmap", unix.Munmap(br.mapping))
}

// provide makes a buffer ring known to the kernel.
func (r *ring) provide(br *bufferRing) (err error) {
	if r.crowd != nil {
		done := make(chan struct{})
		if !r.crowd.errand(func() { err = r.provideNow(br); close(done) }) {
			return ErrClosed
		}
		<-done
		return err
	}
	r.mu.Lock()
	defer r.leave()
	return r.provideNow(br)
}

// provideNow is provide for the holder of the ring.
func (r *ring) provideNow(br *bufferRing) error {
	if r.closing {
		return ErrClosed
	}
	reg := &sys.BufReg{RingAddr: address(&br.mapping[0]), RingEntries: uint32(len(br.entries)), Bgid: br.group}
	if _, err := r.ring.Backend().Register(sys.IORING_REGISTER_PBUF_RING, sys.PointerTo(reg), 1); err != nil {
		return err
	}
	r.provided = append(r.provided, br)
	return nil
}
