//go:build linux

// Crosscheck lets both backends do real work and lets other code judge it. It is
// what scripts/crosscheck runs.
//
// Each backend copies a tree of files, every file with a chain of linked
// requests, and echoes ten megabytes over a loopback connection. Package os then
// reads the copy back, package net is the connection's other end, and SHA-256
// says whether anything differs. At last "uring diff", if the command is given,
// runs small programs of every kind on both backends and compares what they see.
//
// It exits 0 if all of it is equal, 1 if not, 2 if it is called wrongly, and 130
// if it is interrupted. Either way it leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/uring-go/uring/liburing"
)

func main() {
	// A file keeps its permissions because it is created with them. The mask
	// belongs to the whole process, and so do the kernel's workers.
	syscall.Umask(0)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "crosscheck: interrupted")
		code = 130
	}
	os.Exit(code)
}

// options are the command line.
type options struct {
	tree  string
	temp  string
	uring string
	both  bool
	echo  int64
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("crosscheck", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.tree, "tree", "", "copy the files below `DIR` (default: the source of Go)")
	fs.StringVar(&o.temp, "temp", "", "make the copies below `DIR` (default: the system's directory for temporary files)")
	fs.StringVar(&o.uring, "uring", "", "run `FILE`, the uring command, for its diff")
	fs.BoolVar(&o.both, "both", false, "fail if one of the backends is not there")
	fs.Int64Var(&o.echo, "echo", 10_000_000, "echo `N` bytes")
	open := fs.String("open", "", "only open and close a ring of `BACKEND`, and say with which library")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "crosscheck: unexpected argument %q\n", fs.Arg(0))
		return 2
	}
	if *open != "" {
		return openOnly(*open, stdout, stderr)
	}
	if o.tree == "" {
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			fmt.Fprintf(stderr, "crosscheck: go env GOROOT: %v; name a directory with -tree\n", err)
			return 2
		}
		o.tree = filepath.Join(strings.TrimSpace(string(root)), "src")
	}
	ok, err := crosscheck(ctx, &o, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "crosscheck:", err)
	}
	if err != nil || !ok {
		return 1
	}
	return 0
}

// openOnly opens one ring: the shortest program that needs a backend.
func openOnly(name string, stdout, stderr io.Writer) int {
	for _, b := range backends {
		if b.name != name {
			continue
		}
		r, err := b.ring(8)
		if err == nil {
			err = r.Close()
		}
		if err != nil {
			fmt.Fprintf(stderr, "crosscheck: %s: %v\n", name, err)
			return 1
		}
		fmt.Fprintf(stdout, "%s opens a ring\n", b.title())
		return 0
	}
	fmt.Fprintf(stderr, "crosscheck: no backend %q\n", name)
	return 2
}

// A result is what one backend did.
type result struct {
	backend backend
	stats   stats
	differ  []string // of the copy from its source
	copied  error
	echo    error
}

func (r *result) equal() bool {
	return r.copied == nil && len(r.differ) == 0 && r.echo == nil
}

// crosscheck does everything and prints the table. It returns whether all was
// equal; an error is something that kept it from finding out.
func crosscheck(ctx context.Context, o *options, stdout, stderr io.Writer) (ok bool, err error) {
	show := newProgress(stderr)
	defer show.clear()

	var usable []backend
	var missing []string
	for _, b := range backends {
		r, err := b.ring(8)
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s was not compared: %v", b.name, err))
			continue
		}
		if err := r.Close(); err != nil {
			return false, fmt.Errorf("%s: %w", b.name, err)
		}
		usable = append(usable, b)
	}
	if len(usable) == 0 {
		return false, errors.New(strings.Join(missing, "\n\t"))
	}

	show.say("reading %s", o.tree)
	src, err := readTree(ctx, o.tree)
	if err != nil {
		return false, err
	}
	temp, err := os.MkdirTemp(o.temp, "uring-crosscheck-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()

	var results []result
	for _, b := range usable {
		res := result{backend: b}
		work(ctx, &res, src, filepath.Join(temp, b.name), o.echo, show)
		if ctx.Err() != nil {
			return false, nil
		}
		results = append(results, res)
	}
	show.clear()
	table(stdout, src, results, o.echo)
	ok = true
	for _, r := range results {
		ok = ok && r.equal()
	}

	switch equal, note := diff(ctx, o.uring, usable, stderr, show); {
	case ctx.Err() != nil:
		return false, nil
	case equal:
		fmt.Fprintf(stdout, "uring diff: %s\n", note)
	default:
		fmt.Fprintf(stdout, "uring diff: %s\n", note)
		ok = false
	}
	for _, m := range missing {
		fmt.Fprintln(stdout, m)
	}
	switch {
	case !ok:
		fmt.Fprintln(stdout, "result: NOT all equal")
	case len(missing) > 0 && o.both:
		fmt.Fprintf(stdout, "result: FAILED, for only %s is there and both were asked for\n", usable[0].name)
		ok = false
	case len(missing) > 0:
		fmt.Fprintf(stdout, "result: all equal, with %s alone\n", usable[0].name)
	default:
		fmt.Fprintln(stdout, "result: all equal")
	}
	return ok, nil
}

