package main

import (
	"log"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

const block = 4096

// reads keeps depth reads of 4 KiB at random places in flight and replaces what
// is ready at once.
type reads struct {
	fd       int
	fixed    bool
	blocks   uint64
	buffers  []byte // page aligned, outside the Go heap
	idle     []int
	inflight int
	random   xorshift
}

type xorshift uint64

func (x *xorshift) next() uint64 {
	v := *x
	v ^= v << 13
	v ^= v >> 7
	v ^= v << 17
	*x = v
	return uint64(v)
}

const seed xorshift = 88172645463325252

func openFile(path string, direct bool) (fd int, blocks uint64) {
	flags := os.O_RDONLY
	if direct {
		flags |= syscall.O_DIRECT
	}
	fd, err := syscall.Open(path, flags, 0)
	check1(err)
	var st syscall.Stat_t
	check1(syscall.Fstat(fd, &st))
	return fd, uint64(st.Size) / block
}

func pages(n int) []byte {
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	check1(err)
	return mem
}

func newReads(r *uring.Ring, path string, depth int, fixed, direct bool) *reads {
	w := &reads{fixed: fixed, buffers: pages(depth * block), random: seed}
	w.fd, w.blocks = openFile(path, direct)
	for i := range depth {
		w.idle = append(w.idle, i)
	}
	if fixed {
		check1(r.RegisterBuffers([][]byte{w.buffers}))
		check1(r.RegisterFiles([]int32{int32(w.fd)}))
	}
	return w
}

func (w *reads) round(r *uring.Ring, cqes []uring.CQE) int {
	queued := len(w.idle)
	for _, slot := range w.idle {
		s := r.GetSQE()
		at := w.random.next() % w.blocks * block
		buf := w.buffers[slot*block : slot*block+block]
		if w.fixed {
			s.PrepReadFixed(0, buf, at, 0)
			s.Flags = sys.IOSQE_FIXED_FILE
		} else {
			s.PrepRead(w.fd, buf, at)
		}
		s.UserData = uint64(slot)
	}
	w.idle = w.idle[:0]
	w.inflight += queued
	got, err := r.SubmitWait(uring.Wait{N: 1})
	all(got, queued, err)
	n := r.Peek(cqes)
	for i := range cqes[:n] {
		if cqes[i].Res != block {
			log.Fatalf("read: %+v", cqes[i])
		}
		w.idle = append(w.idle, int(cqes[i].UserData))
	}
	w.inflight -= n
	return n
}

func (w *reads) finish(r *uring.Ring) {
	check1(r.Wait(uring.Wait{N: uint32(w.inflight)}))
}

// osReads is the same without a ring: depth goroutines, each in a loop of pread
// through the standard library.
func osReads(path string, direct bool, depth int, d time.Duration) result {
	flags := os.O_RDONLY
	if direct {
		flags |= syscall.O_DIRECT
	}
	f, err := os.OpenFile(path, flags, 0)
	check1(err)
	st, err := f.Stat()
	check1(err)
	blocks := uint64(st.Size()) / block
	mem := pages(depth * block)
	loop := func(d time.Duration) int {
		counts := make([]int, depth)
		var wg sync.WaitGroup
		end := time.Now().Add(d)
		for g := range depth {
			wg.Go(func() {
				buf, random := mem[g*block:g*block+block], seed+xorshift(g)
				for n := 0; ; n++ {
					if n%64 == 0 && !time.Now().Before(end) {
						counts[g] = n
						return
					}
					if _, err := f.ReadAt(buf, int64(random.next()%blocks*block)); err != nil {
						log.Fatal(err)
					}
				}
			})
		}
		wg.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		return total
	}
	loop(d / 10)
	return measure(func() int { return loop(d) })
}
