package ringfs

// Reading directories, which io_uring has no operation for.

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// listing is where reading a directory has got to. It belongs to who has the turn.
type listing struct {
	buf  []byte // what the kernel gave
	rest []byte // of that, not yet returned
}

// A dirent, as the kernel writes it: the number of the inode (8 bytes), the offset of
// the next one (8), its own length (2), the type (1), the name and a zero byte.
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

// ReadDir returns the next n entries of a directory, as os.File.ReadDir does; with n of 0
// or less all that are left. The entries are in the order in which the kernel has them.
func (f *File) ReadDir(n int) (list []fs.DirEntry, err error) {
	if err := f.acquire(); err != nil {
		return nil, f.wrap("readdir", err)
	}
	defer f.release()
	f.readTurn.take(context.Background())
	defer f.readTurn.give()
	d := &f.dir
	for n <= 0 || len(list) < n {
		if len(d.rest) == 0 {
			if d.buf == nil {
				d.buf = make([]byte, 16<<10)
			}
			m, err := unix.Getdents(f.fd, d.buf)
			if err == syscall.EINTR {
				continue
			}
			if err != nil {
				return list, f.wrap("readdir", err)
			}
			if m == 0 {
				break
			}
			d.rest = d.buf[:m]
		}
		length := int(binary.NativeEndian.Uint16(d.rest[direntLength:]))
		if length < direntName || length > len(d.rest) {
			return list, f.wrap("readdir", syscall.EIO)
		}
		e, kind := d.rest[:length], d.rest[direntType]
		d.rest = d.rest[length:]
		name, _, _ := bytes.Cut(e[direntName:], []byte{0})
		if s := string(name); s != "." && s != ".." && binary.NativeEndian.Uint64(e) != 0 {
			entry, err := f.entry(s, kind)
			if err == syscall.ENOENT {
				continue // it was removed meanwhile
			}
			if err != nil {
				return list, f.wrap("readdir", err)
			}
			list = append(list, entry)
		}
	}
	if n > 0 && len(list) == 0 {
		return nil, io.EOF
	}
	return list, nil
}

// Readdirnames returns the names of the next n entries of a directory; with n of 0 or
// less of all that are left.
func (f *File) Readdirnames(n int) (names []string, err error) {
	list, err := f.ReadDir(n)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, err
}

// entry makes an entry. Some file systems do not say of which type it is.
func (f *File) entry(name string, kind uint8) (fs.DirEntry, error) {
	mode := fileMode(uint32(kind) << 12) // which is how DT_ constants are made
	if kind == unix.DT_UNKNOWN {
		var st unix.Stat_t
		if err := unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, err
		}
		mode = fileMode(st.Mode)
	}
	return &dirEntry{name, mode.Type(), f}, nil
}

// dirEntry is an fs.DirEntry.
type dirEntry struct {
	name string
	mode fs.FileMode
	dir  *File
}

func (e *dirEntry) Name() string      { return e.name }
func (e *dirEntry) IsDir() bool       { return e.mode.IsDir() }
func (e *dirEntry) Type() fs.FileMode { return e.mode }
func (e *dirEntry) String() string    { return fs.FormatDirEntry(e) }

// Info looks the name up again, as those of package os do.
func (e *dirEntry) Info() (fs.FileInfo, error) {
	if e.dir.tree == nil {
		return nil, pathError("lstat", e.name, fs.ErrInvalid)
	}
	return e.dir.tree.LstatContext(context.Background(), path.Join(e.dir.path, e.name))
}

func sortEntries(list []fs.DirEntry) {
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
}
