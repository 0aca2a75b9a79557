package proactor

// Operations on files. What each does is the system call's business; the
// comments say what the result is and what the kernel writes to.

import "golang.org/x/sys/unix"

// Read reads into p from fd at offset off, in bytes. With off -1 it reads at the
// file position and advances it, which is also right for what cannot seek. The
// result is the number of bytes, 0 at the end of the file, and may be less than
// len(p).
func Read(fd int, p []byte, off int64) (o Op) {
	o.sqe.PrepRead(fd, p, uint64(off))
	o.buf = p
	return
}

// Write writes p to fd at offset off, in bytes. With off -1 it writes at the file
// position and advances it, which is also right for what cannot seek. The result
// is the number of bytes and may be less than len(p).
func Write(fd int, p []byte, off int64) (o Op) {
	o.sqe.PrepWrite(fd, p, uint64(off))
	o.buf = p
	return
}

// Readv is Read into several buffers, one after another; at most 1024.
func Readv(fd int, bufs [][]byte, off int64) (o Op) {
	o.sqe.PrepReadv(fd, nil, uint64(off))
	o.needs, o.bufs = needsVector, bufs
	return
}

// Writev is Write from several buffers, one after another; at most 1024.
func Writev(fd int, bufs [][]byte, off int64) (o Op) {
	o.sqe.PrepWritev(fd, nil, uint64(off))
	o.needs, o.bufs = needsVector, bufs
	return
}

// Fsync prepares an fsync(2), or with sys.IORING_FSYNC_DATASYNC in flags an
// fdatasync(2). It does not wait for writes that are in flight: see Link. The
// result is 0.
func Fsync(fd int, flags uint32) (o Op) {
	o.sqe.PrepFsync(fd, flags)
	return
}

// SyncFileRange prepares a sync_file_range(2) of n bytes from off on, with its
// SYNC_FILE_RANGE_ flags; it is no fsync. The result is 0.
func SyncFileRange(fd int, off int64, n uint32, flags int) (o Op) {
	o.sqe.PrepSyncFileRange(fd, n, uint64(off), flags)
	return
}

// Fallocate prepares a fallocate(2) of n bytes from off on; mode has its
// FALLOC_FL_ flags. The result is 0.
func Fallocate(fd, mode int, off, n int64) (o Op) {
	o.sqe.PrepFallocate(fd, mode, uint64(off), uint64(n))
	return
}

// Ftruncate sets the size of the file to n bytes. The result is 0.
func Ftruncate(fd int, n int64) (o Op) {
	o.sqe.PrepFtruncate(fd, n)
	return
}

// Fadvise prepares a posix_fadvise(2) for n bytes (0: to the end of the file)
// from off on; advice is a FADV_ constant. The result is 0.
func Fadvise(fd int, off int64, n uint32, advice int) (o Op) {
	o.sqe.PrepFadvise(fd, uint64(off), n, advice)
	return
}

// Openat opens path relative to the directory dirfd; unix.AT_FDCWD is the working
// directory. flags are those of open(2), to which O_CLOEXEC and O_LARGEFILE are
// added; mode holds the permission bits of a file that this creates. The result is
// the descriptor.
func Openat(dirfd int, path string, flags int, mode uint32) (o Op) {
	o.sqe.PrepOpenat(dirfd, nil, flags|unix.O_CLOEXEC|unix.O_LARGEFILE, mode)
	o.needs, o.path = needsPath, path
	return
}

// Openat2 is Openat with the wider choice of openat2(2), taken from how as it is:
// give O_CLOEXEC.
func Openat2(dirfd int, path string, how *unix.OpenHow) (o Op) {
	o.sqe.PrepOpenat2(dirfd, nil, how)
	o.needs, o.path, o.ref = needsHow, path, how
	return
}

// Close closes the descriptor fd. It must not belong to an os.File or a net.Conn,
// which would close it again. The result is 0.
func Close(fd int) (o Op) {
	o.sqe.PrepClose(fd)
	return
}

