//go:build linux && cgo && !uringgo

package uring

import (
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/sys"
)

// DefaultBackend names the backend that New opens in this build: "liburing" or
// "purego".
const DefaultBackend = "liburing"

var _ Backend = (*liburing.Ring)(nil)

func open(entries uint32, p *sys.Params) (Backend, error) {
	r, err := liburing.New(entries, p)
	if err != nil {
		return nil, err // and not a Backend that holds a nil ring
	}
	return r, nil
}
