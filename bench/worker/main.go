// Worker runs one workload on one backend and prints "operations wall-ns cpu-ns
// allocations". The driver starts it, pinned, again and again beside its twins
// in C.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

const (
	least = 128  // entries of a ring, or the batch if that is more
	check = 4096 // operations between two looks at the clock
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("worker: ")
	if len(os.Args) != 5 {
		log.Fatal("usage: worker BACKEND MODE BATCH MILLISECONDS")
	}
	mode := os.Args[2]
	batch, err := strconv.Atoi(os.Args[3])
	if err != nil || batch < 1 {
		log.Fatalf("batch %q", os.Args[3])
	}
	ms, err := strconv.Atoi(os.Args[4])
	if err != nil {
		log.Fatalf("milliseconds %q", os.Args[4])
	}
	r, err := open(os.Args[1], mode, uint32(max(least, batch)))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	d := time.Duration(ms) * time.Millisecond
	run(r, batch, d/10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	ops := run(r, batch, d)
	wall, used := time.Since(start), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	fmt.Println(ops, wall.Nanoseconds(), used.Nanoseconds(), after.Mallocs-before.Mallocs)
}

func open(backend, mode string, entries uint32) (*uring.Ring, error) {
	var p sys.Params
	if mode == "defer" {
		runtime.LockOSThread()
		p.Flags = sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN
	}
	var b uring.Backend
	var err error
	switch backend {
	case "purego":
		b, err = purego.New(entries, &p)
	case "liburing":
		b, err = liburing.New(entries, &p)
	default:
		err = fmt.Errorf("backend %q", backend)
	}
	if err != nil {
		return nil, err
	}
	if mode == "defer" {
		if err := b.RegisterRingFd(); err != nil {
			return nil, err
		}
	}
	return uring.NewRing(b), nil
}

func run(r *uring.Ring, batch int, d time.Duration) (ops int) {
	end := time.Now().Add(d)
	var cqes [64]uring.CQE
	for {
		n := 0
		for ; n < check; n += batch {
			roundTrip(r, batch, cqes[:])
		}
		ops += n
		if !time.Now().Before(end) {
			return ops
		}
	}
}

func roundTrip(r *uring.Ring, batch int, cqes []uring.CQE) {
	for i := range batch {
		s := r.GetSQE()
		s.PrepNop()
		s.UserData = uint64(i)
	}
	if n, err := r.SubmitWait(uring.Wait{N: uint32(batch)}); n != batch || err != nil {
		log.Fatalf("submit: %d, %v", n, err)
	}
	for done := 0; done < batch; {
		n := r.Peek(cqes)
		for i := range cqes[:n] {
			if c := &cqes[i]; c.Res != 0 || c.UserData != uint64(done+i) {
				log.Fatalf("completion %d: %+v", done+i, *c)
			}
		}
		done += n
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
