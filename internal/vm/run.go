//go:build linux

// The command "run": one program under one kernel.

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/uring-go/uring/internal/vm/kernel"
	"github.com/uring-go/uring/internal/vm/machine"
)

// runOptions are the flags of "run"; "matrix" has some of them too.
type runOptions struct {
	kernel  string
	arch    string
	uml     bool
	console bool
	verbose bool
	env     list
	collect list
	config  machine.Config
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// scratchFlag is a size, such as 64M, with ":raw" for a disk without a file system.
type scratchFlag struct{ *machine.Scratch }

func (f scratchFlag) String() string { return "" }

func (f scratchFlag) Set(s string) error {
	size, raw := strings.CutSuffix(s, ":raw")
	shift := 0
	for i, unit := range []string{"K", "M", "G"} {
		if n, ok := strings.CutSuffix(size, unit); ok {
			size, shift = n, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(size, 10, 32)
	if err != nil || n<<shift < 1<<20 {
		return fmt.Errorf("want a size of at least 1M, such as 64M or 64M:raw")
	}
	*f.Scratch = machine.Scratch{Size: n << shift, Ext4: !raw}
	return nil
}

// register adds the flags that shape the guest.
func (o *runOptions) register(fs *flag.FlagSet) {
	c := &o.config
	fs.Var((*list)(&c.Files), "file", "file or directory to take along; may be repeated")
	fs.Var(&o.env, "env", "environment variable to pass on, as NAME or NAME=VALUE; may be repeated")
	fs.Var((*list)(&c.Sysctls), "sysctl", "NAME=VALUE to set before the program starts; may be repeated")
	fs.StringVar(&c.Append, "append", "", "more kernel parameters")
	fs.Var(scratchFlag{&c.Scratch}, "scratch", "add a disk of this `size`, with ext4 on "+machine.ScratchDir+"; SIZE:raw for an empty one")
	fs.IntVar(&c.UID, "uid", 0, "user and group that the program runs as")
	fs.IntVar(&c.CPUs, "cpus", 2, "number of CPUs; user-mode Linux has one")
	fs.IntVar(&c.Memory, "memory", 1024, "memory in `MiB`")
	fs.StringVar(&c.Accel, "accel", "tcg", "QEMU's accelerator; kvm is not tested")
}

// parseRun reads the arguments of "run".
func parseRun(args []string) (*runOptions, error) {
	o := &runOptions{}
	fs := flag.NewFlagSet("vm run", flag.ContinueOnError)
	// go test ends its tests after ten minutes, with a report of their own.
	fs.DurationVar(&o.config.Timeout, "timeout", 11*time.Minute, "limit on the program's run time")
	fs.StringVar(&o.kernel, "kernel", "", "the kernel: SERIES or SERIES/VARIANT, such as 6.1 or 6.12/uml")
	fs.StringVar(&o.arch, "arch", "", "fail unless the program is for this `GOARCH`")
	fs.BoolVar(&o.uml, "uml", false, "the same as /uml after the series")
	fs.BoolVar(&o.console, "console", false, "show the kernel's messages on stderr")
	fs.BoolVar(&o.verbose, "v", false, "tell the kernel's release and the times on stderr")
	fs.Var(&o.collect, "collect", "file to bring back to the same path; may be repeated")
	o.register(fs)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if o.kernel == "" {
		return nil, errors.New("run: -kernel is missing")
	}
	if fs.NArg() == 0 {
		return nil, errors.New("run: the program is missing")
	}
	if o.uml && !strings.Contains(o.kernel, "/") {
		o.kernel += "/uml"
	}
	o.config.Program, o.config.Args = fs.Arg(0), fs.Args()[1:]
	return o, nil
}

// complete fills in what depends on the program and on this process.
func (o *runOptions) complete() (kernel.Spec, error) {
	c := &o.config
	path, err := exec.LookPath(c.Program)
	if err != nil {
		return kernel.Spec{}, err
	}
	if c.Program, err = filepath.Abs(path); err != nil {
		return kernel.Spec{}, err
	}
	goarch, err := machine.GOARCH(c.Program)
	if err != nil {
		return kernel.Spec{}, err
	}
	if o.arch != "" && o.arch != goarch {
		return kernel.Spec{}, fmt.Errorf("%s is a program for %s, not for %s", c.Program, goarch, o.arch)
	}
	spec, err := o.spec(goarch)
	if err != nil {
		return kernel.Spec{}, err
	}
	if c.Dir, err = os.Getwd(); err != nil {
		return kernel.Spec{}, err
	}
	c.Env = environment(os.Environ(), o.env)
	c.Collect, c.CollectDirs = outputs(c.Dir, c.Args)
	for _, name := range o.collect {
		if name, err = filepath.Abs(name); err != nil {
			return kernel.Spec{}, err
		}
		c.Collect = append(c.Collect, name)
	}
	return spec, nil
}

// spec returns the kernel that is meant. A bare series follows the program's
// architecture.
func (o *runOptions) spec(goarch string) (kernel.Spec, error) {
	if !strings.Contains(o.kernel, "/") {
		return kernel.ParseSpec(o.kernel + "/" + goarch)
	}
	spec, err := kernel.ParseSpec(o.kernel)
	if err != nil {
		return kernel.Spec{}, err
	}
	return spec.For(goarch)
}

// environment returns what the program gets: the variables that are named, and
// those of Go's.
func environment(environ []string, named []string) []string {
	var env []string
	for _, n := range named {
		if strings.Contains(n, "=") {
			env = append(env, n)
			continue
		}
		for _, kv := range environ {
			if strings.HasPrefix(kv, n+"=") {
				env = append(env, kv)
			}
		}
	}
	for _, kv := range environ {
		if strings.HasPrefix(kv, "GO") {
			env = append(env, kv)
		}
	}
	return env
}

// outputs returns the files and directories that a test binary's arguments ask
// it to write.
func outputs(dir string, args []string) (files, dirs []string) {
	values := map[string]string{}
	for i, arg := range args {
		name, ok := strings.CutPrefix(strings.TrimPrefix(arg, "-"), "-test.")
		if !ok {
			name, ok = strings.CutPrefix(arg, "-test.")
		}
		if !ok {
			continue
		}
		name, value, ok := strings.Cut(name, "=")
		if !ok && i+1 < len(args) {
			value = args[i+1]
		}
		values[name] = value
	}
	abs := func(dir, name string) string {
		if filepath.IsAbs(name) {
			return filepath.Clean(name)
		}
		return filepath.Join(dir, name)
	}
	outputDir := abs(dir, values["outputdir"])
	for _, name := range []string{"coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace"} {
		if v := values[name]; v != "" {
			files = append(files, abs(outputDir, v))
		}
	}
	if v := values["gocoverdir"]; v != "" {
		dirs = append(dirs, abs(dir, v))
	}
	return files, dirs
}

func runCommand(ctx context.Context, args []string) (int, error) {
	o, err := parseRun(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	spec, err := o.complete()
	if err != nil {
		return 0, err
	}
	c := &o.config
	if c.Kernel, err = kernel.Fetch(ctx, spec); err != nil {
		return 0, err
	}
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if o.console {
		c.Console = os.Stderr
	}
	r, err := machine.Run(ctx, c)
	if err != nil {
		return 0, err
	}
	if o.verbose {
		fmt.Fprintf(os.Stderr, "vm: kernel %v (%s): status %d, boot %.1f s, run %.1f s, total %.1f s\n",
			spec, r.Release, r.Status, r.Boot.Seconds(), r.Run.Seconds(), r.Total.Seconds())
	}
	return r.Status, nil
}
