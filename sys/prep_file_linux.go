package sys

// Prep methods for files: reading and writing, opening and closing, what the
// directory calls do, extended attributes, pipes, splicing and block devices.
// prep_linux.go says what holds for all of them.

import "golang.org/x/sys/unix"

// PrepRead reads into buf from fd at offset, in bytes; an offset of 1<<64 - 1
// (-1) reads at the file position and advances it, and is also right for what
// cannot seek. buf must stay reachable until the CQE. The result is the number
// of bytes, 0 at the end, and may be less than len(buf).
//
// liburing: io_uring_prep_read   kernel: 5.6
func (s *SQE) PrepRead(fd int, buf []byte, offset uint64) {
	addr, n := addrSlice(buf)
	s.prep(IORING_OP_READ, fd, addr, n, offset)
}

// PrepReadv is PrepRead into several buffers, at most 1024. iovecs and the
// buffers they name must stay reachable until the CQE.
//
// liburing: io_uring_prep_readv   kernel: 5.1
func (s *SQE) PrepReadv(fd int, iovecs []unix.Iovec, offset uint64) {
	addr, n := addrSlice(iovecs)
	s.prep(IORING_OP_READV, fd, addr, n, offset)
}

// PrepReadv2 is PrepReadv with the flags of preadv2(2), RWF_NOWAIT for one.
// iovecs and the buffers they name must stay reachable until the CQE.
//
// liburing: io_uring_prep_readv2   kernel: 5.1
func (s *SQE) PrepReadv2(fd int, iovecs []unix.Iovec, offset uint64, flags int) {
	addr, n := addrSlice(iovecs)
	s.prep(IORING_OP_READV, fd, addr, n, offset)
	s.OpFlags = uint32(flags)
}

// PrepReadFixed is PrepRead into buf, a part of the registered buffer bufIndex
// (0 to 65535); outside of it the result is -EFAULT. The registration keeps the
// pages, yet buf must stay reachable until the CQE, for another object could
// take its place.
//
// liburing: io_uring_prep_read_fixed   kernel: 5.1
func (s *SQE) PrepReadFixed(fd int, buf []byte, offset uint64, bufIndex int) {
	addr, n := addrSlice(buf)
	s.prep(IORING_OP_READ_FIXED, fd, addr, n, offset)
	s.BufIndex = uint16(bufIndex)
}

// PrepReadvFixed is PrepReadv2 into parts of the registered buffer bufIndex.
// iovecs and the buffers they name must stay reachable until the CQE.
//
// liburing: io_uring_prep_readv_fixed   kernel: 6.15
func (s *SQE) PrepReadvFixed(fd int, iovecs []unix.Iovec, offset uint64, flags, bufIndex int) {
	addr, n := addrSlice(iovecs)
	s.prep(IORING_OP_READV_FIXED, fd, addr, n, offset)
	s.OpFlags = uint32(flags)
	s.BufIndex = uint16(bufIndex)
}

// PrepReadMultishot reads from fd, a pipe or another file that can be polled,
// each time there is something, into a buffer of the provided group bufGroup.
// nbytes limits one read; 0 means the buffer's size. offset is 0 or -1 for what
// cannot seek. The method assigns Flags (IOSQE_BUFFER_SELECT): set further ones
// afterwards. Each completion has a buffer id (CQE.Buffer) and a number of
// bytes; the buffers must stay reachable until the last CQE. On a regular file
// the result is -EBADFD.
//
// liburing: io_uring_prep_read_multishot   kernel: 6.7
func (s *SQE) PrepReadMultishot(fd int, nbytes uint32, offset uint64, bufGroup int) {
	s.prep(IORING_OP_READ_MULTISHOT, fd, 0, nbytes, offset)
	s.BufIndex = uint16(bufGroup)
	s.Flags = IOSQE_BUFFER_SELECT
}

// PrepWrite writes buf to fd at offset, in bytes; an offset of 1<<64 - 1 (-1)
// writes at the file position and advances it, and is also right for what
// cannot seek. buf must stay reachable, and unchanged, until the CQE. The
// result is the number of bytes and may be less than len(buf).
//
// liburing: io_uring_prep_write   kernel: 5.6
func (s *SQE) PrepWrite(fd int, buf []byte, offset uint64) {
	addr, n := addrSlice(buf)
	s.prep(IORING_OP_WRITE, fd, addr, n, offset)
}

