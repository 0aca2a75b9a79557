package ringfs

// Files: their life, their position, reading and writing. What O_DIRECT asks for is in
// direct_linux.go, many places at once in vector_linux.go.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/sys"
)

// A File is an open file. Its methods may be called from any goroutine, Close too.
//
// Reads and writes at the position take turns; ReadAt and WriteAt do not. Close ends
// calls that are in flight, with os.ErrClosed; the descriptor stays open until the last
// of them has returned, so that none can meet another file under the same number.
type File struct {
	p     *proactor.Proactor
	fd    int
	name  string
	flags int   // of open(2), as far as known
	tree  *tree // where the file was found, for the entries of a directory
	path  string

	// use is 2 for each call in flight, and 1 if the file is closed.
	use     atomic.Int64
	drained chan struct{} // has an element when the last call has returned

	// Calls pass through one of these; Close shuts them, deadlines the first two.
	reading, writing, other proactor.Gate

	kinds    atomic.Uint32 // a kind, once it is known
	readTurn turn          // of those who use the position: the same for both, but for streams
	sendTurn turn

	direct  *direct // not nil with O_DIRECT
	dir     listing
	cleanup runtime.Cleanup
}

var (
	_ io.ReadWriteSeeker = (*File)(nil)
	_ io.ReaderAt        = (*File)(nil)
	_ io.WriterAt        = (*File)(nil)
	_ io.ReaderFrom      = (*File)(nil)
	_ io.WriterTo        = (*File)(nil)
	_ io.StringWriter    = (*File)(nil)
	_ fs.ReadDirFile     = (*File)(nil)
	_ syscall.Conn       = (*File)(nil)
)

// kind is what matters of a file's type.
type kind uint8

const (
	unknown kind = iota
	regular
	directory
	stream // has no position
	block
)

// NewFile returns a File for a descriptor, which it will close: nobody else may. The
// name is for messages.
func NewFile(p *proactor.Proactor, fd int, name string) (*File, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "newfile", Path: name, Err: err}
	}
	return newFile(p, fd, name, flags)
}

// Pipe returns the two ends of a pipe.
func Pipe(p *proactor.Proactor) (r, w *File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	// Without O_DIRECT nothing can fail.
	r, _ = newFile(p, fds[0], "|0", unix.O_RDONLY)
	w, _ = newFile(p, fds[1], "|1", unix.O_WRONLY)
	return r, w, nil
}

func newFile(p *proactor.Proactor, fd int, name string, flags int) (*File, error) {
	f := &File{p: p, fd: fd, name: name, flags: flags, drained: make(chan struct{}, 1)}
	f.readTurn = make(turn, 1)
	f.sendTurn = make(turn, 1)
	if flags&unix.O_DIRECT != 0 {
		f.direct = alignment(fd)
	}
	f.cleanup = runtime.AddCleanup(f, func(fd int) { unix.Close(fd) }, fd)
	return f, nil
}

// kind finds out what the file is, when that is first asked for.
func (f *File) kind() kind {
	k := kind(f.kinds.Load())
	if k == unknown {
		k = f.look()
		f.kinds.Store(uint32(k))
	}
	return k
}

func (f *File) look() kind {
	var st unix.Stat_t
	if unix.Fstat(f.fd, &st) != nil {
		return regular
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return regular
	case unix.S_IFDIR:
		return directory
	case unix.S_IFBLK:
		return block
	}
	if _, err := unix.Seek(f.fd, 0, io.SeekCurrent); err == nil {
		return regular // a character device with a position
	}
	return stream
}

// Name returns the name that the file was opened with.
func (f *File) Name() string { return f.name }

// acquire begins a call: until release the descriptor stays open.
func (f *File) acquire() error {
	if f == nil {
		return os.ErrInvalid
	}
	if f.use.Add(2)&1 != 0 {
		f.release()
		return os.ErrClosed
	}
	return nil
}

func (f *File) release() {
	if f.use.Add(-2) == 1 {
		select {
		case f.drained <- struct{}{}:
		default:
		}
	}
}

