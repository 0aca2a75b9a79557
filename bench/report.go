package main

// What a run came to.

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// A report is a whole run.
type report struct {
	Schema  int      `json:"schema"`
	Date    string   `json:"date"`
	Kernel  string   `json:"kernel"`
	CPU     string   `json:"cpu"`
	CPUs    int      `json:"cpus"`
	Load    string   `json:"load"` // of the machine as the run began, with what else ran
	Go      string   `json:"go"`
	Library string   `json:"liburing"`
	Command string   `json:"command"`
	Rounds  int      `json:"rounds"`
	Ms      int      `json:"ms"`
	Rows    []result `json:"rows"`
}

// A result is a row's variants; the first is C.
type result struct {
	row
	Variants []figures `json:"variants"`
}

// figures are of one variant. The ratios are of CPU time to C's; Q1 and Q3 are
// quartiles of the ratio round by round.
type figures struct {
	Variant  string  `json:"variant"`
	Ops      int64   `json:"ops"`
	WallNs   float64 `json:"wall_ns"`
	CPUNs    float64 `json:"cpu_ns"`
	Ratio    float64 `json:"ratio"`
	Q1       float64 `json:"q1"`
	Q3       float64 `json:"q3"`
	Wall     float64 `json:"wall_ratio"`
	Allocs   float64 `json:"allocs"`
	Syscalls float64 `json:"syscalls"` // -1: not counted
	samples  []sample
}

func describe(version string) report {
	var u unix.Utsname
	unix.Uname(&u)
	load, _ := os.ReadFile("/proc/loadavg")
	args := slices.Clone(os.Args[1:])
	for i, a := range args {
		if strings.HasPrefix(a, "/") {
			args[i] = "PATH"
		}
	}
	return report{
		Schema: 2, Date: time.Now().UTC().Format(time.DateOnly), Kernel: unix.ByteSliceToString(u.Release[:]),
		CPU: cpuModel(), CPUs: runtime.NumCPU(), Load: strings.TrimSpace(string(load)), Go: runtime.Version(), Library: version,
		Command: strings.Join(append([]string{"bench"}, args...), " "), Rounds: *rounds, Ms: *ms,
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

func summarize(r row, programs []program, samples []sample, data string) result {
	res := result{row: r}
	of := func(variant string) (own []sample) {
		for _, s := range samples {
			if s.variant == variant {
				own = append(own, s)
			}
		}
		return own
	}
	base := of("c")
	for _, p := range programs {
		own := of(p.variant)
		if len(own) == 0 {
			continue
		}
		f := figures{Variant: p.variant, samples: own, Syscalls: p.syscalls(r, data)}
		var cpu, wall, allocs, ratios, cCPU, cWall []float64
		for i, s := range own {
			f.Ops += s.ops
			cpu, wall, allocs = append(cpu, s.cpu), append(wall, s.wall), append(allocs, s.allocs)
			if len(base) == len(own) {
				ratios = append(ratios, s.cpu/base[i].cpu)
				cCPU, cWall = append(cCPU, base[i].cpu), append(cWall, base[i].wall)
			}
		}
		f.WallNs, f.CPUNs, f.Allocs = median(wall), median(cpu), median(allocs)
		if len(ratios) > 0 {
			f.Ratio, f.Q1, f.Q3 = f.CPUNs/median(cCPU), quantile(ratios, 0.25), quantile(ratios, 0.75)
			f.Wall = f.WallNs / median(cWall)
		}
		res.Variants = append(res.Variants, f)
	}
	return res
}

func (r result) benchfmt(w io.Writer) {
	for _, f := range r.Variants {
		for _, s := range f.samples {
			fmt.Fprintf(w, "Benchmark%s/mode=%s/depth=%d/variant=%s %d %.2f ns/op %.2f cpu-ns/op %.4f allocs/op\n",
				r.Workload, r.Mode, r.Depth, f.Variant, s.ops, s.wall, s.cpu, s.allocs)
		}
	}
}

func table(out io.Writer, rows []result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nworkload\tmode\tdepth\tvariant\twall ns/op\tcpu ns/op\tcpu ratio to c\tquartiles by round\tsyscalls/op\tallocs/op\t")
	for _, r := range rows {
		for _, f := range r.Variants {
			calls := "-"
			if f.Syscalls >= 0 {
				calls = fmt.Sprintf("%.3f", f.Syscalls)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%.1f\t%.1f\t%.3f\t%.3f–%.3f\t%s\t%.4f\t\n", r.Workload, r.Mode, r.Depth, f.Variant,
				f.WallNs, f.CPUNs, f.Ratio, f.Q1, f.Q3, calls, f.Allocs)
		}
	}
	w.Flush()
}

func median(v []float64) float64 { return quantile(v, 0.5) }

func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 == len(v) {
		return v[i]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}
