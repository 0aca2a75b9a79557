//go:build linux

package main

// Copying a tree through a ring. A file is copied by one chain of linked
// requests,
//
//	OPENAT source → OPENAT copy → READ → WRITE → CLOSE source → CLOSE copy,
//
// of which the kernel starts each when the one before has succeeded. With direct
// descriptors the opened files live in the ring's own table, so that the reads and
// writes can name them before they are open. Files larger than a buffer take more
// chains of READ → WRITE in the middle. Many files are in flight at once, and one
// submission starts whatever chains are ready.
//
// Every chain may break off anywhere: a read or write may be short, and a request
// may fail. Then the kernel cancels the rest of it, and the next chain goes on
// from what was reached.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
	"golang.org/x/sys/unix"
)

const (
	inFlight  = 32       // files at once
	chunk     = 64 << 10 // bytes that one chain moves
	mostTries = 100      // chains in a row that EAGAIN or EINTR broke
)

// The requests of a chain, in order.
type step uint8

const (
	openSource step = iota
	openCopy
	read
	write
	closeSource
	closeCopy
	steps
)

var stepNames = [steps]string{"open", "create", "read", "write", "close", "close copy"}

// stats are for the table.
type stats struct {
	files       int // copied
	requests    int
	submissions int
	broken      int // chains that did not run to their end
	direct      bool
}

func (s *stats) descriptors() string {
	if s.direct {
		return "direct"
	}
	return "plain"
}

// A copier is a ring and the files in flight on it.
type copier struct {
	ring     *uring.Ring
	from, to *os.File // the roots; paths are relative to them
	slots    [inFlight]slot
	size     int // of a buffer
	stats
}

// A slot is a place for one file in flight. The kernel uses its memory as long
// as running is not 0.
type slot struct {
	job        *file // nil: the slot is free
	path       *byte
	buf        []byte
	full, done int   // buf[done:full] was read and waits to be written
	at         int64 // the offset in the file of buf[0]
	fd         [2]int
	open       [2]bool // the source and the copy

	running int // requests of the chain that have not completed
	asked   [steps]bool
	result  [steps]int32
	tries   int
	err     error // ends the copy of this file once its descriptors are closed
}

const source, dest = 0, 1

// copyTree copies the regular files of src into a new directory. progress is told
// how many are done. It stops early, and leaves nothing in flight, when ctx is
// done or a file cannot be copied.
func copyTree(ctx context.Context, b backend, src *tree, dst string, progress func(files int)) (stats, error) {
	return copyWith(ctx, b, src, dst, chunk, true, progress)
}

// copyWith is copyTree with buffers of size bytes, and without direct
// descriptors on request.
func copyWith(ctx context.Context, b backend, src *tree, dst string, size int, direct bool, progress func(files int)) (st stats, err error) {
	if err := makeDirs(src, dst); err != nil {
		return st, err
	}
	c := &copier{size: size}
	if c.from, err = os.Open(src.root); err != nil {
		return st, err
	}
	defer c.from.Close()
	if c.to, err = os.Open(dst); err != nil {
		return st, err
	}
	defer c.to.Close()
	if c.ring, err = b.ring(inFlight * uint32(steps)); err != nil {
		return st, err
	}
	defer func() { err = errors.Join(err, c.ring.Close()) }()
	if err := needs(c.ring, sys.IORING_OP_OPENAT, sys.IORING_OP_READ, sys.IORING_OP_WRITE, sys.IORING_OP_CLOSE); err != nil {
		return st, err
	}
	// A request of a chain can name a file that an earlier one opens only where
	// files are looked up when a request starts, and not when it is submitted.
	if direct && c.ring.Params().Features&sys.IORING_FEAT_LINKED_FILE != 0 {
		c.direct = c.ring.RegisterFiles(slices.Repeat([]int32{uring.FileNone}, 2*inFlight)) == nil
	}
	err = c.run(ctx, src.files, progress)
	return c.stats, err
}

