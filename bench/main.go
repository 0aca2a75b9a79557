// Bench compares the backends with a C program that does the same through
// liburing, with the standard library, and with fio, in one run: every variant
// once per round, in turning order, pinned to one CPU.
//
// It prints Go's benchmark format (for benchstat), then a table: CPU and wall
// time per operation, the ratio of the medians of CPU time to C's, and the
// quartiles of that ratio round by round.
//
//	go run . [-set nop|short|full] [-rounds 11] [-ms 100] [-cpu N] [-json FILE] [-file FILE]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// A Sample is one run of one variant.
type Sample struct {
	Workload string  `json:"workload"`
	Mode     string  `json:"mode"`
	Depth    int     `json:"depth"`
	Variant  string  `json:"variant"` // "c", "purego", "liburing" or "os"
	Round    int     `json:"round"`
	Ops      int64   `json:"ops"`
	WallNs   float64 `json:"wall_ns_per_op"`
	CPUNs    float64 `json:"cpu_ns_per_op"`
	Allocs   int64   `json:"allocs"`
}

// A Report is a whole run.
type Report struct {
	Schema  int      `json:"schema"`
	Date    string   `json:"date"`
	Kernel  string   `json:"kernel"`
	CPU     string   `json:"cpu"`
	CPUs    int      `json:"cpus"`
	Go      string   `json:"go"`
	Library string   `json:"liburing"`
	Command string   `json:"command"`
	Samples []Sample `json:"samples"`
}

// A row is a workload in one mode at one depth.
type row struct {
	workload, mode string
	depth          int
}

// sets are what -set chooses from.
var sets = map[string][]row{
	"nop":   rows("nop", []string{"plain", "defer"}, 1, 8, 32, 128, 1024),
	"short": slices.Concat(rows("nop", []string{"plain", "defer"}, 1, 8, 32, 128), rows("read", plain, 64), rows("pingpong", plain, 1, 32), rows("mrecv", plain, 32)),
	"full": slices.Concat(
		rows("nop", []string{"plain", "defer", "sqpoll"}, 1, 8, 32, 128, 1024),
		rows("read", []string{"plain", "defer"}, 1, 32, 64),
		rows("read-fixed", []string{"plain", "defer"}, 1, 32, 64),
		rows("read-direct", []string{"plain", "defer"}, 1, 32, 64),
		rows("read-direct-fixed", []string{"plain", "defer"}, 64),
		rows("pingpong", []string{"plain", "defer"}, 1, 32),
		rows("mrecv", []string{"plain", "defer"}, 1, 32),
	),
}

var plain = []string{"plain"}

func rows(workload string, modes []string, depths ...int) (all []row) {
	for _, m := range modes {
		for _, d := range depths {
			all = append(all, row{workload, m, d})
		}
	}
	return all
}

var (
	set     = flag.String("set", "nop", "what to run: nop, short or full")
	only    = flag.String("only", "", "of the set, only workloads that begin with this")
	rounds  = flag.Int("rounds", 11, "how often every variant runs")
	ms      = flag.Int("ms", 100, "length of one run in milliseconds")
	cpu     = flag.Int("cpu", runtime.NumCPU()-1, "CPU to pin the runs to, -1 for none")
	file    = flag.String("file", "", "`file` to read from; a scratch file of 64 MiB if empty")
	jsonOut = flag.String("json", "", "write every sample to this `file`")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	flag.Parse()
	todo, ok := sets[*set]
	if !ok || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	todo = slices.DeleteFunc(slices.Clone(todo), func(r row) bool { return !strings.HasPrefix(r.workload, *only) })
	if err := bench(todo); err != nil {
		log.Fatal(err)
	}
}

