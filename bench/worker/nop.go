package main

import (
	"log"

	"github.com/uring-go/uring"
)

// nops prepares depth NOPs, submits them, waits for all and looks at each.
type nops struct{ depth int }

func (w *nops) round(r *uring.Ring, cqes []uring.CQE) int {
	for i := range w.depth {
		s := r.GetSQE()
		s.PrepNop()
		s.UserData = uint64(i)
	}
	got, err := r.SubmitWait(uring.Wait{N: uint32(w.depth)})
	all(got, w.depth, err)
	for done := 0; done < w.depth; {
		n := r.Peek(cqes)
		for i := range cqes[:n] {
			if c := &cqes[i]; c.Res != 0 || c.UserData != uint64(done+i) {
				log.Fatalf("completion %d: %+v", done+i, *c)
			}
		}
		done += n
	}
	return w.depth
}

func (*nops) finish(*uring.Ring) {}

// turns does its NOPs on several rings, one after the other.
type turns struct {
	nops
	rings []*uring.Ring
	last  int
}

func (w *turns) round(_ *uring.Ring, cqes []uring.CQE) int {
	w.last++
	return w.nops.round(w.rings[w.last%len(w.rings)], cqes)
}
