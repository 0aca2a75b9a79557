package features

// A trial: a ring of its own on a thread of its own, requests, completions, and
// nothing left behind.

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/host"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// onThread runs f on a thread that ends afterwards. What the kernel keeps per
// thread, such as the table of registered rings and the workers' affinity, goes
// with it, so that f may change that.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock
		done <- f()
	}()
	return <-done
}

// withRing runs f with a ring. If none can be made, the error is that of
// ringError.
func withRing(setup sys.SetupFlags, f func(*trial) error) error {
	return onThread(func() error {
		r, err := purego.New(4, &sys.Params{Flags: setup})
		if err != nil {
			return ringError(err)
		}
		t := &trial{Ring: r, open: map[uint64]bool{}}
		err = f(t)
		if e := t.end(); err == nil {
			err = e
		}
		return err
	})
}

// ringError tells what the failure to make a plain ring means: that there is no
// io_uring at all is a no to everything.
func ringError(err error) error {
	if !errors.Is(err, syscall.ENOSYS) {
		return err
	}
	// A filter may say the same about a kernel that has it.
	status, statusErr := host.This().Status()
	if statusErr == nil && status.Seccomp == 0 {
		return &missing{"it has no io_uring"}
	}
	return err
}

func kernelRelease() string {
	release, _, err := host.This().Release()
	if err != nil {
		return ""
	}
	return release
}

// plainRing remembers what the kernel made of a plain ring.
var plainRing struct {
	mu     sync.Mutex
	params sys.Params
	ok     bool
}

func askPlainRing() (sys.Params, error) {
	p := &plainRing
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ok {
		return p.params, nil
	}
	err := withRing(0, func(t *trial) error {
		p.params = t.Params()
		return nil
	})
	p.ok = err == nil
	return p.params, err
}

// A trial is a ring and what is in flight on it.
type trial struct {
	*purego.Ring
	sent uint64          // user_data of the last request
	open map[uint64]bool // requests whose last completion is not seen
	seen []sys.CQE       // completions seen that nobody has waited for
	keep []any           // memory that requests in flight name
}

const (
	guard     = ^uint64(0)      // user_data of the timeout that bounds a wait
	patience  = 5 * time.Second // that timeout; a loaded machine may need some of it
	endOfWait = time.Second     // how long requests may take to be cancelled
)

// send submits one request and returns its user_data.
func (t *trial) send(prep func(*sys.SQE)) (uint64, error) {
	t.sent++
	return t.sent, t.submit(t.sent, prep)
}

func (t *trial) submit(userData uint64, prep func(*sys.SQE)) error {
	q := t.Queue()
	if len(q) == 0 {
		return errors.New("the submission queue is full")
	}
	prep(&q[0])
	q[0].UserData = userData
	t.open[userData] = true
	t.Advance(1)
	for {
		n, err := t.Submit(sys.Wait{})
		switch {
		case n > 0:
			return nil
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		default:
			return errors.New("the kernel took no entry")
		}
	}
}

// result runs a request to its first completion.
func (t *trial) result(prep func(*sys.SQE)) (sys.CQE, error) {
	id, err := t.send(prep)
	if err != nil {
		return sys.CQE{}, err
	}
	return t.next(id)
}

// next waits for the next completion of a request.
func (t *trial) next(id uint64) (sys.CQE, error) { return t.wait(id, patience) }

func (t *trial) wait(id uint64, patience time.Duration) (sys.CQE, error) {
	guarded := false
	for {
		for i, c := range t.seen {
			if c.UserData == id {
				t.seen = append(t.seen[:i], t.seen[i+1:]...)
				return c, nil
			}
		}
		if t.look() {
			continue
		}
		if guarded && !t.open[guard] {
			return sys.CQE{}, fmt.Errorf("no completion in %v", patience)
		}
		if !t.open[guard] {
			// A timeout and not Wait.Timeout, which old kernels do not have.
			ts := &unix.KernelTimespec{Sec: int64(patience / time.Second), Nsec: int64(patience % time.Second)}
			if err := t.submit(guard, func(s *sys.SQE) { s.PrepTimeout(ts, 0, 0) }); err != nil {
				return sys.CQE{}, err
			}
			runtime.KeepAlive(ts)
		}
		guarded = true
		if err := t.Wait(sys.Wait{N: 1}); err != nil && !errors.Is(err, syscall.EINTR) {
			return sys.CQE{}, err
		}
	}
}

// look takes over what has completed, and reports whether anything has.
func (t *trial) look() bool {
	var buf [4]sys.CQE
	n := t.Peek(buf[:])
	for _, c := range buf[:n] {
		if !c.More() {
			delete(t.open, c.UserData)
		}
		if c.UserData != guard {
			t.seen = append(t.seen, c)
		}
	}
	return n > 0
}

// abandoned keeps the memory of requests that could not be ended: the kernel may
// still write to it.
var abandoned struct {
	mu   sync.Mutex
	keep []any
}

// end cancels what is in flight, waits for it, and closes the ring.
func (t *trial) end() error {
	t.look()
	for id := range t.open {
		if id == guard {
			continue // it uses no memory
		}
		if _, err := t.result(func(s *sys.SQE) { s.PrepCancel64(id, 0) }); err != nil {
			break
		}
		for t.open[id] {
			if _, err := t.wait(id, endOfWait); err != nil {
				break
			}
		}
	}
	delete(t.open, guard)
	if len(t.open) > 0 && len(t.keep) > 0 {
		abandoned.mu.Lock()
		abandoned.keep = append(abandoned.keep, t.keep...)
		abandoned.mu.Unlock()
	}
	return t.Close()
}

// lacks answers no if the completion has one of these errors, by which a kernel
// shows that it does not know the request; any other error is inconclusive.
func lacks(c sys.CQE, signs ...syscall.Errno) error {
	_, err := c.Result()
	for _, sign := range signs {
		if err == error(sign) {
			return no
		}
	}
	if err != nil {
		return fmt.Errorf("the trial ended with: %w", err)
	}
	return nil
}

// sockets returns two connected sockets and what closes them.
func sockets() (a, b int, release func(), err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, nil, os.NewSyscallError("socketpair", err)
	}
	return fds[0], fds[1], func() { unix.Close(fds[0]); unix.Close(fds[1]) }, nil
}
