package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/uring-go/uring"
)

var checkCommand = &command{
	name:  "check",
	short: "does io_uring work here, and if not, what stands in its way",
	long: `Looks at what decides whether a program may use io_uring here: the kernel, its
sysctls, seccomp, limits, control groups; then makes rings with each backend of
this build and runs a NOP, a file read and a timeout on each. One line for each,
ok, warn or fail, and below it what to do.

The exit status is 1 if a line says fail.`,
	run: runCheck,
}

// A status is how a check came out.
type status string

const (
	ok   status = "ok"
	warn status = "warn" // it works, but may not everywhere or for everything
	bad  status = "fail"
)

// A finding is the outcome of one check.
type finding struct {
	Name   string `json:"name"`
	Status status `json:"status"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"` // why, or what to do about it
}

type checkReport struct {
	Schema  int       `json:"schema"`
	Kernel  string    `json:"kernel"`
	Arch    string    `json:"arch"`
	Backend string    `json:"backend"` // what uring.New opens
	Results []finding `json:"results"`
}

func runCheck(c *call) int {
	if len(c.args) > 0 {
		return c.fail(tooMany(c.args))
	}
	kernel, results := check()
	r := checkReport{Schema: 1, Kernel: kernel, Arch: runtime.GOARCH, Backend: uring.DefaultBackend, Results: results}
	if c.json {
		c.document(r)
	} else {
		c.checkTable(r)
	}
	for _, f := range r.Results {
		if f.Status == bad {
			return exitNo
		}
	}
	return exitOK
}

func (c *call) checkTable(r checkReport) {
	var t table
	for _, f := range r.Results {
		t.row(c.word(string(f.Status)), f.Name, f.Text)
		if f.Hint != "" {
			t.row("", "", "hint: "+f.Hint)
		}
	}
	t.write(c)
}

// failed makes a finding of an error.
func failed(name string, err error) finding {
	var setup *uring.SetupError
	text := err.Error()
	f := finding{Name: name, Status: bad}
	if errors.As(err, &setup) && setup.Hint != "" {
		text, f.Hint = setup.Err.Error(), setup.Hint
	}
	f.Text = strings.TrimPrefix(text, "uring: ")
	return f
}

func tooMany(args []string) error {
	return fmt.Errorf("unexpected argument %q", args[0])
}
