package ringloop

// The Loop: what its thread does, and how others reach it. What differs between
// io_uring and epoll is behind the engine: engine_ring_linux.go, engine_epoll_linux.go.

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// ErrClosed is the error of a Loop that is closed. errors.Is finds net.ErrClosed and
// os.ErrClosed in it.
var ErrClosed error = fmt.Errorf("ringloop: %w", errors.Join(net.ErrClosed, os.ErrClosed))

// Config says how a Loop works. The zero value, and nil, are right for most programs.
type Config struct {
	// Buffers is the number of buffers that data arrive in, which all connections
	// share; a power of two, at most 32768. 0 is 1024.
	Buffers int

	// BufferSize is the size of each in bytes, and the most that Data is given at
	// once, 1 to 1 MiB. 0 is 4096.
	BufferSize int

	// Entries is the size of the submission queue, 1 to 32768, rounded up to a power
	// of two: how many requests are made with one system call. 0 is 1024. The
	// completion queue has room for four times as many.
	Entries int

	// SendLimit is how many bytes may wait to be sent on a connection before
	// receiving from it pauses. 0 is 1 MiB.
	SendLimit int

	// Backend opens the ring; purego.New and liburing.New do. nil opens the backend
	// of this build.
	Backend func(entries uint32, p *sys.Params) (uring.Backend, error)

	// Fallback says when epoll takes the place of io_uring.
	Fallback Fallback
}

// A Fallback says when a Loop works on epoll.
type Fallback int

const (
	// FallbackAuto does where the kernel or a sandbox refuses what the Loop needs.
	FallbackAuto Fallback = iota
	// FallbackNever makes New fail instead, with errors.ErrUnsupported.
	FallbackNever
	// FallbackAlways does not try io_uring.
	FallbackAlways
)

// A Handler is told what happens to connections. Each of its functions may be nil. They
// are called on the Loop's thread.
type Handler struct {
	// Open is called when a connection was accepted or adopted.
	Open func(c *Conn)

	// Data is called with what has arrived, one byte at least. b must not be used
	// after Data has returned.
	Data func(c *Conn, b []byte)

	// Drained is called when all that was given to Send is with the kernel.
	Drained func(c *Conn)

	// Close is called when a connection is closed, as the last thing. err is nil
	// after Conn.Close and when the peer has shut it down, net.ErrClosed after Abort,
	// ErrClosed when the Loop ends, and otherwise what went wrong.
	Close func(c *Conn, err error)
}

// An engine moves bytes. All its methods but ring are called on the Loop's thread,
// open and destroy also before and after there is one.
type engine interface {
	begin() error              // the thread is the Loop's from now on
	accept(a *acceptor)        // begins or goes on
	receive(c *Conn)           // begins or goes on, until stopReceiving
	stopReceiving(c *Conn)     // data may still come
	send(c *Conn)              // c.flying from c.sent on
	wait(block bool) error     // turns what is there into calls of the Loop's methods
	ring()                     // ends a wait, or the next one; from any thread
	stopAccepting(a *acceptor) // a.ended follows
	ended(c *Conn)             // the descriptor is about to be closed
	idle() bool                // nothing is under way
	destroy() error
}

// A Loop serves connections on one thread.
type Loop struct {
	config Config
	engine engine
	isRing bool

	mu       sync.Mutex
	posted   []func()
	some     atomic.Bool // something is posted
	sleeping atomic.Bool // the thread waits, or is about to
	running  bool
	over     bool          // nothing can be posted any more
	ended    chan struct{} // closed when Run has returned
	why      error         // what Run returns

	// Of the thread.
	todo      []func()
	stopping  bool
	acceptors map[*acceptor]struct{}
	conns     []*Conn // by index
	free      []uint32
	open      int
	dirty     []*Conn // have something to send, or to receive again
	ending    []*Conn // are to be closed when nothing is under way
}

// An acceptor is a listener that is served.
type acceptor struct {
	listener net.Listener
	fd       int
	tcp      bool
	handler  *Handler
	index    uint32 // of the engine
	active   bool   // the engine accepts
	stopped  bool
}