// work copies the tree to dst and echoes, with one backend.
func work(ctx context.Context, res *result, src *tree, dst string, echoed int64, show *progress) {
	name := res.backend.name
	show.say("%s: copying %d files", name, len(src.files))
	res.stats, res.copied = copyTree(ctx, res.backend, src, dst, func(files int) {
		show.line("%s: copied %d of %d files", name, files, len(src.files))
	})
	if res.copied == nil && ctx.Err() == nil {
		show.line("%s: reading the copy back", name)
		var got *tree
		if got, res.copied = readTree(ctx, dst); res.copied == nil {
			res.differ = differences(src, got)
		}
	}
	// Both copies at once would need twice the room.
	if err := os.RemoveAll(dst); err != nil {
		res.copied = errors.Join(res.copied, err)
	}
	if ctx.Err() != nil {
		return
	}
	show.line("%s: echoing", name)
	res.echo = echo(ctx, res.backend, echoed)
}

// table prints what each backend did.
func table(w io.Writer, src *tree, results []result, echoed int64) {
	fmt.Fprintf(w, "\n%s: %d files, %.1f MB; %d symbolic links and %d other files left out\n\n", src.root, len(src.files), float64(src.bytes())/1e6, src.links, src.others)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	row := func(what string, cell func(*result) string) {
		fmt.Fprint(t, what)
		for i := range results {
			fmt.Fprint(t, "\t", cell(&results[i]))
		}
		fmt.Fprintln(t)
	}
	yes := func(err error, differ []string) string {
		switch {
		case err != nil:
			return "FAILED"
		case len(differ) > 0:
			return fmt.Sprintf("NO: %d differ", len(differ))
		}
		return "yes"
	}
	row("", func(r *result) string { return r.backend.title() })
	row("files copied", func(r *result) string { return fmt.Sprint(r.stats.files) })
	row("descriptors", func(r *result) string { return r.stats.descriptors() })
	row("requests", func(r *result) string { return fmt.Sprint(r.stats.requests) })
	row("submissions", func(r *result) string { return fmt.Sprint(r.stats.submissions) })
	row("copy equal to source", func(r *result) string { return yes(r.copied, r.differ) })
	row(fmt.Sprintf("%g MB echoed, equal", float64(echoed)/1e6), func(r *result) string { return yes(r.echo, nil) })
	t.Flush()
	fmt.Fprintln(w)
	const most = 10
	for _, r := range results {
		for _, err := range []error{r.copied, r.echo} {
			if err != nil {
				fmt.Fprintf(w, "%s: %v\n", r.backend.name, err)
			}
		}
		for i, d := range r.differ {
			if i == most {
				fmt.Fprintf(w, "%s: and %d more\n", r.backend.name, len(r.differ)-most)
				break
			}
			fmt.Fprintf(w, "%s: %s\n", r.backend.name, d)
		}
	}
}

// diff runs the uring command's comparison, and says in words what came of it.
// What could not be run is not a difference.
func diff(ctx context.Context, command string, usable []backend, stderr io.Writer, show *progress) (equal bool, note string) {
	switch {
	case command == "":
		return true, "not run, for the uring command was not given"
	case len(usable) < 2:
		return true, "not run, for it takes two backends"
	}
	show.say("uring diff: the same programs on both")
	defer show.clear()
	cmd := exec.CommandContext(ctx, command, "diff", "-q")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		// Its last line counts what was compared.
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return true, lines[len(lines)-1]
	}
	if ctx.Err() != nil {
		return true, "interrupted"
	}
	show.clear()
	stderr.Write(out)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		switch exit.ExitCode() {
		case 1:
			return false, "the backends DIFFER, as shown"
		case 77:
			return true, "nothing differs, and not all of it could be tried, as shown"
		}
	}
	return false, fmt.Sprintf("FAILED: %v", err)
}

// title names the backend with its library.
func (b backend) title() string {
	if b.name != "liburing" {
		return b.name
	}
	if v, h := liburing.Version(), liburing.HeaderVersion(); v != h && v != "2.3 or older" {
		return fmt.Sprintf("liburing %s (header %s)", v, h)
	}
	return "liburing " + liburing.Version()
}