// Close closes the file. Calls in flight are cancelled and return os.ErrClosed, or
// their result if they had one; Close waits for them, and so for what cannot be
// cancelled, such as a write that a disk is carrying out. A second Close gives
// os.ErrClosed.
//
// The descriptor is closed when Close returns. The kernel may hold the file itself a
// moment longer, until it has cleared away the last operation on it; so a lock of flock(2)
// should be given up before.
func (f *File) Close() error {
	if f == nil {
		return os.ErrInvalid
	}
	use := f.use.Or(1)
	if use&1 != 0 {
		return f.wrap("close", os.ErrClosed)
	}
	f.reading.Shut(os.ErrClosed)
	f.writing.Shut(os.ErrClosed)
	f.other.Shut(os.ErrClosed)
	if use != 0 {
		<-f.drained
	}
	f.cleanup.Stop()
	return f.wrap("close", closeFd(f.p, f.fd))
}

// closeFd closes a descriptor, also when the Proactor does nothing any more.
func closeFd(p *proactor.Proactor, fd int) error {
	_, err := p.Do(context.Background(), proactor.Close(fd))
	if err == proactor.ErrClosed {
		err = unix.Close(fd) // the ring has not done it
	}
	if err == unix.EINTR {
		return nil // it is closed all the same
	}
	return err
}

// wrap makes a *fs.PathError, but of nil and io.EOF.
func (f *File) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if e, ok := err.(*fs.PathError); ok {
		return e
	}
	name := ""
	if f != nil {
		name = f.name
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// A turn is a lock that a context can give up waiting for.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// position returns the lock of the position for those who write, or read.
func (f *File) position(write bool) turn {
	if write && f.kind() == stream {
		return f.sendTurn
	}
	return f.readTurn
}

// most is how much one operation moves: an entry has 32 bits for it, and the kernel
// takes no more than 2 GiB.
const most = 1 << 30

// again reports whether an operation was ended by something that is over: a signal, or
// a deadline that was put off before its reason was asked for. It is to be repeated; if
// there still is a reason not to, it will not begin.
func again(err error) bool { return err == syscall.EINTR || err == syscall.ECANCELED }

// read is one read; at -1 it is at the position.
func (f *File) read(ctx context.Context, b []byte, off int64) (int, error) {
	for {
		n, err := f.p.Do(ctx, proactor.Read(f.fd, b[:min(len(b), most)], off).Through(&f.reading))
		switch err {
		case syscall.EINTR, syscall.ECANCELED: // cancelled for a reason that is over, see again
		case syscall.EAGAIN: // O_NONBLOCK
			if _, err := f.p.Do(ctx, proactor.Poll(f.fd, unix.POLLIN).Through(&f.reading)); err != nil && !again(err) {
				return 0, err
			}
		default:
			return n, err
		}
	}
}

func (f *File) write(ctx context.Context, b []byte, off int64) (int, error) {
	for {
		n, err := f.p.Do(ctx, proactor.Write(f.fd, b[:min(len(b), most)], off).Through(&f.writing))
		switch err {
		case syscall.EINTR, syscall.ECANCELED:
		case syscall.EAGAIN:
			if _, err := f.p.Do(ctx, proactor.Poll(f.fd, unix.POLLOUT).Through(&f.writing)); err != nil && !again(err) {
				return 0, err
			}
		default:
			return n, err
		}
	}
}

// writeAll writes b, however many writes that takes.
func (f *File) writeAll(ctx context.Context, b []byte, off int64) (done int, err error) {
	for {
		at := int64(-1)
		if off < 0 {
			at = f.where()
		}
		n, err := f.write(ctx, b[done:], off)
		done += n
		f.moved(at, n, done == len(b), true)
		switch {
		case err != nil || done == len(b):
			return done, err
		case n == 0:
			return done, io.ErrUnexpectedEOF
		}
		if off >= 0 {
			off += int64(n)
		}
	}
}

// Read reads at the position, and advances it. At the end of the file it returns 0 and
// io.EOF.
func (f *File) Read(b []byte) (int, error) { return f.ReadContext(context.Background(), b) }

// ReadContext is Read until ctx ends.
func (f *File) ReadContext(ctx context.Context, b []byte) (int, error) {
	if err := f.acquire(); err != nil {
		return 0, f.wrap("read", err)
	}
	defer f.release()
	t := f.position(false)
	if err := t.take(ctx); err != nil {
		return 0, f.wrap("read", err)
	}
	defer t.give()
	var n int
	var err error
	if f.direct != nil {
		n, err = f.directRead(ctx, b)
	} else {
		at := f.where()
		n, err = f.read(ctx, b, -1)
		f.moved(at, n, n == len(b), false)
	}
	if n == 0 && err == nil && len(b) > 0 {
		return 0, io.EOF
	}
	return n, f.wrap("read", err)
}

// ReadAt reads len(b) bytes at offset off. If the file ends before, it returns how many
// there were, and io.EOF.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	return f.ReadAtContext(context.Background(), b, off)
}

