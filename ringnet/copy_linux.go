package ringnet

// Copying within the kernel: sendfile(2) from files, splice(2) through a pipe between
// sockets. Both are tried without waiting, on the caller's thread, and the ring only
// waits: as requests they would each occupy a thread of the kernel's.

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ReadFrom writes what it reads from r until the end. From a file (*os.File), a
// connection of this package or of package net, or a part of one (*io.LimitedReader),
// the data stays in the kernel.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if v, ok := r.(*net.Buffers); ok {
		return c.WriteBuffers(v)
	}
	n, done, err := c.readFrom(r)
	if done || err != nil {
		return n, err
	}
	// What is embedded hides ReadFrom from io.Copy, which would call it again.
	m, err := io.Copy(struct{ io.Writer }{c}, r)
	return n + m, err
}

// WriteTo writes what it reads to w until the end of the stream. To a connection of
// this package or of package net the data stays in the kernel.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	n, done, err := c.writeTo(w)
	if done || err != nil {
		return n, err
	}
	m, err := io.Copy(w, struct{ io.Reader }{c})
	return n + m, err
}

// rest returns a reader without its limit, and the limit.
func rest(r io.Reader) (io.Reader, *io.LimitedReader, int64) {
	if l, ok := r.(*io.LimitedReader); ok {
		return l.R, l, l.N
	}
	return r, nil, 1<<63 - 1
}

// readFrom does what can be done in the kernel, and reports whether that is all.
func (c *Conn) readFrom(r io.Reader) (n int64, done bool, err error) {
	if !c.kind.stream() {
		return 0, false, nil
	}
	r, l, limit := rest(r)
	if limit <= 0 {
		return 0, true, nil
	}
	switch source := r.(type) {
	case *os.File:
		from, rawErr := source.SyscallConn()
		if rawErr != nil {
			return 0, false, nil
		}
		if n, done, err = c.sendFile(from, limit); !done && err == nil { // it may be a pipe
			n, done, err = splice(raw{&c.d, c.wrap}, from, limit)
		}
	case *Conn:
		n, done, err = splice(raw{&c.d, c.wrap}, raw{&source.d, source.wrap}, limit)
	case *net.TCPConn:
		n, done, err = c.spliceFrom(source, limit)
	case *net.UnixConn:
		if a, _ := source.LocalAddr().(*net.UnixAddr); a == nil || a.Net != "unix" {
			return 0, false, nil
		}
		n, done, err = c.spliceFrom(source, limit)
	}
	if l != nil {
		l.N -= n
	}
	return n, done, err
}

func (c *Conn) spliceFrom(source syscall.Conn, limit int64) (int64, bool, error) {
	from, err := source.SyscallConn()
	if err != nil {
		return 0, false, nil
	}
	return splice(raw{&c.d, c.wrap}, from, limit)
}

func (c *Conn) writeTo(w io.Writer) (int64, bool, error) {
	if !c.kind.stream() {
		return 0, false, nil
	}
	var to syscall.RawConn
	switch sink := w.(type) {
	case *Conn:
		if !sink.kind.stream() {
			return 0, false, nil
		}
		to = raw{&sink.d, sink.wrap}
	case *net.TCPConn:
		to, _ = sink.SyscallConn()
	case *net.UnixConn:
		if a, _ := sink.LocalAddr().(*net.UnixAddr); a != nil && a.Net == "unix" {
			to, _ = sink.SyscallConn()
		}
	}
	if to == nil {
		return 0, false, nil
	}
	return splice(to, raw{&c.d, c.wrap}, 1<<63-1)
}

// stretch is the most that one call moves, so that Close and deadlines have a chance.
const stretch = 4 << 20

// sendFile copies from the position of a file, which it advances. done is false if it
// cannot and has not begun.
func (c *Conn) sendFile(from syscall.RawConn, limit int64) (n int64, done bool, err error) {
	done = true
	// The write side is held from begin to end; the file's lock while the kernel reads.
	writeErr := c.d.repeat(&c.d.write, unix.POLLOUT, func(to uintptr) bool {
		for n < limit && c.d.write.gate.Err() == nil {
			var m int
			readErr := from.Read(func(fd uintptr) bool {
				for {
					m, err = unix.Sendfile(int(to), int(fd), nil, int(min(limit-n, stretch)))
					if err != unix.EINTR {
						return true
					}
				}
			})
			switch {
			case readErr != nil:
				err = readErr
				return true
			case err == unix.EAGAIN:
				err = nil
				return false
			case n == 0 && (err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP):
				done, err = false, nil
				return true
			case err != nil:
				err = c.wrap("sendfile", os.NewSyscallError("sendfile", err))
				return true
			case m == 0:
				return true
			}
			n += int64(m)
		}
		return n >= limit // or the gate is shut, which repeat sees
	})
	if writeErr != nil {
		err = c.wrap("sendfile", writeErr)
	}
	return n, done, err
}

// pipeSize is how much a pipe between sockets may hold, if the kernel lets it.
const pipeSize = 1 << 20

// splice moves bytes from one descriptor to another, through a pipe, until there are
// no more. done is false if that is not possible and nothing was moved. Each side
// waits by its own means, so that its deadlines and its Close are heard.
func splice(to, from syscall.RawConn, limit int64) (n int64, done bool, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, false, nil
	}
	defer func() {
		unix.Close(p[0])
		unix.Close(p[1])
	}()
	size, sizeErr := unix.FcntlInt(uintptr(p[0]), unix.F_SETPIPE_SZ, pipeSize)
	if sizeErr != nil {
		size = 1 << 16
	}
	move := func(out, in int, most int64) (int, error) {
		for {
			m, err := unix.Splice(in, nil, out, nil, int(most), unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
			if err != unix.EINTR {
				return int(m), err // its type differs between architectures
			}
		}
	}
	for n < limit {
		var in int
		waitErr := from.Read(func(fd uintptr) bool {
			in, err = move(p[1], int(fd), min(limit-n, int64(size)))
			return err != unix.EAGAIN
		})
		switch {
		case waitErr != nil:
			return n, true, waitErr
		case n == 0 && err == unix.EINVAL:
			return 0, false, nil
		case err != nil:
			return n, true, os.NewSyscallError("splice", err)
		case in == 0:
			return n, true, nil
		}
		for in > 0 {
			var out int
			waitErr := to.Write(func(fd uintptr) bool {
				out, err = move(int(fd), p[0], int64(in))
				return err != unix.EAGAIN
			})
			if waitErr != nil {
				return n, true, waitErr
			}
			if err != nil {
				return n, true, os.NewSyscallError("splice", err)
			}
			in -= out
			n += int64(out)
		}
	}
	return n, true, nil
}
