package ringfs

// Names of files: what OS and FS have in common. A tree turns a name into a descriptor
// and a path relative to it; for an OS that is the working directory, for an FS the
// directory that holds the name, found without leaving the root.

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// An OS is package os through a Proactor. Names are those of package os.
type OS struct{ tree }

// New returns an OS that uses p. It needs no closing.
func New(p *proactor.Proactor) *OS { return &OS{tree{p: p}} }

// tree is where names are looked up.
type tree struct {
	p    *proactor.Proactor
	root *root // nil: as package os does
}

// spot is a name looked up: path relative to fd.
type spot struct {
	fd   int
	path string
	free func()
}

// find looks a name up for an operation that works on the name itself.
func (t *tree) find(ctx context.Context, name string) (spot, error) {
	if t.root != nil {
		return t.root.find(ctx, name)
	}
	return spot{unix.AT_FDCWD, name, func() {}}, nil
}

// at carries out an operation on a name; its error is a *fs.PathError.
func (t *tree) at(ctx context.Context, verb, name string, op func(fd int, path string) proactor.Op) error {
	w, err := t.find(ctx, name)
	if err != nil {
		return pathError(verb, name, err)
	}
	defer w.free()
	return pathError(verb, name, t.do(ctx, op(w.fd, w.path)))
}

func (t *tree) do(ctx context.Context, op proactor.Op) error {
	_, err := t.number(ctx, op)
	return err
}

func (t *tree) number(ctx context.Context, op proactor.Op) (int, error) {
	for {
		n, err := t.p.Do(ctx, op)
		if !again(err) {
			return n, err
		}
	}
}

// call is at for what io_uring has no operation for.
func (t *tree) call(verb, name string, do func(fd int, path string) error) error {
	w, err := t.find(context.Background(), name)
	if err != nil {
		return pathError(verb, name, err)
	}
	defer w.free()
	for {
		if err := do(w.fd, w.path); err != syscall.EINTR {
			return pathError(verb, name, err)
		}
	}
}

func pathError(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: verb, Path: name, Err: bare(err)}
}

func linkError(verb, from, to string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: verb, Old: from, New: to, Err: bare(err)}
}

// bare takes the wrapping off an error that gets another.
func bare(err error) error {
	if e, ok := err.(*fs.PathError); ok {
		return e.Err
	}
	return err
}

// Open opens a file for reading.
func (o *OS) Open(ctx context.Context, name string) (*File, error) {
	return o.OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create makes a file, or empties the one there is, and opens it for reading and
// writing.
func (t *tree) Create(ctx context.Context, name string) (*File, error) {
	return t.OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file. flag has O_ flags of package os or of open(2), such as
// O_DIRECT; perm is for a file that this makes, before the umask.
//
// Opening a FIFO waits for its other end, in a thread of the kernel, until ctx ends. In
// this version that is not reliable: when the other end opens and closes at about the
// same time, the wait was seen to go on. For FIFOs, os.OpenFile is the better choice.
func (t *tree) OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (*File, error) {
	open := func(ctx context.Context, op func(proactor.Op) proactor.Op) (int, error) {
		if t.root != nil {
			return t.root.open(ctx, name, flag, perm, op)
		}
		return t.number(ctx, op(proactor.Openat(unix.AT_FDCWD, name, flag, modeBits(perm))))
	}
	fd, err := open(ctx, asItIs)
	if flag&(unix.O_NONBLOCK|unix.O_PATH|unix.O_DIRECTORY) == 0 {
		fd, err = t.otherEnd(ctx, fd, err, flag, open)
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	f, err := newFile(t.p, fd, name, flag)
	if err != nil {
		return nil, err
	}
	f.tree, f.path = t, name
	return f, nil
}

func asItIs(op proactor.Op) proactor.Op { return op }

// otherEnd makes opening a FIFO wait for its other end, as open(2) does. A ring tries
// without waiting first, and for a FIFO that means what O_NONBLOCK means: its reader
// need not wait, and for its writer there is no such device. So it is opened once more,
// by a thread of the kernel, and is held open meanwhile: who opens the other end must
// not find this one gone again.
func (t *tree) otherEnd(ctx context.Context, fd int, err error, flag int, open func(context.Context, func(proactor.Op) proactor.Op) (int, error)) (int, error) {
	if err == syscall.ENXIO && flag&unix.O_ACCMODE == unix.O_WRONLY {
		return open(ctx, proactor.Op.Async)
	}
	if err != nil || flag&unix.O_ACCMODE != unix.O_RDONLY || !isFifo(fd) {
		return fd, err
	}
	for {
		p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(p[:], 0); n > 0 || err != nil && err != syscall.EINTR {
			return fd, nil // a writer is there, or was
		}
		const patience = 100 * time.Millisecond // a writer may have come and gone in between
		// Not the operation's own time limit: Linux 6.18 does not always end with it an
		// open that waits in one of its threads. A request to cancel is repeated.
		brief, cancel := context.WithTimeout(ctx, patience)
		second, err := open(brief, proactor.Op.Async)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		closeFd(t.p, fd)
		return second, err
	}
}

func isFifo(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// stat describes a file; flags has AT_ flags.
func (t *tree) stat(ctx context.Context, verb, name string, flags int) (fs.FileInfo, error) {
	info := &fileInfo{name: base(name)}
	err := t.at(ctx, verb, name, func(fd int, path string) proactor.Op {
		return proactor.Statx(fd, path, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &info.stat)
	})
	if err != nil {
		return nil, err
	}
	return info, nil
}

// StatContext describes a file. Its Sys is a *unix.Statx_t.
func (t *tree) StatContext(ctx context.Context, name string) (fs.FileInfo, error) {
	if t.root == nil {
		return t.stat(ctx, "stat", name, 0)
	}
	// A symbolic link must not be followed out of the root.
	if t.root.lack.Load() {
		return t.root.stat(name)
	}
	fd, err := t.root.open(ctx, name, unix.O_PATH, 0, asItIs)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	defer closeFd(t.p, fd)
	info := &fileInfo{name: base(name)}
	if err := t.do(ctx, proactor.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &info.stat)); err != nil {
		return nil, pathError("stat", name, err)
	}
	return info, nil
}

// LstatContext is StatContext, but of a symbolic link it describes the link.
func (t *tree) LstatContext(ctx context.Context, name string) (fs.FileInfo, error) {
	return t.stat(ctx, "lstat", name, unix.AT_SYMLINK_NOFOLLOW)
}

// Stat describes a file.
func (o *OS) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return o.StatContext(ctx, name)
}

// Lstat describes a file, or a symbolic link itself.
func (o *OS) Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return o.LstatContext(ctx, name)
}

// Mkdir makes a directory.
func (t *tree) Mkdir(ctx context.Context, name string, perm fs.FileMode) error {
	return t.at(ctx, "mkdir", name, func(fd int, path string) proactor.Op {
		return proactor.Mkdirat(fd, path, modeBits(perm))
	})
}

// MkdirAll makes a directory and those above it, where they are missing.
func (t *tree) MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	err := t.Mkdir(ctx, name, perm)
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		parent := path.Dir(strings.TrimRight(name, "/"))
		if parent == "." || parent == "/" || parent == name {
			return err
		}
		if err := t.MkdirAll(ctx, parent, perm); err != nil {
			return err
		}
		if err = t.Mkdir(ctx, name, perm); err == nil {
			return nil
		}
	}
	if info, e := t.StatContext(ctx, name); e == nil {
		if info.IsDir() {
			return nil
		}
		return pathError("mkdir", name, syscall.ENOTDIR)
	}
	return err
}