// makeDirs makes dst and the tree's directories in it. They are writable for us,
// whatever the originals are, for files are to be made in them and removed.
func makeDirs(src *tree, dst string) error {
	if err := os.Mkdir(dst, 0o700); err != nil {
		return err
	}
	for _, d := range src.dirs {
		if err := os.Mkdir(filepath.Join(dst, d), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) run(ctx context.Context, files []file, progress func(files int)) error {
	var failed error
	for {
		busy, running := 0, 0
		for i := range c.slots {
			s := &c.slots[i]
			if s.job == nil && len(files) > 0 && failed == nil && ctx.Err() == nil {
				failed = c.begin(i, &files[0])
				files = files[1:]
			}
			if s.job == nil {
				continue
			}
			if s.running == 0 {
				c.chain(i)
			}
			busy++
			running += s.running
		}
		if busy == 0 {
			break
		}
		// Every request completes, a cancelled one too, so any part of them can
		// be waited for. With a quarter the kernel always has work left.
		c.submissions++
		if _, err := c.ring.SubmitWait(uring.Wait{N: max(1, uint32(running)/4)}); err != nil {
			return errors.Join(failed, err, c.drain())
		}
		if err := c.reap(&failed); err != nil {
			return errors.Join(failed, err, c.drain())
		}
		progress(c.files)
	}
	if failed == nil {
		failed = ctx.Err()
	}
	return failed
}

// begin gives the file a slot.
func (c *copier) begin(i int, f *file) error {
	path, err := unix.BytePtrFromString(f.path)
	if err != nil {
		return &fs.PathError{Op: "open", Path: f.path, Err: err}
	}
	s := &c.slots[i]
	buf := s.buf
	if buf == nil {
		buf = make([]byte, c.size)
	}
	*s = slot{job: f, path: path, buf: buf}
	if c.direct {
		s.fd = [2]int{2 * i, 2*i + 1}
	}
	return nil
}

// chain queues what is next for a slot. The queue has room for a whole chain of
// every slot.
func (c *copier) chain(i int) {
	s := &c.slots[i]
	s.asked = [steps]bool{}
	var last *uring.SQE
	add := func(what step, link bool) *uring.SQE {
		if link && last != nil {
			last.Flags |= sys.IOSQE_IO_LINK
		}
		last = c.ring.GetSQE()
		last.UserData = uint64(i)<<8 | uint64(what)
		s.asked[what] = true
		s.running++
		c.requests++
		return last
	}
	if s.err == nil {
		if !s.open[source] {
			c.openFile(s, add(openSource, true), source)
		}
		if !s.open[dest] {
			c.openFile(s, add(openCopy, true), dest)
		}
		if last != nil && !c.direct {
			return // the descriptors are not known yet
		}
		if s.full == 0 {
			if n := min(int64(c.size), s.job.size-s.at); n > 0 {
				sqe := add(read, true)
				sqe.PrepRead(s.fd[source], s.buf[:n], uint64(s.at))
				c.fixed(sqe)
				s.full = int(n) // if the read is short, the chain ends with it
			}
		}
		if s.full > 0 {
			sqe := add(write, true)
			sqe.PrepWrite(s.fd[dest], s.buf[s.done:s.full], uint64(s.at)+uint64(s.done))
			c.fixed(sqe)
		}
		if s.at+int64(s.full) < s.job.size {
			return
		}
	}
	// After a failure both are closed, whatever becomes of the other.
	link := s.err == nil
	if s.open[source] || link {
		c.closeFile(s, add(closeSource, link), source)
	}
	if s.open[dest] || link {
		c.closeFile(s, add(closeCopy, link), dest)
	}
}

func (c *copier) fixed(sqe *uring.SQE) {
	if c.direct {
		sqe.Flags |= sys.IOSQE_FIXED_FILE
	}
}

func (c *copier) openFile(s *slot, sqe *uring.SQE, which int) {
	dir, flags, mode := c.from, unix.O_RDONLY|unix.O_NOFOLLOW, uint32(0)
	if which == dest {
		dir, flags, mode = c.to, unix.O_WRONLY|unix.O_CREAT|unix.O_NOFOLLOW, uint32(s.job.mode)
	}
	if c.direct {
		sqe.PrepOpenatDirect(int(dir.Fd()), s.path, flags, mode, uint32(s.fd[which]))
		return
	}
	sqe.PrepOpenat(int(dir.Fd()), s.path, flags|unix.O_CLOEXEC, mode)
}

func (c *copier) closeFile(s *slot, sqe *uring.SQE, which int) {
	if c.direct {
		sqe.PrepCloseDirect(uint32(s.fd[which]))
		return
	}
	sqe.PrepClose(s.fd[which])
}

// reap takes in what has completed, and decides for each slot whose chain is over
// how it goes on. The first file that cannot be copied is put into failed.
func (c *copier) reap(failed *error) error {
	for cqe := range c.ring.Completions() {
		i, what := cqe.UserData>>8, step(cqe.UserData)
		if i >= inFlight || what >= steps || !c.slots[i].asked[what] {
			return fmt.Errorf("a completion that nobody asked for: %+v", cqe)
		}
		s := &c.slots[i]
		s.result[what] = cqe.Res
		if s.running--; s.running > 0 {
			continue
		}
		c.advance(s)
		if s.open[source] || s.open[dest] || s.err == nil && !s.finished() {
			continue
		}
		if s.err == nil {
			c.files++
		} else if *failed == nil {
			*failed = s.err
		}
		s.job = nil
	}
	return nil
}

// finished reports whether the whole file is copied and closed.
func (s *slot) finished() bool {
	return s.at == s.job.size && s.asked[closeCopy] && s.result[closeCopy] == 0
}

// advance takes over what a chain reached. Only the request that broke it can
// have failed by itself; those after it were cancelled.
func (c *copier) advance(s *slot) {
	reached, again := false, false
	fail := func(what step, err error) {
		if s.err == nil {
			s.err = &fs.PathError{Op: stepNames[what], Path: s.job.path, Err: err}
		}
	}
	for what := range steps {
		if !s.asked[what] {
			continue
		}
		res := s.result[what]
		if res < 0 {
			if what == read {
				s.full = 0
			}
			switch errno := syscall.Errno(-res); errno {
			case unix.ECANCELED:
			case unix.EAGAIN, unix.EINTR:
				again = true
			default:
				fail(what, errno)
			}
			if which, ok := what.closes(); ok && syscall.Errno(-res) != unix.ECANCELED {
				s.open[which] = false // close(2) gives the descriptor up even when it fails
			}
			continue
		}
		reached = true
		switch what {
		case openSource, openCopy:
			which := int(what - openSource)
			s.open[which] = true
			if !c.direct {
				s.fd[which] = int(res)
			}
		case read:
			if s.full, s.done = int(res), 0; res == 0 {
				fail(read, fmt.Errorf("it ends after %d of %d bytes: %w", s.at, s.job.size, io.ErrUnexpectedEOF))
			}
		case write:
			if res == 0 {
				fail(write, io.ErrShortWrite)
			}
			if s.done += int(res); s.done == s.full {
				s.at += int64(s.full)
				s.full, s.done = 0, 0
			}
		case closeSource, closeCopy:
			which, _ := what.closes()
			s.open[which] = false
		}
	}
	s.tries++
	switch {
	case reached:
		s.tries = 0
	case s.err != nil:
	case !again:
		s.err = fmt.Errorf("%s: the kernel cancelled a chain without a reason", s.job.path)
	case s.tries == mostTries:
		s.err = fmt.Errorf("%s: the kernel asked to try again %d times in a row", s.job.path, s.tries)
	}
	for what := range steps {
		if s.asked[what] && s.result[what] == -int32(unix.ECANCELED) {
			c.broken++
			break
		}
	}
}

// closes returns which of the two files the request closes.
func (w step) closes() (which int, ok bool) {
	return int(w) - int(closeSource), w == closeSource || w == closeCopy
}

// drain waits for everything in flight, after the ring itself has failed: the
// buffers belong to the kernel until then.
func (c *copier) drain() error {
	running := 0
	for i := range c.slots {
		running += c.slots[i].running
	}
	running -= c.ring.Status().SQReady // these the kernel never saw
	for running > 0 {
		if err := c.ring.Wait(uring.Wait{N: 1}); err != nil {
			return err
		}
		for range c.ring.Completions() {
			running--
		}
	}
	return nil
}
