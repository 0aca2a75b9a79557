//go:build !linux

package uring

import (
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// DefaultBackend names the backend that New would open. There is no io_uring on
// this system: New answers errors.ErrUnsupported.
const DefaultBackend = "purego"

var _ Backend = (*purego.Ring)(nil)

func open(entries uint32, p *sys.Params) (Backend, error) {
	_, err := purego.New(entries, p)
	return nil, err
}
