package proactor

// The fall-back: operations by ordinary system calls, where io_uring is refused or
// lacks an operation. What may have to wait is tried without waiting, and waited for
// in a poller (poller_linux.go), so that contexts, gates and Close work as they do
// on a ring. Work on files is done on the spot, by the caller's thread.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// A Fallback says when ordinary system calls are used in place of io_uring.
type Fallback int

const (
	// FallbackAuto uses them where io_uring is not available, because the kernel or
	// a sandbox refuses it, and for single operations that the kernel lacks.
	FallbackAuto Fallback = iota
	// FallbackNever makes New fail instead, and such operations, with
	// errors.ErrUnsupported.
	FallbackNever
	// FallbackAlways does not try io_uring.
	FallbackAlways
)

// userland is the engine of the fall-back. Its slots are for waiting only.
type userland struct {
	p      *Proactor
	table  table
	poller poller

	mu      sync.Mutex
	closing bool
	calls   sync.WaitGroup
	count   uint64 // operations
}

func (u *userland) init(p *Proactor) {
	u.p = p
	u.table.init(u, 1<<20)
}

// begin notes a call, which close will wait for.
func (u *userland) begin() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closing {
		return ErrClosed
	}
	u.count++
	u.calls.Add(1)
	return nil
}

// close cancels all that waits, and returns when nothing touches memory any more.
func (u *userland) close() error {
	u.mu.Lock()
	u.closing = true
	u.mu.Unlock()
	u.poller.cancelAll()
	u.calls.Wait()
	return u.poller.close()
}

// do carries out an operation.
func (u *userland) do(ctx context.Context, o *Op) (int, error) {
	if err := u.begin(); err != nil {
		return 0, err
	}
	defer u.calls.Done()
	t := try{o: o}
	if o.limit > 0 {
		t.until = time.Now().Add(o.limit)
	}
	for {
		n, err := t.attempt()
		switch err {
		case errWait:
			if err := u.wait(ctx, &t); err != nil {
				if t.moved > 0 {
					return t.moved, nil // nothing that was done is denied
				}
				return 0, err
			}
		case syscall.EINTR:
		case nil:
			return n, nil
		default:
			return 0, err
		}
	}
}

// wait sleeps until a try may be repeated, or not any more.
func (u *userland) wait(ctx context.Context, t *try) error {
	s := u.table.get()
	if s == nil {
		return syscall.EAGAIN
	}
	defer u.table.put(s)
	s.lead, s.left, s.code = s, 1, t.o.sqe.Opcode
	s.state.Store(running)
	if err := u.poller.add(s, t.fd, t.events); err != nil {
		return err
	}
	if t.o.gate != nil {
		t.o.gate.enter(s)
		defer t.o.gate.leave(s)
	}
	wake, expires := t.wake, false
	if !t.until.IsZero() && (wake.IsZero() || t.until.Before(wake)) {
		wake, expires = t.until, true
	}
	if !wake.IsZero() {
		generation := s.generation
		timer := time.AfterFunc(time.Until(wake), func() { u.poller.end(s, generation, -int32(syscall.ETIME)) })
		defer timer.Stop()
	}
	why := sleep(ctx, s)
	switch errno := syscall.Errno(-s.res); {
	case s.res >= 0, errno == syscall.ETIME && !expires:
		return nil
	case errno == syscall.ETIME:
		return os.ErrDeadlineExceeded
	case errno != syscall.ECANCELED:
		return errno
	}
	if why == nil {
		why = u.p.reason(t.o)
	}
	return why
}

// cancel is for contexts and gates.
func (u *userland) cancel(s *slot, generation uint32) {
	u.poller.end(s, generation, -int32(syscall.ECANCELED))
}

func (u *userland) doom(s *slot, generation uint32) { u.cancel(s, generation) }