// New makes a Loop. Run runs it; Close releases it, whether or not it has run.
func New(config *Config) (*Loop, error) {
	l := &Loop{ended: make(chan struct{}), acceptors: make(map[*acceptor]struct{})}
	if config != nil {
		l.config = *config
	}
	if err := l.config.normalise(); err != nil {
		return nil, err
	}
	err := errors.ErrUnsupported
	if l.config.Fallback != FallbackAlways {
		l.engine, err = newRingEngine(l)
		l.isRing = err == nil
	}
	if err != nil && l.config.Fallback != FallbackNever {
		l.engine, err = newEpollEngine(l)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (c *Config) normalise() error {
	for _, f := range []struct {
		name      string
		p         *int
		zero      int
		lo, hi    int
		powerOf2  bool
		roundedUp bool
	}{
		{name: "Buffers", p: &c.Buffers, zero: 1024, lo: 1, hi: 1 << 15, powerOf2: true},
		{name: "BufferSize", p: &c.BufferSize, zero: 4096, lo: 1, hi: 1 << 20},
		{name: "Entries", p: &c.Entries, zero: 1024, lo: 1, hi: sys.MaxEntries, roundedUp: true},
		{name: "SendLimit", p: &c.SendLimit, zero: 1 << 20, lo: 1, hi: 1 << 30},
	} {
		if *f.p == 0 {
			*f.p = f.zero
		}
		if *f.p < f.lo || *f.p > f.hi || f.powerOf2 && bits.OnesCount(uint(*f.p)) != 1 {
			what := ""
			if f.powerOf2 {
				what = "a power of two "
			}
			return fmt.Errorf("ringloop: Config.%s is %d; it must be %sbetween %d and %d: %w", f.name, *f.p, what, f.lo, f.hi, syscall.EINVAL)
		}
		if f.roundedUp {
			*f.p = 1 << bits.Len(uint(*f.p-1))
		}
	}
	if c.Fallback < 0 || c.Fallback > FallbackAlways {
		return fmt.Errorf("ringloop: Config.Fallback is %d; it must be between 0 and %d: %w", c.Fallback, FallbackAlways, syscall.EINVAL)
	}
	return nil
}

// Ring reports whether the Loop works on io_uring, and not on epoll.
func (l *Loop) Ring() bool { return l.isRing }

// Post has the Loop's thread call f, after all that was posted before. It may be called
// from any goroutine, handlers among them, and before Run. A system call is made only
// if the thread is asleep. After the Loop has ended it fails with ErrClosed.
func (l *Loop) Post(f func()) error {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return ErrClosed
	}
	l.posted = append(l.posted, f)
	l.some.Store(true)
	// Under the lock, for the engine must not be gone.
	if l.sleeping.CompareAndSwap(true, false) {
		l.engine.ring()
	}
	l.mu.Unlock()
	return nil
}

// Serve has the Loop accept connections on a TCP or unix listener, which belongs to the
// Loop from now on and is closed by it. Several Loops may serve listeners on the same
// port, and even the same one if it is not closed before the last has ended.
func (l *Loop) Serve(listener net.Listener, h *Handler) error {
	sc, ok := listener.(syscall.Conn)
	if !ok {
		return fmt.Errorf("ringloop: a listener of type %T has no descriptor: %w", listener, errors.ErrUnsupported)
	}
	fd, err := l.duplicate(sc)
	if err != nil {
		return err
	}
	_, tcp := listener.(*net.TCPListener)
	a := &acceptor{listener: listener, fd: fd, tcp: tcp, handler: h}
	err = l.Post(func() {
		if l.stopping {
			l.release(a)
			return
		}
		l.acceptors[a] = struct{}{}
		l.engine.accept(a)
	})
	if err != nil {
		unix.Close(fd)
	}
	return err
}

// Adopt makes a TCP or unix connection of package net one of the Loop's, which then
// closes it. nc is closed by Adopt, if there is no error.
func (l *Loop) Adopt(nc net.Conn, h *Handler) error {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return fmt.Errorf("ringloop: a connection of type %T has no descriptor: %w", nc, errors.ErrUnsupported)
	}
	fd, err := l.duplicate(sc)
	if err != nil {
		return err
	}
	if err := l.Post(func() { l.accepted(fd, h, false) }); err != nil {
		unix.Close(fd)
		return err
	}
	return nc.Close()
}

// duplicate returns a descriptor of our own. On a ring it is one that waits: older
// kernels do not wait for one with O_NONBLOCK.
func (l *Loop) duplicate(sc syscall.Conn) (fd int, err error) {
	rc, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	err2 := rc.Control(func(old uintptr) {
		if fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			err = unix.SetNonblock(fd, !l.isRing)
		}
	})
	return fd, errors.Join(err2, err)
}

// Run runs the Loop until ctx ends or Close is called, and returns ctx.Err() or
// ErrClosed when all connections are closed and the kernel has let go of all memory.
// It can be called once.
func (l *Loop) Run(ctx context.Context) error {
	l.mu.Lock()
	if l.running || l.over {
		l.mu.Unlock()
		return ErrClosed
	}
	l.running = true
	l.mu.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(l.ended)
	stop := context.AfterFunc(ctx, func() { l.Post(func() { l.stop(ctx.Err()) }) })
	defer stop()
	err := l.engine.begin()
	if err != nil {
		l.stop(err)
	}
	for err == nil && !(l.stopping && l.open == 0 && len(l.acceptors) == 0 && l.engine.idle()) {
		err = l.turn()
	}
	if err := l.finish(err); err != nil {
		return errors.Join(l.why, err)
	}
	return l.why
}

