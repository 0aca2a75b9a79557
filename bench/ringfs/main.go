//go:build linux

// Ringfs measures package ringfs against package os: reading 10,000 small files, reads of
// 4 KiB from the page cache, and O_DIRECT reads, 64 at a time. Every variant runs once
// per round, in turning order, in a process of its own. Figures are medians and, in
// brackets, quartiles; ratios are to the first variant of the same round. CPU time is
// that of the whole process, with the kernel's threads for it.
//
//	go run ./ringfs [-rounds 9] [-dir DIR] many|cached|direct
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/ringfs"
)

var (
	rounds = flag.Int("rounds", 9, "how often every variant runs")
	dir    = flag.String("dir", "", "where the files are made; empty: the directory for temporary files")
	ms     = flag.Int("ms", 400, "length of a run of reads in milliseconds")
	files  = flag.Int("files", 10_000, "small files")
	size   = flag.Int("size", 4096, "the most bytes of a small file; half of that on average")
)

const fileSize = 256 << 20

var variants = map[string][]string{
	"many":   {"walk+os", "walk+ringfs", "list+os", "list+ringfs"},
	"cached": {"os", "ReadAt", "ReadAtv8", "ReadAtv32"},
	"direct": {"os", "ReadAt", "ReadAtv64"},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("ringfs: ")
	flag.Parse()
	if flag.Arg(0) == "run" {
		fmt.Println(run(flag.Arg(1), flag.Arg(2), flag.Arg(3)))
		return
	}
	names, ok := variants[flag.Arg(0)]
	if !ok {
		flag.Usage()
		os.Exit(2)
	}
	at, err := os.MkdirTemp(*dir, "uring-bench-")
	check(err)
	defer os.RemoveAll(at)
	if flag.Arg(0) == "many" {
		makeSmall(at)
	} else {
		makeLarge(at + "/file")
	}
	samples := make([][]sample, len(names))
	for round := range *rounds {
		for i := range names {
			v := (i + round) % len(names)
			samples[v] = append(samples[v], child(flag.Arg(0), names[v], at))
		}
	}
	report(names, samples)
}

// sample is what one run found.
type sample struct {
	Wall    float64 // ns for each operation
	CPU     float64 // ns for each operation
	Threads int
}

func (s sample) String() string { return fmt.Sprintf("%g %g %d", s.Wall, s.CPU, s.Threads) }

func child(what, variant, at string) (s sample) {
	self, err := os.Executable()
	check(err)
	args := []string{fmt.Sprint("-ms=", *ms), fmt.Sprint("-files=", *files), "run", what, variant, at}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	check(err)
	_, err = fmt.Sscan(string(out), &s.Wall, &s.CPU, &s.Threads)
	check(err)
	return s
}

func report(names []string, samples [][]sample) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "variant\tµs each\tratio\t(quartiles)\tCPU µs each\tratio\t(quartiles)\tper second\tthreads\t")
	for i, name := range names {
		column := func(get func(sample) float64) string {
			var values, ratios []float64
			for r, s := range samples[i] {
				values = append(values, get(s)/1000)
				ratios = append(ratios, get(s)/get(samples[0][r]))
			}
			lo, mid, hi := quartiles(ratios)
			_, v, _ := quartiles(values)
			return fmt.Sprintf("%.2f\t%.2f\t%.2f–%.2f", v, mid, lo, hi)
		}
		wall := func(s sample) float64 { return s.Wall }
		var rate []float64
		threads := 0
		for _, s := range samples[i] {
			rate = append(rate, 1e9/s.Wall)
			threads = max(threads, s.Threads)
		}
		_, each, _ := quartiles(rate)
		fmt.Fprintf(w, "%s\t%s\t%s\t%.0f\t%d\t\n", name, column(wall), column(func(s sample) float64 { return s.CPU }), each, threads)
	}
	w.Flush()
}

func quartiles(v []float64) (lo, mid, hi float64) {
	v = slices.Sorted(slices.Values(v))
	at := func(q float64) float64 { return v[min(len(v)-1, int(q*float64(len(v))))] }
	return at(0.25), at(0.5), at(0.75)
}

func makeSmall(at string) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range *files {
		d := fmt.Sprintf("%s/%02d", at, i%100)
		if i < 100 {
			check(os.Mkdir(d, 0o700))
		}
		check(os.WriteFile(fmt.Sprintf("%s/%d", d, i), make([]byte, rnd.IntN(*size)), 0o600))
	}
}

func makeLarge(name string) {
	f, err := os.Create(name)
	check(err)
	defer f.Close()
	b := make([]byte, 1<<20)
	for range fileSize / len(b) {
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		_, err := f.Write(b)
		check(err)
	}
	check(f.Sync())
}