// ReadAtContext is ReadAt until ctx ends.
func (f *File) ReadAtContext(ctx context.Context, b []byte, off int64) (done int, err error) {
	if err := f.acquire(); err != nil {
		return 0, f.wrap("read", err)
	}
	defer f.release()
	switch {
	case off < 0:
		return 0, f.wrap("readat", negative(off))
	case f.kind() == stream:
		return 0, f.wrap("readat", syscall.ESPIPE) // a ring would read, whatever the offset
	}
	for done < len(b) {
		var n int
		if f.direct != nil {
			n, err = f.directReadAt(ctx, b[done:], off)
		} else {
			n, err = f.read(ctx, b[done:], off)
		}
		if err != nil {
			return done, f.wrap("read", err)
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
		off += int64(n)
	}
	return done, nil
}

func negative(off int64) error { return fmt.Errorf("negative offset %d: %w", off, syscall.EINVAL) }

// ErrAppend is the error of WriteAt on a file opened with O_APPEND, where the kernel
// ignores offsets.
var ErrAppend = errors.New("ringfs: WriteAt on a file opened with O_APPEND")

// Write writes b at the position, and advances it; with O_APPEND, at the end of the
// file. It writes all of b or returns an error.
func (f *File) Write(b []byte) (int, error) { return f.WriteContext(context.Background(), b) }

// WriteString is Write for a string. It copies the string.
func (f *File) WriteString(s string) (int, error) {
	return f.WriteContext(context.Background(), []byte(s))
}

// WriteContext is Write until ctx ends. What was written by then it reports.
func (f *File) WriteContext(ctx context.Context, b []byte) (int, error) {
	if err := f.acquire(); err != nil {
		return 0, f.wrap("write", err)
	}
	defer f.release()
	t := f.position(true)
	if err := t.take(ctx); err != nil {
		return 0, f.wrap("write", err)
	}
	defer t.give()
	var n int
	var err error
	if f.direct != nil {
		n, err = f.directWrite(ctx, b)
	} else {
		n, err = f.writeAll(ctx, b, -1)
	}
	return n, f.wrap("write", err)
}

// A ring does not advance the position of a file if a read or write moved some bytes
// and then failed, for want of space for instance, though it reports the bytes. where
// and moved put that right: what is called in between must be at the position, by who
// has the turn.
func (f *File) where() int64 {
	if f.kind() == stream {
		return -1
	}
	at, err := unix.Seek(f.fd, 0, io.SeekCurrent)
	if err != nil {
		return -1
	}
	return at
}

func (f *File) moved(at int64, n int, whole, write bool) {
	if at < 0 || n == 0 || whole {
		return
	}
	if write && f.flags&unix.O_APPEND != 0 {
		unix.Seek(f.fd, 0, io.SeekEnd)
		return
	}
	unix.Seek(f.fd, at+int64(n), io.SeekStart)
}

// WriteAt writes b at offset off, all of it or there is an error. On a file opened with
// O_APPEND it fails with ErrAppend.
func (f *File) WriteAt(b []byte, off int64) (int, error) {
	return f.WriteAtContext(context.Background(), b, off)
}

// WriteAtContext is WriteAt until ctx ends. What was written by then it reports.
func (f *File) WriteAtContext(ctx context.Context, b []byte, off int64) (n int, err error) {
	if err := f.beginWriteAt(off); err != nil {
		return 0, err
	}
	defer f.release()
	if len(b) == 0 {
		return 0, nil
	}
	if f.direct != nil {
		n, err = f.directWriteAt(ctx, b, off)
	} else {
		n, err = f.writeAll(ctx, b, off)
	}
	return n, f.wrap("write", err)
}

// beginWriteAt is acquire for what writes at an offset.
func (f *File) beginWriteAt(off int64) error {
	if err := f.acquire(); err != nil {
		return f.wrap("write", err)
	}
	var err error
	switch {
	case f.flags&unix.O_APPEND != 0:
		err = ErrAppend
	case off < 0:
		err = negative(off)
	case f.kind() == stream:
		err = syscall.ESPIPE
	default:
		return nil
	}
	f.release()
	return f.wrap("writeat", err)
}

// Seek sets the position for the next Read or Write and returns it. It is an ordinary
// system call. On a pipe it fails with ESPIPE.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	if err := f.acquire(); err != nil {
		return 0, f.wrap("seek", err)
	}
	defer f.release()
	if f.kind() == stream {
		return 0, f.wrap("seek", syscall.ESPIPE)
	}
	f.readTurn.take(context.Background())
	defer f.readTurn.give()
	at, err := unix.Seek(f.fd, offset, whence)
	if err != nil {
		return 0, f.wrap("seek", err)
	}
	if f.kind() == directory {
		f.dir = listing{}
	}
	return at, nil
}