// many carries out the operations of a Batch or a Link.
func (u *userland) many(ctx context.Context, ops []Op, results []Result, chain bool) {
	if chain {
		u.chain(ctx, ops, results)
		return
	}
	// Those that may wait, for each other too, wait at the same time. With copies,
	// for what a goroutine refers to must be on the heap, and the caller's slices
	// need not be.
	copies, out := slices.Clone(ops), make([]Result, len(ops))
	var wg sync.WaitGroup
	for i := range copies {
		if copies[i].waits() {
			wg.Go(func() { out[i].N, out[i].Err = u.p.Do(ctx, copies[i]) })
		}
	}
	for i := range copies {
		if !copies[i].waits() {
			out[i].N, out[i].Err = u.p.Do(ctx, copies[i])
		}
	}
	wg.Wait()
	copy(results, out)
}

// chain carries out operations one after another, until one fails, or moves less
// than it should.
func (u *userland) chain(ctx context.Context, ops []Op, results []Result) {
	broken := false
	for i := range ops {
		r := &results[i]
		if broken {
			*r = Result{Err: syscall.ECANCELED}
			if err := ctx.Err(); err != nil {
				r.Err = err
			}
			continue
		}
		*r = Result{}
		r.N, r.Err = u.p.Do(ctx, ops[i])
		broken = r.Err != nil || ops[i].isShort(r.N)
	}
}

// isShort reports whether n bytes are so few that they break a chain.
func (o *Op) isShort(n int) bool {
	switch o.sqe.Opcode {
	case sys.IORING_OP_READ, sys.IORING_OP_WRITE:
		return n < len(o.buf)
	case sys.IORING_OP_READV, sys.IORING_OP_WRITEV:
		return n < total(o.bufs)
	case sys.IORING_OP_SPLICE, sys.IORING_OP_TEE:
		return n < int(o.sqe.Len)
	case sys.IORING_OP_SEND, sys.IORING_OP_RECV, sys.IORING_OP_SEND_ZC:
		return o.sqe.OpFlags&unix.MSG_WAITALL != 0 && n < len(o.buf)
	case sys.IORING_OP_SENDMSG, sys.IORING_OP_RECVMSG:
		return o.sqe.OpFlags&unix.MSG_WAITALL != 0 && n < total(o.ref.(*Message).Buffers)
	}
	return false
}

func total(bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += len(b)
	}
	return n
}

// waits reports whether the operation may have to wait for somebody else.
func (o *Op) waits() bool {
	switch o.sqe.Opcode {
	case sys.IORING_OP_READ, sys.IORING_OP_READV, sys.IORING_OP_WRITE, sys.IORING_OP_WRITEV:
		return !isFile(int(o.sqe.Fd))
	case sys.IORING_OP_SEND, sys.IORING_OP_SEND_ZC, sys.IORING_OP_RECV, sys.IORING_OP_SENDMSG, sys.IORING_OP_RECVMSG,
		sys.IORING_OP_ACCEPT, sys.IORING_OP_CONNECT, sys.IORING_OP_POLL_ADD, sys.IORING_OP_TIMEOUT,
		sys.IORING_OP_SPLICE, sys.IORING_OP_TEE:
		return true
	}
	return false
}

// isFile reports whether reading and writing fd never waits for somebody else.
func isFile(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return true // it will fail at once
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK:
		return true
	}
	return false
}

// A try is an operation on its way.
type try struct {
	o     *Op
	until time.Time // the end of WithTimeout
	begun bool      // it is not the first attempt
	moved int       // bytes sent or received so far, with MSG_WAITALL

	// What to wait for, after errWait: events on fd if that is not -1, or a time.
	fd     int
	events uint32
	wake   time.Time
}

// errWait is the result of an attempt that has to be repeated later.
var errWait = errors.New("not yet")

// later has the try wait for events.
func (t *try) later(fd int, events uint32) (int, error) {
	t.fd, t.events, t.wake = fd, events, time.Time{}
	return 0, errWait
}

// pause has the try wait for a while.
func (t *try) pause(d time.Duration) (int, error) {
	t.fd, t.events, t.wake = -1, 0, time.Now().Add(d)
	return 0, errWait
}