func bench(todo []row) error {
	dir, err := os.MkdirTemp(".", ".scratch-") // beside the source: not in memory, as /tmp may be
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs, err := build(dir)
	if err != nil {
		return err
	}
	data := *file
	if data == "" {
		data = filepath.Join(dir, "data")
		if err := scratchFile(data); err != nil {
			return err
		}
	}
	report := describe()
	if *cpu >= 0 {
		var set unix.CPUSet
		set.Set(*cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil { // children inherit it
			return fmt.Errorf("pinning to CPU %d: %w", *cpu, err)
		}
	}
	for i, r := range todo {
		for round := range *rounds {
			fmt.Fprintf(os.Stderr, "\r%d/%d %-18s %-6s depth %-4d round %d/%d   ", i+1, len(todo), r.workload, r.mode, r.depth, round+1, *rounds)
			for j := range programs {
				p := programs[(j+round)%len(programs)]
				if p.variant == "os" && (!strings.HasPrefix(r.workload, "read") || strings.Contains(r.workload, "fixed") || r.mode != "plain") {
					continue
				}
				s, err := p.run(r, round, data)
				if err != nil {
					return err
				}
				report.Samples = append(report.Samples, s)
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	for _, s := range report.Samples {
		fmt.Printf("Benchmark%s/mode=%s/depth=%d/variant=%s %d %.2f ns/op %.2f cpu-ns/op %.4f allocs/op\n",
			s.Workload, s.Mode, s.Depth, s.Variant, s.Ops, s.WallNs, s.CPUNs, float64(s.Allocs)/float64(s.Ops))
	}
	table(os.Stdout, report.Samples)
	if *jsonOut == "" {
		return nil
	}
	out, err := json.MarshalIndent(report, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(*jsonOut, append(out, '\n'), 0o644)
}

func scratchFile(path string) error {
	data := make([]byte, 64<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return os.WriteFile(path, data, 0o600)
}

func describe() Report {
	var u unix.Utsname
	unix.Uname(&u)
	return Report{
		Schema: 1, Date: time.Now().UTC().Format(time.DateOnly), Kernel: unix.ByteSliceToString(u.Release[:]),
		CPU: cpuModel(), CPUs: runtime.NumCPU(), Go: runtime.Version(), Library: libraryVersion(),
		Command: strings.Join(append([]string{"bench"}, os.Args[1:]...), " "),
	}
}

func cpuModel() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// A program is one variant: what to start before the row's arguments.
type program struct {
	variant string
	argv    []string
}

// build compiles the C baseline and the worker. CGO_CFLAGS and CGO_LDFLAGS count
// for both, so that another liburing is an environment away.
func build(dir string) ([]program, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c, worker := filepath.Join(dir, "work"), filepath.Join(dir, "worker")
	cc := slices.Concat([]string{"cc", "-O2", "-o", c, "c/work.c"}, strings.Fields(os.Getenv("CGO_CFLAGS")), strings.Fields(os.Getenv("CGO_LDFLAGS")), []string{"-luring"})
	for _, argv := range [][]string{cc, {"go", "build", "-o", worker, "./worker"}} {
		cmd := exec.Command(argv[0], argv[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
		}
	}
	return []program{{"c", []string{c}}, {"purego", []string{worker, "purego"}}, {"liburing", []string{worker, "liburing"}}, {"os", []string{worker, "os"}}}, nil
}

func (p program) run(r row, round int, data string) (Sample, error) {
	s := Sample{Workload: r.workload, Mode: r.mode, Depth: r.depth, Variant: p.variant, Round: round}
	args := append(slices.Clone(p.argv[1:]), r.workload, r.mode, strconv.Itoa(r.depth), strconv.Itoa(*ms), data)
	cmd := exec.Command(p.argv[0], args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return s, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	var wall, used float64
	if n, err := fmt.Sscan(string(out), &s.Ops, &wall, &used, &s.Allocs); n < 3 {
		return s, fmt.Errorf("%s printed %q: %w", strings.Join(cmd.Args, " "), out, err)
	}
	s.WallNs, s.CPUNs = wall/float64(s.Ops), used/float64(s.Ops)
	return s, nil
}

func table(out io.Writer, samples []Sample) {
	type values struct{ cpu, wall map[string][]float64 }
	byRow := map[row]values{}
	var order []row
	for _, s := range samples {
		k := row{s.Workload, s.Mode, s.Depth}
		if _, ok := byRow[k]; !ok {
			byRow[k] = values{map[string][]float64{}, map[string][]float64{}}
			order = append(order, k)
		}
		v := byRow[k]
		v.cpu[s.Variant] = append(v.cpu[s.Variant], s.CPUNs)
		v.wall[s.Variant] = append(v.wall[s.Variant], s.WallNs)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nworkload\tmode\tdepth\tvariant\twall ns/op\tcpu ns/op\tcpu ratio to c\tquartiles by round\t")
	for _, k := range order {
		v := byRow[k]
		c := v.cpu["c"]
		for _, variant := range []string{"c", "purego", "liburing", "os"} {
			ns := v.cpu[variant]
			if len(ns) == 0 {
				continue
			}
			ratios := make([]float64, len(ns))
			for i := range ns {
				ratios[i] = ns[i] / c[i]
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%.1f\t%.1f\t%.3f\t%.3f–%.3f\t\n", k.workload, k.mode, k.depth, variant,
				quantile(v.wall[variant], 0.5), quantile(ns, 0.5), quantile(ns, 0.5)/quantile(c, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75))
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
