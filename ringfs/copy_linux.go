package ringfs

// Copying a tree.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// CopyOptions say how CopyTree works. The zero value, and nil, are right for most.
type CopyOptions struct {
	// Workers is how many files are copied at the same time. 0 is twice GOMAXPROCS.
	Workers int

	// Owner preserves owner and group too, which mostly only root may.
	Owner bool

	// Sync has each file reach the disk before it counts as copied.
	Sync bool

	// Progress, if not nil, is told how far it is: after each file, and within long
	// ones. Its calls come one after another, from several goroutines, and hold up the
	// copying.
	Progress func(CopyProgress)
}

// CopyProgress is how much has been copied.
type CopyProgress struct {
	Name  string // what was copied last, relative to the source
	Files int    // regular files, and FIFOs
	Dirs  int
	Links int
	Bytes int64 // of data; holes do not count
}

// copier is a call of CopyTree.
type copier struct {
	o       *OS
	options CopyOptions
	ctx     context.Context
	top     fs.FileInfo // the directory that is made, which may be within what is copied
	jobs    chan job
	dirs    []job // to be finished when all is in them, innermost last

	mu   sync.Mutex
	done CopyProgress
}

type job struct {
	dst, src, name string
	info           fs.FileInfo
}

// CopyTree copies the file or directory src to dst, which is the copy's name and not the
// directory for it. What it finds at dst it merges with: directories stay with what is in
// them, files are overwritten, anything else is an error (fs.ErrExist). A symbolic link
// at dst or below is never followed.
//
// Permission bits and times are preserved, symbolic links as they are, holes in files
// where the file system tells of them, and FIFOs; with Options.Owner owners. Links
// between files (Link) and extended attributes are not; sockets and devices are an error
// (errors.ErrUnsupported).
//
// The first error, or the end of ctx, ends the copying; what was copied stays. The bytes
// are copied inside the kernel if it can (copy_file_range), and through the ring if not.
func (o *OS) CopyTree(ctx context.Context, dst, src string, options *CopyOptions) (CopyProgress, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &copier{o: o, ctx: ctx, jobs: make(chan job)}
	if options != nil {
		c.options = *options
	}
	if c.options.Workers < 0 {
		return CopyProgress{}, fmt.Errorf("ringfs: CopyOptions.Workers is %d; it must be 0 or more: %w", c.options.Workers, syscall.EINVAL)
	}
	if c.options.Workers == 0 {
		c.options.Workers = 2 * runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	for range c.options.Workers {
		wg.Go(func() {
			for j := range c.jobs {
				if err := c.file(j); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := c.start(dst, src)
	close(c.jobs)
	wg.Wait()
	if first := context.Cause(ctx); first != nil {
		err = first // of which err may be a consequence
	}
	for _, d := range slices.Backward(c.dirs) {
		if err != nil {
			break
		}
		err = c.finish(d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done, err
}

func (c *copier) start(dst, src string) error {
	info, err := c.o.Lstat(c.ctx, src)
	if err != nil {
		return err
	}
	if old, err := c.o.Lstat(c.ctx, dst); err == nil && SameFile(old, info) {
		return linkError("copy", src, dst, fmt.Errorf("they are the same: %w", syscall.EINVAL))
	}
	return c.copy(job{dst, src, path.Base(src), info})
}

// copy copies whatever it is, files by giving them to the workers.
func (c *copier) copy(j job) error {
	switch mode := j.info.Mode(); mode.Type() {
	case 0:
		select {
		case c.jobs <- j:
			return nil
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	case fs.ModeDir:
		return c.directory(j)
	case fs.ModeSymlink:
		text, err := c.o.Readlink(j.src)
		if err != nil {
			return err
		}
		err = c.o.Symlink(c.ctx, text, j.dst)
		if errors.Is(err, fs.ErrExist) {
			if old, e := c.o.Readlink(j.dst); e == nil && old == text {
				err = nil
			}
		}
		if err != nil {
			return err
		}
		return c.finishAs(j, func(d *CopyProgress) { d.Links++ })
	case fs.ModeNamedPipe:
		if err := unix.Mkfifo(j.dst, modeBits(mode)); err != nil {
			return pathError("mkfifo", j.dst, err)
		}
		return c.finishAs(j, func(d *CopyProgress) { d.Files++ })
	default:
		return pathError("copy", j.src, fmt.Errorf("a file of type %v: %w", mode.Type(), errors.ErrUnsupported))
	}
}

func (c *copier) directory(j job) error {
	if c.top != nil && SameFile(j.info, c.top) {
		return pathError("copy", j.src, fmt.Errorf("it is what is being written: %w", syscall.EINVAL))
	}
	// For now it must be possible to write in it.
	err := c.o.Mkdir(c.ctx, j.dst, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	made, e := c.o.Lstat(c.ctx, j.dst)
	if e != nil {
		return e
	}
	if !made.IsDir() {
		return err
	}
	if c.top == nil {
		c.top = made
	}
	c.dirs = append(c.dirs, j)
	list, err := c.o.ReadDir(c.ctx, j.src)
	if err != nil {
		return err
	}
	c.note(j.name, func(d *CopyProgress) { d.Dirs++ })
	for _, e := range list {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		info, err := c.lstat(j.src + "/" + e.Name())
		if err != nil {
			return err
		}
		if err := c.copy(job{j.dst + "/" + e.Name(), j.src + "/" + e.Name(), path.Join(j.name, e.Name()), info}); err != nil {
			return err
		}
	}
	return nil
}

// lstat is an ordinary call: a ring would hand each to another thread, and they come one
// after another here.
func (c *copier) lstat(name string) (fs.FileInfo, error) {
	info := &fileInfo{name: base(name)}
	err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &info.stat)
	if err != nil {
		return nil, pathError("lstat", name, err)
	}
	return info, nil
}

// finish gives a copy the owner, the mode and the times of the original.
func (c *copier) finish(j job) error {
	st := &j.info.(*fileInfo).stat
	if c.options.Owner {
		if err := c.o.Lchown(j.dst, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if j.info.Mode().Type() != fs.ModeSymlink {
		if err := c.o.Chmod(j.dst, j.info.Mode()); err != nil {
			return err
		}
	}
	return c.o.Lchtimes(j.dst, time.Unix(st.Atime.Sec, int64(st.Atime.Nsec)), j.info.ModTime())
}

func (c *copier) finishAs(j job, count func(*CopyProgress)) error {
	if err := c.finish(j); err != nil {
		return err
	}
	c.note(j.name, count)
	return nil
}

func (c *copier) note(name string, count func(*CopyProgress)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Name = name
	count(&c.done)
	if c.options.Progress != nil {
		c.options.Progress(c.done)
	}
}

// file copies a regular file.
func (c *copier) file(j job) (err error) {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	src, err := c.o.OpenFile(c.ctx, j.src, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	var st unix.Stat_t
	if err := unix.Fstat(src.fd, &st); err != nil {
		return pathError("stat", j.src, err)
	}
	dst, err := c.create(j, &st)
	if err != nil {
		return err
	}
	defer func() {
		if e := dst.Close(); err == nil {
			err = e
		}
	}()
	if err := c.content(j, dst, src, st.Size); err != nil {
		return err
	}
	if err := c.finish(j); err != nil {
		return err
	}
	if c.options.Sync {
		if err := dst.SyncContext(c.ctx); err != nil {
			return err
		}
	}
	c.note(j.name, func(d *CopyProgress) { d.Files++ })
	return nil
}

// create opens the copy, and empties it once it is sure that it is not the original.
func (c *copier) create(j job, original *unix.Stat_t) (*File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | unix.O_NOFOLLOW
	dst, err := c.o.OpenFile(c.ctx, j.dst, flags|os.O_EXCL, 0o600)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return dst, err
	}
	if dst, err = c.o.OpenFile(c.ctx, j.dst, flags|unix.O_NONBLOCK, 0o600); err != nil {
		if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENXIO) {
			err = pathError("open", j.dst, fmt.Errorf("it is not a regular file: %w", fs.ErrExist))
		}
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(dst.fd, &st)
	switch {
	case err != nil:
	case st.Dev == original.Dev && st.Ino == original.Ino:
		err = fmt.Errorf("it is the same as %s: %w", j.src, syscall.EINVAL)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = fmt.Errorf("it is not a regular file: %w", fs.ErrExist)
	default:
		err = bare(dst.TruncateContext(c.ctx, 0))
	}
	if err != nil {
		dst.Close()
		return nil, pathError("open", j.dst, err)
	}
	return dst, nil
}

// content copies the data of a file and leaves out its holes.
func (c *copier) content(j job, dst, src *File, size int64) error {
	for at := int64(0); at < size; {
		from, err := unix.Seek(src.fd, at, unix.SEEK_DATA)
		if err == syscall.ENXIO {
			break // nothing but a hole
		}
		to := size
		if err == nil {
			to, err = unix.Seek(src.fd, from, unix.SEEK_HOLE)
		}
		if err != nil {
			from, to = at, size // the file system does not tell
		}
		to = min(to, size)
		if from >= to {
			break
		}
		if err := c.stretch(j, dst, src, from, to-from); err != nil {
			return err
		}
		at = to
	}
	if size > 0 {
		return dst.TruncateContext(c.ctx, size)
	}
	// It may be one of those whose size is not told.
	n, err := dst.ReadFromContext(c.ctx, src)
	c.count(j, n)
	return err
}

func (c *copier) count(j job, n int64) {
	if n > 0 {
		c.note(j.name, func(d *CopyProgress) { d.Bytes += n })
	}
}

// stretch copies n bytes at off.
func (c *copier) stretch(j job, dst, src *File, off, n int64) error {
	done, ok, err := copyRange(c.ctx, dst, src, off, n, func(n int64) { c.count(j, n) })
	if ok || err != nil {
		if err != nil && done < n {
			return linkError("copy", j.src, j.dst, err)
		}
		return nil
	}
	return c.through(j, dst, src, off, n)
}

// through copies n bytes at off with buffers, several reads and then several writes at a
// time.
func (c *copier) through(j job, dst, src *File, off, n int64) error {
	const parallel = 4
	var reads [parallel]ReadReq
	var writes [parallel]WriteReq
	for i := range reads {
		buf := bounces.Get().(*[]byte)
		defer bounces.Put(buf)
		reads[i].P = *buf
	}
	for n > 0 {
		batch := reads[:0]
		for i, at := 0, off; i < parallel && at < off+n; i++ {
			p := reads[i].P[:min(bounceSize, off+n-at)]
			batch = append(batch, ReadReq{P: p, Off: at})
			at += int64(len(p))
		}
		err := src.ReadAtv(c.ctx, batch)
		if err != nil && err != io.EOF {
			return err
		}
		var moved int64
		out := writes[:0]
		for i := range batch {
			out = append(out, WriteReq{P: batch[i].P[:batch[i].N], Off: batch[i].Off})
			moved += int64(batch[i].N)
			reads[i].P = batch[i].P[:cap(batch[i].P)]
		}
		if e := dst.WriteAtv(c.ctx, out); e != nil {
			return e
		}
		c.count(j, moved)
		if err == io.EOF {
			return nil // it has become shorter
		}
		off, n = off+moved, n-moved
	}
	return nil
}
