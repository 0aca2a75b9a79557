package main

import (
	"log"
	"syscall"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// mrecv sends depth messages through a socket pair; one multishot receive takes
// them all, each into a buffer of a provided ring, which goes back at once.
type mrecv struct {
	depth int
	ends  [2]int
	ring  *uring.BufRing
	out   [message]byte
	armed bool
}

func newMrecv(r *uring.Ring, depth int) *mrecv {
	w := &mrecv{depth: depth}
	var err error
	// Datagrams, so that a message is a completion.
	w.ends, err = syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0)
	check1(err)
	w.ring, err = r.NewBufRing(0, 2*least, message)
	check1(err)
	return w
}

func (w *mrecv) round(r *uring.Ring, cqes []uring.CQE) int {
	queued := 0
	if !w.armed {
		s := r.GetSQE()
		s.PrepRecvMultishot(w.ends[1], nil, 0)
		s.Flags |= sys.IOSQE_BUFFER_SELECT
		s.BufIndex = w.ring.Group()
		s.UserData = 1
		w.armed = true
		queued++
	}
	for range w.depth {
		r.GetSQE().PrepSend(w.ends[0], w.out[:], 0)
		queued++
	}
	n := 2 * w.depth
	got, err := r.SubmitWait(uring.Wait{N: uint32(n)})
	all(got, queued, err)
	for done := 0; done < n; {
		got := r.Peek(cqes)
		for i := range cqes[:got] {
			c := cqes[i]
			if c.Res != message {
				log.Fatalf("message: %+v", c)
			}
			if c.UserData == 0 {
				continue
			}
			if !c.More() {
				w.armed = false
			}
			_, used := w.ring.Take(c)
			check1(w.ring.Put(used...))
		}
		done += got
	}
	return w.depth
}

func (*mrecv) finish(*uring.Ring) {}
