package scenario

// Registered buffers and files, direct descriptors.

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
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
			// Not every kernel posts the tags of what goes with its table.
			g.ReapUntil(3)
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
			how := &unix.OpenHow{Flags: unix.O_RDONLY, Resolve: unix.RESOLVE_BENEATH}
			r.Keep(how)
			g.SQE(30).PrepOpenat2Direct(d, path, how, 0)
			g.SubmitReap(1)
			g.SQE(31, fixed).PrepRead(0, buf, 2)
			g.SubmitReap(1)
			r.Note("data", buf)
			g.SQE(32).PrepCloseDirect(0)
			g.SubmitReap(1)
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
	}, {
		Name: "register_errors",
		Doc:  "Registrations that the kernel refuses.",
		Run: func(r *Run) {
			g := r.Open(8)
			page := r.Pages(4096)
			iov := r.Iovecs(page)
			fds := r.table([]int{-1, 1 << 30})
			register(g, sys.IORING_REGISTER_BUFFERS, &iov[0], 0)
			register[unix.Iovec](g, sys.IORING_REGISTER_BUFFERS, nil, 1)
			register(g, sys.IORING_REGISTER_BUFFERS, &iov[0], 1<<20)
			g.RegisterBuffers(nil)
			iov[0].Base = nil
			register(g, sys.IORING_REGISTER_BUFFERS, &iov[0], 1)
			register(g, sys.IORING_REGISTER_FILES, &fds[0], 0)
			register(g, sys.IORING_REGISTER_FILES, &fds[0], 2)
			register[int32](g, sys.IORING_REGISTER_FILES, nil, 2)
			g.UpdateFiles(0, -1)
			g.UpdateBuffer(0, page, 0)
			register(g, sys.IORING_REGISTER_PROBE, new(sys.Probe), 1<<20)
			g.Unregister(sys.IORING_REGISTER_ENABLE_RINGS)
			g.Unregister(sys.IORING_REGISTER_PERSONALITY)
			register(g, sys.IORING_UNREGISTER_PERSONALITY, new(uint64), 77)
			g.Unregister(200)
			register(g, sys.IORING_REGISTER_EVENTFD, &fds[0], 1)
			register(g, sys.IORING_REGISTER_EVENTFD, &fds[0], 2)
		},
	}, {
		Name: "personality",
		Doc:  "Credentials that are registered, used, and given back.",
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.File("f", "content")
			read := func(u uint64, id uint16) {
				s := g.SQE(u)
				s.PrepRead(fd, r.Bytes(8), 0)
				s.Personality = id
				g.SubmitReap(1)
			}
			id, _ := g.Register(sys.IORING_REGISTER_PERSONALITY, nil, 0)
			g.Register(sys.IORING_REGISTER_PERSONALITY, nil, 0)
			read(1, uint16(id))
			g.Register(sys.IORING_UNREGISTER_PERSONALITY, nil, uint32(id))
			g.Register(sys.IORING_UNREGISTER_PERSONALITY, nil, uint32(id))
			read(2, uint16(id))
		},
	}, {
		Name:  "file_tags",
		Doc:   "Registered files with tags, which come back when a file is replaced and when the table goes.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_FILES2)},
		Run: func(r *Run) {
			g := r.Open(8)
			a, b := r.File("a", "AAAA"), r.File("b", "BBBB")
			fds := r.table([]int{a, b, -1})
			tags := []uint64{100, 101, 0}
			r.Keep(tags)
			register(g, sys.IORING_REGISTER_FILES2, &sys.RsrcRegister{
				Nr: 3, Data: addressOf(r, &fds[0]), Tags: addressOf(r, &tags[0]),
			}, sizeofRsrcRegister)
			update := func(slot uint32, fd int, tag uint64) {
				t := r.table([]int{fd})
				register(g, sys.IORING_REGISTER_FILES_UPDATE2, &sys.RsrcUpdate2{
					Offset: slot, Data: addressOf(r, &t[0]), Tags: addressOf(r, &tag), Nr: 1,
				}, sizeofRsrcUpdate2)
			}
			update(0, b, 200)
			g.Reap(1)
			// The request may hold the file a little longer than its completion is
			// there, so this is one whose tag is waited for.
			g.SQE(1, fixed).PrepRead(1, r.Bytes(4), 0)
			g.SubmitReap(1)
			update(2, a, 202)
			update(1, -1, 0)
			g.Reap(1)
			// An empty slot has no tag.
			update(1, -1, 5)
			update(3, a, 0)
			g.Unregister(sys.IORING_UNREGISTER_FILES)
			g.ReapUntil(2)
		},
	}, {
		Name:  "tag_while_in_use",
		Doc:   "A buffer that is replaced while a request uses it is told of only afterwards.",
		Needs: []Need{needRegister(sys.IORING_REGISTER_BUFFERS2), needFeature(sys.IORING_FEAT_EXT_ARG)},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			a, b := r.Pages(4096), r.Pages(4096)
			g.SparseBuffers(1)
			g.UpdateBuffer(0, a, 555)
			g.SQE(1).PrepReadFixed(rd, a[:4], 0, 0)
			g.Submit()
			g.Settle()
			g.UpdateBuffer(0, b, 0)
			g.Wait(uring.Wait{N: 1, Timeout: brief})
			r.Write(wr, "late")
			g.Submit()
			g.ReapAny(2)
			r.Note("data", a[:4])
		},
	}, {
		Name: "files_while_in_use",
		Doc:  "A registered file that is taken out of its slot while a request uses it stays open for the request.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			g.RegisterFiles(rd)
			buf := r.Bytes(4)
			g.SQE(1, fixed).PrepRead(0, buf, 0)
			g.Submit()
			g.Settle()
			// Unregistering the whole table waits for the request on some kernels.
			g.UpdateFiles(0, -1)
			g.SQE(2, fixed).PrepRead(0, r.Bytes(4), 0)
			g.SubmitReap(1)
			r.Write(wr, "data")
			g.Reap(1)
			r.Note("data", buf)
		},
	}, {
		Name:  "fixed_chain",
		Doc:   "A chain opens a file into a slot, writes, reads and closes it.",
		Needs: []Need{needFeature(sys.IORING_FEAT_LINKED_FILE)},
		Run: func(r *Run) {
			g := r.Open(8)
			g.RegisterFiles(-1, -1, -1)
			buf := r.Bytes(5)
			d := r.DirFd()
			for round := range uint64(2) {
				u := 10 * round
				g.SQE(u+1, link).PrepOpenatDirect(d, r.Path("f"), unix.O_RDWR|unix.O_CREAT, 0o600, 1)
				g.SQE(u+2, link, fixed).PrepWrite(1, r.Text("chain"), 0)
				g.SQE(u+3, link, fixed).PrepRead(1, buf, 0)
				g.SQE(u + 4).PrepCloseDirect(1)
				g.SubmitReap(4)
				r.Note("data", buf)
				clear(buf)
			}
		},
	}, {
		Name: "worker_limits",
		Doc:  "The registrations that limit and bind worker threads.",
		Run: func(r *Run) {
			g := r.Open(8)
			limits := new([2]uint32)
			register(g, sys.IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 2)
			before := *limits
			limits[0], limits[1] = 3, 5
			register(g, sys.IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 2)
			*limits = [2]uint32{}
			register(g, sys.IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 2)
			r.Note("limits", *limits)
			register(g, sys.IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 1)
			register[[2]uint32](g, sys.IORING_REGISTER_IOWQ_MAX_WORKERS, nil, 2)
			mask := new(uint64)
			*mask = 1
			register(g, sys.IORING_REGISTER_IOWQ_AFF, mask, 8)
			g.Unregister(sys.IORING_UNREGISTER_IOWQ_AFF)
			register(g, sys.IORING_UNREGISTER_IOWQ_AFF, mask, 8)
			register(g, sys.IORING_REGISTER_IOWQ_AFF, mask, 0)
			g.SQE(1, async).PrepNop()
			g.SubmitReap(1)
			// They are the thread's, and would outlive the ring.
			register(g, sys.IORING_REGISTER_IOWQ_MAX_WORKERS, &before, 2)
		},
	}, {
		Name: "probe",
		Doc:  "What the kernel says that it can do.",
		Run: func(r *Run) {
			g := r.Open(8)
			probe := new(struct {
				sys.Probe
				Ops [256]sys.ProbeOp
			})
			register(g, sys.IORING_REGISTER_PROBE, probe, len(probe.Ops))
			supported := 0
			for _, op := range probe.Ops[:probe.OpsLen] {
				if op.Flags&sys.IO_URING_OP_SUPPORTED != 0 {
					supported++
				}
			}
			r.Note("probe", fmt.Sprintf("last=%d known=%d supported=%d", probe.LastOp, probe.OpsLen, supported))
			// It must be zero when the kernel gets it.
			register(g, sys.IORING_REGISTER_PROBE, probe, len(probe.Ops))
			p := g.Params()
			r.Note("features", p.Features)
			r.Note("entries", fmt.Sprint(p.SQEntries, p.CQEntries))
		},
	}, {
		Name:  "clock",
		Doc:   "The clock that a wait's timeout counts by.",
		Needs: []Need{needFeature(sys.IORING_FEAT_MIN_TIMEOUT)},
		Run: func(r *Run) {
			g := r.Open(8)
			for _, clock := range []uint32{unix.CLOCK_BOOTTIME, unix.CLOCK_MONOTONIC, unix.CLOCK_REALTIME, 99} {
				register(g, sys.IORING_REGISTER_CLOCK, &sys.ClockRegister{Clockid: clock}, 0)
				g.Wait(uring.Wait{N: 1, Timeout: soon})
			}
			register(g, sys.IORING_REGISTER_CLOCK, &sys.ClockRegister{}, 1)
		},
	}, {
		Name: "query",
		Doc:  "The registration that asks the kernel for what it knows, where there is one.",
		Run: func(r *Run) {
			g := r.Open(8)
			answer := new(sys.QueryOpcode)
			q := &sys.QueryHdr{QueryData: addressOf(r, answer), QueryOp: sys.IO_URING_QUERY_OPCODES, Size: 48}
			register(g, sys.IORING_REGISTER_QUERY, q, 0)
			r.Note("answer", fmt.Sprintf("result=%d size=%d operations=%d registrations=%d setup=%#x", q.Result, q.Size, answer.NrRequestOpcodes, answer.NrRegisterOpcodes, answer.RingSetupFlags))
			q = &sys.QueryHdr{QueryData: addressOf(r, answer), QueryOp: 1 << 20, Size: 48}
			register(g, sys.IORING_REGISTER_QUERY, q, 0)
			r.Note("answer", fmt.Sprintf("result=%d size=%d", q.Result, q.Size))
		},
	}, {
		Name: "napi",
		Doc:  "Busy polling of network cards is registered, where the kernel has it.",
		Run: func(r *Run) {
			g := r.Open(8)
			napi := &sys.NAPI{BusyPollTo: 10}
			register(g, sys.IORING_REGISTER_NAPI, napi, 1)
			register(g, sys.IORING_UNREGISTER_NAPI, napi, 1)
			r.Note("timeout", napi.BusyPollTo)
			register(g, sys.IORING_REGISTER_NAPI, napi, 2)
		},
	}}
}