// turn does all there is to do once, and sleeps if that is nothing.
func (l *Loop) turn() error {
	if l.some.Load() {
		l.mu.Lock()
		l.todo, l.posted = l.posted, l.todo[:0]
		l.some.Store(false)
		l.mu.Unlock()
		for i, f := range l.todo {
			l.todo[i] = nil
			f()
		}
	}
	l.settle()
	block := !l.stopping || l.open > 0 || len(l.acceptors) > 0
	if block {
		l.sleeping.Store(true)
		block = !l.some.Load()
	}
	err := l.engine.wait(block)
	l.sleeping.Store(false)
	return err
}

// settle makes the requests that handlers have given rise to.
func (l *Loop) settle() {
	for again := true; again; again = len(l.dirty) > 0 {
		for i := 0; i < len(l.dirty); i++ {
			c := l.dirty[i]
			l.dirty[i] = nil
			c.dirty = false
			c.advance()
		}
		l.dirty = l.dirty[:0]
		l.bury()
	}
}

// bury closes the connections for which nothing is under way any more.
func (l *Loop) bury() {
	rest := l.ending[:0]
	for i := 0; i < len(l.ending); i++ {
		if c := l.ending[i]; c.receiving || c.sending {
			rest = append(rest, c)
		} else {
			l.closed(c)
		}
	}
	clear(l.ending[len(rest):])
	l.ending = rest
}

// stop begins the end.
func (l *Loop) stop(why error) {
	if l.stopping {
		return
	}
	l.stopping, l.why = true, why
	for a := range l.acceptors {
		a.stopped = true
		if a.active {
			l.engine.stopAccepting(a)
		} else {
			l.release(a)
		}
	}
	for _, c := range l.conns {
		if c != nil {
			c.finish(ErrClosed)
		}
	}
}

// finish releases everything, after the last turn.
func (l *Loop) finish(err error) error {
	l.mu.Lock()
	l.over = true
	rest := l.posted
	l.posted = nil
	l.mu.Unlock()
	l.stopping = true
	for _, f := range rest {
		f() // some own a descriptor
	}
	for a := range l.acceptors {
		l.release(a)
	}
	err = errors.Join(err, l.engine.destroy())
	for _, c := range l.conns {
		if c != nil { // only after an error
			unix.Close(c.fd)
		}
	}
	return err
}

// Close ends the Loop, and returns when Run is about to: then all connections are
// closed and nothing touches memory any more. Handlers must not call it; they can
// call Stop. A second Close gives ErrClosed.
func (l *Loop) Close() error {
	l.mu.Lock()
	if !l.running && !l.over {
		l.mu.Unlock()
		defer close(l.ended)
		return l.finish(nil)
	}
	l.mu.Unlock()
	err := l.Stop()
	<-l.ended
	return err
}

// Stop is Close without waiting. Handlers may call it.
func (l *Loop) Stop() error { return l.Post(func() { l.stop(ErrClosed) }) }

// Conns returns the number of connections. It is for the Loop's thread.
func (l *Loop) Conns() int { return l.open }

// The engine's calls.

// accepted takes over the descriptor of a connection.
func (l *Loop) accepted(fd int, h *Handler, tcp bool) {
	if l.stopping {
		unix.Close(fd)
		return
	}
	if tcp {
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // as package net
	}
	c := &Conn{l: l, h: h, fd: fd}
	if n := len(l.free); n > 0 {
		c.index = l.free[n-1]
		l.free = l.free[:n-1]
		l.conns[c.index] = c
	} else {
		c.index = uint32(len(l.conns))
		l.conns = append(l.conns, c)
	}
	l.open++
	if h.Open != nil {
		h.Open(c)
	}
	c.mark()
}

// notAccepted tells of an error, after which accepting has ended.
func (l *Loop) notAccepted(a *acceptor, err error) {
	switch {
	case a.stopped || l.stopping:
		l.release(a)
	case err == nil || err == syscall.ECONNABORTED || err == syscall.ECANCELED:
		l.engine.accept(a)
	default:
		// No descriptors, or no memory. Later there may be some.
		time.AfterFunc(10*time.Millisecond, func() { l.Post(func() { l.acceptAgain(a) }) })
	}
}

func (l *Loop) acceptAgain(a *acceptor) {
	if _, ok := l.acceptors[a]; ok && !a.active && !l.stopping {
		l.engine.accept(a)
	}
}

func (l *Loop) release(a *acceptor) {
	delete(l.acceptors, a)
	unix.Close(a.fd)
	a.listener.Close()
}

// closed closes a connection that nothing is under way for.
func (l *Loop) closed(c *Conn) {
	l.engine.ended(c)
	unix.Close(c.fd)
	c.fd = -1
	l.conns[c.index] = nil
	l.free = append(l.free, c.index)
	l.open--
	if c.h.Close != nil {
		c.h.Close(c, c.err)
	}
}
