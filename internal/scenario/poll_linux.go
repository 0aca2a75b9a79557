package scenario

// Polling.

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

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
		Doc:   "A poll can be given another UserData and other events.",
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
			g.SQE(4).PrepPollAdd(wr, pollIn)
			g.Submit()
			g.SQE(5).PrepPollUpdate(4, 0, pollOut, sys.IORING_POLL_UPDATE_EVENTS)
			g.SubmitReap(2)
		},
	}}
}

// one is what adds 1 to an eventfd, and what reading 1 from it gives.
var one = string(binary.NativeEndian.AppendUint64(nil, 1))

// needPollMultishot needs polls that complete more than once and can be changed,
// which came together.
var needPollMultishot = needRequest("multishot poll", 0, func(s *sys.SQE) {
	s.PrepPollUpdate(1, 2, 0, sys.IORING_POLL_UPDATE_USER_DATA)
}, unix.EINVAL)
