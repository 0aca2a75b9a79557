//go:build linux && uringdebug

package purego

// With the tag uringdebug every call checks that a ring whose descriptor is
// registered is used on the thread that registered it, at the price of a system
// call each.

import (
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func (r *Ring) noteThread() { r.thread = unix.Gettid() }

func (r *Ring) checkThread() error {
	if r.registered && unix.Gettid() != r.thread {
		return sys.WrongThread("io_uring_enter", "the ring's descriptor is registered with another thread; call it from there, or UnregisterRingFd there first")
	}
	return nil
}
