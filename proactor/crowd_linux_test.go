package proactor

import (
	"runtime"
	"sync"
	"testing"

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
