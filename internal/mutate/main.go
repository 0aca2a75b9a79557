// Mutate shows that comparing the two backends can fail: it plants faults, one at
// a time, and sees whether "uring diff" finds them. It is what scripts/mutations
// runs.
//
//	go run ./internal/mutate [-random N] [-o FILE] [PATTERN...]
//
// A fault is one changed place of the sources of a backend: of the C code of
// package liburing, of its Go code, or of package purego. The tree itself is never
// changed, and the code has no hooks: the changed file is laid over the original
// with "go build -overlay", which covers the C files of a package too. Faults in
// package uring are of no use here, for both backends would have them.
//
// For each fault cmd/uring is built, and runs the scenarios that are expected to
// find the fault, each by itself; if none does, it runs all others too. A fault is
// caught by a difference between the backends, by a crash, or by a program that
// has not ended long after it should have. Before that the same program without a
// fault has to be silent. A fault whose place in the source is gone, or is there
// twice, is an error, and so is one with which the program does not build.
//
// With -random it also sees whether the first N random programs find the fault.
// That is a measure of the random programs; it does not make a fault a caught one.
// With -o it writes the table as a page.
//
// A PATTERN selects faults by file or name, as path.Match takes it: "purego/*". The exit
// status is 1 if a fault was not caught, and 2 if something is wrong with the
// check itself.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/uring-go/uring/liburing"
)

const (
	// A scenario takes less than a second. One that misses a completion gives up
	// by itself after 20 s, which need not be seen.
	oneLimit = 10 * time.Second
	// Random programs that differ do so after seconds; those that wait for a
	// completion that does not come end after 10 s each.
	randomLimit = 60 * time.Second
	// All of them take some 15 s, and the first difference ends the wait.
	allLimit = 3 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	o := options{out: os.Stdout}
	flag.IntVar(&o.random, "random", 0, "try the first `N` random programs too")
	flag.StringVar(&o.page, "o", "", "write the table to this `FILE` too, as Markdown")
	flag.Parse()
	code, err := run(ctx, o, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	os.Exit(code)
}

type options struct {
	out    io.Writer
	random int
	page   string
}

// row is a line of the table.
type row struct {
	fault  fault
	caught string // "" if it was not
	random string // the same for random programs
	took   time.Duration
}

func run(ctx context.Context, o options, patterns []string) (int, error) {
	out := o.out
	var header [2]int
	if v := liburing.HeaderVersion(); v == "" {
		return 2, errors.New("there is one backend only in a build without cgo")
	} else if _, err := fmt.Sscanf(v, "%d.%d", &header[0], &header[1]); err != nil {
		return 2, fmt.Errorf("liburing's version %q: %w", v, err)
	}
	list, err := selected(patterns)
	if err != nil {
		return 2, err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return 2, err
	}
	dir, err := os.MkdirTemp("", "uring-mutate-")
	if err != nil {
		return 2, err
	}
	defer os.RemoveAll(dir)
	b := &bench{root: root, dir: dir, random: o.random}
	if err := b.healthy(ctx); err != nil {
		return 2, err
	}

	caught, survivors, wrong := 0, 0, 0
	leftOut := 0
	var page strings.Builder
	line := func(r row, what string) {
		fmt.Fprintf(out, "%-58s  %-4s  %-44s  %-12s  %5.1f\n", r.fault.name, side(r.fault.file), what, r.random, r.took.Seconds())
		fmt.Fprintf(&page, "| %s | `%s` | %s | %s |\n", r.fault.name, r.fault.file, what, r.random)
	}
	fmt.Fprintf(out, "%-58s  %-4s  %-44s  %-12s  %5s\n", "fault", "side", "caught by", "random", "s")
	for _, f := range list {
		if slices.Compare(header[:], f.header[:]) < 0 {
			leftOut++
			line(row{fault: f}, fmt.Sprintf("left out: needs liburing %d.%d", f.header[0], f.header[1]))
			continue
		}
		r, err := b.try(ctx, f)
		switch {
		case ctx.Err() != nil:
			return 2, errors.New("interrupted")
		case err != nil:
			wrong++
			line(r, "ERROR")
			fmt.Fprintf(out, "%v\n", err)
		case r.caught == "":
			survivors++
			line(r, "NOT CAUGHT")
		default:
			caught++
			line(r, r.caught)
		}
	}
	summary := fmt.Sprintf("%d of %d faults caught, %d survived, %d left out, %d in error", caught, len(list), survivors, leftOut, wrong)
	fmt.Fprintf(out, "\n%s\n", summary)
	if o.page != "" {
		if err := os.WriteFile(o.page, []byte(fmt.Sprintf(pageText, liburing.Version(), kernel(), o.random, page.String(), summary)), 0o666); err != nil {
			return 2, err
		}
	}
	switch {
	case wrong > 0:
		return 2, errors.New("not every fault could be tried")
	case survivors > 0:
		return 1, nil
	case caught == 0:
		return 2, errors.New("nothing was tried")
	}
	return 0, nil
}

const pageText = `# Planted faults

` + "`scripts/mutations`" + ` plants faults in the sources of both backends, one at a time, and
runs "uring diff" with each. A fault is caught if the two backends then differ in a
scenario, or if the scenario crashes or does not end. "random" has the first of the
random programs (` + "`uring diff -random`" + `) that differs; it is a measure only.

This is liburing %s on Linux %s, with %d random programs a fault:

| fault | in | caught by | random |
|---|---|---|---|
%s
%s.
`

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of unknown release"
	}
	return strings.TrimSpace(string(release))
}