// PrepWritev is PrepWrite from several buffers, at most 1024. iovecs and the
// buffers they name must stay reachable, and unchanged, until the CQE.
//
// liburing: io_uring_prep_writev   kernel: 5.1
func (s *SQE) PrepWritev(fd int, iovecs []unix.Iovec, offset uint64) {
	addr, n := addrSlice(iovecs)
	s.prep(IORING_OP_WRITEV, fd, addr, n, offset)
}

// PrepWritev2 is PrepWritev with the flags of pwritev2(2), RWF_DSYNC for one.
// iovecs and the buffers they name must stay reachable, and unchanged, until
// the CQE.
//
// liburing: io_uring_prep_writev2   kernel: 5.1
func (s *SQE) PrepWritev2(fd int, iovecs []unix.Iovec, offset uint64, flags int) {
	addr, n := addrSlice(iovecs)
	s.prep(IORING_OP_WRITEV, fd, addr, n, offset)
	s.OpFlags = uint32(flags)
}

// PrepWriteFixed is PrepWrite from buf, a part of the registered buffer
// bufIndex (0 to 65535); outside of it the result is -EFAULT. buf must stay
// reachable, and unchanged, until the CQE.
//
// liburing: io_uring_prep_write_fixed   kernel: 5.1
func (s *SQE) PrepWriteFixed(fd int, buf []byte, offset uint64, bufIndex int) {
	addr, n := addrSlice(buf)
	s.prep(IORING_OP_WRITE_FIXED, fd, addr, n, offset)
	s.BufIndex = uint16(bufIndex)
}

// PrepWritevFixed is PrepWritev2 from parts of the registered buffer bufIndex.
// iovecs and the buffers they name must stay reachable, and unchanged, until
// the CQE.
//
// liburing: io_uring_prep_writev_fixed   kernel: 6.15
func (s *SQE) PrepWritevFixed(fd int, iovecs []unix.Iovec, offset uint64, flags, bufIndex int) {
	addr, n := addrSlice(iovecs)
	s.prep(IORING_OP_WRITEV_FIXED, fd, addr, n, offset)
	s.OpFlags = uint32(flags)
	s.BufIndex = uint16(bufIndex)
}

// PrepFsync writes what is cached of the file fd to its device; with
// IORING_FSYNC_DATASYNC in fsyncFlags not more metadata than reading the data
// needs. Off and Len, in bytes, may be set afterwards to narrow it to a part of
// the file. It does not wait for writes that were submitted before it and have
// not completed: link them, or use IOSQE_IO_DRAIN. The result is 0.
//
// liburing: io_uring_prep_fsync   kernel: 5.1
func (s *SQE) PrepFsync(fd int, fsyncFlags uint32) {
	s.prep(IORING_OP_FSYNC, fd, 0, 0, 0)
	s.OpFlags = fsyncFlags
}

// PrepSyncFileRange prepares a sync_file_range(2) of length bytes (0: to the
// end of the file) from offset on, with its SYNC_FILE_RANGE_ flags. It writes
// pages, not metadata, and is no fsync. The result is 0.
//
// liburing: io_uring_prep_sync_file_range   kernel: 5.2
func (s *SQE) PrepSyncFileRange(fd int, length uint32, offset uint64, flags int) {
	s.prep(IORING_OP_SYNC_FILE_RANGE, fd, 0, length, offset)
	s.OpFlags = uint32(flags)
}

// PrepFallocate prepares a fallocate(2) of length bytes from offset on; mode
// has its FALLOC_FL_ flags. The result is 0.
//
// liburing: io_uring_prep_fallocate   kernel: 5.6
func (s *SQE) PrepFallocate(fd, mode int, offset, length uint64) {
	s.prep(IORING_OP_FALLOCATE, fd, length, uint32(mode), offset)
}

