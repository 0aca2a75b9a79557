// Package scenario holds programs over a ring, and compares what they see.
//
// A scenario is a small program: it opens rings, submits requests, waits, and
// reaps. What it sees, every return value and every completion in order, is its
// trace. Run on two backends, a scenario must give the same trace twice; that is
// how the backend in C and the backend in Go are held against each other, in the
// tests of this module and by the command "uring diff".
//
// How the files divide: scenario.go says what a scenario is; trace.go what is
// recorded and how it is written; run_linux.go, ring_linux.go, register_linux.go
// and resource_linux.go are what a scenario's program works with; need_linux.go
// asks the kernel what it can do; diff.go and unified.go compare. The scenarios
// themselves are in the files named after their subject, all listed in
// list_linux.go.
//
// # What is comparable
//
// The kernel is free in some things, and only these are taken out of a trace:
// descriptor numbers, process ids, points in time, the order within groups of
// completions that a scenario declares unordered, and under
// IORING_SETUP_SQPOLL how full the queues are. Everything else counts, the
// return values of Submit among it.
package scenario

import (
	"slices"

	"github.com/uring-go/uring/sys"
)

// A Scenario is a program over rings, whose trace does not depend on chance.
type Scenario struct {
	// Name is unique, in lower case with underscores.
	Name string
	// Doc says in one sentence what the scenario shows.
	Doc string
	// Modes are the ring modes in which the scenario makes sense. Nil: the four
	// of BaseModes.
	Modes []Mode
	// Needs are what the kernel must be able to do. One that is not met makes the
	// scenario a skip.
	Needs []Need
	// Run is the program. It runs on one thread, which it has to itself.
	Run func(*Run)
}

// A Mode is a way to set up the rings of a scenario.
type Mode string

// The modes. Those after SQPoll concern how the library reads and writes the
// queues and not what the kernel does, so only scenarios about the queues run in
// them.
const (
	Plain    Mode = "plain"     // no setup flags
	Coop     Mode = "coop"      // COOP_TASKRUN and TASKRUN_FLAG
	Defer    Mode = "defer"     // SINGLE_ISSUER and DEFER_TASKRUN
	SQPoll   Mode = "sqpoll"    // the kernel's thread submits
	SQE128   Mode = "sqe128"    // entries of 128 bytes
	CQE32    Mode = "cqe32"     // completions of 32 bytes
	CQEMixed Mode = "cqe_mixed" // completions of 16 or 32 bytes
	RingFd   Mode = "ringfd"    // the ring's descriptor is registered
)

// BaseModes returns the modes that differ in how the kernel runs requests.
func BaseModes() []Mode { return []Mode{Plain, Coop, Defer, SQPoll} }

// AllModes returns every mode.
func AllModes() []Mode {
	return []Mode{Plain, Coop, Defer, SQPoll, SQE128, CQE32, CQEMixed, RingFd}
}

// Setup returns the setup flags of the mode's rings.
func (m Mode) Setup() sys.SetupFlags {
	switch m {
	case Coop:
		return sys.IORING_SETUP_COOP_TASKRUN | sys.IORING_SETUP_TASKRUN_FLAG
	case Defer:
		return sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN
	case SQPoll:
		return sys.IORING_SETUP_SQPOLL
	case SQE128:
		return sys.IORING_SETUP_SQE128
	case CQE32:
		return sys.IORING_SETUP_CQE32
	case CQEMixed:
		return sys.IORING_SETUP_CQE_MIXED
	}
	return 0
}

// List returns all scenarios, in the order in which they run. On systems other
// than Linux there are none.
func List() []Scenario {
	var list []Scenario
	for _, group := range groups() {
		for _, s := range group {
			if s.Modes == nil {
				s.Modes = BaseModes()
			}
			list = append(list, s)
		}
	}
	return list
}

// Find returns the scenario of that name.
func Find(name string) (Scenario, bool) {
	list := List()
	i := slices.IndexFunc(list, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return list[i], true
}