func selected(patterns []string) ([]fault, error) {
	var list []fault
	for _, f := range faults {
		chosen := len(patterns) == 0
		for _, p := range patterns {
			ok, err := path.Match(p, f.file)
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", p, err)
			}
			named, _ := path.Match(p, f.name)
			chosen = chosen || ok || named
		}
		if chosen {
			list = append(list, f)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no fault has a file or a name like %q", patterns)
	}
	return list, nil
}

// side is the language that the fault is in.
func side(file string) string {
	if path.Ext(file) == ".go" {
		return "Go"
	}
	return "C"
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// apply returns the text of the fault's file with the fault in it.
func (f *fault) apply(text string) (string, error) {
	if n := strings.Count(text, f.old); n != 1 {
		return "", fmt.Errorf("%s: what the fault %q changes is there %d times, want once:\n%s", f.file, f.name, n, f.old)
	}
	return strings.Replace(text, f.old, f.new, 1), nil
}

// bench is where programs with faults are built and run.
type bench struct {
	root   string // of the module
	dir    string // temporary
	random int    // programs to try with each fault
}

// build builds cmd/uring, with a fault if there is one, and returns its path.
func (b *bench) build(ctx context.Context, f *fault) (string, error) {
	program := filepath.Join(b.dir, "uring")
	args := []string{"build", "-o", program}
	if f != nil {
		original := filepath.Join(b.root, filepath.FromSlash(f.file))
		text, err := os.ReadFile(original)
		if err != nil {
			return "", err
		}
		changed, err := f.apply(string(text))
		if err != nil {
			return "", err
		}
		copied := filepath.Join(b.dir, filepath.Base(original))
		overlay := filepath.Join(b.dir, "overlay.json")
		doc, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
		if err != nil {
			return "", err
		}
		if err := errors.Join(os.WriteFile(copied, []byte(changed), 0o600), os.WriteFile(overlay, doc, 0o600)); err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/uring")...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the program does not build: %w\n%s", err, bytes.TrimSpace(out))
	}
	return program, nil
}

// healthy makes sure that without a fault there is no difference, so that one
// comes from the fault.
func (b *bench) healthy(ctx context.Context) error {
	program, err := b.build(ctx, nil)
	if err != nil {
		return err
	}
	found, err := diff(ctx, program, allLimit)
	if err == nil && found == "" && b.random > 0 {
		found, err = b.programs(ctx, program)
	}
	if err == nil && found != "" {
		err = fmt.Errorf("without a fault there is: %s", found)
	}
	return err
}

// try plants a fault and looks who catches it.
func (b *bench) try(ctx context.Context, f fault) (r row, err error) {
	start := time.Now()
	r.fault = f
	defer func() { r.took = time.Since(start) }()
	program, err := b.build(ctx, &f)
	if err != nil {
		return r, err
	}
	if b.random > 0 {
		if r.random, err = b.programs(ctx, program); err != nil {
			return r, err
		}
	}
	for _, s := range f.scenarios {
		if r.caught, err = diff(ctx, program, oneLimit, "-mode", f.mode, s); r.caught != "" || err != nil {
			return r, err
		}
	}
	r.caught, err = diff(ctx, program, allLimit)
	if r.caught != "" {
		r.caught += ", unexpectedly"
	}
	return r, err
}

// programs sees which random program finds the fault.
func (b *bench) programs(ctx context.Context, program string) (string, error) {
	found, err := diff(ctx, program, randomLimit, "-whole", "-random", strconv.Itoa(b.random))
	if strings.Contains(found, "no end") {
		found = "no end" // of all of them, in the time that there is: nothing is known
	}
	return found, err
}

// diff runs "uring diff" and says what came of it: the first scenario that differs,
// a crash, a hang, or "" for no difference.
func diff(ctx context.Context, program string, limit time.Duration, args ...string) (string, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(limited, program, slices.Concat([]string{"diff", "-q"}, args)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	found := ""
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		// different  SCENARIO  MODE  TEXT, or seed SEED instead of the scenario
		if words := strings.Fields(lines.Text()); found == "" && len(words) > 2 && words[0] == "different" {
			found = words[1] + " (" + words[2] + ")"
			if words[1] == "seed" {
				found = "seed " + words[2]
			}
			cancel() // enough is known
		}
	}
	err = cmd.Wait()
	where := "all"
	if len(args) > 0 {
		where = args[len(args)-1]
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case found != "":
		return found, nil
	case limited.Err() != nil:
		return fmt.Sprintf("%s: no end after %v", where, limit), nil
	case err == nil:
		return "", nil
	case !errors.As(err, &exit):
		return "", err
	}
	status, _ := exit.Sys().(syscall.WaitStatus)
	switch text := stderr.String(); {
	case status.Signaled():
		return where + ": " + status.Signal().String(), nil
	case strings.Contains(text, "\ngoroutine "):
		return where + ": crash", nil
	case exit.ExitCode() == 77:
		return "", nil // something is not in this kernel or this library
	default:
		return "", fmt.Errorf("uring diff %s on %s: exit status %d\n%s", where, runtime.GOARCH, exit.ExitCode(), text)
	}
}