// PrepFtruncate sets the size of the file fd to length bytes. The result is 0.
//
// liburing: io_uring_prep_ftruncate   kernel: 6.9
func (s *SQE) PrepFtruncate(fd int, length int64) {
	s.prep(IORING_OP_FTRUNCATE, fd, 0, 0, uint64(length))
}

// PrepFadvise prepares a posix_fadvise(2) for length bytes (0: to the end of
// the file) from offset on; advice is a FADV_ constant. The result is 0.
//
// liburing: io_uring_prep_fadvise   kernel: 5.6
func (s *SQE) PrepFadvise(fd int, offset uint64, length uint32, advice int) {
	s.prep(IORING_OP_FADVISE, fd, 0, length, offset)
	s.OpFlags = uint32(advice)
}

// PrepFadvise64 is PrepFadvise with a 64-bit length, which a kernel before 6.10
// refuses with -EINVAL.
//
// liburing: io_uring_prep_fadvise64   kernel: 5.6
func (s *SQE) PrepFadvise64(fd int, offset uint64, length int64, advice int) {
	s.prep(IORING_OP_FADVISE, fd, uint64(length), 0, offset)
	s.OpFlags = uint32(advice)
}

// PrepMadvise prepares a madvise(2) for the memory of b, which begins at a page
// boundary and, as everywhere, counts as at most 1<<32 - 1 bytes; advice is a
// MADV_ constant. It is for memory from mmap: advice that throws pages away
// destroys what Go keeps in its own. b must stay mapped until the CQE. The
// result is 0.
//
// liburing: io_uring_prep_madvise   kernel: 5.6
func (s *SQE) PrepMadvise(b []byte, advice int) {
	addr, n := addrSlice(b)
	s.prep(IORING_OP_MADVISE, -1, addr, n, 0)
	s.OpFlags = uint32(advice)
}

// PrepMadvise64 is PrepMadvise with a 64-bit length, which a kernel before 6.10
// refuses with -EINVAL. b must stay mapped until the CQE.
//
// liburing: io_uring_prep_madvise64   kernel: 5.6
func (s *SQE) PrepMadvise64(b []byte, advice int) {
	addr, _ := addrSlice(b)
	s.prep(IORING_OP_MADVISE, -1, addr, 0, uint64(len(b)))
	s.OpFlags = uint32(advice)
}

// PrepSplice moves nbytes bytes from fdIn to fdOut, of which at least one is a
// pipe. An offset of -1 means the file position, which moves, and is a must for
// a pipe. spliceFlags are those of splice(2); with SPLICE_F_FD_IN_FIXED fdIn is
// a direct descriptor (for fdOut IOSQE_FIXED_FILE says so). The result is the
// number of bytes, 0 at the end.
//
// liburing: io_uring_prep_splice   kernel: 5.7
func (s *SQE) PrepSplice(fdIn int, offIn int64, fdOut int, offOut int64, nbytes, spliceFlags uint32) {
	s.prep(IORING_OP_SPLICE, fdOut, uint64(offIn), nbytes, uint64(offOut))
	s.FileIndex = uint32(fdIn)
	s.OpFlags = spliceFlags
}

// PrepTee copies nbytes bytes from the pipe fdIn to the pipe fdOut without
// taking them out of fdIn. spliceFlags are as for PrepSplice. The result is the
// number of bytes, 0 if fdIn has no writer any more.
//
// liburing: io_uring_prep_tee   kernel: 5.8
func (s *SQE) PrepTee(fdIn, fdOut int, nbytes, spliceFlags uint32) {
	s.prep(IORING_OP_TEE, fdOut, 0, nbytes, 0)
	s.FileIndex = uint32(fdIn)
	s.OpFlags = spliceFlags
}

// PrepPipe makes a pipe: fds[0] becomes the descriptor to read from and fds[1]
// the one to write to. pipeFlags are those of pipe2(2). fds must stay reachable
// until the CQE. The result is 0.
//
// liburing: io_uring_prep_pipe   kernel: 6.16
func (s *SQE) PrepPipe(fds *[2]int32, pipeFlags int) {
	s.prep(IORING_OP_PIPE, 0, addrOf(fds), 0, 0)
	s.OpFlags = uint32(pipeFlags)
}

