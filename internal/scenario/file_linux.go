package scenario

// Files: reading and writing, directories, pipes, splicing.

import (
	"fmt"
	"os"
	"path/filepath"

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
			at := uint64(0)
			do := func(prep func(s *sys.SQE)) {
				at++
				prep(g.SQE(at))
				g.SubmitReap(1)
			}
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
	}}
}

// cloexec reports whether a descriptor is closed on exec.
func cloexec(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC != 0
}
