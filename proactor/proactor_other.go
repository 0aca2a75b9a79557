//go:build !linux

package proactor

import (
	"errors"
	"fmt"
	"runtime"
)

// Config, Proactor and New are here so that programs which name them compile; io_uring
// exists on Linux only.
type Config struct{}

// A Proactor cannot exist on this system.
type Proactor struct{}

// New answers errors.ErrUnsupported.
func New(*Config) (*Proactor, error) {
	return nil, fmt.Errorf("proactor: io_uring exists on Linux, not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Close answers errors.ErrUnsupported.
func (*Proactor) Close() error { return errors.ErrUnsupported }
