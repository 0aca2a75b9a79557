// Guard counts the instructions that a NOP costs outside the kernel, with both
// backends, and compares them with the figures in guard.txt: a slower hot path
// shows, however busy the machine is, since no clock is involved.
//
// valgrind counts. A row is run twice with different numbers of operations, and the
// difference tells of one, so that start and end do not count. What the compiler
// and the C library make of the code counts too: where Go's or liburing's version is
// not the one of the file, the figures are printed and not judged.
//
//	go run ./guard [-write] [-margin 6] [-file guard/guard.txt]
//
// It ends with 1 if a figure is above the file's by more than the margin, in
// percent, and with 77 if there is nothing to compare.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/uring-go/uring/liburing"
)

// rows are what is counted, as the worker takes it.
var rows = []struct{ backend, mode, batch string }{
	{"purego", "plain", "1"}, {"purego", "plain", "8"}, {"purego", "plain", "32"}, {"purego", "plain", "128"}, {"purego", "defer", "1"},
	{"liburing", "plain", "1"}, {"liburing", "plain", "8"}, {"liburing", "plain", "32"}, {"liburing", "plain", "128"}, {"liburing", "defer", "1"},
}

var (
	write  = flag.Bool("write", false, "write the figures instead of comparing them")
	margin = flag.Float64("margin", 6, "how much more is still well, in `percent`")
	file   = flag.String("file", "guard/guard.txt", "the figures' `file`")
)

const leftOut = 77

func main() {
	log.SetFlags(0)
	log.SetPrefix("guard: ")
	flag.Parse()
	code, err := run()
	if err != nil {
		log.Fatal(err)
	}
	os.Exit(code)
}

func run() (int, error) {
	valgrind, err := exec.LookPath("valgrind")
	if err != nil {
		fmt.Println("there is no valgrind here to count instructions with")
		return leftOut, nil
	}
	dir, err := os.MkdirTemp("", "uring-guard")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	worker := filepath.Join(dir, "worker")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", worker, "./worker").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	versions := fmt.Sprintf("%s/%s liburing %s", runtime.Version(), runtime.GOARCH, liburing.Version())
	text := versions + "\n"
	want, known := read(*file)
	bad := 0
	fmt.Printf("%-9s %-6s %6s %9s %9s\n", "backend", "mode", "batch", "per NOP", "before")
	for _, r := range rows {
		got, err := perNop(valgrind, worker, r.backend, r.mode, r.batch)
		if err != nil {
			return 0, err
		}
		key := r.backend + " " + r.mode + " " + r.batch
		// The runtime's monitor is counted too, and does more on a busy machine: some
		// 3 % were seen. A figure that is too high gets two more chances.
		for again := 0; again < 2 && want[key] != 0 && got > want[key]*(1+*margin/100); again++ {
			more, err := perNop(valgrind, worker, r.backend, r.mode, r.batch)
			if err != nil {
				return 0, err
			}
			got = min(got, more)
		}
		text += fmt.Sprintf("%s %.1f\n", key, got)
		before, ok := want[key]
		note := ""
		switch {
		case !ok:
			note = "  new"
		case got > before*(1+*margin/100) && known == versions:
			note = fmt.Sprintf("  MORE by %.1f %%, above the margin of %g %%", (got/before-1)*100, *margin)
			bad++
		}
		fmt.Printf("%-9s %-6s %6s %9.1f %9.1f%s\n", r.backend, r.mode, r.batch, got, before, note)
	}
	switch {
	case *write:
		return 0, os.WriteFile(*file, []byte(text), 0o644)
	case known != versions:
		fmt.Printf("not judged: %s counted %q, this is %q; -write notes the figures anew\n", *file, known, versions)
		return leftOut, nil
	case bad > 0:
		fmt.Printf("%d of %d figures grew. If that is worth it, say why in the commit and note them anew with -write\n", bad, len(rows))
		return 1, nil
	}
	return 0, nil
}

// read returns the figures of the file and the versions that they are of.
func read(name string) (figures map[string]float64, versions string) {
	figures = map[string]float64{}
	data, _ := os.ReadFile(name)
	versions, rest, _ := strings.Cut(string(data), "\n")
	for line := range strings.Lines(rest) {
		if i := strings.LastIndexByte(strings.TrimSpace(line), ' '); i > 0 {
			figures[line[:i]], _ = strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		}
	}
	return figures, versions
}

var refs = regexp.MustCompile(`I +refs: +([0-9,]+)`)

// perNop counts the instructions of one operation. The worker runs a tenth of its
// operations before those it was asked for.
func perNop(valgrind, worker, backend, mode, batch string) (float64, error) {
	const few, many = 20480, 61440 // multiples of every batch, and their tenths too
	var counts [2]float64
	for i, n := range []int{few, many} {
		cmd := exec.Command(valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
			worker, backend, "nop", mode, batch, strconv.Itoa(n)+"x")
		// Preemption comes by signals, when the clock says so.
		cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", "GOGC=off")
		out, err := cmd.CombinedOutput()
		m := refs.FindSubmatch(out)
		if err != nil || m == nil {
			return 0, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
		}
		counts[i], _ = strconv.ParseFloat(strings.ReplaceAll(string(m[1]), ",", ""), 64)
	}
	return (counts[1] - counts[0]) / (1.1 * (many - few)), nil
}