// do carries out an operation that is neither reading nor writing.
func (f *File) do(ctx context.Context, name string, op proactor.Op) error {
	if err := f.acquire(); err != nil {
		return f.wrap(name, err)
	}
	defer f.release()
	for {
		_, err := f.p.Do(ctx, op.Through(&f.other))
		if !again(err) {
			return f.wrap(name, err)
		}
	}
}

// Stat describes the file.
func (f *File) Stat() (fs.FileInfo, error) { return f.StatContext(context.Background()) }

// StatContext is Stat until ctx ends.
func (f *File) StatContext(ctx context.Context) (fs.FileInfo, error) {
	info := &fileInfo{name: base(f.Name())}
	if err := f.do(ctx, "stat", proactor.Statx(f.fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &info.stat)); err != nil {
		return nil, err
	}
	return info, nil
}

// Sync has everything written to the file reach the disk (fsync).
func (f *File) Sync() error { return f.SyncContext(context.Background()) }

// SyncContext is Sync until ctx ends. A sync that was begun goes on in the kernel as
// long as it takes, and the call with it.
func (f *File) SyncContext(ctx context.Context) error {
	return f.do(ctx, "sync", proactor.Fsync(f.fd, 0))
}

// DataSync is Sync without what is not needed to read the data back, such as the time
// of the last change (fdatasync).
func (f *File) DataSync() error { return f.DataSyncContext(context.Background()) }

// DataSyncContext is DataSync until ctx ends, with what SyncContext says.
func (f *File) DataSyncContext(ctx context.Context) error {
	return f.do(ctx, "datasync", proactor.Fsync(f.fd, sys.IORING_FSYNC_DATASYNC))
}

// Truncate sets the size of the file to n bytes. The position stays.
func (f *File) Truncate(n int64) error { return f.TruncateContext(context.Background(), n) }

// TruncateContext is Truncate until ctx ends.
func (f *File) TruncateContext(ctx context.Context, n int64) error {
	return f.do(ctx, "truncate", proactor.Ftruncate(f.fd, n))
}

// Allocate reserves space on the disk for n bytes from off on, so that writing there
// cannot fail for want of it; the file grows if it must. mode has FALLOC_FL_ flags of
// fallocate(2), and 0 is right for the above.
func (f *File) Allocate(ctx context.Context, mode int, off, n int64) error {
	return f.do(ctx, "allocate", proactor.Fallocate(f.fd, mode, off, n))
}

