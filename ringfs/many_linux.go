package ringfs

// Many small files at once.

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// A FileData is what ReadFiles found in a file.
type FileData struct {
	Name string
	Data []byte // valid until the loop's next turn; bytes.Clone keeps it
}

const (
	windowFiles = 64       // files that are opened, read and closed together
	windowSlice = 16 << 10 // how much of each is read before its size is known
)

// window is a number of files on their way, and memory for them.
type window struct {
	names []string
	files [windowFiles]struct {
		fd   int // open if the file is longer than its part of memory
		n    int
		err  error
		more bool // fd is open, and there may be more to read
		full bool // the process had no descriptor left
	}
	memory []byte
	batch  batch
	ready  chan struct{} // has an element when the window was read
}

func (w *window) part(i int) []byte { return w.memory[i*windowSlice : (i+1)*windowSlice] }

// ReadFiles reads many files. The loop sees them in the order of names, each with its
// content or its error, which is that of ReadFile; a file that cannot be read does not
// end it. When ctx ends, the loop sees the error once more, without a name, and no more.
//
// Files are opened, read and closed 64 at a time, with one system call for each of the
// three, while the loop is at work on those before; names is asked for as many names in
// advance. One goroutine for each processor does that. Memory is 1 MiB for each of
// these and two more, and beyond that the longest file: what is longer than 16 KiB is
// read, and held, one at a time.
func (t *tree) ReadFiles(ctx context.Context, names iter.Seq[string]) iter.Seq2[FileData, error] {
	return func(yield func(FileData, error) bool) {
		r := reader{t: t, yield: yield}
		r.run(ctx, names)
	}
}

// reader is a call of ReadFiles.
type reader struct {
	t     *tree
	yield func(FileData, error) bool

	jobs    chan *window
	pending []*window // given out, in order
	free    []*window
	workers int
	wg      sync.WaitGroup
}

func (r *reader) run(parent context.Context, names iter.Seq[string]) {
	ctx, cancel := context.WithCancel(parent)
	most := runtime.GOMAXPROCS(0)
	r.jobs = make(chan *window, most+2)
	defer func() {
		cancel()
		close(r.jobs)
		r.wg.Wait()
		for _, w := range r.pending {
			r.drop(w)
		}
	}()
	var w *window
	for name := range names {
		if w == nil {
			if len(r.pending) == most+2 && !r.deliver(parent) {
				return
			}
			w = r.window()
		}
		if w.names = append(w.names, name); len(w.names) == windowFiles {
			r.give(ctx, w, most)
			w = nil
		}
	}
	if w != nil {
		if len(r.pending) == 0 {
			// So few that no other goroutine is needed.
			r.pending = append(r.pending, w)
			r.read(ctx, w)
			w.ready <- struct{}{}
		} else {
			r.give(ctx, w, most)
		}
	}
	for len(r.pending) > 0 {
		if !r.deliver(parent) {
			return
		}
	}
	if err := parent.Err(); err != nil {
		r.yield(FileData{}, err)
	}
}

func (r *reader) window() *window {
	if n := len(r.free); n > 0 {
		w := r.free[n-1]
		r.free = r.free[:n-1]
		return w
	}
	return &window{memory: make([]byte, windowFiles*windowSlice), ready: make(chan struct{}, 1)}
}

// give has a window read by another goroutine.
func (r *reader) give(ctx context.Context, w *window, most int) {
	r.pending = append(r.pending, w)
	r.jobs <- w
	if r.workers < most {
		r.workers++
		r.wg.Go(func() {
			for w := range r.jobs {
				r.read(ctx, w)
				w.ready <- struct{}{}
			}
		})
	}
}

// deliver gives the files of the first window to the loop. It reports whether the loop
// wants more.
func (r *reader) deliver(ctx context.Context) bool {
	w := r.pending[0]
	<-w.ready
	for i, name := range w.names {
		if err := ctx.Err(); err != nil {
			w.ready <- struct{}{}
			r.yield(FileData{}, err)
			return false
		}
		f := &w.files[i]
		data, err := w.part(i)[:f.n], f.err
		if f.full {
			data, err = r.late(ctx, name)
		} else if f.more {
			f.more = false
			data, err = r.rest(ctx, name, f.fd, data)
		}
		if err != nil {
			data = nil
		}
		if !r.yield(FileData{name, data}, err) {
			w.ready <- struct{}{}
			return false
		}
	}
	r.pending = r.pending[1:]
	w.names = w.names[:0]
	r.free = append(r.free, w)
	return true
}

// drop closes what a window that nobody wants any more has open.
func (r *reader) drop(w *window) {
	select {
	case <-w.ready:
	default: // it was not begun
		return
	}
	for i := range w.names {
		if w.files[i].more {
			closeFd(r.t.p, w.files[i].fd)
		}
	}
}