func run(what, variant, at string) sample {
	p, err := proactor.New(&proactor.Config{Fallback: proactor.FallbackNever})
	check(err)
	defer p.Close()
	o := ringfs.New(p)
	if what == "many" {
		many(o, variant, at) // what is read is in the page cache, and rings are made
		return measure(func() int { return 5 * five(o, variant, at) })
	}
	r := reads{o: o, variant: variant, name: at + "/file", direct: what == "direct"}
	r.open()
	defer r.close()
	if !r.direct {
		f, err := os.Open(r.name)
		check(err)
		io.Copy(io.Discard, f)
		f.Close()
	}
	r.run(*ms / 4)
	return measure(func() int { return r.run(*ms) })
}

// five reads all files five times and returns their number.
func five(o *ringfs.OS, variant, at string) (n int) {
	for range 5 {
		n = many(o, variant, at)
	}
	return n
}

// measure runs f, which returns how many operations it has carried out.
func measure(f func() int) sample {
	runtime.GC()
	start, cpu := time.Now(), cpuTime()
	n := float64(f())
	wall := time.Since(start)
	return sample{float64(wall) / n, float64(cpuTime()-cpu) / n, threads()}
}

// cpuTime returns the processor time of this process in ns.
func cpuTime() int64 {
	var u unix.Rusage
	check(unix.Getrusage(unix.RUSAGE_SELF, &u))
	return u.Utime.Nano() + u.Stime.Nano()
}

// threads counts the threads that there are now, with those of the kernel for our rings.
func threads() int {
	list, err := os.ReadDir("/proc/self/task")
	check(err)
	return len(list)
}

// names walks, or has walked before.
func names(at string, walk bool) iter.Seq[string] {
	seq := func(yield func(string) bool) {
		filepath.WalkDir(at, func(name string, d fs.DirEntry, err error) error {
			check(err)
			if d.Type().IsRegular() && !yield(name) {
				return fs.SkipAll
			}
			return nil
		})
	}
	if walk {
		return seq
	}
	if listed == nil {
		listed = slices.Collect(seq)
	}
	return slices.Values(listed)
}

var listed []string

// many reads all files once and returns their number.
func many(o *ringfs.OS, variant, at string) (n int) {
	walk := strings.HasPrefix(variant, "walk")
	var bytes int64
	if strings.HasSuffix(variant, "+ringfs") {
		for f, err := range o.ReadFiles(context.Background(), names(at, walk)) {
			check(err)
			bytes += int64(len(f.Data))
			n++
		}
	} else {
		// As many workers as pay: twice the processors measured best.
		jobs := make(chan string, 256)
		var wg sync.WaitGroup
		var total, count atomic.Int64
		for range 2 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for name := range jobs {
					b, err := os.ReadFile(name)
					check(err)
					total.Add(int64(len(b)))
					count.Add(1)
				}
			})
		}
		for name := range names(at, walk) {
			jobs <- name
		}
		close(jobs)
		wg.Wait()
		bytes, n = total.Load(), int(count.Load())
	}
	if bytes == 0 {
		log.Fatal("nothing was read")
	}
	return n
}

// reads are random reads of 4 KiB.
type reads struct {
	o       *ringfs.OS
	variant string
	name    string
	direct  bool
	std     *os.File
	file    *ringfs.File
}

func (r *reads) open() {
	flag := os.O_RDONLY
	if r.direct {
		flag |= unix.O_DIRECT
	}
	var err error
	r.std, err = os.OpenFile(r.name, flag, 0)
	check(err)
	r.file, err = r.o.OpenFile(context.Background(), r.name, flag, 0)
	check(err)
}

func (r *reads) close() { r.std.Close(); r.file.Close() }

func (r *reads) run(ms int) int {
	goroutines, batch := 1, 1
	if r.direct {
		goroutines = 64
	}
	if n, err := fmt.Sscanf(r.variant, "ReadAtv%d", &batch); n == 1 && err == nil {
		goroutines = 1
	}
	end := time.Now().Add(time.Duration(ms) * time.Millisecond)
	var total atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), rand.Uint64()))
			reqs := make([]ringfs.ReadReq, batch)
			for i := range reqs {
				reqs[i].P = ringfs.Aligned(4096, 4096)
			}
			count := 0
			for i := 0; i%16 != 0 || time.Now().Before(end); i++ {
				for k := range reqs {
					reqs[k].Off = rnd.Int64N(fileSize/4096) * 4096
				}
				var err error
				switch {
				case r.variant == "os":
					_, err = r.std.ReadAt(reqs[0].P, reqs[0].Off)
				case batch == 1:
					_, err = r.file.ReadAt(reqs[0].P, reqs[0].Off)
				default:
					err = r.file.ReadAtv(context.Background(), reqs)
				}
				check(err)
				count += batch
			}
			total.Add(int64(count))
		})
	}
	wg.Wait()
	return int(total.Load())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
