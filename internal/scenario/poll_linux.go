package scenario

// Polling.

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

const (
	pollIn  = unix.POLLIN
	pollOut = unix.POLLOUT
)

func pollScenarios() []Scenario {
	return []Scenario{{
		Name:  "poll_multishot",
		Doc:   "A multishot poll completes each time, until it is removed.",
		Needs: []Need{needPollMultishot},
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.Eventfd(0, 0)
			g.SQE(1).PrepPollMultishot(fd, pollIn)
			g.Submit()
			g.Settle()
			for range 3 {
				r.Write(fd, one)
				g.Reap(1)
				r.Note("read", r.Read(fd, 8) == one)
			}
			g.SQE(2).PrepPollRemove(1)
			g.SubmitReap(2)
		},
	}, {
		Name:  "poll_update",
		Doc:   "A poll can be given another UserData.",
		Needs: []Need{needPollMultishot},
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			g.SQE(1).PrepPollAdd(rd, pollIn)
			g.Submit()
			g.SQE(2).PrepPollUpdate(1, 7, 0, sys.IORING_POLL_UPDATE_USER_DATA)
			g.SubmitReap(1)
			g.SQE(3).PrepPollUpdate(1, 8, 0, sys.IORING_POLL_UPDATE_USER_DATA)
			g.SubmitReap(1)
			r.Write(wr, "x")
			g.Reap(1)
		},
	}, {
		Name:  "poll_update_ready",
		Doc:   "A poll that is given events that are there already completes.",
		Needs: []Need{needPollMultishot, needPollUpdate},
		Run: func(r *Run) {
			g := r.Open(8)
			_, wr := r.Pipe()
			g.SQE(4).PrepPollAdd(wr, pollIn)
			g.Submit()
			g.SQE(5).PrepPollUpdate(4, 0, pollOut, sys.IORING_POLL_UPDATE_EVENTS)
			g.SubmitReap(2)
		},
	}, {
		Name: "poll_states",
		Doc:  "What polling says of pipes that are empty, full of data, and closed.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			rd, wr := r.Pipe()
			do(func(s *sys.SQE) { s.PrepPollAdd(wr, pollOut) })
			do(func(s *sys.SQE) { s.PrepPollAdd(wr, pollIn|pollOut) })
			r.Write(wr, "x")
			do(func(s *sys.SQE) { s.PrepPollAdd(rd, pollIn) })
			do(func(s *sys.SQE) { s.PrepPollAdd(rd, pollIn|pollOut) })
			do(func(s *sys.SQE) { s.PrepPollAdd(-1, pollIn) })
			var p [2]int
			r.Must("pipe", unix.Pipe(p[:]))
			r.Must("close", unix.Close(p[1]))
			do(func(s *sys.SQE) { s.PrepPollAdd(p[0], pollIn) })
			r.Must("close", unix.Close(p[0]))
			r.Must("pipe", unix.Pipe(p[:]))
			r.Must("close", unix.Close(p[0]))
			do(func(s *sys.SQE) { s.PrepPollAdd(p[1], pollOut) })
			r.Must("close", unix.Close(p[1]))
			do(func(s *sys.SQE) { s.PrepPollAdd(r.File("f", "x"), pollIn) })
			do(func(s *sys.SQE) {
				s.PrepPollAdd(rd, pollIn)
				s.Len = 1 << 31
			})
		},
	}, {
		Name: "poll_hangup",
		Doc:  "A poll is told when the other end goes away.",
		Run: func(r *Run) {
			g := r.Open(8)
			var p [2]int
			r.Must("pipe", unix.Pipe2(p[:], unix.O_CLOEXEC))
			r.CloseLater(p[0])
			g.SQE(1).PrepPollAdd(p[0], 0)
			g.Submit()
			g.Settle()
			r.Must("close", unix.Close(p[1]))
			g.Reap(1)
			a, b := r.Pair(unix.SOCK_STREAM)
			g.SQE(2).PrepPollAdd(a, unix.POLLRDHUP)
			g.Submit()
			g.Settle()
			r.Must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
			g.Reap(1)
		},
	}, {
		Name:  "poll_edge",
		Doc:   "A multishot poll is told of every event, though the one before was not read; and whether a level-triggered one can be had.",
		Needs: []Need{needPollMultishot},
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.Eventfd(0, 0)
			g.SQE(1).PrepPollMultishot(fd, pollIn)
			g.Submit()
			g.Settle()
			for range 2 {
				r.Write(fd, one)
				g.Reap(1)
			}
			g.SQE(2).PrepPollRemove(1)
			g.Submit()
			g.ReapAny(2)
			s := g.SQE(3)
			s.PrepPollMultishot(r.Eventfd(0, 0), pollIn)
			s.Len |= sys.IORING_POLL_ADD_LEVEL
			// Where there is none, it fails at once.
			g.Submit()
			g.SQE(4).PrepPollRemove(3)
			g.Submit()
			g.ReapAny(2)
		},
	}, {
		Name:  "poll_update_errors",
		Doc:   "Updates of polls that are not there, or that ask for nothing or for too much.",
		Needs: []Need{needPollMultishot},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			do(func(s *sys.SQE) { s.PrepPollRemove(77) })
			do(func(s *sys.SQE) { s.PrepPollUpdate(77, 0, pollIn, sys.IORING_POLL_UPDATE_EVENTS) })
			do(func(s *sys.SQE) { s.PrepPollUpdate(77, 78, pollIn, 1<<31) })
			do(func(s *sys.SQE) { s.PrepPollUpdate(77, 78, 0, sys.IORING_POLL_ADD_MULTI) })
			do(func(s *sys.SQE) {
				s.PrepPollRemove(77)
				s.Off = 5
			})
		},
	}, {
		Name:  "poll_update_multishot",
		Doc:   "An update that asks for a multishot: what becomes of the poll.",
		Needs: []Need{needPollMultishot},
		Run: func(r *Run) {
			g := r.Open(8)
			fd := r.Eventfd(0, 0)
			g.SQE(1).PrepPollAdd(fd, pollIn)
			g.Submit()
			g.SQE(2).PrepPollUpdate(1, 0, pollIn, sys.IORING_POLL_UPDATE_EVENTS|sys.IORING_POLL_ADD_MULTI)
			g.SubmitReap(1)
			r.Write(fd, one)
			if g.Reap(1)[0].More() {
				g.SQE(3).PrepPollRemove(1)
				g.SubmitReap(2)
			}
		},
	}, {
		Name:  "poll_multishot_full",
		Doc:   "A multishot poll that meets a full completion queue: it goes on or ends, but loses nothing.",
		Needs: []Need{needPollMultishot, needFeature(sys.IORING_FEAT_NODROP)},
		// Under SQPOLL nobody knows when the thread has seen the event.
		Modes: []Mode{Plain, Coop, Defer},
		Run: func(r *Run) {
			g := r.OpenWith(2, sys.Params{Flags: sys.IORING_SETUP_CQSIZE, CQEntries: 2})
			fd := r.Eventfd(0, 0)
			g.SQE(1).PrepPollMultishot(fd, pollIn)
			g.Submit()
			g.Settle()
			g.SQE(2).PrepNop()
			g.SQE(3).PrepNop()
			g.SubmitWait(uring.Wait{N: 2})
			r.Write(fd, one)
			// Entering the kernel runs what the write has set off.
			g.Wait(uring.Wait{})
			g.Reap(2)
			if c := g.Reap(1)[0]; c.More() {
				g.SQE(4).PrepPollRemove(1)
				g.SubmitReap(2)
			}
			g.NoteFlags()
		},
	}, {
		Name:  "epoll",
		Doc:   "Adding, changing and removing what an epoll instance watches.",
		Needs: []Need{needOp(sys.IORING_OP_EPOLL_CTL)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			r.Must("epoll", err)
			r.CloseLater(ep)
			rd, wr := r.Pipe()
			file := r.File("f", "")
			ctl := func(op, fd int, events uint32) {
				do(func(s *sys.SQE) {
					ev := &unix.EpollEvent{Events: events, Fd: 42}
					r.Keep(ev)
					s.PrepEpollCtl(ep, fd, op, ev)
				})
			}
			ctl(unix.EPOLL_CTL_MOD, rd, unix.EPOLLIN)
			ctl(unix.EPOLL_CTL_ADD, rd, unix.EPOLLIN)
			ctl(unix.EPOLL_CTL_ADD, rd, unix.EPOLLIN)
			ctl(unix.EPOLL_CTL_ADD, file, unix.EPOLLIN)
			ctl(unix.EPOLL_CTL_ADD, ep, unix.EPOLLIN)
			ctl(unix.EPOLL_CTL_MOD, rd, unix.EPOLLIN|unix.EPOLLOUT)
			r.Write(wr, "x")
			do(func(s *sys.SQE) { s.PrepPollAdd(ep, pollIn) })
			do(func(s *sys.SQE) { s.PrepEpollCtl(ep, rd, unix.EPOLL_CTL_DEL, nil) })
			do(func(s *sys.SQE) { s.PrepEpollCtl(ep, rd, unix.EPOLL_CTL_DEL, nil) })
			do(func(s *sys.SQE) { s.PrepEpollCtl(ep, rd, unix.EPOLL_CTL_ADD, nil) })
			ctl(77, rd, unix.EPOLLIN)
		},
	}, {
		Name:  "epoll_wait",
		Doc:   "Waiting for events of an epoll instance, that are there and that come.",
		Needs: []Need{needOp(sys.IORING_OP_EPOLL_WAIT)},
		Run: func(r *Run) {
			g := r.Open(8)
			ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			r.Must("epoll", err)
			r.CloseLater(ep)
			rd, wr := r.Pipe()
			r.Must("epoll_ctl", unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, rd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 42}))
			events := make([]unix.EpollEvent, 4)
			r.Keep(events)
			g.SQE(1).PrepEpollWait(ep, events, 0)
			g.Submit()
			g.Settle()
			r.Write(wr, "x")
			g.Reap(1)
			g.Note("event", fmt.Sprint(events[0].Events, events[0].Fd))
			g.SQE(2).PrepEpollWait(ep, events, 0)
			g.SubmitReap(1)
			g.SQE(3).PrepEpollWait(ep, events, 1)
			g.SubmitReap(1)
			g.SQE(4).PrepEpollWait(rd, events, 0)
			g.SubmitReap(1)
			r.Read(rd, 1)
			g.SQE(5).PrepEpollWait(ep, events, 0)
			g.Submit()
			g.SQE(6).PrepCancel64(5, 0)
			g.SubmitReap(2)
		},
	}}
}

// one is what adds 1 to an eventfd, and what reading 1 from it gives.
var one = string(binary.NativeEndian.AppendUint64(nil, 1))

// needPollMultishot needs polls that complete more than once and can be changed,
// which came together.
var needPollMultishot = needRequest("multishot poll", unix.EINVAL, func(s *sys.SQE) {
	s.PrepPollUpdate(1, 2, 0, sys.IORING_POLL_UPDATE_USER_DATA)
})

// needPollUpdate needs a kernel that does not lose a poll which an update completes.
// Several did, up to 6.17 and in some of the releases of 6.18, and the process of such
// a poll could not end. To try it would do the harm, so it is known by a flag that
// came with 6.19.
var needPollUpdate = Need{"poll updates as of Linux 6.19", needSetup(sys.IORING_SETUP_SQE_MIXED).ask}
