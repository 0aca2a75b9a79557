//go:build !linux

package ringfs

import "github.com/uring-go/uring/proactor"

// An OS cannot exist on this system: there is no Proactor to make one from.
type OS struct{ p *proactor.Proactor }

// New returns an OS for a Proactor, which cannot be had here: proactor.New answers
// errors.ErrUnsupported.
func New(p *proactor.Proactor) *OS { return &OS{p} }
