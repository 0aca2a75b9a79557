//go:build linux

package uring_test

import (
	"flag"
	"math"
	"os"
	"testing"
	"time"

	"github.com/uring-go/uring"
	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

var nops = flag.Uint64("nops", 0, "how many NOPs TestNOPsInOrder sends through a ring; 4400000000 cross the wrap of the ring's 32-bit indices")

// Very many NOPs through a ring of 8 entries: each comes back once, in order, in
// batches of every size. 100 million in CI, a few million elsewhere; -nops says
// otherwise.
func TestNOPsInOrder(t *testing.T) {
	total := *nops
	switch {
	case total > 0:
	case bt.Race:
		total = 300_000
	case testing.Short():
		total = 1_000_000
	case os.Getenv("CI") == "true":
		total = 100_000_000
	default:
		total = 5_000_000
	}
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		b := k.Open(t, 8, &sys.Params{Flags: m.Flags})
		v := bt.ViewOf(t, b)
		r := uring.NewRing(b)
		start := time.Now()
		var sent, seen, wraps uint64
		last := v.SQTail.Load()
		cqes := make([]uring.CQE, 16)
		batch := uint64(8)
		for sent < total {
			if *nops == 0 && testing.Short() && sent&(1<<12-1) < 8 && time.Since(start) > 5*time.Second {
				break // where a system call is slow, as in a virtual machine
			}
			if sent&(1<<20-1) < 8 { // now and then batches of other sizes, so that windows end everywhere
				batch = 1 + (sent>>20)%7
			} else {
				batch = 8
			}
			for range batch {
				s := r.GetSQE()
				if s == nil {
					t.Fatalf("after %d: GetSQE gave nothing; %+v", sent, r.Status())
				}
				if s.UserData != 0 || s.Fd != 0 {
					t.Fatalf("after %d: an entry is not zero: %+v", sent, *s)
				}
				s.PrepNop()
				s.UserData = sent + 1
				sent++
			}
			if n, err := r.SubmitWait(uring.Wait{N: uint32(batch)}); uint64(n) != batch || err != nil {
				t.Fatalf("after %d: SubmitWait = %d, %v", sent, n, err)
			}
			n := r.Peek(cqes)
			if uint64(n) != batch {
				t.Fatalf("after %d: Peek = %d, want %d", sent, n, batch)
			}
			for _, c := range cqes[:n] {
				seen++
				if c.UserData != seen || c.Res != 0 {
					t.Fatalf("completion %+v came where %d was next", c, seen)
				}
			}
			if sent&(1<<16-1) < 8 {
				if now := v.SQTail.Load(); now < last {
					wraps++
					last = now
				} else {
					last = now
				}
			}
		}
		if seen != sent {
			t.Errorf("%d sent, %d seen", sent, seen)
		}
		if want := sent >> 32; wraps != want && sent&math.MaxUint32 > 1<<17 {
			t.Errorf("the tail wrapped %d times, want %d", wraps, want)
		}
		took := time.Since(start)
		t.Logf("%d NOPs in %v, %.0f ns each, %d wraps of the indices", sent, took.Round(time.Millisecond), float64(took.Nanoseconds())/float64(sent), wraps)
	}, "plain")
}