// Advise tells the kernel how n bytes from off on, 0 for all, will be used; advice is
// an FADV_ constant of posix_fadvise(2).
func (f *File) Advise(ctx context.Context, off int64, n uint32, advice int) error {
	return f.do(ctx, "advise", proactor.Fadvise(f.fd, off, n, advice))
}

// Chmod changes the permission bits. It is an ordinary system call.
func (f *File) Chmod(mode fs.FileMode) error {
	return f.Control("chmod", func(fd int) error { return unix.Fchmod(fd, modeBits(mode)) })
}

// Chown changes the owner and the group; -1 keeps them. It is an ordinary system call.
func (f *File) Chown(uid, gid int) error {
	return f.Control("chown", func(fd int) error { return unix.Fchown(fd, uid, gid) })
}

// Chtimes changes the times of the last access and the last change; a zero time stays
// as it is. It is an ordinary system call.
func (f *File) Chtimes(access, change time.Time) error {
	return f.Control("chtimes", func(fd int) error {
		ts := [2]unix.Timespec{timespec(access), timespec(change)}
		return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), ts[:], 0)
	})
}

// Control calls do with the descriptor, which stays open meanwhile whoever calls
// Close. op is the name for an error.
func (f *File) Control(op string, do func(fd int) error) error {
	if err := f.acquire(); err != nil {
		return f.wrap(op, err)
	}
	defer f.release()
	for {
		if err := do(f.fd); err != syscall.EINTR {
			return f.wrap(op, err)
		}
	}
}

// Fd returns the descriptor. It is valid until Close, and must not be closed. It does
// not change the file's mode.
func (f *File) Fd() uintptr {
	if f.acquire() != nil {
		return ^uintptr(0)
	}
	defer f.release()
	return uintptr(f.fd)
}

// SetDeadline sets the time at which reads and writes end with
// os.ErrDeadlineExceeded, those in flight too; the zero time is none. As with os.File,
// it is for what may wait for somebody else, such as a pipe; for others it fails with
// os.ErrNoDeadline. A context can end any call.
func (f *File) SetDeadline(t time.Time) error {
	return f.setDeadline(t, &f.reading, &f.writing)
}

// SetReadDeadline is SetDeadline for reads.
func (f *File) SetReadDeadline(t time.Time) error { return f.setDeadline(t, &f.reading) }

// SetWriteDeadline is SetDeadline for writes.
func (f *File) SetWriteDeadline(t time.Time) error { return f.setDeadline(t, &f.writing) }

func (f *File) setDeadline(t time.Time, gates ...*proactor.Gate) error {
	if err := f.acquire(); err != nil {
		return f.wrap("set deadline", err)
	}
	defer f.release()
	if f.kind() != stream {
		return f.wrap("set deadline", os.ErrNoDeadline)
	}
	for _, g := range gates {
		g.SetDeadline(t)
	}
	return nil
}

// SyscallConn gives the descriptor to functions. Read and Write wait, before each call
// of theirs after the first, until the file can be read from or written to.
func (f *File) SyscallConn() (syscall.RawConn, error) {
	if err := f.acquire(); err != nil {
		return nil, f.wrap("SyscallConn", err)
	}
	defer f.release()
	return rawConn{f}, nil
}

type rawConn struct{ f *File }

func (c rawConn) Control(do func(fd uintptr)) error {
	return c.f.Control("raw-control", func(fd int) error { do(uintptr(fd)); return nil })
}

func (c rawConn) Read(try func(fd uintptr) bool) error {
	return c.wait("raw-read", try, unix.POLLIN, &c.f.reading)
}

func (c rawConn) Write(try func(fd uintptr) bool) error {
	return c.wait("raw-write", try, unix.POLLOUT, &c.f.writing)
}

func (c rawConn) wait(op string, try func(fd uintptr) bool, events uint32, g *proactor.Gate) error {
	return c.f.Control(op, func(fd int) error {
		for !try(uintptr(fd)) {
			if _, err := c.f.p.Do(context.Background(), proactor.Poll(fd, events).Through(g)); err != nil && !again(err) {
				return err
			}
		}
		return nil
	})
}