// PrepPipeDirect is PrepPipe with direct descriptors: in the slots fileIndex
// and fileIndex+1, or with IORING_FILE_INDEX_ALLOC in free ones. fds, which
// receives the slots, must stay reachable until the CQE.
//
// liburing: io_uring_prep_pipe_direct   kernel: 6.16
func (s *SQE) PrepPipeDirect(fds *[2]int32, pipeFlags int, fileIndex uint32) {
	s.prep(IORING_OP_PIPE, 0, addrOf(fds), 0, 0)
	s.OpFlags = uint32(pipeFlags)
	s.FileIndex = directSlot(fileIndex)
}

// PrepOpen is PrepOpenat relative to the working directory. path must stay
// reachable until the CQE.
//
// liburing: io_uring_prep_open   kernel: 5.6
func (s *SQE) PrepOpen(path *byte, flags int, mode uint32) {
	s.PrepOpenat(unix.AT_FDCWD, path, flags, mode)
}

// PrepOpenDirect is PrepOpenatDirect relative to the working directory. path
// must stay reachable until the CQE.
//
// liburing: io_uring_prep_open_direct   kernel: 5.15
func (s *SQE) PrepOpenDirect(path *byte, flags int, mode, fileIndex uint32) {
	s.PrepOpenatDirect(unix.AT_FDCWD, path, flags, mode, fileIndex)
}

// PrepOpenat opens path, which ends with a zero byte (unix.BytePtrFromString
// makes one), relative to the directory dfd, AT_FDCWD for the working directory.
// flags are those of open(2); give O_CLOEXEC unless a child is to inherit it,
// and O_LARGEFILE on a 32-bit machine. mode holds the permission bits of a file
// that this creates. path must stay reachable until the CQE. The result is the
// descriptor.
//
// liburing: io_uring_prep_openat   kernel: 5.6
func (s *SQE) PrepOpenat(dfd int, path *byte, flags int, mode uint32) {
	s.prep(IORING_OP_OPENAT, dfd, addrOf(path), mode, 0)
	s.OpFlags = uint32(flags)
}

// PrepOpenatDirect is PrepOpenat that makes a direct descriptor: in slot
// fileIndex, whose previous file is closed, or with IORING_FILE_INDEX_ALLOC
// (Linux 5.19) in a free one. O_CLOEXEC is refused. path must stay reachable
// until the CQE. The result is 0, or with ALLOC the slot, -ENFILE if none is
// free.
//
// liburing: io_uring_prep_openat_direct   kernel: 5.15
func (s *SQE) PrepOpenatDirect(dfd int, path *byte, flags int, mode, fileIndex uint32) {
	s.PrepOpenat(dfd, path, flags, mode)
	s.FileIndex = directSlot(fileIndex)
}

// PrepOpenat2 is PrepOpenat with the wider choice of openat2(2): how has flags,
// mode and RESOLVE_ restrictions. path and how must stay reachable until the
// CQE. The result is the descriptor.
//
// liburing: io_uring_prep_openat2   kernel: 5.6
func (s *SQE) PrepOpenat2(dfd int, path *byte, how *unix.OpenHow) {
	s.prep(IORING_OP_OPENAT2, dfd, addrOf(path), unix.SizeofOpenHow, addrOf(how))
}

// PrepOpenat2Direct is PrepOpenat2 that makes a direct descriptor, with
// fileIndex and the result as for PrepOpenatDirect. path and how must stay
// reachable until the CQE.
//
// liburing: io_uring_prep_openat2_direct   kernel: 5.15
func (s *SQE) PrepOpenat2Direct(dfd int, path *byte, how *unix.OpenHow, fileIndex uint32) {
	s.PrepOpenat2(dfd, path, how)
	s.FileIndex = directSlot(fileIndex)
}

// PrepClose closes the descriptor fd. It must not belong to an os.File or a
// net.Conn, which would close it again. The result is 0.
//
// liburing: io_uring_prep_close   kernel: 5.6
func (s *SQE) PrepClose(fd int) {
	s.prep(IORING_OP_CLOSE, fd, 0, 0, 0)
}

