//go:build linux && (!cgo || uringgo)

package uring

import (
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// DefaultBackend names the backend that New opens in this build: "liburing" or
// "purego".
const DefaultBackend = "purego"

var _ Backend = (*purego.Ring)(nil)

func open(entries uint32, p *sys.Params) (Backend, error) {
	r, err := purego.New(entries, p)
	if err != nil {
		return nil, err // and not a Backend that holds a nil ring
	}
	return r, nil
}
