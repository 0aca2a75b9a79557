package ringfs

// O_DIRECT: reading and writing past the page cache, for which the kernel wants
// addresses, offsets and lengths to be multiples of something.
//
// What is aligned goes straight from and to the caller's memory. For the rest, a read
// takes the blocks around what is asked for into an aligned buffer, and a write from
// unaligned memory goes through one. A write that begins or ends within a block could
// read that block, change it and write it back, but would then undo what somebody else
// has written to it meanwhile. So such ends go through the page cache, where the kernel
// sees to that, and are written back and dropped from it before the call returns. While
// one goes that way, no other write of the File is under way. Those of other descriptors
// are their own business, as always with O_DIRECT: the kernel answers a sync with EIO when
// one page was written in both ways at the same time.

import (
	"context"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// direct is what a file opened with O_DIRECT has in addition.
type direct struct {
	memory int // what addresses must be a multiple of
	block  int // what offsets and lengths must be a multiple of

	// Writing through the page cache excludes all other writing.
	mu sync.RWMutex
}

// safeAlign is right for every disk there is.
const safeAlign = 4096

// alignment asks what a file needs: the kernel since Linux 6.1, some file systems.
func alignment(fd int) *direct {
	d := &direct{memory: safeAlign, block: safeAlign}
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st) == nil && st.Mask&unix.STATX_DIOALIGN != 0 &&
		usable(st.Dio_mem_align) && usable(st.Dio_offset_align) {
		d.memory, d.block = int(st.Dio_mem_align), int(st.Dio_offset_align)
	}
	return d
}

// usable reports whether the answer is an alignment that our buffers can have.
func usable(align uint32) bool { return align > 0 && align <= bounceSize && align&(align-1) == 0 }

// Alignment returns what addresses, and what offsets and lengths, should be a multiple
// of so that reads and writes of a file opened with O_DIRECT take the straight way; 1
// and 1 for other files.
func (f *File) Alignment() (memory, block int) {
	if f.direct == nil {
		return 1, 1
	}
	return f.direct.memory, f.direct.block
}

// bounceSize is the size of the buffers that stand in for unaligned ones, and their
// alignment.
const bounceSize = 256 << 10

// aligned returns n bytes at an address that is a multiple of align.
func aligned(n, align int) []byte {
	b := make([]byte, n+align)
	skip := (align - misalignment(b, align)) & (align - 1)
	return b[skip : skip+n : skip+n]
}

// Aligned returns a buffer of n bytes whose address is a multiple of align, a power of
// two, for a file opened with O_DIRECT; see Alignment.
func Aligned(n, align int) []byte {
	if align < 1 || align&(align-1) != 0 {
		panic("ringfs: an alignment is a power of two")
	}
	return aligned(n, align)
}

// bounces has buffers for all files; the most that any disk wants is a page.
var bounces = sync.Pool{New: func() any { b := aligned(bounceSize, safeAlign); return &b }}

// bounce returns a buffer for the file, and how to give it back.
func (d *direct) bounce() *[]byte {
	if d.memory <= safeAlign {
		return bounces.Get().(*[]byte)
	}
	b := aligned(bounceSize, d.memory)
	return &b
}

func (d *direct) put(b *[]byte) {
	if d.memory <= safeAlign {
		bounces.Put(b)
	}
}

// straight returns how much of b, at offset off, needs no other buffer.
func (d *direct) straight(b []byte, off int64) int {
	if off&int64(d.block-1) != 0 || misalignment(b, d.memory) != 0 {
		return 0
	}
	return len(b) &^ (d.block - 1)
}

// directReadAt is one read of at least a byte, unless the file ends there.
func (f *File) directReadAt(ctx context.Context, b []byte, off int64) (int, error) {
	d := f.direct
	if n := d.straight(b, off); n > 0 {
		return f.read(ctx, b[:n], off)
	}
	skip := int(off & int64(d.block-1))
	buf := d.bounce()
	defer d.put(buf)
	want := bounceSize
	if len(b) < want-skip {
		want = (skip + len(b) + d.block - 1) &^ (d.block - 1)
	}
	n, err := f.read(ctx, (*buf)[:want], off-int64(skip))
	if err != nil || n <= skip {
		return 0, err
	}
	return copy(b, (*buf)[skip:n]), nil
}

