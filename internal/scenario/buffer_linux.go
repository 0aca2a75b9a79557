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
	}}
}

// needIncremental needs rings of buffers that are filled piece by piece.
var needIncremental = Need{"IOU_PBUF_RING_INC", func() (bool, error) {
	// A ring of no address: EFAULT where the flag is known.
	return tryRegister(registers(sys.IORING_REGISTER_PBUF_RING,
		sys.BufReg{RingEntries: 1, Flags: sys.IOU_PBUF_RING_INC}, 1))
}}