// read opens, reads and closes the files of a window.
func (r *reader) read(ctx context.Context, w *window) {
	t, b := r.t, &w.batch
	clear(w.files[:])
	r.open(ctx, w)

	// Twice, for only reading nothing means that the file has ended.
	for first := true; ; first = false {
		b.reset(windowFiles)
		for i := range w.names {
			f := &w.files[i]
			if f.err == nil && !f.full && f.more && f.n < windowSlice && (first || f.n > 0) {
				b.ops = append(b.ops, proactor.Read(f.fd, w.part(i)[f.n:], -1))
				b.which = append(b.which, i)
			}
		}
		if len(b.ops) == 0 {
			break
		}
		t.p.Batch(ctx, b.ops, b.results)
		for k, i := range b.which {
			f, res := &w.files[i], b.results[k]
			switch {
			case res.Err == syscall.EINTR:
			case res.Err != nil:
				f.err = pathError("read", w.names[i], res.Err)
			case res.N == 0:
				f.more = false
			}
			f.n += res.N
		}
	}

	// Those that are longer stay open.
	b.reset(windowFiles)
	for i := range w.names {
		f := &w.files[i]
		if f.full || f.fd < 0 || f.more && f.err == nil {
			continue
		}
		f.more = false
		b.ops = append(b.ops, proactor.Close(f.fd))
		b.which = append(b.which, i)
	}
	if len(b.ops) > 0 && t.p.Batch(context.Background(), b.ops, b.results) != nil {
		for k, i := range b.which {
			if b.results[k].Err == proactor.ErrClosed {
				unix.Close(w.files[i].fd)
			}
		}
	}
	clear(b.ops)
}

// open opens the files of a window.
func (r *reader) open(ctx context.Context, w *window) {
	t, b := r.t, &w.batch
	b.reset(windowFiles)
	root := t.root
	if root != nil {
		if err := root.dir.acquire(); err != nil {
			for i, name := range w.names {
				w.files[i].fd, w.files[i].err = -1, pathError("open", name, err)
			}
			return
		}
		defer root.dir.release()
	}
	single := root != nil && root.lack.Load()
	for i, name := range w.names {
		f := &w.files[i]
		f.fd = -1
		switch {
		case strings.IndexByte(name, 0) >= 0: // for which the whole batch would be refused
			r.opened(w, i, -1, syscall.EINVAL)
		case root != nil && (single || !fs.ValidPath(name)):
			fd, err := root.open(ctx, name, os.O_RDONLY, 0, asItIs)
			r.opened(w, i, fd, err)
		case root != nil:
			b.ops = append(b.ops, proactor.Openat2(root.dir.fd, name, &unix.OpenHow{Flags: unix.O_CLOEXEC | unix.O_LARGEFILE, Resolve: beneath}))
			b.which = append(b.which, i)
		default:
			b.ops = append(b.ops, proactor.Openat(unix.AT_FDCWD, name, os.O_RDONLY, 0))
			b.which = append(b.which, i)
		}
	}
	if len(b.ops) == 0 {
		return
	}
	t.p.Batch(ctx, b.ops, b.results)
	for k, i := range b.which {
		fd, err := b.results[k].N, b.results[k].Err
		if err != nil && (root != nil && err != unix.ENOENT || err == syscall.EINTR || err == syscall.EAGAIN) {
			// Those of openat2 have more than one meaning, and some mean to try again.
			fd, err = t.openPlain(ctx, w.names[i])
		}
		r.opened(w, i, fd, err)
	}
}

// openPlain opens a file for reading and returns the descriptor.
func (t *tree) openPlain(ctx context.Context, name string) (int, error) {
	if t.root != nil {
		return t.root.open(ctx, name, os.O_RDONLY, 0, asItIs)
	}
	return t.number(ctx, proactor.Openat(unix.AT_FDCWD, name, os.O_RDONLY, 0))
}

func (r *reader) opened(w *window, i, fd int, err error) {
	f := &w.files[i]
	switch {
	case err == nil:
		f.fd, f.more = fd, true
	case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
		f.full = true // there will be descriptors when others are closed
	default:
		f.err = pathError("open", w.names[i], err)
	}
}

// late reads a file for which there was no descriptor. Those that the other goroutines
// have open they close soon.
func (r *reader) late(ctx context.Context, name string) (data []byte, err error) {
	for range 100 {
		data, err = r.t.ReadFileContext(ctx, name)
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return data, err
}

// rest reads what is left of a long file.
func (r *reader) rest(ctx context.Context, name string, fd int, head []byte) ([]byte, error) {
	file, err := newFile(r.t.p, fd, name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.finish(ctx, head)
}

// finish returns what a file has after head, which was read from it, with head.
func (f *File) finish(ctx context.Context, head []byte) ([]byte, error) {
	size := 0
	var st unix.Stat_t
	if unix.Fstat(f.fd, &st) == nil && st.Size < 1<<46 {
		size = int(st.Size)
	}
	// One byte more, so that the end is seen without growing.
	data := make([]byte, len(head), max(size+1, len(head)+512))
	copy(data, head)
	return readAll(ctx, f, data)
}
