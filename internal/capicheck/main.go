//go:build linux

// Capicheck runs C programs twice, on C's liburing and on the one that package
// purego is behind (directory capi), and compares exit status and output. The
// library is chosen by LD_LIBRARY_PATH alone: the programs are not touched.
//
//	capicheck [flags] PROGRAM [ARGS]
//	capicheck [flags] DIR [ARGS]       every program in the folder
//
// A program is an executable file that is linked with liburing.so.2. It passes
// with exit status 0. 77 is a skip, as liburing's own tests have it; a program
// that did not end in time is a class of its own. With strace here, so are
// programs in which a forked child uses a ring without executing another
// program, for a Go runtime does not survive fork.
//
// The exit status is 1 if a program passes on C's library and not on ours.
package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	ours    = flag.String("ours", "", "directory of our liburing.so.2")
	theirs  = flag.String("theirs", "", "directory of C's liburing.so.2; the system's if empty")
	limit   = flag.Duration("timeout", time.Minute, "how long a program may run")
	jobs    = flag.Int("j", 1, "how many programs run at a time")
	repeat  = flag.Int("retries", 1, "how often a program that differs is run again on both")
	noChild = flag.Bool("nochild", false, "do not look for rings in forked children")
	dir     = flag.String("in", "", "directory to run in; the program's own if empty")
	tsv     = flag.String("tsv", "", "file for the table, with tabs between its columns")
	verbose = flag.Bool("v", false, "print the output of programs that differ")
)

func main() {
	flag.Parse()
	if flag.NArg() == 0 || *ours == "" {
		fmt.Fprintln(os.Stderr, "usage: capicheck -ours DIR [flags] PROGRAM|DIR [ARGS]")
		flag.PrintDefaults()
		os.Exit(2)
	}
	bad, err := run(flag.Arg(0), flag.Args()[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "capicheck:", err)
		os.Exit(2)
	}
	if bad > 0 {
		os.Exit(1)
	}
}

// A result is how a program ended.
type result struct {
	what   string // "pass", "skip", "timeout", "exit 1", "SIGSEGV"
	output string
}

// A row is one program's.
type row struct {
	name     string
	c, ours  result
	sameText bool
	child    string // "yes", "no", "" if not looked at
}

// agrees reports whether our library did what C's did, as far as pass and fail
// go.
func (r *row) agrees() bool { return r.ours.what == r.c.what }

func run(target string, args []string) (bad int, err error) {
	programs, err := find(target)
	if err != nil {
		return 0, err
	}
	rows := make([]row, len(programs))
	var group sync.WaitGroup
	var printing sync.Mutex
	free := make(chan struct{}, max(1, *jobs))
	for i, p := range programs {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			rows[i] = compare(p, args)
			printing.Lock()
			defer printing.Unlock()
			r := &rows[i]
			fmt.Println(line(r))
			if *verbose && (!r.agrees() || !r.sameText) {
				fmt.Printf("-- C's:\n%s-- ours:\n%s", r.c.output, r.ours.output)
			}
		})
	}
	group.Wait()
	summary(os.Stdout, rows)
	if *tsv != "" {
		if err := os.WriteFile(*tsv, table(rows), 0o666); err != nil {
			return 0, err
		}
	}
	for i := range rows {
		if r := &rows[i]; r.c.what == "pass" && r.ours.what != "pass" && r.child != "yes" {
			bad++
		}
	}
	return bad, nil
}

// compare runs a program on both libraries. One that differs gets another chance
// on both: some programs fail now and then, on either.
func compare(program string, args []string) row {
	r := row{name: filepath.Base(program)}
	for range *repeat + 1 {
		r.c = execute(program, args, *theirs, filepath.Dir(program))
		r.ours = execute(program, args, *ours, filepath.Dir(program))
		if r.agrees() {
			break
		}
	}
	r.sameText = neutral(r.c.output) == neutral(r.ours.output)
	if !*noChild {
		r.child = usesRingInChild(program, args)
	}
	return r
}

// find returns the programs that are meant: one, or all in a directory that want
// liburing.so.2.
func find(target string) ([]string, error) {
	target, err := filepath.Abs(target)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !wants(target) {
			return nil, fmt.Errorf("%s is not a program that is linked with liburing.so.2", target)
		}
		return []string{target}, nil
	}
	entries, err := os.ReadDir(target)
	if err != nil {
		return nil, err
	}
	var programs []string
	for _, e := range entries {
		if p := filepath.Join(target, e.Name()); e.Type().IsRegular() && wants(p) {
			programs = append(programs, p)
		}
	}
	if len(programs) == 0 {
		return nil, fmt.Errorf("no program in %s is linked with liburing.so.2", target)
	}
	return programs, nil
}

// wants reports whether a file is a program that is linked with liburing.so.2.
func wants(name string) bool {
	info, err := os.Stat(name)
	if err != nil || info.Mode()&0o111 == 0 {
		return false
	}
	f, err := elf.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	return err == nil && slices.Contains(libs, "liburing.so.2") && hasInterpreter(f)
}