// Statx prepares a statx(2) of path relative to dirfd; flags has AT_ flags
// (AT_EMPTY_PATH with an empty path for dirfd itself) and mask the STATX_ fields
// wanted. The kernel writes the answer to stat. The result is 0.
func Statx(dirfd int, path string, flags int, mask uint32, stat *unix.Statx_t) (o Op) {
	o.sqe.PrepStatx(dirfd, nil, flags, mask, stat)
	o.needs, o.path, o.ref = needsPath, path, stat
	return
}

// Unlinkat removes path relative to dirfd; with AT_REMOVEDIR in flags it is an
// empty directory. The result is 0.
func Unlinkat(dirfd int, path string, flags int) (o Op) {
	o.sqe.PrepUnlinkat(dirfd, nil, flags)
	o.needs, o.path = needsPath, path
	return
}

// Renameat renames oldPath, relative to oldDirfd, to newPath, relative to
// newDirfd; flags are the RENAME_ flags of renameat2(2). The result is 0.
func Renameat(oldDirfd int, oldPath string, newDirfd int, newPath string, flags uint32) (o Op) {
	o.sqe.PrepRenameat(oldDirfd, nil, newDirfd, nil, flags)
	o.needs, o.path, o.path2 = needsPaths, oldPath, newPath
	return
}

// Mkdirat makes the directory path relative to dirfd, with the permission bits of
// mode. The result is 0.
func Mkdirat(dirfd int, path string, mode uint32) (o Op) {
	o.sqe.PrepMkdirat(dirfd, nil, mode)
	o.needs, o.path = needsPath, path
	return
}

// Symlinkat makes path, relative to dirfd, a symbolic link with the text target.
// The result is 0.
func Symlinkat(target string, dirfd int, path string) (o Op) {
	o.sqe.PrepSymlinkat(nil, dirfd, nil)
	o.needs, o.path, o.path2 = needsPaths, target, path
	return
}

// Linkat makes newPath, relative to newDirfd, another name of the file oldPath,
// relative to oldDirfd; flags has AT_SYMLINK_FOLLOW or AT_EMPTY_PATH. The result
// is 0.
func Linkat(oldDirfd int, oldPath string, newDirfd int, newPath string, flags int) (o Op) {
	o.sqe.PrepLinkat(oldDirfd, nil, newDirfd, nil, flags)
	o.needs, o.path, o.path2 = needsPaths, oldPath, newPath
	return
}

// Getxattr reads the extended attribute name of the file path into value. The
// result is the attribute's length in bytes; with an empty value that is all that
// happens.
func Getxattr(path, name string, value []byte) (o Op) {
	o.sqe.PrepGetxattr(nil, value, nil)
	o.needs, o.path, o.path2, o.buf = needsXattr, path, name, value
	return
}

// Setxattr sets the extended attribute name of the file path to value; flags has
// XATTR_CREATE or XATTR_REPLACE. The result is 0.
func Setxattr(path, name string, value []byte, flags int) (o Op) {
	o.sqe.PrepSetxattr(nil, value, nil, flags)
	o.needs, o.path, o.path2, o.buf = needsXattr, path, name, value
	return
}

// Fgetxattr is Getxattr for the open file fd.
func Fgetxattr(fd int, name string, value []byte) (o Op) {
	o.sqe.PrepFgetxattr(fd, nil, value)
	o.needs, o.path, o.buf = needsPath, name, value
	return
}

// Fsetxattr is Setxattr for the open file fd.
func Fsetxattr(fd int, name string, value []byte, flags int) (o Op) {
	o.sqe.PrepFsetxattr(fd, nil, value, flags)
	o.needs, o.path, o.buf = needsPath, name, value
	return
}

// Splice moves up to n bytes from fdIn to fdOut, of which at least one is a pipe.
// An offset of -1 means the file position, and is a must for a pipe. flags are
// those of splice(2). The result is the number of bytes, 0 at the end.
func Splice(fdIn int, offIn int64, fdOut int, offOut int64, n uint32, flags int) (o Op) {
	o.sqe.PrepSplice(fdIn, offIn, fdOut, offOut, n, uint32(flags))
	return
}

// Tee copies up to n bytes from the pipe fdIn to the pipe fdOut without taking
// them out of fdIn. The result is the number of bytes.
func Tee(fdIn, fdOut int, n uint32, flags int) (o Op) {
	o.sqe.PrepTee(fdIn, fdOut, n, uint32(flags))
	return
}
