package scenario

// A ring seen from outside: by signals, and through a second mapping of its
// memory, as C code in the same program may have one.

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// patience is how long a wait may take that a pending signal ends at once.
const patience = 20 * time.Second

func viewScenarios() []Scenario {
	return []Scenario{{
		Name:  "wait_unmasked",
		Doc:   "A signal that is blocked, and pending, ends a wait whose mask lets it through, and no other.",
		Needs: []Need{needFeature(sys.IORING_FEAT_EXT_ARG)},
		Run: func(r *Run) {
			g := r.Open(4)
			s := r.blocked(syscall.SIGUSR1)
			// Only this signal, lest another one end a wait.
			through := ^(sys.Sigset(1) << (syscall.SIGUSR1 - 1))
			closed := ^sys.Sigset(0)
			s.raise()
			g.Wait(uring.Wait{N: 1, Timeout: brief, Sigmask: &closed})
			g.Wait(uring.Wait{N: 1, Timeout: patience, Sigmask: &through})
			// It was delivered, once.
			g.Wait(uring.Wait{N: 1, Timeout: brief, Sigmask: &through})
			s.raise()
			g.SQE(1).PrepNop()
			g.SubmitWait(uring.Wait{N: 2, Timeout: patience, Sigmask: &through})
			g.Reap(1)
			g.Wait(uring.Wait{N: 1, Timeout: brief, Sigmask: &through})
		},
	}, {
		Name:  "head_moved",
		Doc:   "What a second view of the ring consumes is gone, also if it came along with a submission.",
		Modes: []Mode{Plain, Coop, Defer},
		Run: func(r *Run) {
			g := r.Open(8)
			head := g.cqHead()
			for round := range uint64(3) {
				for u := range uint64(4) {
					g.SQE(10*round + u).PrepNop()
				}
				g.SubmitWait(uring.Wait{N: 4})
				if round == 1 {
					g.Peek(1)
				}
				head.Add(2)
				g.NoteQueues()
				g.Peek(8)
			}
		},
	}, {
		Name:  "wide_entries",
		Doc:   "Both halves of a 128-byte entry are in the queue, all around it.",
		Modes: []Mode{SQE128},
		Run: func(r *Run) {
			g := r.Open(4)
			mem := g.view(sys.IORING_OFF_SQES, 4*128)
			at := 0
			for round := range uint64(3) {
				for u := range 1 + round {
					e := g.GetSQE128()
					e[0].PrepNop()
					e[0].UserData = 10*round + u
					e[1].UserData = 100*round + u
					e[1].Len = uint32(7 + u)
				}
				g.SubmitReap(int(1 + round))
				for range 1 + round {
					e := mem[at%4*128:][:128]
					at++
					g.Note("user data and second half", fmt.Sprintf("%x %x", e[32:40], e[64:]))
				}
			}
		},
	}}
}

// view maps memory of the ring, as liburing does.
func (g *Ring) view(offset int64, size int) []byte {
	mem, err := unix.Mmap(g.Fd(), offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	g.run.Must("mmap of the ring", err)
	g.run.Cleanup(func() { unix.Munmap(mem) })
	return mem
}

// cqHead is the head of the completion queue.
func (g *Ring) cqHead() *atomic.Uint32 {
	at := g.params.CQOff.Head
	return wordAt(g.view(sys.IORING_OFF_CQ_RING, int(at)+4), at)
}

// A pendingSignal is one that the run's thread blocks, so that raise leaves it
// pending.
type pendingSignal struct {
	r   *Run
	sig syscall.Signal
}

// blocked blocks a signal until the end of the run. It is noted, so that it does
// nothing when it is delivered.
func (r *Run) blocked(sig syscall.Signal) pendingSignal {
	var set, old unix.Sigset_t
	set.Val[0] = 1 << (sig - 1)
	c := make(chan os.Signal, 16)
	signal.Notify(c, sig)
	r.Must("block a signal", unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old))
	r.Cleanup(func() {
		unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
		signal.Stop(c)
	})
	return pendingSignal{r, sig}
}

// raise sends the signal to this thread.
func (s pendingSignal) raise() {
	s.r.Must("raise a signal", unix.Tgkill(unix.Getpid(), unix.Gettid(), s.sig))
}
