package main

// Random reads of 4 KiB from a file, in the page cache or past it (O_DIRECT).

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

const (
	fileSize = 64 << 20
	pageSize = 4096
)

func readRun(variant string, n int) sample {
	c, _, out := child(*serverCPU, "reader", variant, strconv.Itoa(n))
	r := line(out)
	c.Wait()
	return sample{cpu: float(r[0]), rate: float(r[1]), p99: float(r[2]), threads: float(r[3])}
}

// directRun is readRun with O_DIRECT, on all processors.
func directRun(variant string, n int) sample {
	c, _, out := child(-1, "reader", variant+"-direct", strconv.Itoa(n))
	r := line(out)
	c.Wait()
	return sample{cpu: float(r[0]), rate: float(r[1]), p99: float(r[2]), threads: float(r[3])}
}

// threads returns the number of threads of this process.
func threads() int {
	list, err := os.ReadDir("/proc/self/task")
	if err != nil {
		log.Fatal(err)
	}
	return len(list)
}

// aligned returns a page that O_DIRECT can read into.
func aligned() []byte {
	b, err := unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

// reader reads with n goroutines, or for "batch" with one and n reads at a time.
func reader(variant string, n int) {
	variant, direct := strings.CutSuffix(variant, "-direct")
	f, err := os.CreateTemp(*dir, "uring-bench-")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	os.Remove(f.Name())
	page := make([]byte, pageSize)
	for i := int64(0); i < fileSize; i += pageSize {
		if _, err := f.WriteAt(page, i); err != nil {
			log.Fatal(err)
		}
	}
	if direct {
		if err := f.Sync(); err != nil {
			log.Fatal(err)
		}
		if f, err = os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), os.O_RDONLY|unix.O_DIRECT, 0); err != nil {
			log.Fatal(err)
		}
	}
	var p *proactor.Proactor
	if variant != "os" {
		p = newProactor(variant)
	}
	fd := int(f.Fd())
	goroutines, size := n, 1
	if variant == "batch" || *rounds == 0 {
		goroutines, size = 1, n
	}
	var stop atomic.Bool
	var total atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	work := func(d time.Duration) {
		stop.Store(false)
		total.Store(0)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				ctx := context.Background()
				rnd := rand.New(rand.NewPCG(1, uint64(g)))
				bufs := make([][]byte, size)
				for i := range bufs {
					bufs[i] = aligned()
				}
				ops := make([]proactor.Op, size)
				results := make([]proactor.Result, size)
				var mine []time.Duration
				count := 0
				for ; !stop.Load(); count += size {
					sampled := count/size&63 == 0
					var start time.Time
					if sampled {
						start = time.Now()
					}
					off := func() int64 { return rnd.Int64N(fileSize/pageSize) * pageSize }
					switch variant {
					case "os":
						if m, err := f.ReadAt(bufs[0], off()); m != pageSize {
							log.Fatal(err)
						}
					case "batch":
						for i := range ops {
							ops[i] = proactor.Read(fd, bufs[i], off())
						}
						if err := p.Batch(ctx, ops, results); err != nil || results[0].N != pageSize {
							log.Fatal(err)
						}
					default:
						if m, err := p.Do(ctx, proactor.Read(fd, bufs[0], off())); m != pageSize {
							log.Fatal(err)
						}
					}
					if sampled {
						mine = append(mine, time.Since(start))
					}
				}
				total.Add(int64(count))
				mu.Lock()
				took = append(took, mine...)
				mu.Unlock()
			})
		}
		time.Sleep(d)
		stop.Store(true)
		wg.Wait()
	}
	d := time.Duration(*ms) * time.Millisecond
	work(d / 5)
	took = nil
	cpu, start := cpuTime(), time.Now()
	work(d)
	used, elapsed := cpuTime()-cpu, time.Since(start)
	slices.Sort(took)
	ops := float64(total.Load())
	fmt.Println(float64(used)/ops, ops/elapsed.Seconds(), float64(took[len(took)*99/100])/1e3, threads())
}
