package ringfs

// What is known of a file: fs.FileInfo from a statx, and modes in both languages.

import (
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// fileInfo is an fs.FileInfo. Its Sys is a *unix.Statx_t.
type fileInfo struct {
	name string
	stat unix.Statx_t
}

func (i *fileInfo) Name() string       { return i.name }
func (i *fileInfo) Size() int64        { return int64(i.stat.Size) }
func (i *fileInfo) Mode() fs.FileMode  { return fileMode(uint32(i.stat.Mode)) }
func (i *fileInfo) ModTime() time.Time { return time.Unix(i.stat.Mtime.Sec, int64(i.stat.Mtime.Nsec)) }
func (i *fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *fileInfo) Sys() any           { return &i.stat }
func (i *fileInfo) String() string     { return fs.FormatFileInfo(i) }

// SameFile reports whether two descriptions from this package are of one file.
func SameFile(a, b fs.FileInfo) bool {
	x, ok1 := a.(*fileInfo)
	y, ok2 := b.(*fileInfo)
	return ok1 && ok2 && x.stat.Ino == y.stat.Ino && x.stat.Dev_major == y.stat.Dev_major && x.stat.Dev_minor == y.stat.Dev_minor
}

// base returns the last element of a name.
func base(name string) string { return path.Base(name) }

var types = map[uint32]fs.FileMode{
	unix.S_IFREG:  0,
	unix.S_IFDIR:  fs.ModeDir,
	unix.S_IFLNK:  fs.ModeSymlink,
	unix.S_IFIFO:  fs.ModeNamedPipe,
	unix.S_IFSOCK: fs.ModeSocket,
	unix.S_IFBLK:  fs.ModeDevice,
	unix.S_IFCHR:  fs.ModeDevice | fs.ModeCharDevice,
}

var special = []struct {
	bit  uint32
	mode fs.FileMode
}{{unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, fs.ModeSticky}}

// fileMode returns the kernel's mode as package fs has it.
func fileMode(m uint32) fs.FileMode {
	mode, ok := types[m&unix.S_IFMT]
	if !ok {
		mode = fs.ModeIrregular
	}
	for _, s := range special {
		if m&s.bit != 0 {
			mode |= s.mode
		}
	}
	return mode | fs.FileMode(m&0o777)
}

// modeBits returns the bits of a mode that chmod(2) takes.
func modeBits(mode fs.FileMode) uint32 {
	m := uint32(mode.Perm())
	for _, s := range special {
		if mode&s.mode != 0 {
			m |= s.bit
		}
	}
	return m
}

// timespec returns a time for utimensat(2); the zero time stays as it is.
func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		ts := unix.Timespec{}
		ts.Nsec = unix.UTIME_OMIT
		return ts
	}
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return unix.Timespec{}
	}
	return ts
}
