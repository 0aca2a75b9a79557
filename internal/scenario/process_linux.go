package scenario

// Waiting for processes.

import (
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func processScenarios() []Scenario {
	return []Scenario{{
		Name:  "waitid",
		Doc:   "Waiting for a child that ends, and for what is no child.",
		Needs: []Need{needOp(sys.IORING_OP_WAITID), needPrograms},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			info := new(unix.Siginfo)
			r.Keep(info)
			// It ends when its input does.
			child := exec.Command("cat")
			in, err := child.StdinPipe()
			r.Must("pipe", err)
			r.Must("start cat", child.Start())
			pid := uint32(child.Process.Pid)
			g.SQE(100).PrepWaitid(unix.P_PID, pid, info, unix.WEXITED, 0)
			g.Submit()
			g.Settle()
			r.Must("close", in.Close())
			g.Reap(1)
			r.Note("signal", unix.SignalName(unix.Signal(info.Signo)))
			do(func(s *sys.SQE) { s.PrepWaitid(unix.P_PID, pid, info, unix.WEXITED, 0) })
			do(func(s *sys.SQE) { s.PrepWaitid(unix.P_PID, uint32(os.Getpid()), info, unix.WEXITED, 0) })
			do(func(s *sys.SQE) { s.PrepWaitid(unix.P_PID, pid, info, 0, 0) })
			do(func(s *sys.SQE) { s.PrepWaitid(99, pid, info, unix.WEXITED, 0) })
			do(func(s *sys.SQE) { s.PrepWaitid(unix.P_PID, pid, info, unix.WEXITED, 1) })
			// The child is waited for; only what Go holds of it is left.
			child.Process.Release()
			child = exec.Command("cat")
			in, err = child.StdinPipe()
			r.Must("pipe", err)
			r.Must("start cat", child.Start())
			g.SQE(101).PrepWaitid(unix.P_PID, uint32(child.Process.Pid), nil, unix.WEXITED, 0)
			g.Submit()
			g.SQE(102).PrepCancel64(101, 0)
			g.Submit()
			g.ReapAny(2)
			r.Must("close", in.Close())
			r.Must("wait", child.Wait())
		},
	}}
}

// needPrograms needs a program to run.
var needPrograms = Need{"program cat", func() (bool, error) {
	_, err := exec.LookPath("cat")
	return err == nil, nil
}}