// hasInterpreter tells a program from a library.
func hasInterpreter(f *elf.File) bool {
	return slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// execute runs a program on the library of a directory, in a process group of its
// own, which ends with it.
func execute(program string, args []string, library, in string) result {
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = cmp.Or(*dir, in)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if library != "" {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+library)
	}
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	group := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = group
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if cmd.Process != nil {
		group() // what it left behind
	}
	r := result{output: out.String()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r.what = "timeout"
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		r.what = "pass"
	case errors.As(err, &exit):
		status := exit.Sys().(syscall.WaitStatus)
		switch {
		case status.Signaled():
			r.what = "signal " + status.Signal().String()
		case status.ExitStatus() == 77:
			r.what = "skip"
		default:
			r.what = fmt.Sprintf("exit %d", status.ExitStatus())
		}
	default:
		r.what = "could not run: " + err.Error()
	}
	return r
}

// usesRingInChild runs a program once more, on C's library and under strace, and
// reports whether a process that it forked used a ring before it executed
// anything: "yes", "no", or "" if that could not be seen.
func usesRingInChild(program string, args []string) string {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return ""
	}
	file, err := os.CreateTemp("", "capicheck")
	if err != nil {
		return ""
	}
	file.Close()
	defer os.Remove(file.Name())
	traced := append([]string{"-f", "-qq", "-o", file.Name(),
		"-e", "trace=io_uring_setup,io_uring_enter,io_uring_register,execve,fork,vfork,clone,clone3", program}, args...)
	execute(strace, traced, *theirs, filepath.Dir(program))
	text, err := os.ReadFile(file.Name())
	if err != nil || len(text) == 0 {
		return ""
	}
	if ringInChild(string(text)) {
		return "yes"
	}
	return "no"
}

var cloned = regexp.MustCompile(`^(\d+)\s+(?:<\.\.\. )?(fork|vfork|clone3?)\b(.*)= (\d+)(?: .*)?$`)

// ringInChild reads what strace wrote. A line begins with the number of a thread;
// a call may be split into "unfinished" and "resumed".
func ringInChild(trace string) bool {
	child := map[string]bool{}   // threads of processes that were forked
	threads := map[string]bool{} // callers whose unfinished clone makes a thread
	var used []string            // threads that used a ring before any execve, in the end
	executed := map[string]bool{}
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		pid, rest, ok := strings.Cut(line, " ")
		if !ok {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.Contains(rest, "CLONE_THREAD") {
			threads[pid] = true
		} else if strings.HasPrefix(rest, "clone") || strings.HasPrefix(rest, "fork") || strings.HasPrefix(rest, "vfork") {
			threads[pid] = false
		}
		if m := cloned.FindStringSubmatch(line); m != nil {
			if threads[pid] {
				child[m[4]] = child[pid]
			} else {
				child[m[4]] = true
			}
			continue
		}
		switch {
		case strings.HasPrefix(rest, "execve("):
			executed[pid] = true
		case strings.HasPrefix(rest, "io_uring_") && !executed[pid]:
			used = append(used, pid)
		}
	}
	// A child may be seen before the call that made it returned to its parent.
	return slices.ContainsFunc(used, func(pid string) bool { return child[pid] })
}

// neutral is a program's output without what differs from run to run: addresses,
// numbers of processes, times.
func neutral(text string) string { return numbers.ReplaceAllString(text, "#") }

var numbers = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9]+(\.[0-9]+)?`)

func line(r *row) string {
	note := ""
	switch {
	case r.child == "yes":
		note = "ring in a forked child"
	case !r.agrees():
		note = "DIFFERS"
	case !r.sameText:
		note = "the text differs"
	}
	return strings.TrimRight(fmt.Sprintf("%-34s %-12s %-12s %s", r.name, r.c.what, r.ours.what, note), " ")
}

func table(rows []row) []byte {
	var b bytes.Buffer
	b.WriteString("program\tC's\tours\tring in child\tsame output\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%t\n", r.name, r.c.what, r.ours.what, cmp.Or(r.child, "?"), r.sameText)
	}
	return b.Bytes()
}

func summary(w io.Writer, rows []row) {
	var all, passC, childC, childOurs, rest, restOurs, other, otherSame int
	for i := range rows {
		r := &rows[i]
		all++
		switch {
		case r.c.what != "pass":
			other++
			if r.agrees() {
				otherSame++
			}
			continue
		case r.child == "yes":
			childC++
			if r.ours.what == "pass" {
				childOurs++
			}
		default:
			rest++
			if r.ours.what == "pass" {
				restOurs++
			}
		}
		passC++
	}
	fmt.Fprintf(w, "\n%d programs; %d pass on C's liburing\n", all, passC)
	if rest > 0 {
		fmt.Fprintf(w, "of these, %d of %d pass on ours (%.1f %%)\n", restOurs, rest, 100*float64(restOurs)/float64(rest))
	}
	if childC > 0 {
		fmt.Fprintf(w, "and with a ring in a forked child %d of %d\n", childOurs, childC)
	}
	if other > 0 {
		fmt.Fprintf(w, "of %d that do not pass on C's, %d end the same way on ours\n", other, otherSame)
	}
}
