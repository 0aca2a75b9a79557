package scenario

// Provided buffers: the old way, rings of them, and the requests that repeat
// with them.

import (
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// bufSelect makes a request take a buffer of a group.
func bufSelect(s *sys.SQE, group uint16) {
	s.Flags |= selects
	s.BufIndex = group
}

func bufferScenarios() []Scenario {
	return []Scenario{{
		Name: "provide_buffers",
		Doc:  "Buffers provided, taken one by one until there is none, and removed.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			buf := r.Bytes(5 * 16)
			g.SQE(1).PrepProvideBuffers(buf[:48], 16, 3, 7, 10)
			g.SubmitReap(1)
			read := func(u uint64, group uint16) {
				s := g.SQE(u)
				s.PrepRead(rd, nil, 0)
				bufSelect(s, group)
				s.Len = 16
				g.SubmitReap(1)
			}
			for u := range uint64(3) {
				r.Write(wr, "four")
				read(10+u, 7)
			}
			read(13, 7)
			g.SQE(20).PrepProvideBuffers(buf[48:], 16, 2, 7, 20)
			g.SubmitReap(1)
			g.SQE(21).PrepRemoveBuffers(5, 7)
			g.SubmitReap(1)
			g.SQE(22).PrepRemoveBuffers(5, 99)
			g.SubmitReap(1)
			read(23, 99)
			r.Note("data", buf[:36])
		},
	}, {
		Name:  "buffer_ring",
		Doc:   "A ring of provided buffers: taken, used up, one given back; and which rings cannot be registered.",
		Needs: []Need{needRegister(sys.IORING_UNREGISTER_PBUF_RING, sys.IORING_REGISTER_PBUF_STATUS)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			b := g.BufRing(4, 3, 0)
			bufs := b.Fill(4, 8, 100)
			b.NoteHead()
			read := func(u uint64, n uint32) {
				s := g.SQE(u)
				s.PrepRead(rd, nil, 0)
				bufSelect(s, 3)
				s.Len = n
				g.SubmitReap(1)
			}
			for u := range uint64(4) {
				r.Write(wr, "data")
				// Two bytes stay behind for the next one.
				read(u, map[uint64]uint32{1: 2}[u])
			}
			read(4, 0)
			b.NoteHead()
			for _, buf := range bufs {
				r.Note("data", buf)
			}
			b.Add(bufs[2], 102)
			b.Publish()
			r.Write(wr, "more")
			read(9, 0)
			g.BufRing(4, 3, 0)
			b.Unregister()
			b.Unregister()
			g.BufRing(3, 4, 0)
			g.BufRing(65536, 4, 0)
			read(10, 0)
		},
	}, {
		Name:  "buffer_ring_incremental",
		Doc:   "A buffer that is filled piece by piece until it is full.",
		Needs: []Need{needIncremental},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			b := g.BufRing(1, 3, sys.IOU_PBUF_RING_INC)
			buf := b.Fill(1, 64, 5)[0]
			for i, n := range []int{12, 20, 20, 12, 4} {
				r.Write(wr, "abcdefghijklmnopqrst"[:n])
				s := g.SQE(uint64(i))
				s.PrepRead(rd, nil, 0)
				bufSelect(s, 3)
				g.SubmitReap(1)
			}
			r.Note("data", buf)
		},
	}, {
		Name:  "read_multishot",
		Doc:   "A read that goes on until the buffers are used up or the other end is closed, and is not for files.",
		Needs: []Need{needOp(sys.IORING_OP_READ_MULTISHOT)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			b := g.BufRing(4, 3, 0)
			bufs := b.Fill(4, 8, 0)
			g.SQE(1).PrepReadMultishot(rd, 0, 0, 3)
			g.Submit()
			g.Settle()
			for range 3 {
				r.Write(wr, "five!")
				g.Reap(1)
			}
			r.Write(wr, "and twelve..")
			g.Reap(2)
			g.SQE(2).PrepReadMultishot(rd, 0, 0, 3)
			g.SubmitReap(1)
			b.Add(bufs[0], 0)
			b.Add(bufs[1], 1)
			b.Publish()
			g.SQE(3).PrepReadMultishot(rd, 0, 0, 3)
			g.SubmitReap(1)
			r.Must("close", unix.Close(wr))
			g.Reap(1)
			g.SQE(4).PrepReadMultishot(r.File("f", "content"), 0, 0, 3)
			g.SubmitReap(1)
		},
	}, {
		Name: "provide_buffers_errors",
		Doc:  "Buffers that cannot be provided or removed, and requests that cannot use them.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			buf := r.Bytes(64)
			provide := func(length, nr, group, id int) {
				do(func(s *sys.SQE) {
					s.PrepProvideBuffers(buf, length, 1, group, id)
					s.Fd = int32(nr) // past what the method checks
				})
			}
			provide(16, 0, 1, 0)
			provide(16, 65537, 1, 0)
			provide(16, 4, 1, 65533)
			provide(0, 4, 1, 0)
			provide(16, 2, 1, 65534)
			do(func(s *sys.SQE) { s.PrepRemoveBuffers(0, 1) })
			do(func(s *sys.SQE) { s.PrepRemoveBuffers(1, 1) })
			do(func(s *sys.SQE) { s.PrepRemoveBuffers(65536, 1) })
			do(func(s *sys.SQE) { s.PrepRemoveBuffers(65537, 1) })
			do(func(s *sys.SQE) {
				s.PrepNop()
				bufSelect(s, 1)
			})
			do(func(s *sys.SQE) {
				s.PrepWrite(r.File("f", ""), nil, 0)
				bufSelect(s, 1)
			})
			do(func(s *sys.SQE) {
				s.PrepRemoveBuffers(1, 1)
				s.Addr = 1
			})
		},
	}, {
		Name: "provide_buffers_vector",
		Doc:  "A vectored read takes a provided buffer for its one vector, and a receive does too.",
		Run: func(r *Run) {
			g := r.Open(8)
			buf := r.Bytes(64)
			g.SQE(1).PrepProvideBuffers(buf, 16, 4, 1, 0)
			g.SubmitReap(1)
			rd, wr := r.Pipe()
			r.Write(wr, "vector")
			v := make([]unix.Iovec, 1)
			v[0].SetLen(4)
			r.Keep(v)
			s := g.SQE(2)
			s.PrepReadv(rd, v, 0)
			bufSelect(s, 1)
			g.SubmitReap(1)
			a, b := r.Pair(unix.SOCK_STREAM)
			r.Write(a, "received")
			s = g.SQE(3)
			s.PrepRecv(b, nil, 0)
			bufSelect(s, 1)
			s.Len = 16
			g.SubmitReap(1)
			r.Note("data", buf[:32])
		},
	}, {
		Name:  "buffer_ring_recycled",
		Doc:   "Two buffers that go around many times.",
		Needs: []Need{needRegister(sys.IORING_UNREGISTER_PBUF_RING)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			b := g.BufRing(2, 9, 0)
			bufs := b.Fill(2, 4, 0)
			for u := range uint64(9) {
				r.Write(wr, string(rune('a'+u)))
				s := g.SQE(u)
				s.PrepRead(rd, nil, 0)
				bufSelect(s, 9)
				c := g.SubmitReap(1)[0]
				id, ok := c.Buffer()
				if !ok || int(id) >= len(bufs) {
					return
				}
				r.Note("data", bufs[id][:1])
				b.Add(bufs[id], id)
				b.Publish()
			}
		},
	}, {
		Name:  "buffer_groups",
		Doc:   "Several groups, old and new, side by side; a number belongs to one of them.",
		Needs: []Need{needRegister(sys.IORING_UNREGISTER_PBUF_RING)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			g.BufRing(4, 0, 0).Fill(2, 8, 40)
			ring := g.BufRing(4, 65535, 0)
			ring.Fill(2, 8, 50)
			g.SQE(1).PrepProvideBuffers(r.Bytes(16), 8, 2, 300, 60)
			g.SubmitReap(1)
			for i, group := range []uint16{65535, 0, 300, 300, 0, 65535} {
				r.Write(wr, "data")
				s := g.SQE(uint64(10 + i))
				s.PrepRead(rd, nil, 0)
				bufSelect(s, group)
				s.Len = 8
				g.SubmitReap(1)
			}
			g.SQE(2).PrepProvideBuffers(r.Bytes(8), 8, 1, 0, 1)
			g.SubmitReap(1)
			g.SQE(3).PrepRemoveBuffers(1, 65535)
			g.SubmitReap(1)
			g.BufRing(4, 300, 0)
			ring.Unregister()
			g.SQE(4).PrepProvideBuffers(r.Bytes(8), 8, 1, 65535, 1)
			g.SubmitReap(1)
		},
	}, {
		Name:  "buffer_ring_of_the_kernel",
		Doc:   "A ring of provided buffers in memory that the kernel allocates and the program maps.",
		Needs: []Need{needKernelBufRing},
		Run: func(r *Run) {
			g := r.Open(8)
			if g.Fd() < 0 {
				return
			}
			rd, wr := r.Pipe()
			register(g, sys.IORING_REGISTER_PBUF_RING, &sys.BufReg{RingEntries: 4, Bgid: 2, Flags: sys.IOU_PBUF_RING_MMAP}, 1)
			mem, err := unix.Mmap(g.Fd(), sys.IORING_OFF_PBUF_RING|2<<sys.IORING_OFF_PBUF_SHIFT, 4*16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			r.Must("mmap", err)
			b := &BufRing{g: g, group: 2}
			b.slots, b.word = ringSlots(mem, 4)
			buf := b.Fill(1, 8, 77)[0]
			r.Write(wr, "mapped")
			s := g.SQE(1)
			s.PrepRead(rd, nil, 0)
			bufSelect(s, 2)
			g.SubmitReap(1)
			r.Note("data", buf)
			r.Must("munmap", unix.Munmap(mem))
			b.Unregister()
			register(g, sys.IORING_REGISTER_PBUF_RING, &sys.BufReg{RingEntries: 4, Bgid: 2, RingAddr: 4096, Flags: sys.IOU_PBUF_RING_MMAP}, 1)
			register(g, sys.IORING_REGISTER_PBUF_RING, &sys.BufReg{RingEntries: 4, Bgid: 2, Flags: 1 << 15}, 1)
		},
	}, {
		Name:  "incremental_recv",
		Doc:   "A multishot receive that fills two buffers piece by piece.",
		Needs: []Need{needIncremental},
		Run: func(r *Run) {
			g := r.Open(8)
			a, b := r.Pair(unix.SOCK_STREAM)
			bufs := g.BufRing(2, 3, sys.IOU_PBUF_RING_INC).Fill(2, 16, 0)
			s := g.SQE(1)
			s.PrepRecvMultishot(b, nil, 0)
			bufSelect(s, 3)
			g.Submit()
			g.Settle()
			for _, text := range []string{"0123456", "789", "abcdef", "ghijklmnopqrstu"} {
				r.Write(a, text)
				g.Reap(1)
			}
			r.Must("shutdown", unix.Shutdown(a, unix.SHUT_WR))
			g.Reap(1)
			r.Note("data", bufs[0])
			r.Note("data", bufs[1])
		},
	}, {
		Name:  "read_multishot_ends",
		Doc:   "A multishot read is cancelled, and what it refuses: a limit, no buffers, no such group.",
		Needs: []Need{needOp(sys.IORING_OP_READ_MULTISHOT)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			g.BufRing(8, 3, 0).Fill(8, 16, 0)
			r.Write(wr, "0123456789")
			g.SQE(1).PrepReadMultishot(rd, 0, 0, 3)
			g.SubmitReap(1)
			g.SQE(2).PrepCancel64(1, 0)
			g.Submit()
			g.ReapAny(2)
			g.SQE(3).PrepReadMultishot(rd, 4, 0, 3)
			if g.SubmitReap(1)[0].More() {
				return
			}
			s := g.SQE(4)
			s.PrepReadMultishot(rd, 0, 0, 3)
			s.Flags = 0
			g.SubmitReap(1)
			g.SQE(5).PrepReadMultishot(rd, 0, 0, 99)
			g.Submit()
			g.Settle()
			r.Write(wr, "x")
			g.Reap(1)
		},
	}}
}

// needKernelBufRing needs rings of provided buffers that the kernel allocates.
var needKernelBufRing = Need{"IOU_PBUF_RING_MMAP", func() (bool, error) {
	return tryRegister(registers(sys.IORING_REGISTER_PBUF_RING,
		sys.BufReg{RingEntries: 1, Flags: sys.IOU_PBUF_RING_MMAP}, 1))
}}

// needIncremental needs rings of buffers that are filled piece by piece.
var needIncremental = Need{"IOU_PBUF_RING_INC", func() (bool, error) {
	// A ring of no address: EFAULT where the flag is known.
	return tryRegister(registers(sys.IORING_REGISTER_PBUF_RING,
		sys.BufReg{RingEntries: 1, Flags: sys.IOU_PBUF_RING_INC}, 1))
}}
