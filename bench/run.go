package main

// Building and running the variants.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A program is one variant: what to start before the row's arguments.
type program struct {
	variant string
	argv    []string
}

// A sample is one run of one variant.
type sample struct {
	variant   string
	ops       int64
	wall, cpu float64 // ns per operation
	allocs    float64 // per operation
}

// build compiles the C baseline and the worker, both with the liburing of
// -liburing, statically, if there is one. It returns that one's version too.
func build(dir string) (programs []program, version string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, "", err
	}
	c, system, worker := filepath.Join(dir, "work"), filepath.Join(dir, "work-system"), filepath.Join(dir, "worker")
	if err := compile(nil, "cc", "-O2", "-o", system, "c/work.c", "-luring"); err != nil {
		return nil, "", err
	}
	programs = []program{{"c", []string{system}}}
	goBuild := []string{"go", "build", "-buildvcs=false", "-o", worker}
	var env []string
	if *prefix != "" {
		include, lib := "-I"+filepath.Join(*prefix, "include"), filepath.Join(*prefix, "lib")
		if err := compile(nil, "cc", "-O2", include, "-o", c, "c/work.c", filepath.Join(lib, "liburing.a")); err != nil {
			return nil, "", err
		}
		programs = []program{{"c", []string{c}}, {"c-system", []string{system}}}
		env = []string{"CGO_CFLAGS=-O2 -g " + include, "CGO_LDFLAGS=-O2 -g -L" + lib}
		goBuild = append(goBuild, "-tags", "uringstatic")
	}
	if err := compile(env, append(goBuild, "./worker")...); err != nil {
		return nil, "", err
	}
	for _, v := range []string{"purego", "liburing", "os"} {
		programs = append(programs, program{v, []string{worker, v}})
	}
	if fio, err := exec.LookPath("fio"); err == nil {
		programs = append(programs, program{"fio", []string{fio}})
	}
	out, err := exec.Command(worker, "version").Output()
	return programs, strings.TrimSpace(string(out)), err
}

func compile(env []string, argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return nil
}

// can reports whether the variant has such a row.
func (p program) can(r row) bool {
	reads := strings.HasPrefix(r.Workload, "read")
	mode, options, _ := strings.Cut(r.Mode, ",")
	switch p.variant {
	case "os":
		return mode == "plain" && options == "" && r.Workload != "nop" && !strings.HasSuffix(r.Workload, "fixed")
	case "fio":
		return mode == "plain" && reads
	case "c", "c-system":
		return options == "" || strings.HasPrefix(options, "entries=")
	}
	return true
}

func (p program) run(r row, data string) (sample, error) {
	s := sample{variant: p.variant}
	if p.variant == "fio" {
		return s, p.fio(&s, r, data)
	}
	out, err := p.start(nil, r, strconv.Itoa(*ms), data)
	if err != nil {
		return s, err
	}
	var wall, used, allocs float64
	if n, err := fmt.Sscan(out, &s.ops, &wall, &used, &allocs); n < 3 {
		return s, fmt.Errorf("%s printed %q: %w", p.variant, out, err)
	}
	n := float64(s.ops)
	s.wall, s.cpu, s.allocs = wall/n, used/n, allocs/n
	return s, nil
}

func (p program) start(before []string, r row, length, data string) (string, error) {
	argv := slices.Concat(before, p.argv, []string{r.Workload, r.Mode, strconv.Itoa(r.Depth), length, data})
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return string(out), nil
}

// fio runs longer, since its CPU time counts from its start.
func (p program) fio(s *sample, r row, data string) error {
	depth := strconv.Itoa(r.Depth)
	args := []string{"--name=x", "--filename=" + data, "--readonly", "--rw=randread", "--bs=4k", "--ioengine=io_uring", "--norandommap",
		"--iodepth=" + depth, "--iodepth_batch=" + depth, "--iodepth_batch_complete_min=1", "--iodepth_batch_complete_max=" + depth,
		"--time_based", "--runtime=" + strconv.Itoa(max(5**ms, 500)) + "ms", "--gtod_reduce=1", "--output-format=json"}
	if strings.Contains(r.Workload, "direct") {
		args = append(args, "--direct=1")
	}
	if strings.Contains(r.Workload, "fixed") {
		args = append(args, "--fixedbufs", "--registerfiles")
	}
	out, err := exec.Command(p.argv[0], args...).Output()
	if err != nil {
		return fmt.Errorf("fio %s: %w", strings.Join(args, " "), err)
	}
	var doc struct {
		Jobs []struct {
			Runtime float64 `json:"job_runtime"`
			User    float64 `json:"usr_cpu"`
			System  float64 `json:"sys_cpu"`
			Read    struct {
				IOs int64 `json:"total_ios"`
			}
		}
	}
	if err := json.Unmarshal(out[max(strings.IndexByte(string(out), '{'), 0):], &doc); err != nil || len(doc.Jobs) != 1 || doc.Jobs[0].Read.IOs == 0 {
		return fmt.Errorf("fio printed %q: %v", out, err)
	}
	j := doc.Jobs[0]
	s.ops = j.Read.IOs
	s.wall = j.Runtime * 1e6 / float64(s.ops)
	s.cpu = s.wall * (j.User + j.System) / 100
	return nil
}

// counted is how many operations are run to count their system calls.
const counted = 20000

// syscalls returns the system calls of an operation, -1 where strace is missing or
// counts nothing.
func (p program) syscalls(r row, data string) float64 {
	strace, err := exec.LookPath("strace")
	if err != nil || p.variant == "fio" || p.variant == "os" {
		return -1
	}
	log, err := os.CreateTemp("", "uring-bench")
	if err != nil {
		return -1
	}
	defer os.Remove(log.Name())
	defer log.Close()
	n := max(counted/10, 4*r.Depth)
	out, err := p.start([]string{strace, "-f", "-c", "-e", "trace=io_uring_enter", "-o", log.Name()}, r, strconv.Itoa(n)+"x", data)
	if err != nil {
		return -1
	}
	var ops float64
	fmt.Sscan(out, &ops)
	text, _ := os.ReadFile(log.Name())
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) >= 5 && f[len(f)-1] == "io_uring_enter" {
			calls, _ := strconv.ParseFloat(f[3], 64)
			return calls / (ops * 1.1) // a tenth more is run first
		}
	}
	return -1
}
