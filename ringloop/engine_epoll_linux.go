package ringloop

// The engine on epoll, where io_uring is refused. Descriptors do not wait; they are
// watched all the time for data, and for room only when there was none.

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

type epollEngine struct {
	l       *Loop
	epoll   int
	bell    int // eventfd
	one     [8]byte
	buffer  []byte
	events  [256]unix.EpollEvent
	watched map[int]watched // by descriptor
	later   []func()        // what would have ended at once
}

// watched is what a descriptor belongs to.
type watched struct {
	acceptor *acceptor
	conn     *Conn
	events   uint32
}

func newEpollEngine(l *Loop) (engine, error) {
	e := &epollEngine{l: l, epoll: -1, bell: -1, buffer: make([]byte, l.config.BufferSize), watched: make(map[int]watched)}
	binary.NativeEndian.PutUint64(e.one[:], 1)
	var err error
	if e.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if e.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd2", err), e.destroy())
	}
	if err := e.watch(e.bell, watched{events: unix.EPOLLIN}); err != nil {
		return nil, errors.Join(os.NewSyscallError("epoll_ctl", err), e.destroy())
	}
	return e, nil
}

func (e *epollEngine) begin() error { return nil }

// watch has epoll tell of events; of none, and of no error, if there are none.
func (e *epollEngine) watch(fd int, w watched) error {
	old, known := e.watched[fd]
	event := unix.EpollEvent{Events: w.events, Fd: int32(fd)}
	switch {
	case w.events == 0 && !known:
		return nil
	case w.events == 0:
		delete(e.watched, fd)
		return unix.EpollCtl(e.epoll, unix.EPOLL_CTL_DEL, fd, nil)
	case !known:
		if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return err
		}
	case old.events != w.events:
		if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_MOD, fd, &event); err != nil {
			return err
		}
	}
	e.watched[fd] = w
	return nil
}

func (e *epollEngine) accept(a *acceptor) {
	a.active = true
	if err := e.watch(a.fd, watched{acceptor: a, events: unix.EPOLLIN}); err != nil {
		a.active = false
		e.later = append(e.later, func() { e.l.notAccepted(a, syscall.ENOMEM) })
	}
}

func (e *epollEngine) stopAccepting(a *acceptor) {
	e.watch(a.fd, watched{})
	a.active = false
	e.l.release(a)
}

// update watches a connection for what it waits for.
func (e *epollEngine) update(c *Conn, full bool) {
	var events uint32
	if c.receiving {
		events |= unix.EPOLLIN | unix.EPOLLRDHUP
	}
	if full {
		events |= unix.EPOLLOUT
	}
	if err := e.watch(c.fd, watched{conn: c, events: events}); err != nil {
		errno, _ := err.(syscall.Errno)
		e.later = append(e.later, func() { c.receivingEnded(false, errno) })
	}
}

func (e *epollEngine) receive(c *Conn) { e.update(c, c.sending) }

func (e *epollEngine) stopReceiving(c *Conn) {
	c.receiving = false
	e.update(c, c.sending)
}

func (e *epollEngine) send(c *Conn) {
	n, err := unix.SendmsgN(c.fd, c.flying[c.sent:], nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN:
		e.update(c, true)
	case err != nil:
		errno, _ := err.(syscall.Errno)
		c.sendingEnded(0, errno)
	default:
		c.sendingEnded(n, 0)
	}
}

func (e *epollEngine) ended(c *Conn) { e.watch(c.fd, watched{}) }

func (e *epollEngine) idle() bool { return len(e.later) == 0 }

func (e *epollEngine) ring() { unix.Write(e.bell, e.one[:]) }

func (e *epollEngine) wait(block bool) error {
	timeout := 0
	if block && len(e.later) == 0 {
		timeout = -1
	}
	n, err := unix.EpollWait(e.epoll, e.events[:], timeout)
	if err != nil && err != unix.EINTR {
		return os.NewSyscallError("epoll_wait", err)
	}
	for i := range max(n, 0) {
		fd, events := int(e.events[i].Fd), e.events[i].Events
		if fd == e.bell {
			var count [8]byte
			unix.Read(fd, count[:])
			continue
		}
		switch w := e.watched[fd]; {
		case w.acceptor != nil:
			e.acceptSome(w.acceptor)
		case w.conn != nil:
			e.happened(w.conn, events)
		}
	}
	list := e.later
	e.later = nil
	for _, f := range list {
		f()
	}
	return nil
}

func (e *epollEngine) acceptSome(a *acceptor) {
	for range 64 {
		fd, _, err := unix.Accept4(a.fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		switch err {
		case nil:
			e.l.accepted(fd, a.handler, a.tcp)
		case unix.EAGAIN:
			return
		case unix.EINTR, unix.ECONNABORTED:
		default:
			e.watch(a.fd, watched{})
			a.active = false
			e.l.notAccepted(a, err)
			return
		}
	}
}

func (e *epollEngine) happened(c *Conn, events uint32) {
	if c.sending && events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		e.update(c, false)
		if c.state == dead {
			c.sending = false
		} else {
			e.send(c)
		}
	}
	if !c.receiving || events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		return
	}
	n, err := unix.Read(c.fd, e.buffer)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		errno, _ := err.(syscall.Errno)
		c.receivingEnded(false, errno)
	case n == 0:
		c.receivingEnded(true, 0)
	default:
		c.arrived(e.buffer[:n])
		return
	}
	if !c.receiving {
		e.update(c, c.sending)
	}
}

func (e *epollEngine) destroy() error {
	var err error
	for _, fd := range []int{e.epoll, e.bell} {
		if fd >= 0 {
			err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
		}
	}
	return err
}
