// Bench compares the backends with a C program doing the same through liburing:
// NOPs in batches, in one run, every variant once per round in turning order,
// pinned to one CPU. It prints Go's benchmark format (for benchstat), then a
// table of CPU time per operation and its ratio to C: the median of the rounds,
// the quartiles of the ratio round by round.
//
//	go run . [-rounds 11] [-ms 100] [-cpu 1] [-batches 1,8,32,128] [-modes plain,defer] [-json FILE]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// A Sample is one run of one variant.
type Sample struct {
	Backend string  `json:"backend"` // "c", "purego" or "liburing"
	Mode    string  `json:"mode"`
	Batch   int     `json:"batch"`
	Round   int     `json:"round"`
	Ops     int64   `json:"ops"`
	WallNs  float64 `json:"wall_ns_per_op"`
	CPUNs   float64 `json:"cpu_ns_per_op"`
	Allocs  int64   `json:"allocs"`
}

var (
	rounds  = flag.Int("rounds", 11, "how often every variant runs")
	ms      = flag.Int("ms", 100, "length of one run in milliseconds")
	cpu     = flag.Int("cpu", runtime.NumCPU()-1, "CPU to pin the runs to, -1 for none")
	batches = flag.String("batches", "1,8,32,128,1024", "NOPs per submission")
	modes   = flag.String("modes", "plain,defer", "ring modes: plain, defer (DEFER_TASKRUN and a registered descriptor)")
	jsonOut = flag.String("json", "", "write every sample to this `file`")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	flag.Parse()
	dir, err := os.MkdirTemp("", "uring-bench-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	programs := build(dir)
	if *cpu >= 0 {
		var set unix.CPUSet
		set.Set(*cpu)
		// Children inherit it.
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			log.Printf("cannot pin to CPU %d: %v", *cpu, err)
		}
	}
	var samples []Sample
	for _, mode := range strings.Split(*modes, ",") {
		for _, b := range strings.Split(*batches, ",") {
			batch, err := strconv.Atoi(b)
			if err != nil {
				log.Fatalf("-batches: %v", err)
			}
			for round := range *rounds {
				fmt.Fprintf(os.Stderr, "\r%-5s batch %-5d round %d/%d ", mode, batch, round+1, *rounds)
				for i := range programs {
					p := programs[(i+round)%len(programs)]
					samples = append(samples, p.run(mode, batch, round))
				}
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	for _, s := range samples {
		fmt.Printf("BenchmarkNop/backend=%s/mode=%s/batch=%d %d %.2f ns/op %.2f cpu-ns/op %.4f allocs/op\n",
			s.Backend, s.Mode, s.Batch, s.Ops, s.WallNs, s.CPUNs, float64(s.Allocs)/float64(s.Ops))
	}
	table(samples, programs)
	if *jsonOut != "" {
		data, err := json.MarshalIndent(samples, "", "\t")
		if err == nil {
			err = os.WriteFile(*jsonOut, append(data, '\n'), 0o644)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

// A program is one variant: how to start it for a mode and a batch.
type program struct {
	backend string
	argv    []string
}

func build(dir string) []program {
	c, worker := filepath.Join(dir, "nop"), filepath.Join(dir, "worker")
	do("cc", append(append([]string{"-O2", "-o", c, "c/nop.c"}, strings.Fields(os.Getenv("CGO_CFLAGS"))...),
		append(strings.Fields(os.Getenv("CGO_LDFLAGS")), "-luring")...)...)
	do("go", "build", "-o", worker, "./worker")
	return []program{{"c", []string{c}}, {"purego", []string{worker, "purego"}}, {"liburing", []string{worker, "liburing"}}}
}

func do(name string, args ...string) {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		log.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
}

func (p program) run(mode string, batch, round int) Sample {
	args := append(slices.Clone(p.argv[1:]), mode, strconv.Itoa(batch), strconv.Itoa(*ms))
	cmd := exec.Command(p.argv[0], args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		log.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	var wall, used, allocs int64
	s := Sample{Backend: p.backend, Mode: mode, Batch: batch, Round: round}
	if n, err := fmt.Sscan(string(out), &s.Ops, &wall, &used, &allocs); n < 3 {
		log.Fatalf("%s printed %q: %v", cmd.Path, out, err)
	}
	s.WallNs, s.CPUNs, s.Allocs = float64(wall)/float64(s.Ops), float64(used)/float64(s.Ops), allocs
	return s
}

func table(samples []Sample, programs []program) {
	type key struct {
		mode  string
		batch int
	}
	cpu := map[key]map[string][]float64{}
	var keys []key
	for _, s := range samples {
		k := key{s.Mode, s.Batch}
		if cpu[k] == nil {
			cpu[k] = map[string][]float64{}
			keys = append(keys, k)
		}
		cpu[k][s.Backend] = append(cpu[k][s.Backend], s.CPUNs)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nmode\tbatch\tbackend\tcpu ns/op\tratio to c\tquartiles by round\t")
	for _, k := range keys {
		for _, p := range programs {
			ns := cpu[k][p.backend]
			ratios := make([]float64, len(ns))
			for i := range ns {
				ratios[i] = ns[i] / cpu[k]["c"][i]
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%.1f\t%.3f\t%.3f–%.3f\t\n", k.mode, k.batch, p.backend, quantile(ns, 0.5),
				quantile(ns, 0.5)/quantile(cpu[k]["c"], 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75))
		}
	}
	w.Flush()
}

func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 == len(v) {
		return v[i]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}