// PrepCloseDirect closes the direct descriptor fileIndex and empties its slot.
// IORING_FILE_INDEX_ALLOC is not a slot, and would close descriptor 0. The
// result is 0.
//
// liburing: io_uring_prep_close_direct   kernel: 5.15
func (s *SQE) PrepCloseDirect(fileIndex uint32) {
	s.prep(IORING_OP_CLOSE, 0, 0, 0, 0)
	s.FileIndex = fileIndex + 1
}

// PrepStatx prepares a statx(2) of path, which ends with a zero byte, relative
// to dfd; flags has AT_ flags (AT_EMPTY_PATH with an empty path for dfd itself)
// and mask the STATX_ fields wanted. path and stat, which receives the answer,
// must stay reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_statx   kernel: 5.6
func (s *SQE) PrepStatx(dfd int, path *byte, flags int, mask uint32, stat *unix.Statx_t) {
	s.prep(IORING_OP_STATX, dfd, addrOf(path), mask, addrOf(stat))
	s.OpFlags = uint32(flags)
}

// PrepUnlink is PrepUnlinkat relative to the working directory. path must stay
// reachable until the CQE.
//
// liburing: io_uring_prep_unlink   kernel: 5.11
func (s *SQE) PrepUnlink(path *byte, flags int) {
	s.PrepUnlinkat(unix.AT_FDCWD, path, flags)
}