// Rename gives a file another name, in place of what has that name.
func (t *tree) Rename(ctx context.Context, oldName, newName string) error {
	return t.two(ctx, "rename", oldName, newName, func(a, b spot) proactor.Op {
		return proactor.Renameat(a.fd, a.path, b.fd, b.path, 0)
	})
}

// Link gives a file a second name. It does not follow a symbolic link.
func (t *tree) Link(ctx context.Context, oldName, newName string) error {
	return t.two(ctx, "link", oldName, newName, func(a, b spot) proactor.Op {
		return proactor.Linkat(a.fd, a.path, b.fd, b.path, 0)
	})
}

// two carries out an operation on two names.
func (t *tree) two(ctx context.Context, verb, oldName, newName string, op func(a, b spot) proactor.Op) error {
	a, err := t.find(ctx, oldName)
	if err != nil {
		return linkError(verb, oldName, newName, err)
	}
	defer a.free()
	b, err := t.find(ctx, newName)
	if err != nil {
		return linkError(verb, oldName, newName, err)
	}
	defer b.free()
	return linkError(verb, oldName, newName, t.do(ctx, op(a, b)))
}

// Symlink makes newName a symbolic link with the text target. In an FS too the text is
// taken as it is; following it is what stays in the root.
func (t *tree) Symlink(ctx context.Context, target, newName string) error {
	w, err := t.find(ctx, newName)
	if err != nil {
		return linkError("symlink", target, newName, err)
	}
	defer w.free()
	return linkError("symlink", target, newName, t.do(ctx, proactor.Symlinkat(target, w.fd, w.path)))
}

// Readlink returns the text of a symbolic link. io_uring has no operation for it.
func (t *tree) Readlink(name string) (text string, err error) {
	err = t.call("readlink", name, func(fd int, path string) error {
		for size := 256; ; size *= 2 {
			buf := make([]byte, size)
			n, err := unix.Readlinkat(fd, path, buf)
			if err != nil {
				return err
			}
			if n < size {
				text = string(buf[:n])
				return nil
			}
		}
	})
	return text, err
}

// Remove removes a file, or an empty directory.
func (t *tree) Remove(ctx context.Context, name string) error {
	w, err := t.find(ctx, name)
	if err != nil {
		return pathError("remove", name, err)
	}
	defer w.free()
	return pathError("remove", name, t.removeAt(ctx, w))
}

