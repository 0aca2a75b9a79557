package ringfs

// A directory that names and symbolic links do not leave.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// An FS is a directory and what is below it, like an os.Root. Names are those that
// fs.ValidPath allows: relative, with slashes, and without "." and "..", but that "."
// alone is the directory itself. A symbolic link that leads out, or is absolute, fails
// with ErrEscapes. Mounts and what can be reached through them are not kept out.
//
// The kernel sees to that (openat2, through the ring); where it or a sandbox refuses,
// os.Root does.
//
// Methods that package fs prescribes are without a context, and have a twin.
type FS struct{ tree }

var (
	_ fs.FS         = (*FS)(nil)
	_ fs.StatFS     = (*FS)(nil)
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.ReadFileFS = (*FS)(nil)
	_ fs.ReadLinkFS = (*FS)(nil)
)

// ErrEscapes is the error for a name that leads out of the root of an FS.
var ErrEscapes = errors.New("path leads out of its root")

// beneath is how openat2 looks names up.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS

type root struct {
	p    *proactor.Proactor
	std  *os.Root
	dir  *File       // open on the same directory
	lack atomic.Bool // openat2 is refused
}

// Root returns an FS with the directory name as its root. It must be closed.
func (o *OS) Root(ctx context.Context, name string) (*FS, error) {
	std, err := os.OpenRoot(name)
	if err != nil {
		if info, e := os.Stat(name); e == nil && !info.IsDir() {
			err = pathError("open", name, syscall.ENOTDIR) // for which os.Root has no number
		}
		return nil, err
	}
	fd, err := dup(std, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		std.Close()
		return nil, pathError("open", name, err)
	}
	dir, err := newFile(o.p, fd, name, unix.O_RDONLY)
	if err != nil {
		std.Close()
		return nil, err
	}
	return &FS{tree{o.p, &root{p: o.p, std: std, dir: dir}}}, nil
}

// Close closes the directory. Files that were opened in it stay open.
func (f *FS) Close() error {
	return errors.Join(f.root.dir.Close(), f.root.std.Close())
}

// Name returns the name that the root was opened with.
func (f *FS) Name() string { return f.root.dir.name }

// dup opens a file with os.Root and returns a descriptor of our own.
func dup(std *os.Root, name string, flag int, perm fs.FileMode) (int, error) {
	f, err := std.OpenFile(name, flag, perm)
	if err != nil {
		if errors.Is(err, unix.EXDEV) {
			err = ErrEscapes
		}
		return 0, bare(err)
	}
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	fd := -1
	var dupErr error
	if err := conn.Control(func(from uintptr) { fd, dupErr = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return 0, err
	}
	if dupErr != nil {
		return 0, dupErr
	}
	if flag&unix.O_NONBLOCK == 0 {
		unix.SetNonblock(fd, false) // which package os may have set
	}
	return fd, nil
}

// open opens a name and returns the descriptor.
func (r *root) open(ctx context.Context, name string, flag int, perm fs.FileMode, with func(proactor.Op) proactor.Op) (fd int, err error) {
	if !fs.ValidPath(name) {
		return 0, fmt.Errorf("%w: %q is not what fs.ValidPath allows", fs.ErrInvalid, name)
	}
	if err := r.dir.acquire(); err != nil {
		return 0, err
	}
	defer r.dir.release()
	how := &unix.OpenHow{
		Flags:   uint64(flag | unix.O_CLOEXEC),
		Resolve: beneath,
	}
	if flag&unix.O_PATH == 0 {
		how.Flags |= unix.O_LARGEFILE
	}
	if flag&unix.O_CREAT != 0 || flag&unix.O_TMPFILE == unix.O_TMPFILE {
		how.Mode = uint64(modeBits(perm))
	}
	for range 100 {
		if r.lack.Load() {
			return dup(r.std, name, flag, perm)
		}
		fd, err = r.p.Do(ctx, with(proactor.Openat2(r.dir.fd, name, how)))
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			// Something was renamed meanwhile, and the kernel could not be sure.
		case err == unix.ENOSYS || err == unix.EPERM && r.refused() || errors.Is(err, errors.ErrUnsupported):
			r.lack.Store(true)
		case err == unix.EXDEV:
			return 0, ErrEscapes
		default:
			return fd, err
		}
	}
	return 0, err
}

// stat describes a file without openat2. (os.Root and O_PATH do not go together: it
// tells symbolic links by an error that O_PATH does not give.)
func (r *root) stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("stat", name, fs.ErrInvalid)
	}
	from, err := r.std.Stat(name)
	if err != nil {
		return nil, err
	}
	st := from.Sys().(*syscall.Stat_t)
	info := &fileInfo{name: base(name)}
	info.stat = unix.Statx_t{
		Mode: uint16(st.Mode), Nlink: uint32(st.Nlink), Uid: st.Uid, Gid: st.Gid,
		Ino: uint64(st.Ino), Size: uint64(st.Size), Blocks: uint64(st.Blocks), Blksize: uint32(st.Blksize),
		Mtime:     unix.StatxTimestamp{Sec: from.ModTime().Unix(), Nsec: uint32(from.ModTime().Nanosecond())},
		Dev_major: unix.Major(uint64(st.Dev)), Dev_minor: unix.Minor(uint64(st.Dev)),
		Mask: unix.STATX_BASIC_STATS &^ (unix.STATX_ATIME | unix.STATX_CTIME),
	}
	return info, nil
}

// refused reports whether openat2 fails even where it cannot, so that it was a sandbox
// that said EPERM.
func (r *root) refused() bool {
	fd, err := r.p.Do(context.Background(), proactor.Openat2(r.dir.fd, ".", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC}))
	if err == nil {
		closeFd(r.p, fd)
	}
	return err == unix.EPERM
}

// find opens the directory that holds a name.
func (r *root) find(ctx context.Context, name string) (spot, error) {
	if !fs.ValidPath(name) {
		return spot{}, fmt.Errorf("%w: %q is not what fs.ValidPath allows", fs.ErrInvalid, name)
	}
	parent, last := path.Split(name)
	if parent == "" {
		if err := r.dir.acquire(); err != nil {
			return spot{}, err
		}
		return spot{r.dir.fd, last, r.dir.release}, nil
	}
	flag := unix.O_PATH | unix.O_DIRECTORY
	if r.lack.Load() {
		flag = unix.O_RDONLY | unix.O_DIRECTORY
	}
	fd, err := r.open(ctx, path.Clean(parent), flag, 0, asItIs)
	if err != nil {
		return spot{}, err
	}
	return spot{fd, last, func() { closeFd(r.p, fd) }}, nil
}

// Open opens a file for reading. The result is a *File.
func (f *FS) Open(name string) (fs.File, error) {
	file, err := f.OpenFile(context.Background(), name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Stat describes a file.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	return f.StatContext(context.Background(), name)
}

// Lstat describes a file, or a symbolic link itself.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	return f.LstatContext(context.Background(), name)
}

// ReadLink returns the text of a symbolic link.
func (f *FS) ReadLink(name string) (string, error) { return f.Readlink(name) }

// ReadFile returns what is in a file.
func (f *FS) ReadFile(name string) ([]byte, error) {
	return f.ReadFileContext(context.Background(), name)
}

// ReadDir returns the entries of a directory, sorted by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	return f.ReadDirContext(context.Background(), name)
}
