package scenario

// Registered buffers and files, direct descriptors.

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func fixedScenarios() []Scenario {
	return []Scenario{{
		Name: "fixed_buffers",
		Doc:  "Reading and writing through registered buffers, and every way to miss one.",
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.File("f", "")
			a, b := r.Pages(4096), r.Pages(4096)
			g.RegisterBuffers(a, b)
			g.RegisterBuffers(a, b)
			copy(a, "fixed!")
			g.SQE(1).PrepWriteFixed(fd, a[:6], 0, 0)
			g.SubmitReap(1)
			g.SQE(2).PrepReadFixed(fd, b[100:106], 0, 1)
			g.SubmitReap(1)
			r.Note("data", b[100:106])
			g.SQE(3).PrepReadFixed(fd, a[:6], 0, 1)
			g.SubmitReap(1)
			g.SQE(4).PrepReadFixed(fd, a[:6], 0, 2)
			g.SubmitReap(1)
			s := g.SQE(5)
			s.PrepReadFixed(fd, b[4000:], 0, 1)
			s.Len = 200
			g.SubmitReap(1)
			g.Unregister(sys.IORING_UNREGISTER_BUFFERS)
			g.Unregister(sys.IORING_UNREGISTER_BUFFERS)
			g.SQE(6).PrepReadFixed(fd, b[:6], 0, 1)
			g.SubmitReap(1)
		},
	}, {
		Name:  "fixed_vectors",
		Doc:   "Vectored reading and writing within a registered buffer.",
		Needs: []Need{needOp(sys.IORING_OP_READV_FIXED, sys.IORING_OP_WRITEV_FIXED)},
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.File("f", "")
			a, other := r.Pages(4096), r.Pages(4096)
			g.RegisterBuffers(a)
			copy(a, "one-two-")
			g.SQE(1).PrepWritevFixed(fd, r.Iovecs(a[4:8], a[:4]), 0, 0, 0)
			g.SubmitReap(1)
			r.Note("file", r.Content(fd))
			g.SQE(2).PrepReadvFixed(fd, r.Iovecs(a[100:103], a[200:205]), 0, 0, 0)
			g.SubmitReap(1)
			r.Note("data", fmt.Sprintf("%s %s", a[100:103], a[200:205]))
			g.SQE(3).PrepReadvFixed(fd, r.Iovecs(a[:4], other[:4]), 0, 0, 0)
			g.SubmitReap(1)
			g.SQE(4).PrepReadvFixed(fd, r.Iovecs(a[:4]), 0, 0, 1)
			g.SubmitReap(1)
		},
	}, {
		Name:  "buffer_tags",
		Doc:   "A sparse buffer table, and the completion that tells when a buffer is no longer used.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_BUFFERS2)},
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.File("f", "four")
			a, b := r.Pages(4096), r.Pages(4096)
			g.SparseBuffers(4)
			g.SQE(1).PrepReadFixed(fd, a[:4], 0, 1)
			g.SubmitReap(1)
			g.UpdateBuffer(1, a, 555)
			g.SQE(2).PrepReadFixed(fd, a[:4], 0, 1)
			g.SubmitReap(1)
			g.UpdateBuffer(1, b, 777)
			g.Reap(1)
			g.UpdateBuffer(4, b, 1)
			g.Unregister(sys.IORING_UNREGISTER_BUFFERS)
			g.Reap(1)
		},
	}, {
		Name: "fixed_files",
		Doc:  "A table of registered files with holes, updated, cleared, missed, and gone.",
		Run: func(r *Run) {
			g := r.Open(8)
			a, b := r.File("a", "AAAA"), r.File("b", "BBBB")
			buf := r.Bytes(4)
			read := func(u uint64, slot int) {
				g.SQE(u, fixed).PrepRead(slot, buf, 0)
				g.SubmitReap(1)
			}
			g.RegisterFiles(a, -1, b)
			g.RegisterFiles(a)
			for slot := range 4 {
				read(uint64(slot), slot)
			}
			r.Note("data", buf)
			g.UpdateFiles(0, sys.IORING_REGISTER_FILES_SKIP, a)
			read(10, 1)
			r.Note("data", buf)
			g.UpdateFiles(0, -1)
			read(11, 0)
			g.UpdateFiles(3, a)
			g.UpdateFiles(0, 1<<30)
			g.Unregister(sys.IORING_UNREGISTER_FILES)
			g.Unregister(sys.IORING_UNREGISTER_FILES)
			read(12, 1)
		},
	}, {
		Name:  "files_update",
		Doc:   "The operation that updates registered files, also with slots that the kernel chooses.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_FILES2)},
		Run: func(r *Run) {
			g := r.Open(8)
			a := r.File("a", "AAAA")
			buf := r.Bytes(4)
			g.SparseFiles(4)
			g.SQE(1).PrepFilesUpdate(r.table([]int{a, a}), 1)
			g.SubmitReap(1)
			g.SQE(2, fixed).PrepRead(2, buf, 0)
			g.SubmitReap(1)
			slots := r.table([]int{a, a, a})
			g.SQE(3).PrepFilesUpdate(slots, -1)
			g.SubmitReap(1)
			r.Note("slots", fmt.Sprint(slots[0], slots[1], slots[2] == int32(a)))
			g.SQE(4).PrepFilesUpdate(r.table([]int{a}), 4)
			g.SubmitReap(1)
		},
	}, {
		Name:  "open_direct",
		Doc:   "Opening into slots, given and chosen, until there is none; closing them; a range to choose from.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_FILES2, sys.IORING_REGISTER_FILE_ALLOC_RANGE)},
		Run: func(r *Run) {
			g := r.Open(8)
			r.File("f", "direct")
			d, path := r.DirFd(), r.Path("f")
			buf := r.Bytes(2)
			g.SparseFiles(2)
			g.SQE(1, link).PrepOpenatDirect(d, path, unix.O_RDONLY, 0, 1)
			g.SQE(2, link, fixed).PrepRead(1, buf, 4)
			g.SQE(3).PrepCloseDirect(1)
			g.SubmitReap(3)
			r.Note("data", buf)
			open := func(u uint64, flags int, slot uint32) {
				g.SQE(u).PrepOpenatDirect(d, path, flags, 0, slot)
				g.SubmitReap(1)
			}
			for u := range uint64(3) {
				open(10+u, unix.O_RDONLY, sys.IORING_FILE_INDEX_ALLOC)
			}
			for u := range uint64(2) {
				g.SQE(20 + u).PrepCloseDirect(0)
				g.SubmitReap(1)
			}
			open(22, unix.O_RDONLY, 7)
			open(23, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			register(g, sys.IORING_REGISTER_FILE_ALLOC_RANGE, &sys.FileIndexRange{Off: 1, Len: 1}, 0)
			// Slot 0 is free, but not in the range.
			open(24, unix.O_RDONLY, sys.IORING_FILE_INDEX_ALLOC)
		},
	}, {
		Name:  "fd_install",
		Doc:   "An ordinary descriptor for a direct one.",
		Needs: []Need{needOp(sys.IORING_OP_FIXED_FD_INSTALL)},
		Run: func(r *Run) {
			g := r.Open(8)
			g.RegisterFiles(r.File("f", "installed"))
			r.Descriptors(1, 2)
			for i, flags := range []uint32{0, sys.IORING_FIXED_FD_NO_CLOEXEC} {
				g.SQE(uint64(1+i)).PrepFixedFdInstall(0, flags)
				fd := int(g.SubmitReap(1)[0].Res)
				r.Note("content", r.Content(fd))
				r.Note("close on exec", cloexec(fd))
			}
			g.SQE(3).PrepFixedFdInstall(5, 0)
			g.SubmitReap(1)
			s := g.SQE(4)
			s.PrepFixedFdInstall(0, 0)
			s.Flags = 0
			g.SubmitReap(1)
			g.SQE(5).PrepFixedFdInstall(0, 1<<31)
			g.SubmitReap(1)
		},
	}, {
		Name:  "clone_buffers",
		Doc:   "Registered buffers shared with another ring, whole and in part, which outlive their first ring's registration.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_CLONE_BUFFERS)},
		Run: func(r *Run) {
			from, g := r.Open(8), r.Open(8)
			fd := r.File("f", "0123456789")
			a, b := r.Pages(4096), r.Pages(4096)
			clone := func(c sys.CloneBuffers) {
				c.SrcFd = uint32(from.Fd())
				register(g, sys.IORING_REGISTER_CLONE_BUFFERS, &c, 1)
			}
			read := func(u uint64, buf []byte, index int) {
				g.SQE(u).PrepReadFixed(fd, buf[:10], 0, index)
				g.SubmitReap(1)
			}
			clone(sys.CloneBuffers{})
			from.RegisterBuffers(a, b)
			clone(sys.CloneBuffers{})
			clone(sys.CloneBuffers{})
			read(1, a, 0)
			clone(sys.CloneBuffers{Flags: sys.IORING_REGISTER_DST_REPLACE, DstOff: 1, Nr: 1})
			read(2, a, 1)
			read(3, b, 1)
			clone(sys.CloneBuffers{Flags: sys.IORING_REGISTER_DST_REPLACE, DstOff: 3, Nr: 1})
			clone(sys.CloneBuffers{Flags: sys.IORING_REGISTER_DST_REPLACE, SrcOff: 1, Nr: 2})
			from.Unregister(sys.IORING_UNREGISTER_BUFFERS)
			read(4, a, 0)
			read(5, a, 3)
		},
	}}
}
