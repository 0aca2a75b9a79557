//go:build !linux

package uring

import "github.com/uring-go/uring/sys"

// There is no kernel to ask, and the error says so itself.
func setupError(err error, entries uint32, p sys.Params) *SetupError {
	return &SetupError{Err: err}
}
