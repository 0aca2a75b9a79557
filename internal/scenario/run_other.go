//go:build !linux

package scenario

import (
	"context"
	"errors"
	"syscall"
)

// A Run is one execution of a scenario. There are no scenarios on this system.
type Run struct{}

func groups() [][]Scenario { return nil }

// Record answers that io_uring exists on Linux only.
func Record(ctx context.Context, s Scenario, m Mode, b Backend, o Options) Trace {
	return Trace{Scenario: s.Name, Mode: m, Backend: b.Name, Lacks: errors.ErrUnsupported.Error()}
}

func errnoName(e syscall.Errno) string { return e.Error() }
func kernelRelease() string            { return "" }
func fileSystem(dir string) string     { return "" }
