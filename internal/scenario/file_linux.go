package scenario

// Files: reading and writing, directories, pipes, splicing.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func fileScenarios() []Scenario {
	return []Scenario{{
		Name: "read_write",
		Doc:  "A chain of write, read and fsync; the end of a file; a bad descriptor; a bad address.",
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.File("f", "")
			buf := r.Bytes(64)
			g.SQE(1, link).PrepWrite(fd, r.Text("hello world"), 0)
			g.SQE(2, link).PrepRead(fd, buf[:5], 6)
			g.SQE(3).PrepFsync(fd, 0)
			g.SubmitReap(3)
			r.Note("data", buf[:5])
			g.SQE(4).PrepRead(fd, buf, 6)
			g.SubmitReap(1)
			g.SQE(5).PrepRead(fd, buf, 11)
			g.SubmitReap(1)
			g.SQE(6).PrepRead(-1, buf, 0)
			g.SubmitReap(1)
			s := g.SQE(7)
			s.PrepRead(fd, nil, 0)
			s.Len = 5
			g.SubmitReap(1)
		},
	}, {
		Name:  "splice",
		Doc:   "Splicing from a file through two pipes, and what splice and tee refuse.",
		Needs: []Need{needOp(sys.IORING_OP_SPLICE), needOp(sys.IORING_OP_TEE)},
		Run: func(r *Run) {
			g := r.Open(8)
			from, to := r.File("from", "0123456789"), r.File("to", "")
			rd, wr := r.Pipe()
			rd2, wr2 := r.Pipe()
			g.SQE(1, link).PrepSplice(from, 2, wr, -1, 5, 0)
			g.SQE(2, link).PrepTee(rd, wr2, 5, 0)
			g.SQE(3).PrepSplice(rd, -1, to, 0, 5, 0)
			g.SubmitReap(3)
			r.Note("file", r.Content(to))
			r.Note("second pipe", r.Read(rd2, 16))
			g.SQE(4).PrepSplice(from, 0, to, 0, 5, 0)
			g.SubmitReap(1)
			g.SQE(5).PrepSplice(from, 0, wr, 3, 5, 0)
			g.SubmitReap(1)
			g.SQE(6).PrepSplice(-1, 0, wr, -1, 5, 0)
			g.SubmitReap(1)
			g.SQE(7).PrepTee(from, wr, 5, 0)
			g.SubmitReap(1)
		},
	}, {
		Name:  "directories",
		Doc:   "Making, linking, renaming and removing names, each way once well and once badly.",
		Needs: []Need{needOp(sys.IORING_OP_MKDIRAT, sys.IORING_OP_RENAMEAT, sys.IORING_OP_UNLINKAT, sys.IORING_OP_LINKAT, sys.IORING_OP_SYMLINKAT)},
		Run: func(r *Run) {
			g := r.Open(8)
			d := r.DirFd()
			do := g.OneByOne()
			do(func(s *sys.SQE) { s.PrepMkdirat(d, r.Path("a"), 0o700) })
			do(func(s *sys.SQE) { s.PrepMkdirat(d, r.Path("a"), 0o700) })
			r.File("f", "content")
			do(func(s *sys.SQE) { s.PrepLinkat(d, r.Path("f"), d, r.Path("h"), 0) })
			do(func(s *sys.SQE) { s.PrepLinkat(d, r.Path("f"), d, r.Path("h"), 0) })
			do(func(s *sys.SQE) { s.PrepSymlinkat(r.Path("f"), d, r.Path("s")) })
			target, err := os.Readlink(filepath.Join(r.Dir(), "s"))
			r.Note("readlink", fmt.Sprint(target, err))
			do(func(s *sys.SQE) { s.PrepRenameat(d, r.Path("f"), d, r.Path("g"), 0) })
			do(func(s *sys.SQE) { s.PrepRenameat(d, r.Path("missing"), d, r.Path("g"), 0) })
			do(func(s *sys.SQE) { s.PrepRenameat(d, r.Path("g"), d, r.Path("h"), unix.RENAME_NOREPLACE) })
			do(func(s *sys.SQE) { s.PrepUnlinkat(d, r.Path("a"), 0) })
			do(func(s *sys.SQE) { s.PrepUnlinkat(d, r.Path("a"), unix.AT_REMOVEDIR) })
			do(func(s *sys.SQE) { s.PrepUnlinkat(d, r.Path("a"), unix.AT_REMOVEDIR) })
			for _, name := range []string{"g", "h", "s"} {
				do(func(s *sys.SQE) { s.PrepUnlinkat(d, r.Path(name), 0) })
			}
			do(func(s *sys.SQE) { s.PrepMkdirat(-1, r.Path("a"), 0o700) })
			do(func(s *sys.SQE) { s.PrepUnlinkat(d, nil, 0) })
			left, err := os.ReadDir(r.Dir())
			r.Must("read directory", err)
			r.Note("left", len(left))
		},
	}, {
		Name:  "pipe",
		Doc:   "Making pipes, as descriptors and as direct descriptors, and no room for one.",
		Needs: []Need{needOp(sys.IORING_OP_PIPE), needRegister(sys.IORING_REGISTER_FILES2)},
		Run: func(r *Run) {
			g := r.Open(8)
			fds := new([2]int32)
			g.SQE(1).PrepPipe(fds, unix.O_CLOEXEC)
			g.SubmitReap(1)
			rd, wr := int(fds[0]), int(fds[1])
			r.CloseLater(rd)
			r.CloseLater(wr)
			r.Note("close on exec", fmt.Sprint(cloexec(rd), cloexec(wr)))
			buf := r.Bytes(8)
			g.SQE(2, link).PrepWrite(wr, r.Text("abc"), 0)
			g.SQE(3).PrepRead(rd, buf, 0)
			g.SubmitReap(2)
			r.Note("data", buf[:3])
			g.SparseFiles(4)
			slots := new([2]int32)
			g.SQE(4).PrepPipeDirect(slots, 0, sys.IORING_FILE_INDEX_ALLOC)
			g.SubmitReap(1)
			r.Note("slots", *slots)
			g.SQE(5).PrepPipeDirect(slots, 0, 2)
			g.SubmitReap(1)
			r.Note("slots", *slots)
			g.SQE(6).PrepPipe(fds, 1<<30)
			g.SubmitReap(1)
			g.SQE(7).PrepPipeDirect(slots, 0, sys.IORING_FILE_INDEX_ALLOC)
			g.SubmitReap(1)
		},
	}, {
		Name: "vectors",
		Doc:  "Vectored reading and writing, empty vectors, too many, and the flags of pwritev2.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			fd := r.File("f", "")
			a, b := r.Bytes(3), r.Bytes(20)
			do(func(s *sys.SQE) {
				s.PrepWritev(fd, r.Iovecs(r.Text("one "), r.Text("two "), nil, r.Text("three")), 0)
			})
			do(func(s *sys.SQE) { s.PrepReadv(fd, r.Iovecs(a, b), 1) })
			r.Note("data", a)
			r.Note("data", b)
			do(func(s *sys.SQE) { s.PrepReadv(fd, nil, 0) })
			do(func(s *sys.SQE) { s.PrepReadv(fd, make([]unix.Iovec, 2000), 0) })
			do(func(s *sys.SQE) { s.PrepReadv2(fd, r.Iovecs(a), 0, unix.RWF_NOWAIT) })
			do(func(s *sys.SQE) { s.PrepReadv2(fd, r.Iovecs(a), 0, 1<<30) })
			do(func(s *sys.SQE) { s.PrepWritev2(fd, r.Iovecs(r.Text("!")), 0, unix.RWF_APPEND) })
			do(func(s *sys.SQE) { s.PrepWritev2(fd, r.Iovecs(r.Text("O")), 0, unix.RWF_DSYNC) })
			r.Note("file", r.Content(fd))
			do(func(s *sys.SQE) {
				s.PrepReadv(fd, r.Iovecs(a), 0)
				s.Len = 1
				s.Addr = 8
			})
		},
	}, {
		Name:  "file_position",
		Doc:   "Offset -1 reads and writes at the file position and moves it.",
		Needs: []Need{needFeature(sys.IORING_FEAT_RW_CUR_POS)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			fd := r.File("f", "0123456789")
			buf := r.Bytes(4)
			here := ^uint64(0)
			for range 2 {
				do(func(s *sys.SQE) { s.PrepRead(fd, buf, here) })
				r.Note("data", buf)
			}
			do(func(s *sys.SQE) { s.PrepWrite(fd, r.Text("xyz"), here) })
			do(func(s *sys.SQE) { s.PrepReadv(fd, r.Iovecs(buf), here) })
			do(func(s *sys.SQE) { s.PrepRead(fd, buf, 2) })
			at, err := unix.Seek(fd, 0, unix.SEEK_CUR)
			r.Note("position", fmt.Sprint(at, err))
			r.Note("file", r.Content(fd))
			do(func(s *sys.SQE) { s.PrepRead(fd, buf, 1<<63) })
		},
	}, {
		Name: "read_write_errors",
		Doc:  "Reading and writing what cannot be read or written.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			r.File("f", "content")
			ro, err := unix.Open(filepath.Join(r.Dir(), "f"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			r.Must("open", err)
			r.CloseLater(ro)
			wo, err := unix.Open(filepath.Join(r.Dir(), "f"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
			r.Must("open", err)
			r.CloseLater(wo)
			rd, wr := r.Pipe()
			buf := r.Bytes(4)
			do(func(s *sys.SQE) { s.PrepWrite(ro, buf, 0) })
			do(func(s *sys.SQE) { s.PrepRead(wo, buf, 0) })
			do(func(s *sys.SQE) { s.PrepRead(r.DirFd(), buf, 0) })
			do(func(s *sys.SQE) { s.PrepRead(wr, buf, 0) })
			do(func(s *sys.SQE) { s.PrepWrite(rd, buf, 0) })
			do(func(s *sys.SQE) { s.PrepRead(1<<30, buf, 0) })
			do(func(s *sys.SQE) {
				s.PrepRead(ro, buf, 0)
				s.OpFlags = 1 << 30
			})
			do(func(s *sys.SQE) {
				s.PrepRead(ro, buf, 0)
				s.Ioprio = 1 << 15
			})
			do(func(s *sys.SQE) {
				s.PrepRead(ro, buf, 0)
				s.Flags = 1 << 7
			})
			do(func(s *sys.SQE) {
				s.PrepRead(ro, buf, 0)
				s.Personality = 99
			})
			do(func(s *sys.SQE) { s.PrepRead(ro, nil, 0) })
			do(func(s *sys.SQE) {
				s.PrepWrite(wo, nil, 0)
				s.Addr, s.Len = 4096, 4
			})
		},
	}, {
		Name: "devices",
		Doc:  "Reading and writing /dev/null, /dev/zero and /dev/full.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			buf := r.Bytes(16)
			for _, name := range []string{"null", "zero", "full"} {
				fd, err := unix.Open("/dev/"+name, unix.O_RDWR|unix.O_CLOEXEC, 0)
				if err != nil {
					r.Note(name, "cannot be opened")
					continue
				}
				r.CloseLater(fd)
				copy(buf, "not yet cleared.")
				do(func(s *sys.SQE) { s.PrepRead(fd, buf, 0) })
				r.Note("data", buf)
				do(func(s *sys.SQE) { s.PrepWrite(fd, buf, 0) })
				do(func(s *sys.SQE) { s.PrepPollAdd(fd, pollIn|pollOut) })
			}
		},
	}, {
		Name: "many_writes",
		Doc:  "A queue full of independent writes and then of reads.",
		Run: func(r *Run) {
			g := r.Open(32)
			fd := r.File("f", "")
			for u := range uint64(32) {
				g.SQE(u).PrepWrite(fd, r.Text(fmt.Sprintf("%02d ", u)), 3*u)
			}
			g.Submit()
			g.ReapAny(32)
			r.Note("file", r.Content(fd))
			bufs := make([][]byte, 32)
			for u := range bufs {
				bufs[u] = r.Bytes(3)
				g.SQE(uint64(u)).PrepRead(fd, bufs[u], uint64(3*(31-u)))
			}
			g.Submit()
			g.ReapAny(32)
			text := ""
			for _, b := range bufs {
				text += string(b)
			}
			r.Note("data", text)
		},
	}, {
		Name: "fallocate",
		Doc:  "Allocating with and without a new size, punching, and where it cannot be done.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			fd := r.File("f", "content")
			rd, _ := r.Pipe()
			do(func(s *sys.SQE) { s.PrepFallocate(fd, 0, 0, 8192) })
			r.Note("size", r.size(fd))
			do(func(s *sys.SQE) { s.PrepFallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 8192, 8192) })
			r.Note("size", r.size(fd))
			do(func(s *sys.SQE) { s.PrepFallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 3) })
			data := r.Content(fd)
			r.Note("data", []byte(data[:min(8, len(data))]))
			do(func(s *sys.SQE) { s.PrepFallocate(fd, unix.FALLOC_FL_PUNCH_HOLE, 0, 3) })
			do(func(s *sys.SQE) { s.PrepFallocate(fd, 1<<30, 0, 3) })
			do(func(s *sys.SQE) { s.PrepFallocate(fd, 0, 0, 0) })
			do(func(s *sys.SQE) { s.PrepFallocate(rd, 0, 0, 8192) })
			do(func(s *sys.SQE) { s.PrepFallocate(-1, 0, 0, 8192) })
		},
	}, {
		Name:  "ftruncate",
		Doc:   "Shrinking and growing a file, and what cannot be truncated.",
		Needs: []Need{needOp(sys.IORING_OP_FTRUNCATE)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			fd := r.File("f", "content")
			rd, _ := r.Pipe()
			do(func(s *sys.SQE) { s.PrepFtruncate(fd, 3) })
			r.Note("data", []byte(r.Content(fd)))
			do(func(s *sys.SQE) { s.PrepFtruncate(fd, 6) })
			r.Note("data", []byte(r.Content(fd)))
			do(func(s *sys.SQE) { s.PrepFtruncate(fd, -1) })
			do(func(s *sys.SQE) { s.PrepFtruncate(rd, 0) })
			do(func(s *sys.SQE) { s.PrepFtruncate(r.DirFd(), 0) })
			do(func(s *sys.SQE) { s.PrepFtruncate(-1, 0) })
		},
	}, {
		Name: "sync",
		Doc:  "The kinds of fsync and sync_file_range, and what cannot be synced.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			fd := r.File("f", "content")
			rd, _ := r.Pipe()
			do(func(s *sys.SQE) { s.PrepFsync(fd, 0) })
			do(func(s *sys.SQE) { s.PrepFsync(fd, sys.IORING_FSYNC_DATASYNC) })
			do(func(s *sys.SQE) {
				s.PrepFsync(fd, 0)
				s.Off, s.Len = 2, 3
			})
			do(func(s *sys.SQE) { s.PrepFsync(fd, 1<<30) })
			do(func(s *sys.SQE) { s.PrepFsync(rd, 0) })
			do(func(s *sys.SQE) { s.PrepFsync(-1, 0) })
			do(func(s *sys.SQE) {
				s.PrepSyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
			})
			do(func(s *sys.SQE) { s.PrepSyncFileRange(fd, 4, 2, unix.SYNC_FILE_RANGE_WRITE) })
			do(func(s *sys.SQE) { s.PrepSyncFileRange(fd, 0, 0, 1<<30) })
			do(func(s *sys.SQE) { s.PrepSyncFileRange(rd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) })
		},
	}, {
		Name: "advice",
		Doc:  "Advice about files and about memory, taken and refused.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			fd := r.File("f", "content")
			rd, _ := r.Pipe()
			do(func(s *sys.SQE) { s.PrepFadvise(fd, 0, 0, unix.FADV_SEQUENTIAL) })
			do(func(s *sys.SQE) { s.PrepFadvise(fd, 0, 4096, unix.FADV_WILLNEED) })
			do(func(s *sys.SQE) { s.PrepFadvise(fd, 0, 0, 99) })
			do(func(s *sys.SQE) { s.PrepFadvise(rd, 0, 0, unix.FADV_NORMAL) })
			do(func(s *sys.SQE) { s.PrepFadvise64(fd, 0, 1<<33, unix.FADV_DONTNEED) })
			mem := r.Pages(2 * unix.Getpagesize())
			copy(mem, "gone")
			do(func(s *sys.SQE) { s.PrepMadvise(mem, unix.MADV_DONTNEED) })
			r.Note("data", mem[:4])
			do(func(s *sys.SQE) { s.PrepMadvise64(mem, unix.MADV_RANDOM) })
			do(func(s *sys.SQE) { s.PrepMadvise(mem[1:], unix.MADV_NORMAL) })
			do(func(s *sys.SQE) { s.PrepMadvise(mem, 9999) })
		},
	}, {
		Name: "open_close",
		Doc:  "Opening in many ways that succeed and fail, and closing twice.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			d := r.DirFd()
			r.File("f", "content")
			r.Must("symlink", os.Symlink("f", filepath.Join(r.Dir(), "l")))
			r.Descriptors(1, 2, 3, 4, 5)
			open := func(path string, flags int) sys.CQE32 {
				return do(func(s *sys.SQE) { s.PrepOpenat(d, r.Path(path), flags|unix.O_CLOEXEC, 0o640) })
			}
			open("f", unix.O_RDONLY)
			open("new", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
			open(".", unix.O_RDONLY|unix.O_DIRECTORY)
			do(func(s *sys.SQE) {
				s.PrepOpen(r.Path(filepath.Join(r.Dir(), "l")), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			})
			do(func(s *sys.SQE) { s.PrepOpenat(d, r.Path("anon"), unix.O_PATH|unix.O_CREAT, 0) })
			open("new", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
			open("missing", unix.O_RDONLY)
			open("f/below", unix.O_RDONLY)
			open("f", unix.O_RDONLY|unix.O_DIRECTORY)
			open("l", unix.O_RDONLY|unix.O_NOFOLLOW)
			open(".", unix.O_WRONLY)
			do(func(s *sys.SQE) { s.PrepOpenat(-1, r.Path("f"), unix.O_RDONLY, 0) })
			do(func(s *sys.SQE) { s.PrepOpenat(d, nil, unix.O_RDONLY, 0) })
			do(func(s *sys.SQE) { s.PrepOpenat(d, r.Path(strings.Repeat("x", 5000)), unix.O_RDONLY, 0) })
			fd, err := unix.Open(r.Dir(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			r.Must("open", err)
			do(func(s *sys.SQE) { s.PrepClose(fd) })
			do(func(s *sys.SQE) { s.PrepClose(1 << 30) })
			do(func(s *sys.SQE) {
				s.PrepClose(0)
				s.Off = 1
			})
			if g.Fd() >= 0 {
				// A ring does not close itself.
				do(func(s *sys.SQE) { s.PrepClose(g.Fd()) })
			}
		},
	}, {
		Name: "openat2",
		Doc:  "Opening with restrictions on how the path is walked.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			d := r.DirFd()
			r.File("f", "content")
			r.Must("symlink", os.Symlink("f", filepath.Join(r.Dir(), "l")))
			r.Descriptors(1, 2, 6) // an old kernel overlooks an unknown flag
			open := func(path string, how unix.OpenHow) {
				do(func(s *sys.SQE) {
					r.Keep(&how)
					s.PrepOpenat2(d, r.Path(path), &how)
				})
			}
			open("f", unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC})
			open("l", unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH})
			open("l", unix.OpenHow{Flags: unix.O_RDONLY, Resolve: unix.RESOLVE_NO_SYMLINKS})
			open("../x", unix.OpenHow{Flags: unix.O_RDONLY, Resolve: unix.RESOLVE_BENEATH})
			open("f", unix.OpenHow{Flags: unix.O_RDONLY, Mode: 0o600})
			open("f", unix.OpenHow{Flags: 1 << 40})
			open("f", unix.OpenHow{Resolve: 1 << 40})
		},
	}, {
		Name: "statx",
		Doc:  "What statx says of a file, by path and by descriptor, and what it refuses.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			d := r.DirFd()
			fd := r.File("f", "content")
			stat := new(unix.Statx_t)
			statx := func(dfd int, path *byte, flags int, mask uint32) {
				*stat = unix.Statx_t{}
				if do(func(s *sys.SQE) { s.PrepStatx(dfd, path, flags, mask, stat) }).Res == 0 {
					r.Note("file", fmt.Sprintf("size=%d mode=%#o links=%d", stat.Size, stat.Mode, stat.Nlink))
				}
			}
			statx(d, r.Path("f"), 0, unix.STATX_BASIC_STATS)
			statx(fd, r.Path(""), unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS)
			statx(d, r.Path("missing"), 0, unix.STATX_SIZE)
			statx(fd, r.Path(""), 0, unix.STATX_SIZE)
			statx(d, r.Path("f"), 1<<30, unix.STATX_SIZE)
			statx(d, r.Path("f"), 0, unix.STATX__RESERVED)
			do(func(s *sys.SQE) { s.PrepStatx(d, r.Path("f"), 0, unix.STATX_SIZE, nil) })
			statx(-1, r.Path("f"), 0, unix.STATX_SIZE)
		},
	}, {
		Name:  "names",
		Doc:   "The operations on names with absolute paths.",
		Needs: []Need{needOp(sys.IORING_OP_MKDIRAT, sys.IORING_OP_RENAMEAT, sys.IORING_OP_UNLINKAT, sys.IORING_OP_LINKAT, sys.IORING_OP_SYMLINKAT)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			r.File("f", "content")
			at := func(name string) *byte { return r.Path(filepath.Join(r.Dir(), name)) }
			do(func(s *sys.SQE) { s.PrepMkdir(at("d"), 0o700) })
			do(func(s *sys.SQE) { s.PrepLink(at("f"), at("d/g"), 0) })
			do(func(s *sys.SQE) { s.PrepSymlink(r.Path("d/g"), at("s")) })
			do(func(s *sys.SQE) { s.PrepLink(at("s"), at("h"), unix.AT_SYMLINK_FOLLOW) })
			do(func(s *sys.SQE) { s.PrepRename(at("f"), at("d/f")) })
			do(func(s *sys.SQE) { s.PrepUnlink(at("d"), unix.AT_REMOVEDIR) })
			do(func(s *sys.SQE) { s.PrepUnlink(at("d/f"), 0) })
			do(func(s *sys.SQE) { s.PrepUnlink(at("d/f"), 0) })
			do(func(s *sys.SQE) { s.PrepUnlink(at("s"), 1<<30) })
			do(func(s *sys.SQE) { s.PrepRename(at("d"), at("d/below")) })
			do(func(s *sys.SQE) { s.PrepMkdir(r.Path(""), 0o700) })
			left := ""
			entries, err := os.ReadDir(r.Dir())
			r.Must("read directory", err)
			for _, e := range entries {
				left += e.Name() + " "
			}
			r.Note("left", left)
		},
	}, {
		Name:  "xattr",
		Doc:   "Extended attributes by path and by descriptor: set, replaced, read, measured, missed.",
		Needs: []Need{needOp(sys.IORING_OP_FSETXATTR, sys.IORING_OP_SETXATTR, sys.IORING_OP_FGETXATTR, sys.IORING_OP_GETXATTR)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			fd := r.File("f", "content")
			path, name, other := r.Path(filepath.Join(r.Dir(), "f")), r.Path("user.uring"), r.Path("user.other")
			buf := r.Bytes(16)
			do(func(s *sys.SQE) { s.PrepFsetxattr(fd, name, r.Text("value"), unix.XATTR_CREATE) })
			do(func(s *sys.SQE) { s.PrepFsetxattr(fd, name, r.Text("again"), unix.XATTR_CREATE) })
			do(func(s *sys.SQE) { s.PrepSetxattr(other, r.Text("other"), path, unix.XATTR_REPLACE) })
			do(func(s *sys.SQE) { s.PrepSetxattr(other, r.Text("other"), path, 0) })
			do(func(s *sys.SQE) { s.PrepFgetxattr(fd, name, nil) })
			do(func(s *sys.SQE) { s.PrepFgetxattr(fd, name, buf) })
			r.Note("data", buf)
			do(func(s *sys.SQE) { s.PrepGetxattr(other, buf, path) })
			r.Note("data", buf)
			do(func(s *sys.SQE) { s.PrepGetxattr(other, buf[:2], path) })
			do(func(s *sys.SQE) { s.PrepGetxattr(r.Path("user.missing"), buf, path) })
			do(func(s *sys.SQE) { s.PrepGetxattr(r.Path("nonsense"), buf, path) })
			do(func(s *sys.SQE) { s.PrepGetxattr(other, buf, r.Path("/does/not/exist")) })
			do(func(s *sys.SQE) { s.PrepFgetxattr(-1, name, buf) })
			do(func(s *sys.SQE) { s.PrepFsetxattr(fd, name, r.Text("x"), 1<<30) })
		},
	}, {
		Name:  "splice_pipes",
		Doc:   "Splicing between pipes: less than asked for, nothing there, nobody there, a registered file.",
		Needs: []Need{needOp(sys.IORING_OP_SPLICE), needOp(sys.IORING_OP_TEE)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			a, toA := r.Pipe()
			b, toB := r.Pipe()
			r.Write(toA, "0123456789")
			do(func(s *sys.SQE) { s.PrepSplice(a, -1, toB, -1, 4, 0) })
			do(func(s *sys.SQE) { s.PrepTee(a, toB, 100, 0) })
			do(func(s *sys.SQE) { s.PrepSplice(a, -1, toB, -1, 100, 0) })
			r.Note("data", r.Read(b, 100))
			do(func(s *sys.SQE) { s.PrepSplice(a, -1, toB, -1, 4, unix.SPLICE_F_NONBLOCK) })
			do(func(s *sys.SQE) { s.PrepTee(a, toB, 4, unix.SPLICE_F_NONBLOCK) })
			do(func(s *sys.SQE) { s.PrepSplice(a, -1, toB, -1, 4, 1<<20) })
			do(func(s *sys.SQE) { s.PrepSplice(a, -1, toA, -1, 4, 0) })
			g.RegisterFiles(r.File("f", "registered"))
			do(func(s *sys.SQE) { s.PrepSplice(0, 3, toB, -1, 4, sys.SPLICE_F_FD_IN_FIXED) })
			do(func(s *sys.SQE) { s.PrepSplice(1, 3, toB, -1, 4, sys.SPLICE_F_FD_IN_FIXED) })
			r.Note("data", r.Read(b, 100))
			do(func(s *sys.SQE) { s.PrepSplice(a, -1, toB, -1, 0, 0) })
		},
	}}
}

// cloexec reports whether a descriptor is closed on exec.
func cloexec(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC != 0
}

func (r *Run) size(fd int) int64 {
	var st unix.Stat_t
	r.Must("fstat", unix.Fstat(fd, &st))
	return st.Size
}