// PrepUnlinkat removes path, which ends with a zero byte, relative to the
// directory dfd; with AT_REMOVEDIR in flags it is an empty directory. path must
// stay reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_unlinkat   kernel: 5.11
func (s *SQE) PrepUnlinkat(dfd int, path *byte, flags int) {
	s.prep(IORING_OP_UNLINKAT, dfd, addrOf(path), 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepRename is PrepRenameat relative to the working directory and without
// flags. Both paths must stay reachable until the CQE.
//
// liburing: io_uring_prep_rename   kernel: 5.11
func (s *SQE) PrepRename(oldPath, newPath *byte) {
	s.PrepRenameat(unix.AT_FDCWD, oldPath, unix.AT_FDCWD, newPath, 0)
}

// PrepRenameat renames oldPath, relative to the directory oldDfd, to newPath,
// relative to newDfd; flags are the RENAME_ flags of renameat2(2). Both paths
// end with a zero byte and must stay reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_renameat   kernel: 5.11
func (s *SQE) PrepRenameat(oldDfd int, oldPath *byte, newDfd int, newPath *byte, flags uint32) {
	s.prep(IORING_OP_RENAMEAT, oldDfd, addrOf(oldPath), uint32(newDfd), addrOf(newPath))
	s.OpFlags = flags
}

// PrepMkdir is PrepMkdirat relative to the working directory. path must stay
// reachable until the CQE.
//
// liburing: io_uring_prep_mkdir   kernel: 5.15
func (s *SQE) PrepMkdir(path *byte, mode uint32) {
	s.PrepMkdirat(unix.AT_FDCWD, path, mode)
}

// PrepMkdirat makes the directory path, which ends with a zero byte, relative
// to the directory dfd, with the permission bits of mode. path must stay
// reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_mkdirat   kernel: 5.15
func (s *SQE) PrepMkdirat(dfd int, path *byte, mode uint32) {
	s.prep(IORING_OP_MKDIRAT, dfd, addrOf(path), mode, 0)
}

// PrepSymlink is PrepSymlinkat relative to the working directory. target and
// linkPath must stay reachable until the CQE.
//
// liburing: io_uring_prep_symlink   kernel: 5.15
func (s *SQE) PrepSymlink(target, linkPath *byte) {
	s.PrepSymlinkat(target, unix.AT_FDCWD, linkPath)
}

// PrepSymlinkat makes linkPath, relative to the directory newDirfd, a symbolic
// link with the text target. Both end with a zero byte and must stay reachable
// until the CQE. The result is 0.
//
// liburing: io_uring_prep_symlinkat   kernel: 5.15
func (s *SQE) PrepSymlinkat(target *byte, newDirfd int, linkPath *byte) {
	s.prep(IORING_OP_SYMLINKAT, newDirfd, addrOf(target), 0, addrOf(linkPath))
}

// PrepLink is PrepLinkat relative to the working directory. Both paths must
// stay reachable until the CQE.
//
// liburing: io_uring_prep_link   kernel: 5.15
func (s *SQE) PrepLink(oldPath, newPath *byte, flags int) {
	s.PrepLinkat(unix.AT_FDCWD, oldPath, unix.AT_FDCWD, newPath, flags)
}

// PrepLinkat makes newPath, relative to the directory newDfd, another name of
// the file oldPath, relative to oldDfd; flags has AT_SYMLINK_FOLLOW or
// AT_EMPTY_PATH. Both paths end with a zero byte and must stay reachable until
// the CQE. The result is 0.
//
// liburing: io_uring_prep_linkat   kernel: 5.15
func (s *SQE) PrepLinkat(oldDfd int, oldPath *byte, newDfd int, newPath *byte, flags int) {
	s.prep(IORING_OP_LINKAT, oldDfd, addrOf(oldPath), uint32(newDfd), addrOf(newPath))
	s.OpFlags = uint32(flags)
}

// PrepGetxattr reads the extended attribute name of the file path into value.
// name and path end with a zero byte; all three must stay reachable until the
// CQE. The result is the attribute's length in bytes; with an empty value that
// is all that happens, and a value too short gives -ERANGE.
//
// liburing: io_uring_prep_getxattr   kernel: 5.19
func (s *SQE) PrepGetxattr(name *byte, value []byte, path *byte) {
	addr, n := addrSlice(value)
	s.prep(IORING_OP_GETXATTR, 0, addrOf(name), n, addr)
	s.Addr3 = addrOf(path)
	s.OpFlags = 0
}

// PrepSetxattr sets the extended attribute name of the file path to value;
// flags has XATTR_CREATE or XATTR_REPLACE. name and path end with a zero byte;
// all three must stay reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_setxattr   kernel: 5.19
func (s *SQE) PrepSetxattr(name *byte, value []byte, path *byte, flags int) {
	addr, n := addrSlice(value)
	s.prep(IORING_OP_SETXATTR, 0, addrOf(name), n, addr)
	s.Addr3 = addrOf(path)
	s.OpFlags = uint32(flags)
}

// PrepFgetxattr is PrepGetxattr for the open file fd. name and value must stay
// reachable until the CQE.
//
// liburing: io_uring_prep_fgetxattr   kernel: 5.19
func (s *SQE) PrepFgetxattr(fd int, name *byte, value []byte) {
	addr, n := addrSlice(value)
	s.prep(IORING_OP_FGETXATTR, fd, addrOf(name), n, addr)
	s.OpFlags = 0
}

// PrepFsetxattr is PrepSetxattr for the open file fd. name and value must stay
// reachable until the CQE.
//
// liburing: io_uring_prep_fsetxattr   kernel: 5.19
func (s *SQE) PrepFsetxattr(fd int, name *byte, value []byte, flags int) {
	addr, n := addrSlice(value)
	s.prep(IORING_OP_FSETXATTR, fd, addrOf(name), n, addr)
	s.OpFlags = uint32(flags)
}

// PrepCmdDiscard tells the block device fd that its nbytes bytes from offset on
// are no longer needed. Both are multiples of the logical block size. Reads and
// writes of that range in flight at the same time may see stale pages. The
// result is 0.
//
// liburing: io_uring_prep_cmd_discard   kernel: 6.12
func (s *SQE) PrepCmdDiscard(fd int, offset, nbytes uint64) {
	s.prepCmd(IORING_OP_URING_CMD, blockCmd(0), fd)
	s.Addr = offset
	s.Addr3 = nbytes
}

// PrepCmdZoneResetAll empties every zone of the zoned block device fd that must
// be written in order: their contents are lost. Reads and writes in flight at
// the same time may see stale pages. The result is 0.
//
// liburing: io_uring_prep_cmd_zone_reset_all   kernel: 7.3
func (s *SQE) PrepCmdZoneResetAll(fd int) {
	s.prepCmd(IORING_OP_URING_CMD, blockCmd(1), fd)
}
