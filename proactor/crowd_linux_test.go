package proactor

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What goes through a crowd is the same as without one, with one processor and many.
func TestCrowd(t *testing.T) {
	for _, procs := range []int{1, 4} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		eachRing(t, func(t *testing.T, config Config) {
			config.Crowd, config.Rings = CrowdAlways, 1
			p := open(t, config)
			for p.Stats().Crowds == 0 {
				do(t, p, Nop())
			}
			var wg sync.WaitGroup
			for range 20 {
				a, b := pair(t)
				for i, fd := range []int{a, b} {
					wg.Go(func() {
						buf := make([]byte, 100)
						for n := range 50 {
							if i == 0 {
								place(buf, int64(n)*100)
								do(t, p, Send(fd, buf, unix.MSG_WAITALL))
							}
							if n := do(t, p, Recv(fd, buf, unix.MSG_WAITALL)); n != 100 {
								t.Errorf("%d bytes", n)
							}
							if err := checkPlace(buf, int64(n)*100); err != nil {
								t.Error(err)
								return
							}
							if i == 1 {
								do(t, p, Send(fd, buf, unix.MSG_WAITALL))
							}
						}
					})
				}
			}
			wg.Wait()
			if s := p.Stats(); s.Handed < 1000 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A crowd gathers when there is one, and goes when it is over.
func TestCrowdComesAndGoes(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		if config.Crowd != CrowdAuto {
			t.Skip("it is there always")
		}
		config.Rings = 1
		p := open(t, config)
		r := (*p.rings.Load())[0]
		talk := func(n int, until func() bool) {
			var over atomic.Bool
			var wg sync.WaitGroup
			for range n {
				a, b := pair(t)
				wg.Go(func() {
					buf := make([]byte, 1)
					for !over.Load() {
						do(t, p, Send(a, buf, 0))
						do(t, p, Recv(a, buf, 0))
					}
					unix.Shutdown(a, unix.SHUT_RDWR)
				})
				wg.Go(func() {
					buf := make([]byte, 1)
					for do(t, p, Recv(b, buf, 0)) == 1 {
						if _, err := p.Do(t.Context(), Send(b, buf, unix.MSG_NOSIGNAL)); err != nil {
							return // the other side has gone
						}
					}
				})
			}
			deadline := time.Now().Add(30 * time.Second)
			for !until() {
				if time.Now().After(deadline) {
					t.Errorf("with %d connections: %+v", n, p.Stats())
					break
				}
				time.Sleep(time.Millisecond)
			}
			over.Store(true)
			wg.Wait()
		}
		// What the attendant notes when many connections of others are busy. Here the
		// other ends are calls of the same ring, which on one processor wake each other.
		measure := func(n int) {
			r.mu.Lock()
			r.enter()
			for range crowdPasses {
				r.measure(n)
			}
			r.leave()
		}
		measure(crowdMany - 1)
		if r.asked {
			t.Error("a crowd of fewer than there must be")
		}
		measure(crowdMany)
		talk(100, func() bool { return r.busy.Load() && p.Stats().Crowds == 1 })
		measure(crowdMany) // in case it has gone already
		talk(1, func() bool { return !r.busy.Load() })
	})
}
