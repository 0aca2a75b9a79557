package ringnet

// Descriptors: references that keep one from being closed, and thereby from being
// another file, while a call uses it; and the two sides of a socket, each with the
// gate through which its calls pass and a lock that keeps them in order.

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// A desc is an open descriptor, without O_NONBLOCK only in a Net's hands before it is
// bound or connected. It must not be copied.
type desc struct {
	p     *proactor.Proactor
	fd    int
	refs  atomic.Int64  // calls, one more until Close, and closing
	gone  chan struct{} // closed with the descriptor, once closing
	read  side
	write side
}

// A side is one direction of a socket.
type side struct {
	mu   sync.Mutex // held by a call from begin to end
	gate proactor.Gate

	watch    atomic.Pointer[watch] // if reads were broken off: see ready_linux.go
	clock    sync.Mutex            // of deadline, and of setting watch
	deadline time.Time
}

// closing is the bit in refs that is set by Close.
const closing = 1 << 62

func (d *desc) init(p *proactor.Proactor, fd int) {
	d.p, d.fd = p, fd
	d.refs.Store(1)
}

// hold keeps the descriptor open until drop.
func (d *desc) hold() error {
	for {
		n := d.refs.Load()
		if n&closing != 0 {
			return net.ErrClosed
		}
		if d.refs.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

func (d *desc) drop() {
	if d.refs.Add(-1) == closing {
		unix.Close(d.fd)
		close(d.gone)
	}
}

// begin is hold for a call that needs a side for itself.
func (d *desc) begin(s *side) error {
	if err := d.hold(); err != nil {
		return err
	}
	s.mu.Lock()
	return nil
}

func (d *desc) end(s *side) {
	s.mu.Unlock()
	d.drop()
}

// shut begins to close: calls in flight end, and no others begin. It reports whether
// it was the first to do so. finish must follow.
func (d *desc) shut() bool {
	for {
		n := d.refs.Load()
		if n&closing != 0 {
			return false
		}
		if d.refs.CompareAndSwap(n, n|closing) {
			break
		}
	}
	d.gone = make(chan struct{}) // nobody needs it before finish
	d.read.gate.Shut(net.ErrClosed)
	d.write.gate.Shut(net.ErrClosed)
	return true
}

// finish returns when the descriptor is closed.
func (d *desc) finish() {
	d.drop()
	<-d.gone
}

// do carries out an operation on a side that the caller holds. A kernel that takes
// O_NONBLOCK to mean that a request must not wait either (before 5.19, for accept)
// answers EAGAIN; then it is begun again when the socket is ready.
func (d *desc) do(ctx context.Context, s *side, op proactor.Op, events uint32) (int, error) {
	for {
		n, err := d.p.Do(ctx, op.Through(&s.gate))
		if err != unix.EAGAIN {
			return n, err
		}
		if err := d.wait(ctx, s, events); err != nil {
			return 0, err
		}
	}
}

// wait waits until one of the events is there.
func (d *desc) wait(ctx context.Context, s *side, events uint32) error {
	if w := s.watch.Load(); w != nil {
		var over func()
		if ctx, over = w.until(ctx); over != nil {
			defer over()
		}
	}
	_, err := d.p.Do(ctx, proactor.Poll(d.fd, events).Through(&s.gate))
	return err
}

// err returns why calls on the side must not begin.
func (s *side) err() error {
	if err := s.gate.Err(); err != nil {
		return err
	}
	if w := s.watch.Load(); w != nil {
		return w.expiry.Err()
	}
	return nil
}

// setDeadline sets the deadline of one side or both.
func (d *desc) setDeadline(t time.Time, sides ...*side) error {
	if err := d.hold(); err != nil {
		return err
	}
	defer d.drop()
	for _, s := range sides {
		s.setDeadline(t)
	}
	return nil
}

// control calls f with the descriptor.
func (d *desc) control(f func(fd int) error) error {
	if err := d.hold(); err != nil {
		return err
	}
	defer d.drop()
	return f(d.fd)
}

// set sets an option of the socket.
func (d *desc) set(level, option, value int) error {
	return d.control(func(fd int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
	})
}

// file returns a duplicate of the descriptor.
func (d *desc) file(name string) (f *os.File, err error) {
	err = d.control(func(fd int) error {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		f = os.NewFile(uintptr(dup), name)
		return nil
	})
	return f, err
}

// raw is a socket as a syscall.RawConn.
type raw struct {
	d    *desc
	wrap func(op string, err error) error
}

func (r raw) Control(f func(fd uintptr)) error {
	err := r.d.control(func(fd int) error {
		f(uintptr(fd))
		return nil
	})
	return r.wrap("raw-control", err)
}

// Read and Write call f until it is content, and wait in between.
func (r raw) Read(f func(fd uintptr) bool) error {
	return r.wrap("raw-read", r.d.repeat(&r.d.read, events, f))
}

func (r raw) Write(f func(fd uintptr) bool) error {
	return r.wrap("raw-write", r.d.repeat(&r.d.write, unix.POLLOUT, f))
}

func (d *desc) repeat(s *side, events uint32, f func(fd uintptr) bool) error {
	if err := d.begin(s); err != nil {
		return err
	}
	defer d.end(s)
	for {
		if err := s.err(); err != nil {
			return err
		}
		if f(uintptr(d.fd)) {
			return nil
		}
		if err := d.wait(context.Background(), s, events); err != nil {
			return reason("poll", err)
		}
	}
}

var _ syscall.RawConn = raw{}