// directRead is directReadAt at the position, for who has the turn.
func (f *File) directRead(ctx context.Context, b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	at, err := unix.Seek(f.fd, 0, io.SeekCurrent)
	if err != nil {
		return f.read(ctx, b, -1) // a pipe, for which O_DIRECT means something else
	}
	if n, err = f.directReadAt(ctx, b, at); n > 0 {
		unix.Seek(f.fd, at+int64(n), io.SeekStart)
	}
	return n, err
}

// directWriteAt writes all of b.
func (f *File) directWriteAt(ctx context.Context, b []byte, off int64) (done int, err error) {
	d := f.direct
	for done < len(b) {
		rest := b[done:]
		n, within := len(rest), int(off&int64(d.block-1))
		switch {
		case within != 0:
			n, err = f.cached(ctx, rest[:min(n, d.block-within)], off)
		case n < d.block:
			n, err = f.cached(ctx, rest, off)
		default:
			n, err = f.blocks(ctx, rest[:n&^(d.block-1)], off)
		}
		done += n
		off += int64(n)
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.ErrUnexpectedEOF
		}
	}
	return done, nil
}

// blocks is one write of whole blocks.
func (f *File) blocks(ctx context.Context, b []byte, off int64) (int, error) {
	d := f.direct
	d.mu.RLock()
	defer d.mu.RUnlock()
	if misalignment(b, d.memory) == 0 {
		return f.write(ctx, b, off)
	}
	buf := d.bounce()
	defer d.put(buf)
	return f.write(ctx, (*buf)[:copy(*buf, b)], off)
}

// cached writes all of b through the page cache; off is -1 for the position.
func (f *File) cached(ctx context.Context, b []byte, off int64) (done int, err error) {
	d := f.direct
	d.mu.Lock()
	defer d.mu.Unlock()
	flags, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, flags&^unix.O_DIRECT)
	}
	if err != nil {
		return 0, err
	}
	done, err = f.writeAll(ctx, b, off)
	if _, e := unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, flags); err == nil {
		err = e
	}
	if done == 0 || err != nil {
		return done, err
	}
	if off < 0 {
		if off, err = unix.Seek(f.fd, 0, io.SeekCurrent); err != nil {
			return done, err
		}
		off -= int64(done)
	}
	const through = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	if _, err = f.p.Do(ctx, proactor.SyncFileRange(f.fd, off, uint32(done), through).Through(&f.writing)); err != nil {
		return done, err
	}
	// Whether the kernel drops the pages is its business.
	f.p.Do(ctx, proactor.Fadvise(f.fd, off, uint32(done), unix.FADV_DONTNEED).Through(&f.writing))
	return done, nil
}

// directWrite writes all of b at the position, for who has the turn.
func (f *File) directWrite(ctx context.Context, b []byte) (n int, err error) {
	at, err := unix.Seek(f.fd, 0, io.SeekCurrent)
	if err != nil {
		return f.writeAll(ctx, b, -1)
	}
	if f.flags&unix.O_APPEND == 0 {
		n, err = f.directWriteAt(ctx, b, at)
		unix.Seek(f.fd, at+int64(n), io.SeekStart)
		return n, err
	}
	// The end of the file, which is where it goes, may be within a block.
	for n < len(b) && (len(b)-n)&(f.direct.block-1) == 0 {
		m, err := f.blocks(ctx, b[n:], -1)
		if err == syscall.EINVAL {
			break
		}
		if n += m; err != nil {
			return n, err
		}
	}
	if n < len(b) {
		m, err := f.cached(ctx, b[n:], -1)
		return n + m, err
	}
	return n, nil
}