func zero(err error) (int, error) { return 0, err }

// attempt does the operation, or finds out what it has to wait for.
func (t *try) attempt() (int, error) {
	o, e := t.o, &t.o.sqe
	fd := int(e.Fd)
	if o.raw {
		return 0, t.unsupported()
	}
	switch e.Opcode {
	case sys.IORING_OP_NOP:
		return 0, nil
	case sys.IORING_OP_READ, sys.IORING_OP_READV:
		return t.transfer(unix.Preadv2, unix.POLLIN)
	case sys.IORING_OP_WRITE, sys.IORING_OP_WRITEV:
		return t.transfer(unix.Pwritev2, unix.POLLOUT)
	case sys.IORING_OP_FSYNC:
		if e.OpFlags&sys.IORING_FSYNC_DATASYNC != 0 {
			return zero(unix.Fdatasync(fd))
		}
		return zero(unix.Fsync(fd))
	case sys.IORING_OP_SYNC_FILE_RANGE:
		return zero(unix.SyncFileRange(fd, int64(e.Off), int64(e.Len), int(e.OpFlags)))
	case sys.IORING_OP_FALLOCATE:
		return zero(unix.Fallocate(fd, e.Len, int64(e.Off), int64(e.Addr)))
	case sys.IORING_OP_FTRUNCATE:
		return zero(unix.Ftruncate(fd, int64(e.Off)))
	case sys.IORING_OP_FADVISE:
		return zero(unix.Fadvise(fd, int64(e.Off), int64(e.Len), int(e.OpFlags)))
	case sys.IORING_OP_OPENAT:
		return unix.Openat(fd, o.path, int(e.OpFlags), e.Len)
	case sys.IORING_OP_OPENAT2:
		return unix.Openat2(fd, o.path, o.ref.(*unix.OpenHow))
	case sys.IORING_OP_CLOSE:
		if err := unix.Close(fd); err != unix.EINTR { // after which it is closed
			return 0, err
		}
		return 0, nil
	case sys.IORING_OP_STATX:
		return zero(unix.Statx(fd, o.path, int(e.OpFlags), int(e.Len), o.ref.(*unix.Statx_t)))
	case sys.IORING_OP_UNLINKAT:
		return zero(unix.Unlinkat(fd, o.path, int(e.OpFlags)))
	case sys.IORING_OP_RENAMEAT:
		return zero(unix.Renameat2(fd, o.path, int(int32(e.Len)), o.path2, uint(e.OpFlags)))
	case sys.IORING_OP_MKDIRAT:
		return zero(unix.Mkdirat(fd, o.path, e.Len))
	case sys.IORING_OP_SYMLINKAT:
		return zero(unix.Symlinkat(o.path, fd, o.path2))
	case sys.IORING_OP_LINKAT:
		return zero(unix.Linkat(fd, o.path, int(int32(e.Len)), o.path2, int(e.OpFlags)))
	case sys.IORING_OP_GETXATTR:
		return unix.Getxattr(o.path, o.path2, o.buf)
	case sys.IORING_OP_SETXATTR:
		return zero(unix.Setxattr(o.path, o.path2, o.buf, int(e.OpFlags)))
	case sys.IORING_OP_FGETXATTR:
		return unix.Fgetxattr(fd, o.path, o.buf)
	case sys.IORING_OP_FSETXATTR:
		return zero(unix.Fsetxattr(fd, o.path, o.buf, int(e.OpFlags)))
	case sys.IORING_OP_SPLICE, sys.IORING_OP_TEE:
		return t.splice()
	case sys.IORING_OP_SOCKET:
		return unix.Socket(fd, int(e.Off), int(e.Len))
	case sys.IORING_OP_BIND:
		return number(0, bind(fd, o.ref.(*Sockaddr)))
	case sys.IORING_OP_LISTEN:
		return zero(unix.Listen(fd, int(e.Len)))
	case sys.IORING_OP_ACCEPT:
		return t.accept()
	case sys.IORING_OP_CONNECT:
		return t.connect()
	case sys.IORING_OP_SHUTDOWN:
		return zero(unix.Shutdown(fd, int(e.Len)))
	case sys.IORING_OP_SEND, sys.IORING_OP_SEND_ZC:
		to, _ := o.ref.(*Sockaddr)
		return t.talk(unix.POLLOUT, len(o.buf), func(flags int) (int, syscall.Errno) { return send(fd, o.buf[t.moved:], flags, to) })
	case sys.IORING_OP_RECV:
		return t.talk(unix.POLLIN, len(o.buf), func(flags int) (int, syscall.Errno) { return recv(fd, o.buf[t.moved:], flags) })
	case sys.IORING_OP_SENDMSG:
		m := o.ref.(*Message)
		return t.talk(unix.POLLOUT, total(m.Buffers), func(flags int) (int, syscall.Errno) { return sendmsg(fd, m, t.moved, flags) })
	case sys.IORING_OP_RECVMSG:
		m := o.ref.(*Message)
		return t.talk(unix.POLLIN, total(m.Buffers), func(flags int) (int, syscall.Errno) { return recvmsg(fd, m, t.moved, flags) })
	case sys.IORING_OP_POLL_ADD:
		events := pollEvents(e.OpFlags)
		if got, err := poll(fd, events); got != 0 || err != nil {
			return int(got), err
		}
		return t.later(fd, events)
	case sys.IORING_OP_TIMEOUT:
		if t.begun {
			return 0, nil
		}
		t.begun = true
		return t.pause(time.Duration(e.Addr))
	}
	return 0, t.unsupported()
}