func (t *tree) removeAt(ctx context.Context, w spot) error {
	err := t.do(ctx, proactor.Unlinkat(w.fd, w.path, 0))
	if err != syscall.EISDIR && err != syscall.EPERM {
		return err
	}
	if e := t.do(ctx, proactor.Unlinkat(w.fd, w.path, unix.AT_REMOVEDIR)); e != syscall.ENOTDIR {
		return e
	}
	return err
}

// RemoveAll removes a file, or a directory and all that is below it. It does not follow
// symbolic links. That there is no such file is no error.
func (t *tree) RemoveAll(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	if b := path.Base(name); b == "." || b == ".." {
		return pathError("removeall", name, syscall.EINVAL)
	}
	w, err := t.find(ctx, name)
	if err == nil {
		defer w.free()
		err = t.removeTree(ctx, w)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return pathError("removeall", name, err)
}

func (t *tree) removeTree(ctx context.Context, w spot) error {
	err := t.removeAt(ctx, w)
	if err != syscall.ENOTEMPTY && err != syscall.EEXIST {
		return err
	}
	fd, err := t.number(ctx, proactor.Openat(w.fd, w.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0))
	if err != nil {
		return err
	}
	d, err := newFile(t.p, fd, w.path, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		// What is removed while a directory is read may make others be skipped.
		entries, err := d.ReadDir(256)
		if len(entries) == 0 {
			if err != nil && err != io.EOF {
				return err
			}
			break
		}
		for _, e := range entries {
			if err := t.removeTree(ctx, spot{fd: fd, path: e.Name()}); err != nil && err != syscall.ENOENT {
				return err
			}
		}
		if _, err := d.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	return t.do(ctx, proactor.Unlinkat(w.fd, w.path, unix.AT_REMOVEDIR))
}

// Truncate sets the size of a file to n bytes.
func (t *tree) Truncate(ctx context.Context, name string, n int64) error {
	f, err := t.OpenFile(ctx, name, os.O_WRONLY, 0)
	if err != nil {
		return pathError("truncate", name, err)
	}
	defer f.Close()
	return pathError("truncate", name, f.TruncateContext(ctx, n))
}

// Chmod changes the permission bits of a file. io_uring has no operation for it.
func (t *tree) Chmod(name string, mode fs.FileMode) error {
	if t.root != nil {
		return t.root.dir.Control("chmod", func(int) error { return bare(t.root.std.Chmod(name, mode)) })
	}
	return t.call("chmod", name, func(fd int, path string) error { return unix.Fchmodat(fd, path, modeBits(mode), 0) })
}

// Lchown changes the owner and the group of a file, or of a symbolic link itself; -1
// keeps them. io_uring has no operation for it.
func (t *tree) Lchown(name string, uid, gid int) error {
	return t.call("lchown", name, func(fd int, path string) error {
		return unix.Fchownat(fd, path, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Lchtimes changes the times of the last access and the last change of a file, or of a
// symbolic link itself; a zero time stays as it is. io_uring has no operation for it.
func (t *tree) Lchtimes(name string, access, change time.Time) error {
	return t.call("chtimes", name, func(fd int, path string) error {
		ts := [2]unix.Timespec{timespec(access), timespec(change)}
		return unix.UtimesNanoAt(fd, path, ts[:], unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Chtimes is Lchtimes, but follows a symbolic link.
func (o *OS) Chtimes(name string, access, change time.Time) error {
	return o.call("chtimes", name, func(fd int, path string) error {
		ts := [2]unix.Timespec{timespec(access), timespec(change)}
		return unix.UtimesNanoAt(fd, path, ts[:], 0)
	})
}

// ReadFileContext returns what is in a file.
func (t *tree) ReadFileContext(ctx context.Context, name string) ([]byte, error) {
	f, err := t.OpenFile(ctx, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.finish(ctx, nil)
}

// readAll appends to data what is left of a file.
func readAll(ctx context.Context, f *File, data []byte) ([]byte, error) {
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := f.ReadContext(ctx, data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return data, err
		}
	}
}

// ReadFile returns what is in a file.
func (o *OS) ReadFile(ctx context.Context, name string) ([]byte, error) {
	return o.ReadFileContext(ctx, name)
}

// WriteFile makes a file, or empties the one there is, and writes data to it.
func (t *tree) WriteFile(ctx context.Context, name string, data []byte, perm fs.FileMode) error {
	f, err := t.OpenFile(ctx, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.WriteContext(ctx, data)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// ReadDirContext returns the entries of a directory, sorted by name. io_uring has no
// operation that reads a directory; the context is for opening it.
func (t *tree) ReadDirContext(ctx context.Context, name string) ([]fs.DirEntry, error) {
	f, err := t.OpenFile(ctx, name, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := f.ReadDir(-1)
	sortEntries(list)
	return list, err
}

// ReadDir returns the entries of a directory, sorted by name.
func (o *OS) ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	return o.ReadDirContext(ctx, name)
}
