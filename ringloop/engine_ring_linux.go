package ringloop

// The engine on io_uring. One system call of a turn submits what is to be done and
// waits for what has happened. A connection has one multishot receive, which takes
// buffers from a ring that all share.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// What a completion is about: the upper byte of its user data. A connection's index is
// in the lower half, and between them 24 bits that tell its epoch from earlier ones.
const (
	kindBell uint64 = iota << 56
	kindAccept
	kindReceive
	kindSend
	kindCancel

	kindMask  = 0xff << 56
	epochMask = 1<<24 - 1
)

const bufferGroup = 0

type ringEngine struct {
	l         *Loop
	u         *uring.Ring
	buffers   *uring.BufRing
	bell      int     // eventfd
	count     [8]byte // where its counter is read to
	one       [8]byte // what is written to it
	armed     bool    // the kernel reads it
	quiet     bool    // and shall not again
	flying    int     // requests without their last completion, but for that one
	epoch     uint32
	acceptors []*acceptor // by index
}

func newRingEngine(l *Loop) (engine, error) {
	c := &l.config
	const setup = sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN | sys.IORING_SETUP_R_DISABLED |
		sys.IORING_SETUP_SUBMIT_ALL | sys.IORING_SETUP_CLAMP
	entries, completions := uint32(c.Entries), uint32(min(4*c.Entries, 2*sys.MaxEntries))
	var u *uring.Ring
	var err error
	if c.Backend == nil {
		u, err = uring.New(&uring.Config{Entries: entries, CQEntries: completions, Setup: setup})
	} else {
		var b uring.Backend
		if b, err = c.Backend(entries, &sys.Params{Flags: setup | sys.IORING_SETUP_CQSIZE, CQEntries: completions}); err == nil {
			u = uring.NewRing(b)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ringloop: %w", errors.Join(err, errors.ErrUnsupported))
	}
	e := &ringEngine{l: l, u: u, bell: -1}
	binary.NativeEndian.PutUint64(e.one[:], 1)
	if e.buffers, err = u.NewBufRing(bufferGroup, c.Buffers, c.BufferSize); err != nil {
		return nil, fmt.Errorf("ringloop: %w", errors.Join(err, e.destroy()))
	}
	if e.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd2", err), e.destroy())
	}
	return e, nil
}

func (e *ringEngine) begin() error {
	if err := e.u.Enable(); err != nil {
		return err
	}
	e.u.TryRegisterRingFd()
	return nil
}

// entry returns an entry to be filled in.
func (e *ringEngine) entry() *sys.SQE {
	for {
		if s := e.u.GetSQE(); s != nil {
			e.flying++
			return s
		}
		// Full: what is there is submitted. The kernel may be short of memory for a
		// moment, and there is nothing else that this thread could do.
		if n, err := e.u.Submit(); n == 0 && err != nil {
			unix.Nanosleep(&unix.Timespec{Nsec: 100_000}, nil)
		}
	}
}

func (e *ringEngine) accept(a *acceptor) {
	if a.index == 0 {
		a.index = uint32(len(e.acceptors) + 1)
		e.acceptors = append(e.acceptors, a)
	}
	a.active = true
	s := e.entry()
	s.PrepMultishotAccept(a.fd, nil, nil, unix.SOCK_CLOEXEC)
	s.UserData = kindAccept | uint64(a.index)
}

func (e *ringEngine) stopAccepting(a *acceptor) { e.cancel(kindAccept | uint64(a.index)) }

func (e *ringEngine) cancel(data uint64) {
	s := e.entry()
	s.PrepCancel64(data, 0)
	s.UserData = kindCancel
}

func (c *Conn) data(kind uint64) uint64 {
	return kind | uint64(c.epoch&epochMask)<<32 | uint64(c.index)
}

func (e *ringEngine) receive(c *Conn) {
	if c.epoch == 0 {
		e.epoch++
		if e.epoch&epochMask == 0 {
			e.epoch++
		}
		c.epoch = e.epoch & epochMask
	}
	s := e.entry()
	s.PrepRecvMultishot(c.fd, nil, 0)
	s.Flags |= sys.IOSQE_BUFFER_SELECT
	s.BufIndex = bufferGroup
	s.UserData = c.data(kindReceive)
}

func (e *ringEngine) stopReceiving(c *Conn) { e.cancel(c.data(kindReceive)) }

func (e *ringEngine) send(c *Conn) {
	s := e.entry()
	s.PrepSend(c.fd, c.flying[c.sent:], unix.MSG_NOSIGNAL|unix.MSG_WAITALL)
	s.UserData = c.data(kindSend)
}

func (e *ringEngine) ended(*Conn) {}

func (e *ringEngine) idle() bool { return e.flying == 0 }

func (e *ringEngine) ring() { unix.Write(e.bell, e.one[:]) }

func (e *ringEngine) wait(block bool) error {
	if !e.armed && !e.quiet {
		e.armed = true
		s := e.entry()
		e.flying--
		s.PrepRead(e.bell, e.count[:], 0)
		s.UserData = kindBell
	}
	var w uring.Wait
	if block || e.l.stopping && e.flying > 0 {
		w.N = 1
	}
	if _, err := e.u.SubmitWait(w); err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EINTR) {
		return err
	}
	for c := range e.u.Completions() {
		e.complete(&c)
	}
	return nil
}

func (e *ringEngine) complete(c *sys.CQE) {
	last := !c.More()
	kind := c.UserData & kindMask
	if last && kind != kindBell {
		e.flying--
	}
	switch kind {
	case kindBell:
		e.armed = false
	case kindAccept:
		a := e.acceptors[uint32(c.UserData)-1]
		if last {
			a.active = false
		}
		if c.Res >= 0 {
			e.l.accepted(int(c.Res), a.handler, a.tcp)
		}
		if last {
			e.l.notAccepted(a, errnoOf(c.Res))
		}
	case kindReceive:
		e.received(e.l.conns[uint32(c.UserData)], c, last)
	case kindSend:
		conn := e.l.conns[uint32(c.UserData)]
		if c.Res < 0 {
			conn.sendingEnded(0, syscall.Errno(-c.Res))
		} else {
			conn.sendingEnded(int(c.Res), 0)
		}
	}
}

// errnoOf returns the error of a result, nil if there was none.
func errnoOf(res int32) error {
	if res < 0 {
		return syscall.Errno(-res)
	}
	return nil
}

// received is told of a receive. A connection is there until the last of them, so that
// none can be about another one.
func (e *ringEngine) received(conn *Conn, c *sys.CQE, last bool) {
	if id, ok := c.Buffer(); ok {
		if c.Res > 0 {
			conn.arrived(e.buffers.Bytes(*c))
		}
		e.buffers.Put(id)
	}
	if !last {
		return
	}
	switch errno := syscall.Errno(-min(c.Res, 0)); errno {
	case 0:
		conn.receivingEnded(c.Res == 0, 0)
	case syscall.ENOBUFS, syscall.ECANCELED:
		conn.receivingEnded(false, 0) // and goes on, if it is to
	default:
		conn.receivingEnded(false, errno)
	}
}

// destroy is called by the thread that began, after everything has ended.
func (e *ringEngine) destroy() error {
	e.quiet = true
	for e.armed {
		e.ring()
		if err := e.wait(true); err != nil {
			break
		}
	}
	var err error
	if e.buffers != nil {
		err = e.buffers.Close()
	}
	err = errors.Join(err, e.u.Close())
	if e.bell >= 0 {
		err = errors.Join(err, os.NewSyscallError("close", unix.Close(e.bell)))
	}
	return err
}
