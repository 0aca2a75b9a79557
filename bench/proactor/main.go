// Proactor measures package proactor against packages os and net: server CPU per
// echo on TCP connections over loopback, and CPU per page-cached read of 4 KiB.
// Every variant runs once per round, in turning order, in a process of its own;
// the server is pinned to one CPU and the client to another.
//
// Of the echo servers, auto is Do from a goroutine for each connection, never and crowd
// are the same with Config.Crowd set, loop is package ringloop, and floor a loop over a
// bare ring that keeps nothing safe.
//
//	go run ./proactor [-rounds 7] [-ms 500] [-conns 1,4,16,50,256,500] [-readers 1,16,256] [-variants net,auto,loop] echo|read|batch|direct
//	go run ./proactor chart FILE.json FILE.svg
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

var (
	rounds    = flag.Int("rounds", 7, "how often every variant runs")
	ms        = flag.Int("ms", 500, "length of one run in milliseconds")
	conns     = flag.String("conns", "1,4,16,50,256,500", "numbers of connections")
	readers   = flag.String("readers", "1,16,50,256,500", "numbers of reading goroutines")
	batches   = flag.String("batches", "1,8,16,32,64", "reads of a batch")
	depths    = flag.String("depths", "64", "reads at a time with O_DIRECT")
	variants  = flag.String("variants", "", "what to compare; the first is the base")
	dir       = flag.String("dir", "", "where the file for direct is; the default is that for temporary files")
	jsonFile  = flag.String("json", "", "file to add the results to; chart draws from it")
	backend   = flag.String("backend", "", "purego or liburing; empty for the build's default")
	serverCPU = flag.Int("server", 1, "CPU of the server, -1 for all")
	clientCPU = flag.Int("client", 0, "CPU of the client, -1 for all")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("proactor: ")
	flag.Parse()
	switch what := flag.Arg(0); what {
	case "echo":
		table("connections", *conns, "net,auto,loop", echoRun)
	case "read":
		table("goroutines", *readers, "os,auto", readRun)
	case "batch":
		table("reads in a batch", *batches, "os,batch", readRun)
	case "direct":
		table("reads at a time", *depths, "os,auto,batch", directRun)
	case "chart":
		chart(flag.Arg(1), flag.Arg(2))
	case "echo-server":
		echoServer(flag.Arg(1))
	case "echo-client":
		echoClient(flag.Arg(1), number(flag.Arg(2)))
	case "reader":
		reader(flag.Arg(1), number(flag.Arg(2)))
	default:
		flag.Usage()
		os.Exit(2)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

// sample is what one run found.
type sample struct {
	cpu  float64 // ns per operation
	rate float64 // operations per second
	p99  float64 // µs

	threads float64 // of a process that reads
}

// table runs every variant with every number, in turn, and prints medians.
func table(what, numbers, all string, run func(variant string, n int) sample) {
	if *variants != "" {
		all = *variants
	}
	names := strings.Split(all, ",")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tvariant\tCPU ns\tratio\t(quartiles)\tops/s\tp99 µs\tthreads\t\n", what)
	var points []point
	defer func() { save(points) }()
	for _, number := range strings.Split(numbers, ",") {
		n, err := strconv.Atoi(number)
		if err != nil {
			log.Fatal(err)
		}
		samples := make([][]sample, len(names))
		for round := range *rounds {
			for i := range names {
				at := (i + round) % len(names)
				samples[at] = append(samples[at], run(names[at], n))
			}
		}
		for i, name := range names {
			ratios := pick(samples[i], func(s sample) float64 { return s.cpu })
			for r := range ratios {
				ratios[r] /= samples[0][r].cpu
			}
			lo, mid, hi := quartiles(ratios)
			_, cpu, _ := quartiles(pick(samples[i], func(s sample) float64 { return s.cpu }))
			_, rate, _ := quartiles(pick(samples[i], func(s sample) float64 { return s.rate }))
			_, p99, _ := quartiles(pick(samples[i], func(s sample) float64 { return s.p99 }))
			_, many, _ := quartiles(pick(samples[i], func(s sample) float64 { return s.threads }))
			fmt.Fprintf(w, "%d\t%s\t%.0f\t%.2f\t%.2f–%.2f\t%.0f\t%.0f\t%.0f\t\n", n, name, cpu, mid, lo, hi, rate, p99, many)
			points = append(points, point{what, n, name, round(cpu, 1), round(mid, 1000), round(lo, 1000), round(hi, 1000), round(rate, 1), round(p99, 10), *rounds})
		}
		w.Flush()
	}
}

func pick(samples []sample, f func(sample) float64) (v []float64) {
	for _, s := range samples {
		v = append(v, f(s))
	}
	return v
}

func quartiles(v []float64) (lo, mid, hi float64) {
	v = slices.Sorted(slices.Values(v))
	at := func(q float64) float64 { return v[min(len(v)-1, int(q*float64(len(v))))] }
	return at(0.25), at(0.5), at(0.75)
}

// child starts this program again, pinned to a CPU.
func child(cpu int, args ...string) (*exec.Cmd, io.WriteCloser, *bufio.Reader) {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	flags := []string{"-ms", strconv.Itoa(*ms), "-backend", *backend}
	cmd := exec.Command(self, append(flags, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	pinned(cpu, func() {
		if err := cmd.Start(); err != nil {
			log.Fatal(err)
		}
	})
	return cmd, in, bufio.NewReader(out)
}

// pinned runs f on a thread that is bound to a CPU, which children inherit.
func pinned(cpu int, f func()) {
	if cpu < 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		log.Fatal(err)
	}
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		log.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &old)
	f()
}

func line(r *bufio.Reader) []string {
	s, err := r.ReadString('\n')
	if err != nil {
		log.Fatalf("a child has died: %v", err)
	}
	return strings.Fields(s)
}

func float(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		log.Fatal(err)
	}
	return f
}

// cpuTimeOf returns the processor time of another process in ns, as its CPU clock
// has it.
func cpuTimeOf(pid int) int64 {
	const sched = 2 // the precise clock, of the kind of clockid that names a process
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &t); err != nil {
		log.Fatal(err)
	}
	return t.Nano()
}

// cpuTime returns the processor time of this process in ns.
func cpuTime() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
