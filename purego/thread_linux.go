package purego

// The thread that registered the ring's descriptor. In ordinary builds the
// caller's promise to stay on it is believed, except where belief would close
// another ring's registration. With the tag uringdebug every call checks, at the
// price of a system call each.

import (
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func (r *Ring) noteThread() { r.thread = unix.Gettid() }

// checkThread tells whether a ring whose descriptor is registered is used on
// another thread than the one that registered it.
func (r *Ring) checkThread() error {
	if r.registered && unix.Gettid() != r.thread {
		return sys.WrongThread("io_uring_enter", "the ring's descriptor is registered with another thread; call it from there, or UnregisterRingFd there first")
	}
	return nil
}
