package ringfs

// Many places at once, writing and syncing in one step, and copying.

import (
	"context"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/sys"
)

// A ReadReq is one of the reads of ReadAtv.
type ReadReq struct {
	P   []byte // where to
	Off int64  // where from, in bytes

	N   int   // how much was read
	Err error // as ReadAt has it: io.EOF if the file ended before P was full
}

// A WriteReq is one of the writes of WriteAtv.
type WriteReq struct {
	P   []byte
	Off int64

	N   int
	Err error
}

// batch is memory for the operations of a call.
type batch struct {
	ops     []proactor.Op
	results []proactor.Result
	which   []int
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// reset makes room for n operations.
func (b *batch) reset(n int) {
	if cap(b.ops) < n {
		b.ops, b.results, b.which = make([]proactor.Op, 0, n), make([]proactor.Result, n), make([]int, 0, n)
	}
	b.ops, b.which = b.ops[:0], b.which[:0]
	b.results = b.results[:cap(b.results)]
}

// free gives the memory back, and lets go of what belongs to the caller.
func (b *batch) free() {
	clear(b.ops[:cap(b.ops)])
	if cap(b.ops) <= 1024 {
		batches.Put(b)
	}
}

// ReadAtv reads from several places at the same time, which one system call begins.
// Each request is filled or has an error; ReadAtv returns the first of these.
func (f *File) ReadAtv(ctx context.Context, reqs []ReadReq) error {
	if err := f.acquire(); err != nil {
		return f.wrap("read", err)
	}
	defer f.release()
	if f.kind() == stream {
		return f.wrap("readat", syscall.ESPIPE)
	}
	b := batches.Get().(*batch)
	defer b.free()
	for i := range reqs {
		r := &reqs[i]
		r.N, r.Err = 0, nil
		if r.Off < 0 {
			r.Err = f.wrap("readat", negative(r.Off))
		}
	}
	for {
		b.reset(len(reqs))
		for i := range reqs {
			r := &reqs[i]
			for f.direct != nil && r.Err == nil && r.N < len(r.P) && f.direct.straight(r.P[r.N:], r.Off+int64(r.N)) == 0 {
				n, err := f.directReadAt(ctx, r.P[r.N:], r.Off+int64(r.N))
				f.note(&r.N, &r.Err, "read", n, err)
			}
			if r.Err == nil && r.N < len(r.P) {
				p := r.P[r.N:min(len(r.P), r.N+most)]
				if f.direct != nil {
					p = p[:f.direct.straight(p, r.Off+int64(r.N))]
				}
				b.ops = append(b.ops, proactor.Read(f.fd, p, r.Off+int64(r.N)).Through(&f.reading))
				b.which = append(b.which, i)
			}
		}
		if len(b.ops) == 0 {
			break
		}
		f.p.Batch(ctx, b.ops, b.results)
		for k, i := range b.which {
			n, err := b.results[k].N, b.results[k].Err
			if err == syscall.EAGAIN {
				n, err = f.read(ctx, reqs[i].P[reqs[i].N:], reqs[i].Off+int64(reqs[i].N))
			}
			f.note(&reqs[i].N, &reqs[i].Err, "read", n, err)
		}
	}
	for i := range reqs {
		if reqs[i].Err != nil {
			return reqs[i].Err
		}
	}
	return nil
}

// note adds the result of one operation to a request's.
func (f *File) note(total *int, to *error, name string, n int, err error) {
	switch {
	case again(err):
	case err != nil:
		*to = f.wrap(name, err)
	case n == 0:
		*to = io.EOF
	}
	*total += n
}

// WriteAtv writes to several places at the same time, in no particular order: the
// places should not overlap. Each request is written whole or has an error; WriteAtv
// returns the first of these.
func (f *File) WriteAtv(ctx context.Context, reqs []WriteReq) error {
	if err := f.beginWriteAt(0); err != nil {
		return err
	}
	defer f.release()
	b := batches.Get().(*batch)
	defer b.free()
	for i := range reqs {
		r := &reqs[i]
		r.N, r.Err = 0, nil
		if r.Off < 0 {
			r.Err = f.wrap("writeat", negative(r.Off))
		} else if f.direct != nil {
			// Whole blocks and parts of blocks exclude each other.
			n, err := f.directWriteAt(ctx, r.P, r.Off)
			r.N, r.Err = n, f.wrap("write", err)
		}
	}
	for f.direct == nil {
		b.reset(len(reqs))
		for i := range reqs {
			if r := &reqs[i]; r.Err == nil && r.N < len(r.P) {
				p := r.P[r.N:min(len(r.P), r.N+most)]
				b.ops = append(b.ops, proactor.Write(f.fd, p, r.Off+int64(r.N)).Through(&f.writing))
				b.which = append(b.which, i)
			}
		}
		if len(b.ops) == 0 {
			break
		}
		f.p.Batch(ctx, b.ops, b.results)
		for k, i := range b.which {
			r := &reqs[i]
			n, err := b.results[k].N, b.results[k].Err
			if err == syscall.EAGAIN {
				n, err = f.write(ctx, r.P[r.N:], r.Off+int64(r.N))
			}
			if f.note(&r.N, &r.Err, "write", n, err); r.Err == io.EOF {
				r.Err = f.wrap("write", io.ErrUnexpectedEOF)
			}
		}
	}
	for i := range reqs {
		if reqs[i].Err != nil {
			return reqs[i].Err
		}
	}
	return nil
}

// WriteSync writes b at the position, or at the end with O_APPEND, and has it reach the
// disk, as DataSync does, before it returns: a chain of two operations, which one system
// call begins. n is how much was written; only without an error is it on the disk.
func (f *File) WriteSync(ctx context.Context, b []byte) (n int, err error) {
	if err := f.acquire(); err != nil {
		return 0, f.wrap("write", err)
	}
	defer f.release()
	t := f.position(true)
	if err := t.take(ctx); err != nil {
		return 0, f.wrap("write", err)
	}
	defer t.give()
	if f.direct != nil {
		if n, err = f.directWrite(ctx, b); err == nil {
			err = f.DataSyncContext(ctx)
		}
	} else {
		n, err = f.writeSync(ctx, b, -1)
	}
	return n, f.wrap("write", err)
}

// WriteSyncAt is WriteSync at offset off.
func (f *File) WriteSyncAt(ctx context.Context, b []byte, off int64) (n int, err error) {
	if err := f.beginWriteAt(off); err != nil {
		return 0, err
	}
	defer f.release()
	if f.direct != nil && f.direct.straight(b, off) != len(b) {
		if n, err = f.directWriteAt(ctx, b, off); err == nil {
			err = f.DataSyncContext(ctx)
		}
	} else {
		if d := f.direct; d != nil {
			d.mu.RLock()
			defer d.mu.RUnlock()
		}
		n, err = f.writeSync(ctx, b, off)
	}
	return n, f.wrap("write", err)
}

func (f *File) writeSync(ctx context.Context, b []byte, off int64) (done int, err error) {
	for {
		at, was := off, int64(-1)
		if off >= 0 {
			at += int64(done)
		} else {
			was = f.where()
		}
		ops := [2]proactor.Op{
			proactor.Write(f.fd, b[done:min(len(b), done+most)], at).Through(&f.writing),
			proactor.Fsync(f.fd, sys.IORING_FSYNC_DATASYNC).Through(&f.writing),
		}
		var results [2]proactor.Result
		f.p.Link(ctx, ops[:], results[:])
		switch err := results[0].Err; err {
		case nil:
		case syscall.EINTR:
			continue
		case syscall.EAGAIN, syscall.ECANCELED:
			// Not ready, or the thread that submitted it has ended: without the chain
			// that is seen to.
			n, err := f.writeAll(ctx, b[done:], at)
			if done += n; err != nil {
				return done, err
			}
			return done, f.syncAgain(ctx)
		default:
			return done, err
		}
		n := results[0].N
		done += n
		f.moved(was, n, done == len(b), true)
		switch {
		case done < len(b) && n == 0:
			return done, io.ErrUnexpectedEOF
		case done < len(b):
			// Fewer bytes than asked for break the chain.
			continue
		case results[1].Err == syscall.ECANCELED || results[1].Err == syscall.EINTR:
			return done, f.syncAgain(ctx)
		}
		return done, results[1].Err
	}
}

func (f *File) syncAgain(ctx context.Context) error {
	for {
		_, err := f.p.Do(ctx, proactor.Fsync(f.fd, sys.IORING_FSYNC_DATASYNC).Through(&f.writing))
		if !again(err) {
			return err
		}
	}
}

// ReadFrom writes what it reads from r, to the end of r, and returns how much that was.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	return f.ReadFromContext(context.Background(), r)
}

