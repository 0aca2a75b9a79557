// Bench compares the backends with a C program that does the same through
// liburing, with the standard library, and with fio, in one run: every variant
// once per round, in turning order, pinned to one CPU.
//
// It prints Go's benchmark format (for benchstat), then a table: CPU and wall
// time per operation, the ratio of the medians of CPU time to C's, and the
// quartiles of that ratio round by round. With -json it writes what the pictures
// of docs/performance.md are drawn from (see ./draw).
//
//	go run . [-set goal] [-rounds 11] [-ms 100] [-cpu N] [-liburing DIR] [-json FILE] [-file FILE]
//
// With -liburing DIR, which holds include and lib of a liburing, C and Go are
// linked with that one, and C with the system's is a variant more.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A row is a workload in one mode at one depth. Behind a comma the mode has
// options of the worker's.
type row struct {
	Workload string `json:"workload"`
	Mode     string `json:"mode"`
	Depth    int    `json:"depth"`
}

var (
	plain = []string{"plain"}
	both  = []string{"plain", "defer"}
)

// sets are what -set chooses from.
var sets = map[string][]row{
	"nop":   rows("nop", both, 1, 8, 32, 128, 1024),
	"short": slices.Concat(rows("nop", both, 1, 8, 32, 128), rows("read", plain, 64), rows("pingpong", plain, 1, 32), rows("mrecv", plain, 32)),
	"goal": slices.Concat(
		rows("nop", both, 1, 8, 32, 128, 1024),
		rows("read", plain, 64),
		rows("read-fixed", plain, 64),
		rows("read-direct", plain, 64),
		rows("pingpong", plain, 1, 32),
		rows("mrecv", plain, 32),
	),
	"full": slices.Concat(
		rows("nop", []string{"plain", "defer", "sqpoll"}, 1, 8, 32, 128, 1024),
		rows("read", []string{"plain", "defer", "sqpoll"}, 1, 32, 64),
		rows("read-fixed", both, 1, 32, 64),
		rows("read-direct", both, 1, 32, 64),
		rows("read-direct-fixed", both, 1, 32, 64),
		rows("pingpong", []string{"plain", "defer", "sqpoll"}, 1, 32),
		rows("mrecv", both, 1, 32),
	),
	"scale": slices.Concat(
		rows("nop", options("plain,entries=", 64, 256, 1024, 4096, 32768), 32),
		rows("nop", options("plain,rings=", 1, 2, 4, 8, 16), 32),
		rows("nop", options("plain,fill=", 8, 32, 128, 512, 2048, 8192, 32768), 0),
		rows("nop", []string{"sqpoll", "sqpoll,sqcpu=0"}, 1, 32, 1024),
	),
}

func rows(workload string, modes []string, depths ...int) (all []row) {
	for _, m := range modes {
		for _, d := range depths {
			if size, ok := strings.CutPrefix(m, "plain,fill="); ok { // a ring filled to the brim
				fmt.Sscan(size, &d)
				m = "plain,entries=" + size
			}
			all = append(all, row{workload, m, d})
		}
	}
	return all
}

func options(prefix string, values ...int) (all []string) {
	for _, v := range values {
		all = append(all, fmt.Sprint(prefix, v))
	}
	return all
}

var (
	set     = flag.String("set", "nop", "what to run: nop, short, goal, full or scale")
	only    = flag.String("only", "", "of the set, only workloads that begin with this")
	rounds  = flag.Int("rounds", 11, "how often every variant runs")
	ms      = flag.Int("ms", 100, "length of one run in milliseconds")
	cpu     = flag.Int("cpu", runtime.NumCPU()-1, "CPU to pin the runs to, -1 for none")
	file    = flag.String("file", "", "`file` to read from; a scratch file of 64 MiB if empty")
	prefix  = flag.String("liburing", "", "`directory` with include and lib of the liburing to compare with; the system's if empty")
	jsonOut = flag.String("json", "", "write the results to this `file`")
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
	todo = slices.DeleteFunc(slices.Clone(todo), func(r row) bool { return !strings.HasPrefix(r.Workload, *only) })
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
	programs, version, err := build(dir)
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
	rep := describe(version)
	if *cpu >= 0 {
		var set unix.CPUSet
		set.Set(*cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil { // children inherit it
			return fmt.Errorf("pinning to CPU %d: %w", *cpu, err)
		}
	}
	start := time.Now()
	for i, r := range todo {
		var samples []sample
		for round := range *rounds {
			fmt.Fprintf(os.Stderr, "\r%d/%d %-18s %-20s depth %-5d round %d/%d, %v   ", i+1, len(todo), r.Workload, r.Mode, r.Depth, round+1, *rounds, time.Since(start).Round(time.Second))
			for j := range programs {
				p := programs[(j+round)%len(programs)]
				if !p.can(r) {
					continue
				}
				s, err := p.run(r, data)
				if err != nil {
					return err
				}
				samples = append(samples, s)
			}
		}
		rep.Rows = append(rep.Rows, summarize(r, programs, samples, data))
	}
	fmt.Fprintln(os.Stderr)
	for _, r := range rep.Rows {
		r.benchfmt(os.Stdout)
	}
	table(os.Stdout, rep.Rows)
	if *jsonOut == "" {
		return nil
	}
	out, err := json.MarshalIndent(rep, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(*jsonOut, append(out, '\n'), 0o644)
}

func scratchFile(path string) error {
	data := make([]byte, 64<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync() // what is still to be written would disturb O_DIRECT
}