func (t *try) unsupported() error {
	return fmt.Errorf("proactor: %v without io_uring: %w", t.o.sqe.Opcode, errors.ErrUnsupported)
}

func number(n int, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

// poll returns which of the events are there.
func poll(fd int, events uint32) (uint32, error) {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: int16(events)}}
	if _, err := unix.Poll(p[:], 0); err != nil {
		return 0, err
	}
	if p[0].Revents&unix.POLLNVAL != 0 {
		return 0, syscall.EBADF
	}
	return uint32(uint16(p[0].Revents)), nil
}

// atomicPipe is how much a pipe that is ready takes without waiting (PIPE_BUF).
const atomicPipe = 4096

// transfer reads or writes.
func (t *try) transfer(call func(int, [][]byte, int64, int) (int, error), events uint32) (int, error) {
	o, fd, off := t.o, int(t.o.sqe.Fd), int64(t.o.sqe.Off)
	bufs := o.bufs
	if o.needs != needsVector {
		bufs = [][]byte{o.buf}
	}
	flags := int(o.sqe.OpFlags)
	if isFile(fd) {
		return call(fd, bufs, off, flags)
	}
	n, err := call(fd, bufs, -1, flags|unix.RWF_NOWAIT)
	switch err {
	case syscall.EAGAIN:
		if flags&unix.RWF_NOWAIT != 0 {
			return 0, err
		}
		return t.later(fd, events)
	case syscall.EOPNOTSUPP, syscall.EINVAL, syscall.ENOSYS:
	default:
		return n, err
	}
	// It cannot be told not to wait, so it is done only when it need not.
	if got, err := poll(fd, events); err != nil {
		return 0, err
	} else if got == 0 {
		return t.later(fd, events)
	}
	if events == unix.POLLOUT {
		bufs = head(bufs, atomicPipe)
	}
	n, err = call(fd, bufs, -1, flags)
	if err == syscall.EAGAIN {
		return t.later(fd, events)
	}
	return n, err
}

// head returns the first n bytes of buffers.
func head(bufs [][]byte, n int) (first [][]byte) {
	for _, b := range bufs {
		b = b[:min(len(b), n)]
		first = append(first, b)
		n -= len(b)
	}
	return first
}