// ReadFromContext is ReadFrom until ctx ends. If r is a *File, that goes for reading
// from it too.
func (f *File) ReadFromContext(ctx context.Context, r io.Reader) (int64, error) {
	read := r.Read
	if from, ok := r.(*File); ok {
		read = func(b []byte) (int, error) { return from.ReadContext(ctx, b) }
	}
	return move(read, func(b []byte) (int, error) { return f.WriteContext(ctx, b) })
}

// WriteTo writes to w what it reads, from the position to the end, and returns how much
// that was.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	return f.WriteToContext(context.Background(), w)
}

// WriteToContext is WriteTo until ctx ends. If w is a *File, that goes for writing to it
// too.
func (f *File) WriteToContext(ctx context.Context, w io.Writer) (int64, error) {
	write := w.Write
	if to, ok := w.(*File); ok {
		write = func(b []byte) (int, error) { return to.WriteContext(ctx, b) }
	}
	return move(func(b []byte) (int, error) { return f.ReadContext(ctx, b) }, write)
}

// move copies until read gives io.EOF.
func move(read, write func([]byte) (int, error)) (total int64, err error) {
	buf := bounces.Get().(*[]byte)
	defer bounces.Put(buf)
	for {
		n, err := read(*buf)
		if n > 0 {
			m, werr := write((*buf)[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
			if m < n {
				return total, io.ErrShortWrite
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// copyRange copies n bytes between two files inside the kernel, which an ordinary call
// does; it reports false if that is not possible here, before anything was copied.
func copyRange(ctx context.Context, dst, src *File, off, n int64, progress func(int64)) (done int64, ok bool, err error) {
	const step = 8 << 20 // so that a context is heeded
	for done < n {
		if err := ctx.Err(); err != nil {
			return done, true, err
		}
		from, to := off+done, off+done
		m, err := unix.CopyFileRange(src.fd, &from, dst.fd, &to, int(min(n-done, step)), 0)
		switch {
		case err == unix.EINTR:
			continue
		case done == 0 && (m == 0 || err != nil):
			// Another file system, or one that pretends to have files of size 0.
			return 0, false, nil
		case err != nil:
			return done, true, err
		case m == 0:
			return done, true, nil // it has become shorter
		}
		done += int64(m)
		progress(int64(m))
	}
	return done, true, nil
}
