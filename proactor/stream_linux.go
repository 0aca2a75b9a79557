package proactor

// Multishot operations: one request, many completions.

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// A Completion is one of the results of a multishot operation.
type Completion struct {
	N     int          // the result, as the operation's constructor describes it
	Flags sys.CQEFlags // IORING_CQE_F_SOCK_NONEMPTY and others
	Data  []byte       // of an operation with Buffers: what was received
}

// Multishot carries out a multishot operation and yields its results. It begins when
// the loop begins. A break cancels the operation, waits until the kernel has let go
// of it, and undoes what the loop has not seen: connections accepted meanwhile are
// closed, data received is dropped.
//
// An error ends the sequence; it is as for Do. Where the kernel ends a multishot for
// reasons of its own, such as a want of buffers, it is begun again. A loop that does
// not keep up stops the operation for a while: no more than some hundred results
// wait. Data is valid until the next step of the loop.
func (p *Proactor) Multishot(ctx context.Context, op Op) iter.Seq2[Completion, error] {
	return func(yield func(Completion, error) bool) {
		s := p.OpenStream(op)
		defer s.Close()
		for {
			c, err := s.Next(ctx)
			if err == io.EOF || !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// A Stream is a multishot operation whose results are asked for one by one. Where a
// loop over Multishot will do, that is simpler. A Stream is used by one goroutine at
// a time; others can stop it by its operation's gate.
type Stream struct {
	p  *Proactor
	op Op

	// Of who calls Next.
	ring   *ring
	slot   *slot       // nil when the kernel has no request
	pool   *bufferRing // of the request
	last   int32       // the result seen last
	seen   bool        // there was one
	plain  bool        // this kernel does not know the multishot: one request a result
	buffer []byte      // then, of what has Buffers
	ticks  uint64      // then, of a finite one: how many are left
	held   int         // id of the buffer that the last Completion's Data lies in; -1 for none
	over   bool        // nothing more will come
	closed bool

	mu      sync.Mutex
	queue   []arrival // from head on: what was not yet seen
	head    int
	pausing bool // the request is being cancelled because the queue is long
	waiting bool // somebody waits for an arrival
	wake    chan struct{}
}

// An arrival is a completion in a stream's queue.
type arrival struct {
	res   int32
	flags sys.CQEFlags
	last  bool // of its request
}

// queueLimit is how long a queue may grow before its request is cancelled, to be
// begun again when the queue is empty.
const queueLimit = 128

// OpenStream makes a Stream of a multishot operation. It begins with the first Next.
// An operation that is none ends the stream with EINVAL.
func (p *Proactor) OpenStream(op Op) *Stream {
	return &Stream{
		p: p, op: op, held: -1, wake: make(chan struct{}, 1),
		plain: p.lacks[op.sqe.Opcode], ticks: op.sqe.Off,
	}
}

// push takes a completion of the stream's request. It is called by who holds the
// ring, and reports whether it woke somebody. With the last completion it is the
// last that this request's driver does.
func (s *Stream) push(c *sys.CQE, from *slot) (woken bool) {
	if _, ok := c.Buffer(); ok {
		s.pool.take()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head > 0 && s.head == len(s.queue) {
		s.queue, s.head = s.queue[:0], 0
	}
	s.queue = append(s.queue, arrival{c.Res, c.Flags, !c.More()})
	if c.More() && len(s.queue)-s.head >= queueLimit && !s.pausing {
		s.pausing = true
		from.table.owner.doom(from, from.generation)
	}
	if !s.waiting {
		return false
	}
	s.waiting = false
	s.wake <- struct{}{}
	return true
}

// Next returns the next result. At the end of a finite sequence, and when a peer has
// shut down a connection that is received from, it is io.EOF. After another error
// Next may be called again and begins again.
//
// When ctx ends, Next returns ctx.Err(), but the operation goes on; Close ends it.
func (s *Stream) Next(ctx context.Context) (Completion, error) {
	s.letGo()
	for {
		if err := s.admit(ctx); err != nil {
			return Completion{}, err
		}
		if a, ok := s.pop(); ok {
			c, err, again := s.take(a)
			if again {
				continue
			}
			return c, err
		}
		if s.over {
			return Completion{}, io.EOF
		}
		if s.slot == nil && !s.plain {
			if err := s.begin(ctx); err != nil {
				return Completion{}, err
			}
		}
		if s.plain {
			return s.nextPlain(ctx)
		}
		s.await(ctx)
	}
}

func (s *Stream) admit(ctx context.Context) error {
	switch {
	case s.closed, s.p.closed.Load():
		return ErrClosed
	case s.op.multi == single:
		return fmt.Errorf("proactor: %v is not a multishot operation: %w", s.op.sqe.Opcode, syscall.EINVAL)
	}
	if err := s.op.gate.Err(); err != nil {
		return err
	}
	return ctx.Err()
}

// letGo gives the buffer of the last Completion back.
func (s *Stream) letGo() {
	if s.held >= 0 {
		s.pool.put(uint16(s.held))
		s.held = -1
	}
}

func (s *Stream) pop() (a arrival, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head == len(s.queue) {
		return a, false
	}
	a = s.queue[s.head]
	s.head++
	return a, true
}

// await sleeps until there is an arrival, or ctx ends.
func (s *Stream) await(ctx context.Context) {
	s.mu.Lock()
	if s.head < len(s.queue) {
		s.mu.Unlock()
		return
	}
	s.waiting = true
	s.mu.Unlock()
	select {
	case <-s.wake:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting {
		<-s.wake // it has been sent already
	}
	s.waiting = false
}

// begin makes a request: always on the same ring, for its buffers are there.
func (s *Stream) begin(ctx context.Context) error {
	r, slot, err := s.p.obtain(ctx, &s.op, s.ring)
	if err != nil {
		return err
	}
	op := s.op
	if b, _ := op.ref.(*Buffers); b != nil {
		if s.pool, err = b.on(r); err != nil {
			r.table.put(slot)
			s.plain = true // this kernel has no buffer rings
			return nil
		}
		op.sqe.Flags |= sys.IOSQE_BUFFER_SELECT
		op.sqe.BufIndex = b.group
	}
	s.mu.Lock()
	s.pausing = false
	s.mu.Unlock()
	s.ring, s.slot = r, slot
	slot.lead, slot.left, slot.stream = slot, 1, s
	slot.state.Store(running)
	slot.fill(&slot.sqe, &op)
	r.post(slot)
	if op.gate != nil {
		op.gate.enter(slot)
	}
	return nil
}

// take makes a Completion of an arrival. again means that there is nothing to tell.
func (s *Stream) take(a arrival) (c Completion, err error, again bool) {
	if a.last {
		if s.op.gate != nil {
			s.op.gate.leave(s.slot)
		}
		s.ring.table.put(s.slot)
		s.slot = nil
	}
	if a.res >= 0 {
		s.last, s.seen = a.res, true
		c = Completion{N: int(a.res), Flags: a.flags}
		if id, ok := (sys.CQE{Flags: a.flags}).Buffer(); ok {
			s.held = int(id)
			c.Data = s.pool.data(id, int(a.res))
		}
		s.over = s.op.multi == finite && a.last || s.op.multi == rearmStream && a.res == 0
		if s.over && s.op.multi == rearmStream {
			s.letGo()
			return c, io.EOF, false
		}
		return c, nil, false
	}
	switch errno := syscall.Errno(-a.res); errno {
	case syscall.ENOBUFS:
		if s.pool != nil {
			s.awaitBuffer()
			return c, nil, true
		}
		return c, errno, false
	case syscall.ECANCELED:
		// By the gate, by Close, because the queue was long, or because the thread
		// that made the request has ended; Next looks which.
		return c, nil, true
	case syscall.ETIME:
		if s.op.sqe.Opcode != sys.IORING_OP_TIMEOUT {
			return c, errno, false
		}
		s.seen, s.over = true, a.last // a tick, or the last one
		return c, nil, false
	case syscall.EINVAL:
		if !s.seen {
			// This kernel may know the operation, but not how to repeat it.
			s.plain = true
			return c, nil, true
		}
		return c, errno, false
	default:
		return c, errno, false
	}
}

// awaitBuffer waits until a buffer may be free. Somebody else may have taken it by
// the time the request is made again, so it is not worth to be exact.
func (s *Stream) awaitBuffer() {
	t := time.NewTimer(5 * time.Millisecond)
	defer t.Stop()
	select {
	case <-s.pool.freed:
	case <-t.C:
	}
}

// nextPlain gets one result by an operation of its own.
func (s *Stream) nextPlain(ctx context.Context) (c Completion, err error) {
	op := s.op.plain()
	if b, _ := s.op.ref.(*Buffers); b != nil {
		if s.buffer == nil {
			s.buffer = make([]byte, b.size)
		}
		op.lendBuffer(s.buffer)
	}
	c.N, err = s.p.Do(ctx, op)
	if err != nil {
		return c, err
	}
	if s.buffer != nil {
		c.Data = s.buffer[:c.N]
	}
	if s.op.multi == rearmStream && c.N == 0 {
		s.over = true
		return c, io.EOF
	}
	if s.op.multi == finite && s.ticks > 0 {
		s.ticks--
		s.over = s.ticks == 0
	}
	return c, nil
}

// Close cancels the operation, returns when the kernel has let go of it, and undoes
// what Next has not returned, as Multishot says. Data that Next returned must not
// be used any more.
func (s *Stream) Close() error {
	if s.closed {
		return ErrClosed
	}
	s.letGo()
	s.closed = true
	for {
		for {
			a, ok := s.pop()
			if !ok {
				break
			}
			s.discard(a)
		}
		if s.slot == nil {
			return nil
		}
		s.ring.cancel(s.slot, s.slot.generation)
		s.await(context.Background())
	}
}

// discard undoes an arrival that nobody will see.
func (s *Stream) discard(a arrival) {
	if id, ok := (sys.CQE{Flags: a.flags}).Buffer(); ok {
		s.pool.put(id)
	}
	if a.res >= 0 && s.op.sqe.Opcode == sys.IORING_OP_ACCEPT {
		unix.Close(int(a.res))
	}
	if a.last {
		if s.op.gate != nil {
			s.op.gate.leave(s.slot)
		}
		s.ring.table.put(s.slot)
		s.slot = nil
	}
}
