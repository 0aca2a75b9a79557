// Package random writes programs over rings from a seed, runs them on two
// backends, and shrinks those on which the backends differ.
//
// A program is data: a ring mode and a list of steps. It is run as a scenario,
// so that recording, normalising and comparing are those of package scenario.
//
// # Why the results do not depend on chance
//
// A step leaves no request behind but those that it makes on purpose, which wait
// for something that only a later step brings. Within a batch, chains of linked
// requests touch different pipes, sockets, groups of buffers and parts of files;
// what would touch those of another chain, or wait for ever, is run as a NOP.
// The interpreter knows how full each pipe is, so any part of a program is a
// program too: that is what shrinking needs. The order of completions is
// compared where everything completes at its submission, and their order by
// UserData elsewhere.
//
// program.go has the data and how it is printed, generate.go the grammar,
// run_linux.go and batch_linux.go the interpreter, shrink.go the comparison and
// the shrinking.
package random

import (
	"fmt"
	"go/format"
	"reflect"
	"strings"

	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/sys"
)

// A Program is what Generate writes.
type Program struct {
	Mode      scenario.Mode
	Entries   uint32         // of the submission queues, a power of 2 from 4 on
	CQEntries uint32         `json:",omitempty"` // of the completion queues; 0: as the kernel chooses
	Setup     sys.SetupFlags `json:",omitempty"` // more than the mode's; every kernel with the mode has them
	SubmitAll bool           `json:",omitempty"` // IORING_SETUP_SUBMIT_ALL, where the kernel has it
	RingFd    bool           `json:",omitempty"` // the rings' descriptors are registered, as in that mode
	Steps     []Step
}

// A Step is one action. Which fields count depends on Do.
type Step struct {
	Do   string    // "batch", "flood", "arm", "trigger", "cancel", "stall", "timer", "multishot", "stream", "files", "buffers", "ring", "idle"
	How  string    `json:",omitempty"` // the variant of Do
	Ring int       `json:",omitempty"` // 0 or 1
	Slot int       `json:",omitempty"` // 0 and 1 are pipes, 2 and 3 socket pairs, 4 a timeout
	N    int       `json:",omitempty"`
	Reqs []Request `json:",omitempty"` // of a batch
}

// A Request is one entry of a batch.
type Request struct {
	Op                        string
	Slot                      int  `json:",omitempty"`
	N                         int  `json:",omitempty"`
	Link, Hard, Async, Silent bool `json:",omitempty"`
	Drain                     bool `json:",omitempty"`
	Fixed                     bool `json:",omitempty"` // through the table of registered files
}

// Scenario returns the program as a scenario.
func (p Program) Scenario(name string) scenario.Scenario {
	return scenario.Scenario{
		Name:  name,
		Doc:   "A random program.",
		Modes: []scenario.Mode{p.Mode},
		Run:   p.run,
	}
}

// GoString returns the program as a Go expression, which compiles in any package
// that imports this one and package scenario.
func (p Program) GoString() string {
	var b strings.Builder
	literal(&b, reflect.ValueOf(p))
	text, err := format.Source([]byte(b.String()))
	if err != nil {
		return b.String() // as it is, to be looked at
	}
	return string(text)
}

// Source returns a Go declaration of the program as a scenario, ready to paste.
func (p Program) Source(name string) string {
	return fmt.Sprintf("var %s = %#v.Scenario(%q)\n", name, p, name)
}

// literal writes a value of the types above, without fields that are zero.
func literal(b *strings.Builder, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[scenario.Mode]():
		fmt.Fprintf(b, "scenario.Mode(%q)", v.String())
	case v.Kind() == reflect.Struct:
		fmt.Fprintf(b, "%v{", v.Type())
		fields(b, v)
		b.WriteString("}")
	case v.Kind() == reflect.Slice:
		fmt.Fprintf(b, "%v{\n", v.Type())
		for i := range v.Len() {
			b.WriteString("{")
			fields(b, v.Index(i))
			b.WriteString("},\n")
		}
		b.WriteString("}")
	default:
		fmt.Fprintf(b, "%#v", v.Interface())
	}
}

func fields(b *strings.Builder, v reflect.Value) {
	sep := ""
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			fmt.Fprintf(b, "%s%s: ", sep, v.Type().Field(i).Name)
			literal(b, f)
			sep = ", "
		}
	}
}
