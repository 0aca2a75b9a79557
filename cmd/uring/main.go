// Command uring asks what io_uring can do on this machine, says what stands in
// its way, and holds the two backends of this module against each other.
//
//	uring probe [-json] [-o FILE] [NAME...]       what the kernel has
//	uring check [-json] [-o FILE]                 does io_uring work here, and if not, why
//	uring diff [-json] [-o FILE] [PATTERN...]     the same programs on both backends
//	uring diff A B                                two records
//	uring record [-json] [-o FILE] [PATTERN...]   what the programs see on one backend
//	uring matrix [-json] [-o FILE] [-svg FILE] DIR   a page of what many kernels do
//	uring list scenarios|ops|flags|features       what this program knows
//	uring version                                 backend, liburing, Go and kernel
//
// "uring help COMMAND" tells the rest. Results go to the standard output, errors
// to the standard error, one line each. The exit status is 0 if all is well, 1
// for a negative answer, 2 for a command that could not be understood or an
// output that could not be written, and 77 for something that could not be tried.
//
// Everything but check, which is about this program on this machine, is a thin
// face: package features has the probe, and the tests of this module run the
// scenarios.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// Exit statuses. 77 is what test suites, liburing's among them, use for a skip.
const (
	exitOK      = 0
	exitNo      = 1
	exitUsage   = 2
	exitUntried = 77
)

// A command is one of the words after "uring".
type command struct {
	name  string
	args  string // what follows the name and the flags
	short string // one line for the list of commands
	long  string // the rest of its help
	flags func(*call)
	run   func(*call) int
}

// A call is one use of a command.
type call struct {
	*command
	set            *flag.FlagSet
	args           []string
	stdout, stderr io.Writer

	json    bool
	quiet   bool
	out     string
	modes   string
	random  uint64
	seed    uint64
	whole   bool
	backend string
	svg     string
	count   int

	output // set when the flags are known
}

func commands() []*command {
	return []*command{probeCommand, checkCommand, diffCommand, recordCommand, matrixCommand, listCommand, versionCommand}
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program without the process: it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return help(rest, stdout, stderr)
	}
	cmd := find(name)
	if cmd == nil {
		fmt.Fprintf(stderr, "uring: unknown command %q; \"uring help\" lists them\n", name)
		return exitUsage
	}
	c := newCall(cmd, stdout, stderr)
	switch err := c.parse(rest); {
	case errors.Is(err, flag.ErrHelp):
		c.help(stdout)
		return exitOK
	case err != nil:
		return c.fail(err)
	}
	return c.do()
}

func find(name string) *command {
	for _, cmd := range commands() {
		if cmd.name == name {
			return cmd
		}
	}
	return nil
}

func newCall(cmd *command, stdout, stderr io.Writer) *call {
	c := &call{command: cmd, stdout: stdout, stderr: stderr}
	c.set = flag.NewFlagSet("uring "+cmd.name, flag.ContinueOnError)
	c.set.SetOutput(io.Discard)
	c.set.Usage = func() {}
	c.set.BoolVar(&c.json, "json", false, "write one JSON document")
	c.set.StringVar(&c.out, "o", "", "write to this `FILE` instead of the standard output")
	if cmd.flags != nil {
		cmd.flags(c)
	}
	return c
}

// parse reads flags and arguments, in any order.
func (c *call) parse(args []string) error {
	for {
		if err := c.set.Parse(args); err != nil {
			return err
		}
		if args = c.set.Args(); len(args) == 0 {
			return nil
		}
		c.args = append(c.args, args[0])
		args = args[1:]
	}
}

// do opens the output, runs the command and closes the output.
func (c *call) do() int {
	if err := c.open(c); err != nil {
		return c.fail(err)
	}
	status := c.command.run(c)
	if err := c.close(); err != nil {
		return c.fail(err)
	}
	return status
}

// fail reports an error on one line and returns the exit status for it.
func (c *call) fail(err error) int {
	c.complain(err)
	return exitUsage
}

func (c *call) complain(err error) {
	text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "uring: "), "\n", "; ")
	fmt.Fprintf(c.stderr, "uring %s: %s\n", c.name, text)
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: uring COMMAND [FLAGS] [ARGUMENTS]")
	fmt.Fprintln(w)
	t := table{indent: "  "}
	for _, cmd := range commands() {
		t.row(cmd.name, cmd.short)
	}
	t.row("help [COMMAND]", "this text, or what a command does")
	t.write(w)
	fmt.Fprintln(w, "\nExit status: 0 all is well, 1 a negative answer, 2 wrong usage, 77 it could not be tried.")
}

func help(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stdout)
		return exitOK
	}
	cmd := find(args[0])
	if cmd == nil || len(args) > 1 {
		fmt.Fprintf(stderr, "uring help: unknown command %q; \"uring help\" lists them\n", strings.Join(args, " "))
		return exitUsage
	}
	newCall(cmd, stdout, stderr).help(stdout)
	return exitOK
}

func (c *call) help(w io.Writer) {
	fmt.Fprintf(w, "usage: uring %s [FLAGS]", c.name)
	if c.command.args != "" {
		fmt.Fprintf(w, " %s", c.command.args)
	}
	fmt.Fprintf(w, "\n\n%s\n\n", c.long)
	t := table{indent: "  "}
	c.set.VisitAll(func(f *flag.Flag) {
		arg, text := flag.UnquoteUsage(f)
		t.row(strings.TrimSpace("-"+f.Name+" "+arg), text)
	})
	t.write(w)
}
