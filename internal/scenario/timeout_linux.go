package scenario

// Timeouts.

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// soon is a time that a scenario waits for.
const soon = 10 * time.Millisecond

func timeoutScenarios() []Scenario {
	return []Scenario{{
		Name: "timeout_count",
		Doc:  "A timeout with a count completes after that many completions.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1).PrepTimeout(r.Time(far), 2, 0)
			for i := range uint64(3) {
				g.SQE(2 + i).PrepNop()
			}
			g.SubmitReap(4)
		},
	}, {
		Name: "timeout_remove",
		Doc:  "A timeout can be removed by its UserData.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1).PrepTimeout(r.Time(far), 0, 0)
			g.SQE(2).PrepTimeoutRemove(1, 0)
			g.SQE(3).PrepTimeoutRemove(99, 0)
			g.SubmitReap(3)
		},
	}, {
		Name:  "timeout_update",
		Doc:   "A timeout can be given another time by its UserData.",
		Needs: []Need{needTimeoutUpdate},
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1).PrepTimeout(r.Time(far), 0, 0)
			g.SQE(2).PrepTimeoutUpdate(r.Time(2*soon), 1, 0)
			g.SQE(3).PrepTimeoutUpdate(r.Time(2*soon), 99, 0)
			g.SubmitReap(3)
		},
	}, {
		Name:  "timeout_etime_success",
		Doc:   "A timeout that expires breaks a chain, unless ETIME_SUCCESS says that this is no failure.",
		Needs: []Need{needTimeout(sys.IORING_TIMEOUT_ETIME_SUCCESS)},
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, link).PrepTimeout(r.Time(soon), 0, sys.IORING_TIMEOUT_ETIME_SUCCESS)
			g.SQE(2).PrepNop()
			g.SubmitReap(2)
			g.SQE(3, link).PrepTimeout(r.Time(soon), 0, 0)
			g.SQE(4).PrepNop()
			g.SubmitReap(2)
		},
	}, {
		Name:  "timeout_multishot",
		Doc:   "A multishot timeout completes as often as its count says.",
		Needs: []Need{needTimeout(sys.IORING_TIMEOUT_MULTISHOT)},
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1).PrepTimeout(r.Time(soon), 3, sys.IORING_TIMEOUT_MULTISHOT)
			g.SubmitReap(3)
		},
	}, {
		Name: "timeout_flags",
		Doc:  "Which clocks, flags and times a timeout accepts.",
		Run: func(r *Run) {
			g := r.Open(8)
			past := r.Time(time.Nanosecond)
			for i, c := range []struct {
				ts    *unix.KernelTimespec
				flags uint32
			}{
				{past, sys.IORING_TIMEOUT_ABS},
				{past, sys.IORING_TIMEOUT_ABS | sys.IORING_TIMEOUT_REALTIME},
				{past, sys.IORING_TIMEOUT_ABS | sys.IORING_TIMEOUT_BOOTTIME},
				{past, sys.IORING_TIMEOUT_BOOTTIME | sys.IORING_TIMEOUT_REALTIME},
				{past, 1 << 15},
				{nil, 0},
			} {
				g.SQE(uint64(1+i)).PrepTimeout(c.ts, 0, c.flags)
				g.SubmitReap(1)
			}
			// Not every kernel refuses this, and one may wait for ever.
			g.SQE(10).PrepTimeout(r.Time(-time.Second), 0, 0)
			g.SubmitAll()
			g.SQE(11).PrepTimeoutRemove(10, 0)
			g.SubmitAll()
			g.ReapAny(2)
		},
	}, {
		Name: "timeout_immediate",
		Doc:  "A time in the entry itself, where the kernel takes that.",
		Run: func(r *Run) {
			g := r.Open(8)
			s := g.SQE(1)
			s.PrepTimeout(nil, 0, sys.IORING_TIMEOUT_IMMEDIATE_ARG)
			s.Addr = uint64(soon)
			g.SubmitReap(1)
		},
	}, {
		Name: "timeout_order",
		Doc:  "Timeouts complete in the order of their expiry, not of their submission.",
		Run: func(r *Run) {
			g := r.Open(8)
			// Times that are near each other may expire together on a slow machine,
			// and then their order is not certain.
			g.SQE(1).PrepTimeout(r.Time(far), 0, 0)
			g.SQE(2).PrepTimeout(r.Time(soon), 0, 0)
			g.SubmitReap(1)
			g.SQE(3).PrepTimeout(r.Time(soon), 0, 0)
			g.SubmitReap(1)
			g.SQE(4).PrepTimeoutRemove(1, 0)
			g.SubmitReap(2)
		},
	}, {
		Name: "timeout_absolute",
		Doc:  "Timeouts at a point of time to come, on each clock.",
		Run: func(r *Run) {
			g := r.Open(8)
			for i, c := range []struct {
				clock int32
				flag  uint32
			}{
				{unix.CLOCK_MONOTONIC, 0},
				{unix.CLOCK_BOOTTIME, sys.IORING_TIMEOUT_BOOTTIME},
				{unix.CLOCK_REALTIME, sys.IORING_TIMEOUT_REALTIME},
			} {
				clock := func() time.Duration {
					var now unix.Timespec
					r.Must("clock", unix.ClockGettime(c.clock, &now))
					return time.Duration(now.Nano())
				}
				until := clock() + 2*soon
				g.SQE(uint64(1+i)).PrepTimeout(r.Time(until), 0, sys.IORING_TIMEOUT_ABS|c.flag)
				// A kernel without the clock refuses at once.
				if got := g.SubmitReap(1); got[0].Res == -int32(unix.ETIME) {
					g.Note("waited", clock() >= until)
				}
			}
		},
	}, {
		Name: "timeout_chain",
		Doc:  "A timeout in a chain delays what is behind it.",
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1, link).PrepNop()
			g.SQE(2, hardlink).PrepTimeout(r.Time(soon), 0, 0)
			g.SQE(3, link).PrepNop()
			g.SQE(4).PrepTimeout(r.Time(soon), 0, 0)
			g.SubmitReap(4)
		},
	}, {
		Name: "timeout_cancel",
		Doc:  "Timeouts are cancelled like other requests, one and all.",
		Run: func(r *Run) {
			g := r.Open(8)
			ts := r.Time(far)
			g.SQE(1).PrepTimeout(ts, 0, 0)
			g.SQE(2).PrepTimeout(ts, 5, 0)
			g.SQE(3).PrepTimeout(ts, 0, 0)
			g.Submit()
			g.SQE(10).PrepCancel64(2, 0)
			g.SubmitReap(2)
			g.SQE(12).PrepTimeoutRemove(1, 1)
			g.SubmitReap(1)
			g.SQE(13).PrepTimeoutRemove(1, 0)
			g.Submit()
			g.ReapAny(2)
			g.SQE(14).PrepTimeoutRemove(3, 0)
			g.Submit()
			g.ReapAny(2)
		},
	}, {
		Name:  "timeout_multishot_removed",
		Doc:   "A multishot timeout without end is removed.",
		Needs: []Need{needTimeout(sys.IORING_TIMEOUT_MULTISHOT)},
		Run: func(r *Run) {
			g := r.Open(8)
			g.SQE(1).PrepTimeout(r.Time(far), 0, sys.IORING_TIMEOUT_MULTISHOT)
			g.Submit()
			g.SQE(2).PrepTimeoutRemove(1, 0)
			g.SubmitReap(2)
		},
	}, {
		Name: "timeout_count_of_late",
		Doc:  "A timeout with a count counts completions that come later, but not those of timeouts.",
		Run: func(r *Run) {
			g := r.Open(8)
			rd, wr := r.Pipe()
			ts := r.Time(far)
			g.SQE(1).PrepRead(rd, r.Bytes(4), 0)
			g.SQE(2).PrepTimeout(ts, 1, 0)
			g.SQE(3).PrepTimeout(ts, 2, 0)
			g.Submit()
			g.Settle()
			r.Write(wr, "x")
			g.Reap(2)
			g.SQE(4).PrepNop()
			g.SubmitReap(2)
		},
	}}
}

// needTimeout needs a timeout flag.
func needTimeout(flag uint32) Need {
	what := map[uint32]string{
		sys.IORING_TIMEOUT_ETIME_SUCCESS: "IORING_TIMEOUT_ETIME_SUCCESS",
		sys.IORING_TIMEOUT_MULTISHOT:     "IORING_TIMEOUT_MULTISHOT",
	}[flag]
	ts := sys.KernelTimespec(time.Microsecond)
	return needRequest(what, unix.EINVAL, func(s *sys.SQE) { s.PrepTimeout(&ts, 1, flag) })
}

// needTimeoutUpdate needs timeouts that can be changed, in chains too.
var needTimeoutUpdate = needRequest("IORING_LINK_TIMEOUT_UPDATE", unix.EINVAL, func(s *sys.SQE) {
	ts := sys.KernelTimespec(time.Second)
	s.PrepTimeoutUpdate(&ts, 1, sys.IORING_LINK_TIMEOUT_UPDATE)
})
