package proactor

// Waiting for descriptors without io_uring: an epoll instance that is itself in the
// runtime's poller, so that it takes no thread.

import (
	"math"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

type poller struct {
	mu      sync.Mutex
	epoll   int // valid with file
	file    *os.File
	waiting map[int]*slot    // by descriptor, linked by next; -1 for those that wait for a time only
	count   int              // of them
	known   map[int]struct{} // descriptors that epoll was told of
	masks   map[int]uint32   // what those that wait for a descriptor wait for, or more
	over    bool
	ended   chan struct{}
	events  [64]unix.EpollEvent
}

// add makes a slot wait for events on fd, or with -1 for nothing but its end.
func (l *poller) add(s *slot, fd int, events uint32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return ErrClosed
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	s.sqe = sys.SQE{Fd: int32(fd), OpFlags: events}
	s.armed = armedMark(s.generation)
	s.next = l.waiting[fd]
	if s.next != nil {
		s.next.prev = s
	}
	l.waiting[fd] = s
	l.count++
	if fd >= 0 {
		l.masks[fd] |= events
		if errno := l.watch(fd); errno != 0 {
			l.remove(s)
			s.armed = 0
			if errno == syscall.EPERM {
				s.finish(int32(events)) // always ready, as poll(2) has it
				return nil
			}
			return errno
		}
	}
	return nil
}

func (l *poller) open() error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	unix.SetNonblock(epoll, true) // which is how the runtime knows that it can poll it
	file := os.NewFile(uintptr(epoll), "epoll")
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return err
	}
	l.epoll, l.file = epoll, file
	l.waiting, l.known, l.masks = make(map[int]*slot), make(map[int]struct{}), make(map[int]uint32)
	l.ended = make(chan struct{})
	go func() {
		defer close(l.ended)
		conn.Read(func(uintptr) bool { return l.look() })
	}()
	return nil
}

// watch has epoll tell, once, of what the slots of a descriptor wait for. It is called
// for each of them, and so does not look at all of them.
func (l *poller) watch(fd int) syscall.Errno {
	e := unix.EpollEvent{Events: unix.EPOLLONESHOT | l.masks[fd], Fd: int32(fd)}
	op := unix.EPOLL_CTL_ADD
	if _, ok := l.known[fd]; ok {
		op = unix.EPOLL_CTL_MOD
	}
	err := unix.EpollCtl(l.epoll, op, fd, &e)
	switch {
	case err == unix.ENOENT && op == unix.EPOLL_CTL_MOD:
		// It was closed, and is another one now.
		err = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e)
	case err == unix.EEXIST && op == unix.EPOLL_CTL_ADD:
		err = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, fd, &e)
	}
	if err != nil {
		delete(l.known, fd)
		errno, _ := err.(syscall.Errno)
		return errno
	}
	l.known[fd] = struct{}{}
	return 0
}

// look wakes whom the events concern. It reports whether the poller is at its end.
func (l *poller) look() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		n, err := unix.EpollWait(l.epoll, l.events[:], 0)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return l.over
		}
		for _, e := range l.events[:n] {
			l.tell(int(e.Fd), e.Events)
		}
	}
}

func (l *poller) tell(fd int, events uint32) {
	const always = unix.EPOLLERR | unix.EPOLLHUP
	var mask uint32
	for s := l.waiting[fd]; s != nil; {
		next := s.next
		if s.sqe.OpFlags&events != 0 || events&always != 0 {
			l.remove(s)
			s.finish(int32(events & math.MaxInt32))
		} else {
			mask |= s.sqe.OpFlags
		}
		s = next
	}
	if l.waiting[fd] != nil {
		l.masks[fd] = mask
		if errno := l.watch(fd); errno != 0 {
			for s := l.waiting[fd]; s != nil; {
				next := s.next
				l.remove(s)
				s.finish(-int32(errno))
				s = next
			}
		}
	}
}

// remove takes a slot out of the list of its descriptor.
func (l *poller) remove(s *slot) {
	fd := int(s.sqe.Fd)
	if s.next != nil {
		s.next.prev = s.prev
	}
	switch {
	case s.prev != nil:
		s.prev.next = s.next
	case s.next != nil:
		l.waiting[fd] = s.next
	default:
		delete(l.waiting, fd)
		delete(l.masks, fd)
	}
	s.next, s.prev = nil, nil
	l.count--
}

// length is the number of slots that wait.
func (l *poller) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// finish ends a slot's waiting. It needs the poller's lock.
func (s *slot) finish(res int32) {
	s.deliver(&sys.CQE{Res: res})
}

// end ends a slot's waiting, if it still waits in that generation.
func (l *poller) end(s *slot, generation uint32, res int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.armed == armedMark(generation) {
		l.remove(s)
		s.finish(res)
	}
}

// cancelAll ends all waiting, and lets nobody wait any more.
func (l *poller) cancelAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for fd := range l.waiting {
		for s := l.waiting[fd]; s != nil; s = l.waiting[fd] {
			l.remove(s)
			s.finish(-int32(syscall.ECANCELED))
		}
	}
}

func (l *poller) close() error {
	if l.file == nil {
		return nil
	}
	l.file.SetReadDeadline(time.Unix(1, 0))
	<-l.ended
	return l.file.Close()
}
