package uring

// Registered files: a table in which the kernel holds files, so that a request
// with IOSQE_FIXED_FILE names one by index ("direct descriptor") and the file is
// neither looked up nor counted for it.

import (
	"math"
	"runtime"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// Two numbers that are not descriptors, for tables of files.
const (
	FileNone int32 = -1                             // an empty slot
	FileSkip int32 = sys.IORING_REGISTER_FILES_SKIP // in an update: leave the slot as it is (Linux 5.12)
)

// RegisterFiles makes fds the ring's table of registered files: fds[i] has index i,
// and FileNone is an empty slot. The kernel holds the files from then on; the
// descriptors may be closed.
//
// A table larger than RLIMIT_NOFILE raises the soft limit of the process, if the
// hard limit lets it, as liburing does. The Go runtime raises it to the hard limit
// by itself when the program starts.
//
// It is EBUSY if there is a table already, EBADF for a descriptor that is not open
// or that of an io_uring, EMFILE for a table larger than RLIMIT_NOFILE or the
// kernel's limit of 1048576.
//
// liburing: io_uring_register_files   kernel: 5.1
func (r *Ring) RegisterFiles(fds []int32) error {
	return r.registerFiles("RegisterFiles", fds, nil, func() (int, error) {
		return r.register(sys.IORING_REGISTER_FILES, elements(fds), uint32(len(fds)))
	})
}

// RegisterFilesTagged is RegisterFiles with a tag for each file. When the kernel
// has let go of a file, after its slot was updated (Linux 6.13: or the table
// unregistered) and the last request that used it has ended, it posts a completion
// with UserData set to the tag and Res 0. Tag 0 posts none.
//
// liburing: io_uring_register_files_tags   kernel: 5.13
func (r *Ring) RegisterFilesTagged(fds []int32, tags []uint64) error {
	return r.registerFiles("RegisterFilesTagged", fds, tags, func() (int, error) {
		var pin runtime.Pinner
		defer pin.Unpin()
		arg := &sys.RsrcRegister{Nr: uint32(len(fds)), Data: addressIn(&pin, fds), Tags: addressIn(&pin, tags)}
		return r.register(sys.IORING_REGISTER_FILES2, sys.PointerTo(arg), rsrcSize)
	})
}

func (r *Ring) registerFiles(method string, fds []int32, tags []uint64, call func() (int, error)) error {
	if err := r.usable(); err != nil {
		return err
	}
	if len(fds) == 0 {
		return refuse(method, "no files")
	}
	for i, fd := range fds {
		if fd < FileNone {
			return refuse(method, "descriptor %d at index %d; FileNone (-1) is an empty slot", fd, i)
		}
	}
	if err := tagged(method, "file", len(fds), tags); err != nil {
		return err
	}
	_, err := call()
	return filesError(err, len(fds))
}

// filesError says what the errnos of a registration of files stand for.
func filesError(err error, n int) error {
	err = explain(err, syscall.EBUSY, "the ring has a table of files already")
	err = explain(err, syscall.EBADF, "one of %d descriptors is not open, or is that of an io_uring", n)
	err = explain(err, syscall.EMFILE, "a table of %d files; RLIMIT_NOFILE bounds it, and 1048576", n)
	return explain(err, syscall.EINVAL, "a table of %d files, or a tag for an empty slot", n)
}

// RegisterFilesSparse registers a table of n empty slots, which UpdateFiles fills,
// and requests that make files: those with a Direct in their Prep method's name,
// and IORING_OP_FILES_UPDATE. Limits are as for RegisterFiles.
//
// liburing: io_uring_register_files_sparse   kernel: 5.19
func (r *Ring) RegisterFilesSparse(n int) error {
	if err := r.usable(); err != nil {
		return err
	}
	if n <= 0 || n > math.MaxInt32 {
		return refuse("RegisterFilesSparse", "a table of %d files; it has 1 to 1048576", n)
	}
	arg := &sys.RsrcRegister{Nr: uint32(n), Flags: sys.IORING_RSRC_REGISTER_SPARSE}
	_, err := r.register(sys.IORING_REGISTER_FILES2, sys.PointerTo(arg), rsrcSize)
	return filesError(err, n)
}

// UpdateFiles replaces the table's files from index first on, and their tags; nil
// tags are no tags. FileNone empties a slot, FileSkip leaves it alone. It returns
// how many slots it went through: if one of them fails after others were changed
// that is their number, without an error. A slot whose new descriptor is bad is
// empty afterwards.
//
// It is ENXIO if there is no table, EINVAL for an index outside it, EBADF as for
// RegisterFiles.
//
// liburing: io_uring_register_files_update (kernel 5.5),
// io_uring_register_files_update_tag (kernel 5.13)
func (r *Ring) UpdateFiles(first int, fds []int32, tags []uint64) (int, error) {
	const method = "UpdateFiles"
	if err := r.usable(); err != nil {
		return 0, err
	}
	if len(fds) == 0 {
		return 0, refuse(method, "no files")
	}
	offset, err := indices(method, "file", first, len(fds))
	if err != nil {
		return 0, err
	}
	for i, fd := range fds {
		if fd < FileSkip {
			return 0, refuse(method, "descriptor %d for index %d; FileNone (-1) empties a slot, FileSkip (-2) leaves it", fd, first+i)
		}
	}
	if err := tagged(method, "file", len(fds), tags); err != nil {
		return 0, err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	var n int
	if tags == nil {
		arg := &sys.RsrcUpdate{Offset: offset, Data: addressIn(&pin, fds)}
		n, err = r.register(sys.IORING_REGISTER_FILES_UPDATE, sys.PointerTo(arg), uint32(len(fds)))
	} else {
		arg := &sys.RsrcUpdate2{Offset: offset, Nr: uint32(len(fds)), Data: addressIn(&pin, fds), Tags: addressIn(&pin, tags)}
		n, err = r.register(sys.IORING_REGISTER_FILES_UPDATE2, sys.PointerTo(arg), rsrcSize)
	}
	err = explain(err, syscall.ENXIO, "the ring has no table of files")
	err = explain(err, syscall.EBADF, "descriptor %d is not open, or is that of an io_uring", fds[0])
	return n, explain(err, syscall.EINVAL, "files %d to %d: an index outside the table, or a tag for an empty slot", first, first+len(fds)-1)
}

// UnregisterFiles removes the table of files. Requests in flight keep theirs;
// kernels before 6.13 wait for them here instead. It is ENXIO if there is no table.
//
// liburing: io_uring_unregister_files   kernel: 5.1
func (r *Ring) UnregisterFiles() error {
	_, err := r.register(sys.IORING_UNREGISTER_FILES, nil, 0)
	return explain(err, syscall.ENXIO, "the ring has no table of files")
}

// RegisterFileAllocRange confines the kernel's own choice of a slot
// (IORING_FILE_INDEX_ALLOC) to n slots from index first on. Without it the kernel
// chooses from the whole table; with n 0 it has nothing to choose from. It is EINVAL
// for a range outside the table.
//
// liburing: io_uring_register_file_alloc_range   kernel: 6.0
func (r *Ring) RegisterFileAllocRange(first, n int) error {
	const method = "RegisterFileAllocRange"
	if err := r.usable(); err != nil {
		return err
	}
	if n < 0 {
		return refuse(method, "%d slots", n)
	}
	offset, err := indices(method, "file", first, n)
	if err != nil {
		return err
	}
	arg := &sys.FileIndexRange{Off: offset, Len: uint32(n)}
	_, err = r.register(sys.IORING_REGISTER_FILE_ALLOC_RANGE, sys.PointerTo(arg), 0)
	return explain(err, syscall.EINVAL, "files %d to %d are not all in the table", first, first+n-1)
}
