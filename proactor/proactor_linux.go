package proactor

// The Proactor: its configuration, its rings, and which ring an operation goes to.

import (
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// Config says how a Proactor works. The zero value, and nil, are right for most
// programs.
type Config struct {
	// Rings is the most rings. They are made when they are needed. 0 is one for
	// each processor that Go uses (GOMAXPROCS).
	Rings int

	// InFlight is the most operations in flight on one ring; a call beyond it waits.
	// It is rounded up to a power of two, and at most 32768. The completion queue has
	// room for twice as many, 16 bytes each. 0 is 65536 divided by the number of rings,
	// but not less than 4096 nor more than 32768.
	InFlight int

	// Entries is the size of a submission queue: the most operations that one system
	// call submits, and the longest chain. It is rounded up to a power of two, and at
	// most 32768 and twice InFlight. 0 is 256.
	Entries int

	// Backend opens a ring; purego.New and liburing.New do. nil opens the backend
	// of this build, as uring.New does.
	Backend func(entries uint32, p *sys.Params) (uring.Backend, error)

	// Setup are setup flags for every ring, beside those that the proactor chooses:
	// IORING_SETUP_CLAMP, IORING_SETUP_SUBMIT_ALL, IORING_SETUP_COOP_TASKRUN,
	// IORING_SETUP_NO_SQARRAY.
	Setup sys.SetupFlags

	// Crowd says when a ring gets a thread of its own. The zero value lets it depend
	// on how many calls are busy at once.
	Crowd Crowd

	// Fallback says when to do without io_uring.
	Fallback Fallback

	// Logger, if not nil, is told when something does not work as it should, or
	// works in another way.
	Logger *slog.Logger

	// Trace, if not nil, has hooks that are called on the way.
	Trace *Trace
}

const defaultEntries = 256

// A Proactor carries out operations for goroutines, which wait for them. Its
// methods may be called from any goroutine.
type Proactor struct {
	config Config
	trace  *Trace

	near  sync.Pool // *ring: the one that this processor used last
	rings atomic.Pointer[[]*ring]

	crowds atomic.Pointer[[]*ring] // grows under mu

	lacks [256]bool // operations that there is no ring for
	user  userland

	mu         sync.Mutex // of making rings, and of closing
	closed     atomic.Bool
	ending     chan struct{} // closed with it
	attendants sync.WaitGroup
	groups     atomic.Uint32 // of Buffers

	made     time.Time
	waits    atomic.Uint64
	repeated atomic.Uint64
}

// New makes a Proactor.
func New(config *Config) (*Proactor, error) {
	p := &Proactor{made: time.Now(), ending: make(chan struct{})}
	if config != nil {
		p.config = *config
	}
	c := &p.config
	if err := c.normalise(); err != nil {
		return nil, err
	}
	p.trace = c.Trace
	p.rings.Store(new([]*ring))
	p.crowds.Store(new([]*ring))
	p.user.init(p)
	err := errNotTried
	if c.Fallback != FallbackAlways {
		err = p.first()
	}
	if err != nil {
		if c.Fallback == FallbackNever {
			return nil, err
		}
		p.warn("ordinary system calls in place of io_uring", err)
		for op := range p.lacks {
			p.lacks[op] = true
		}
	}
	return p, nil
}

// allowedSetup are the setup flags that do not change how a ring must be driven.
const allowedSetup = sys.IORING_SETUP_CLAMP | sys.IORING_SETUP_SUBMIT_ALL | sys.IORING_SETUP_COOP_TASKRUN | sys.IORING_SETUP_NO_SQARRAY

// normalise puts in what was left out, and says what cannot be.
func (c *Config) normalise() error {
	procs := runtime.GOMAXPROCS(0)
	if c.Rings == 0 {
		c.Rings = procs
	}
	if c.Entries == 0 {
		c.Entries = defaultEntries
	}
	if c.InFlight == 0 {
		c.InFlight = min(max(65536/max(c.Rings, 1), 4096), sys.MaxEntries)
	}
	for _, f := range []struct {
		name      string
		n, lo, hi int
	}{
		{"Rings", c.Rings, 1, 1024},
		{"Entries", c.Entries, 1, sys.MaxEntries},
		{"InFlight", c.InFlight, 1, sys.MaxEntries},
		{"Crowd", int(c.Crowd), 0, int(CrowdAlways)},
		{"Fallback", int(c.Fallback), 0, int(FallbackAlways)},
	} {
		if f.n < f.lo || f.n > f.hi {
			return fmt.Errorf("proactor: Config.%s is %d; it must be between %d and %d: %w", f.name, f.n, f.lo, f.hi, syscall.EINVAL)
		}
	}
	if bad := c.Setup &^ allowedSetup; bad != 0 {
		return fmt.Errorf("proactor: Config.Setup has %v, which a proactor's ring cannot have: %w", bad, syscall.EINVAL)
	}
	c.InFlight = 1 << bits.Len(uint(c.InFlight-1))
	c.Entries = min(1<<bits.Len(uint(c.Entries-1)), 2*c.InFlight)
	if procs == 1 {
		// The thread that runs an operation's completion is the one that submitted
		// it. Interrupting it for that is of no use if whoever waits needs the only
		// processor anyway; it is enough when it next enters the kernel.
		c.Setup |= sys.IORING_SETUP_COOP_TASKRUN
	}
	return nil
}

var errNotTried = errors.New("proactor: Config.Fallback is FallbackAlways")

// needed are the features without which a ring is of no use here: completions are
// never dropped, and sockets are waited for without a thread. They are there from
// Linux 5.7 on.
const needed = sys.IORING_FEAT_NODROP | sys.IORING_FEAT_SUBMIT_STABLE | sys.IORING_FEAT_RW_CUR_POS | sys.IORING_FEAT_FAST_POLL

// first makes the first ring, and finds out what it can do.
func (p *Proactor) first() error {
	r, err := p.addRing()
	if err != nil {
		return err
	}
	giveUp := func(err error) error {
		p.rings.Store(new([]*ring))
		return errors.Join(err, r.ring.Close())
	}
	if f := r.ring.Params().Features; f&needed != needed {
		return giveUp(fmt.Errorf("proactor: this kernel's rings lack %v: %w", needed&^f, errors.ErrUnsupported))
	}
	probe, err := r.ring.Probe()
	if err != nil {
		return giveUp(fmt.Errorf("proactor: %w", err))
	}
	for op := range p.lacks {
		p.lacks[op] = !probe.Supports(sys.Op(op))
	}
	r.hangEarly()
	return nil
}

// open opens a ring that callers drive. What only makes it faster is left out if the kernel does not
// know it.
func (p *Proactor) open() (r *uring.Ring, err error) {
	c := &p.config
	flags := c.Setup | sys.IORING_SETUP_SUBMIT_ALL
	if flags&sys.IORING_SETUP_COOP_TASKRUN != 0 {
		flags |= sys.IORING_SETUP_TASKRUN_FLAG
	}
	for _, flags := range []sys.SetupFlags{flags, flags &^ (sys.IORING_SETUP_COOP_TASKRUN | sys.IORING_SETUP_TASKRUN_FLAG), c.Setup & sys.IORING_SETUP_CLAMP} {
		if r, err = p.openWith(flags); !errors.Is(err, syscall.EINVAL) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("proactor: %w", err)
	}
	return r, nil
}

func (p *Proactor) openWith(flags sys.SetupFlags) (*uring.Ring, error) {
	entries, completions := uint32(p.config.Entries), uint32(2*p.config.InFlight)
	if p.config.Backend == nil {
		return uring.New(&uring.Config{Entries: entries, CQEntries: completions, Setup: flags})
	}
	b, err := p.config.Backend(entries, &sys.Params{Flags: flags | sys.IORING_SETUP_CQSIZE, CQEntries: completions})
	if err != nil {
		return nil, err
	}
	return uring.NewRing(b), nil
}

// addRing makes a ring, nil if there are as many as there may be.
func (p *Proactor) addRing() (*ring, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rings := *p.rings.Load()
	if len(rings) >= p.config.Rings || p.closed.Load() {
		return nil, nil
	}
	u, err := p.open()
	if err != nil {
		return nil, err
	}
	r := newRing(p, u)
	r.always.Store(p.config.Crowd == CrowdAlways)
	if len(rings) > 0 {
		r.hangEarly()
	}
	grown := append(rings[:len(rings):len(rings)], r)
	p.rings.Store(&grown)
	return r, nil
}

// Close cancels all operations in flight, and returns when the kernel has let go of
// all their memory; the calls then return ErrClosed, or their operation's result if
// it had one. Close waits for what cannot be cancelled, such as a write that a disk
// is carrying out. A second Close gives ErrClosed.
func (p *Proactor) Close() error {
	p.mu.Lock()
	if p.closed.Swap(true) {
		p.mu.Unlock()
		return ErrClosed
	}
	close(p.ending)
	rings := p.all()
	p.mu.Unlock()
	var err error
	for _, r := range rings {
		r.shut()
	}
	err = p.user.close()
	for _, r := range rings {
		err = errors.Join(err, r.close())
	}
	p.attendants.Wait()
	return err
}

// all returns the rings that callers drive, and those of crowds.
func (p *Proactor) all() []*ring { return slices.Concat(*p.rings.Load(), *p.crowds.Load()) }

// pick returns the ring for the next call of this processor.
func (p *Proactor) pick() *ring {
	if p.config.Rings == 1 {
		return (*p.rings.Load())[0]
	}
	r, _ := p.near.Get().(*ring)
	if r == nil {
		var err error
		if r, err = p.addRing(); err != nil {
			p.warn("no further ring", err)
		}
		if r == nil {
			rings := *p.rings.Load()
			r = rings[rand.IntN(len(rings))]
		}
	}
	p.near.Put(r)
	return r
}

// kinds is the number of kinds of operations: what the kernel is asked for, and
// whether it is at the file position, as it is with streams.
const kinds = 256

func kindOf(o *Op) uint8 {
	k := uint8(o.sqe.Opcode) & 127
	if o.sqe.Off == 1<<64-1 {
		k |= 128
	}
	return k
}

// sure is how much experience must say that operations of a kind complete at once.
const sure = 128

// firstGuess says whether operations complete at once, before there is any
// experience: 255 means yes, 0 no.
func firstGuess(op sys.Op) uint32 {
	switch op {
	case sys.IORING_OP_RECV, sys.IORING_OP_RECVMSG, sys.IORING_OP_ACCEPT, sys.IORING_OP_CONNECT,
		sys.IORING_OP_POLL_ADD, sys.IORING_OP_TIMEOUT:
		return 0
	}
	return 255
}

func sends(op sys.Op) bool {
	switch op {
	case sys.IORING_OP_SEND, sys.IORING_OP_SENDMSG, sys.IORING_OP_SEND_ZC, sys.IORING_OP_SENDMSG_ZC:
		return true
	}
	return false
}

// now returns the time since the Proactor was made, in ns.
func (p *Proactor) now() int64 { return int64(time.Since(p.made)) }

func (p *Proactor) warn(msg string, err error) {
	if p.config.Logger != nil {
		p.config.Logger.Warn("proactor: "+msg, "error", err)
	}
}
