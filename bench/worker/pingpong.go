package main

import (
	"log"
	"syscall"

	"github.com/uring-go/uring"
)

const message = 64

// pingpong sends 64 bytes through each of depth socket pairs and back. An
// operation is one round trip of one pair.
type pingpong struct {
	pairs    [][2]int
	messages [][2][message]byte
}

func newPingpong(depth int) *pingpong {
	w := &pingpong{messages: make([][2][message]byte, depth)}
	for range depth {
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		check1(err)
		w.pairs = append(w.pairs, pair)
	}
	return w
}

func (w *pingpong) round(r *uring.Ring, cqes []uring.CQE) int {
	w.half(r, cqes, 0)
	w.half(r, cqes, 1)
	return len(w.pairs)
}

func (w *pingpong) half(r *uring.Ring, cqes []uring.CQE, from int) {
	to := 1 - from
	for i := range w.pairs {
		r.GetSQE().PrepRecv(w.pairs[i][to], w.messages[i][to][:], 0)
		r.GetSQE().PrepSend(w.pairs[i][from], w.messages[i][from][:], 0)
	}
	n := 2 * len(w.pairs)
	got, err := r.SubmitWait(uring.Wait{N: uint32(n)})
	all(got, n, err)
	for done := 0; done < n; {
		got := r.Peek(cqes)
		for i := range cqes[:got] {
			if cqes[i].Res != message {
				log.Fatalf("message: %+v", cqes[i])
			}
		}
		done += got
	}
}

func (*pingpong) finish(*uring.Ring) {}
