// Worker runs one workload on one backend and prints "operations wall-ns cpu-ns
// allocations". The driver starts it, pinned, again and again beside its twin in
// C, c/work.c, which does the same step by step.
//
//	worker BACKEND WORKLOAD MODE DEPTH LENGTH [FILE]
//
// LENGTH is milliseconds, or operations with an x behind them. MODE is plain, defer
// or sqpoll; behind a comma entries=N is the ring's size, rings=N how many rings
// take turns, and sqcpu=N the CPU of the kernel's thread.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

const (
	least = 128  // entries of a ring, or twice the depth if that is more
	check = 4096 // operations between two looks at the clock
)

// A workload does a round of operations on a ring and returns how many.
type workload interface {
	round(r *uring.Ring, cqes []uring.CQE) int
	// finish reaps what the last round left in flight.
	finish(r *uring.Ring)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("worker: ")
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(liburing.Version())
		return
	}
	if len(os.Args) < 6 {
		log.Fatal("usage: worker BACKEND WORKLOAD MODE DEPTH LENGTH [FILE]")
	}
	backend, name, mode := os.Args[1], os.Args[2], os.Args[3]
	depth := number(os.Args[4])
	length := parseLength(os.Args[5])
	path := ""
	if len(os.Args) > 6 {
		path = os.Args[6]
	}
	if backend == "os" {
		switch name {
		case "pingpong":
			report(osPingpong(depth, length.d))
		case "mrecv":
			report(osMessages(depth, length.d))
		default:
			report(osReads(path, strings.Contains(name, "direct"), depth, length.d))
		}
		return
	}
	mode, option, _ := strings.Cut(mode, ",")
	entries, rings, sqCPU := max(least, 2*depth), 1, -1
	if option != "" {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "entries":
			entries = number(value)
		case "rings":
			rings = number(value)
		case "sqcpu":
			sqCPU = int(value[0] - '0')
		default:
			log.Fatalf("option %q", option)
		}
	}
	r, err := open(backend, mode, uint32(entries), sqCPU)
	check1(err)
	defer r.Close()
	var w workload
	switch {
	case name == "nop" && rings > 1:
		all := &turns{nops: nops{depth}, rings: []*uring.Ring{r}}
		for len(all.rings) < rings {
			more, err := open(backend, mode, uint32(entries), sqCPU)
			check1(err)
			all.rings = append(all.rings, more)
		}
		w = all
	case name == "nop":
		w = &nops{depth}
	case strings.HasPrefix(name, "read"):
		w = newReads(r, path, depth, strings.Contains(name, "fixed"), strings.Contains(name, "direct"))
	case name == "pingpong":
		w = newPingpong(depth)
	case name == "mrecv":
		w = newMrecv(r, depth)
	default:
		log.Fatalf("workload %q", name)
	}
	cqes := make([]uring.CQE, 64)
	run(r, w, cqes, length.tenth())
	report(measure(func() int { return run(r, w, cqes, length) }))
	w.finish(r)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		log.Fatalf("%q is no number above 0", s)
	}
	return n
}

// A length says when a run ends: after some operations, or if that is 0 after d.
type length struct {
	ops int
	d   time.Duration
}

func parseLength(s string) length {
	if ops, ok := strings.CutSuffix(s, "x"); ok {
		return length{ops: number(ops)}
	}
	return length{d: time.Duration(number(s)) * time.Millisecond}
}

func (l length) tenth() length { return length{l.ops / 10, l.d / 10} }

func open(backend, mode string, entries uint32, sqCPU int) (*uring.Ring, error) {
	var p sys.Params
	switch mode {
	case "defer":
		runtime.LockOSThread()
		p.Flags = sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN
	case "sqpoll":
		p.Flags = sys.IORING_SETUP_SQPOLL
		if sqCPU >= 0 {
			p.Flags |= sys.IORING_SETUP_SQ_AFF
			p.SQThreadCPU = uint32(sqCPU)
		}
	case "plain":
	default:
		return nil, fmt.Errorf("mode %q", mode)
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

func run(r *uring.Ring, w workload, cqes []uring.CQE, l length) (ops int) {
	end := time.Now().Add(l.d)
	for {
		next := ops + check
		if l.ops != 0 {
			next = l.ops
		}
		for ops < next {
			ops += w.round(r, cqes)
		}
		if l.ops != 0 || !time.Now().Before(end) {
			return ops
		}
	}
}

// all checks that a submission took all of n entries. It is inlined, so that
// there are as many calls between the loop and the kernel as in C.
func all(got, n int, err error) {
	if got != n || err != nil {
		failed(got, n, err)
	}
}

//go:noinline
func failed(got, n int, err error) { log.Fatalf("submit: %d of %d, %v", got, n, err) }

type result struct {
	ops       int
	wall, cpu time.Duration
	allocs    uint64
}

func measure(f func() int) (res result) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	res.ops = f()
	res.wall, res.cpu = time.Since(start), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	res.allocs = after.Mallocs - before.Mallocs
	return res
}

func report(r result) {
	fmt.Println(r.ops, r.wall.Nanoseconds(), r.cpu.Nanoseconds(), r.allocs)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	check1(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func check1(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