// tail returns what follows the first n bytes of buffers.
func tail(bufs [][]byte, n int) (rest [][]byte) {
	for _, b := range bufs {
		if n >= len(b) {
			n -= len(b)
			continue
		}
		rest = append(rest, b[n:])
		n = 0
	}
	return rest
}

func (t *try) splice() (n int, err error) {
	e := &t.o.sqe
	in, out, flags := int(int32(e.FileIndex)), int(e.Fd), int(e.OpFlags)|unix.SPLICE_F_NONBLOCK
	if e.Opcode == sys.IORING_OP_TEE {
		moved, err1 := unix.Tee(in, out, int(e.Len), flags)
		n, err = int(moved), err1
	} else {
		moved, err2 := unix.Splice(in, position(e.Addr), out, position(e.Off), int(e.Len), flags)
		n, err = int(moved), err2 // the type of moved differs between architectures
	}
	if err != syscall.EAGAIN || int(e.OpFlags)&unix.SPLICE_F_NONBLOCK != 0 {
		return n, err
	}
	// One of the two is not ready.
	if got, err := poll(in, unix.POLLIN); got == 0 || err != nil {
		if err != nil {
			return 0, err
		}
		return t.later(in, unix.POLLIN)
	}
	if got, err := poll(out, unix.POLLOUT); got == 0 || err != nil {
		if err != nil {
			return 0, err
		}
		return t.later(out, unix.POLLOUT)
	}
	return t.pause(time.Millisecond)
}

// position returns the offset for splice, nil for the file position.
func position(off uint64) *int64 {
	if off == 1<<64-1 {
		return nil
	}
	at := int64(off)
	return &at
}

// talk sends or receives on a socket, of all in all want bytes what is not yet moved.
func (t *try) talk(events uint32, want int, call func(flags int) (int, syscall.Errno)) (int, error) {
	fd, flags := int(t.o.sqe.Fd), int(t.o.sqe.OpFlags)
	for {
		n, errno := call(flags&^unix.MSG_WAITALL | unix.MSG_DONTWAIT)
		switch {
		case errno == syscall.EAGAIN && flags&unix.MSG_DONTWAIT == 0:
			return t.later(fd, events)
		case errno == syscall.EINTR:
			continue
		case errno != 0 && t.moved == 0:
			return 0, errno
		case errno != 0:
			return t.moved, nil
		}
		t.moved += n
		if n == 0 || flags&unix.MSG_WAITALL == 0 || t.moved >= want {
			return t.moved, nil
		}
	}
}

// unblock makes accept and connect on a socket return at once, and reports whether
// that is new.
func unblock(fd int) (was bool, err error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		return false, err
	}
	return true, unix.SetNonblock(fd, true)
}

// accept leaves the listening socket with O_NONBLOCK: another goroutine may be about
// to accept on it, and must not wait where nobody can reach it.
func (t *try) accept() (int, error) {
	fd := int(t.o.sqe.Fd)
	if _, err := unblock(fd); err != nil {
		return 0, err
	}
	peer, _ := t.o.ref.(*Sockaddr)
	n, errno := accept(fd, peer, int(t.o.sqe.OpFlags))
	if errno == syscall.EAGAIN {
		return t.later(fd, unix.POLLIN)
	}
	return number(n, errno)
}

func (t *try) connect() (int, error) {
	fd := int(t.o.sqe.Fd)
	if t.begun {
		errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = syscall.Errno(errno)
		}
		return 0, err
	}
	changed, err := unblock(fd)
	if err != nil {
		return 0, err
	}
	if changed {
		defer unix.SetNonblock(fd, false)
	}
	switch errno := connect(fd, t.o.ref.(*Sockaddr)); errno {
	case syscall.EINPROGRESS, syscall.EINTR:
		t.begun = true
		return t.later(fd, unix.POLLOUT)
	case syscall.EAGAIN:
		// A unix socket whose queue is full, of which nobody tells when it is not.
		return t.pause(time.Millisecond)
	default:
		return number(0, errno)
	}
}
