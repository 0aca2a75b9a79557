//go:build !linux

package ringloop

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Config, Loop and New are here so that programs which name them compile.
type Config struct{}

// A Loop cannot exist on this system.
type Loop struct{}

// New answers errors.ErrUnsupported.
func New(*Config) (*Loop, error) {
	return nil, fmt.Errorf("ringloop: io_uring exists on Linux, not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Run answers errors.ErrUnsupported.
func (*Loop) Run(context.Context) error { return errors.ErrUnsupported }

// Close answers errors.ErrUnsupported.
func (*Loop) Close() error { return errors.ErrUnsupported }
