//go:build linux

// Running the program: its output, its end, and its end by force.

package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/uring-go/uring/internal/vm/guest"
)

// outputGrace is how long a pipe may stay silent after the program's end before
// what holds it open, a child left behind, is ignored.
const outputGrace = 300 * time.Millisecond

// runProgram runs the job's program to its end.
func runProgram(job *guest.Job, frames *guest.FrameWriter) (guest.Exit, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return guest.Exit{}, err
	}
	defer null.Close()
	stdout, err := newOutput(guest.KindStdout, frames)
	if err != nil {
		return guest.Exit{}, err
	}
	stderr, err := newOutput(guest.KindStderr, frames)
	if err != nil {
		return guest.Exit{}, err
	}
	attr := &os.ProcAttr{
		Dir: job.Dir, Env: job.Env,
		Files: []*os.File{null, stdout.w, stderr.w},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	if job.UID != 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: uint32(job.UID), Gid: uint32(job.UID)}
	}
	start := time.Now()
	process, err := os.StartProcess(job.Argv[0], job.Argv, attr)
	stdout.w.Close()
	stderr.w.Close()
	if err != nil {
		return guest.Exit{}, err
	}
	ended := make(chan syscall.WaitStatus, 1)
	go func() { ended <- reapUntil(process.Pid) }()

	var exit guest.Exit
	var status syscall.WaitStatus
	select {
	case status = <-ended:
	case <-time.After(job.Timeout):
		exit.TimedOut = true
		status, err = endByForce(process.Pid, ended, frames)
		if err != nil {
			return guest.Exit{}, err
		}
	}
	exit.Run = time.Since(start)
	exit.Status = status.ExitStatus()
	if status.Signaled() {
		exit.Status = 128 + int(status.Signal())
	}
	exit.Stdout, exit.Stderr = stdout.finish(), stderr.finish()
	return exit, nil
}

// reapUntil waits for the process. On the way it collects the orphans that fall
// to the first process of a system.
func reapUntil(pid int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		if err == nil && got == pid {
			return status
		}
	}
}

// endByForce ends a program that hangs, after asking the kernel and the program
// itself where it hangs.
func endByForce(pid int, ended <-chan syscall.WaitStatus, frames *guest.FrameWriter) (syscall.WaitStatus, error) {
	if err := frames.Write(guest.KindNote, threadStacks(pid)); err != nil {
		return 0, err
	}
	for _, step := range []struct {
		signal syscall.Signal
		grace  time.Duration
	}{
		{syscall.SIGQUIT, guest.QuitGrace}, // Go programs print their goroutines' stacks
		{syscall.SIGKILL, guest.KillGrace},
	} {
		syscall.Kill(-pid, step.signal)
		select {
		case status := <-ended:
			return status, nil
		case <-time.After(step.grace):
		}
	}
	if err := frames.Write(guest.KindNote, threadStacks(pid)); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("the program hangs in the kernel: it survived SIGKILL by %v", guest.KillGrace)
}

// An output is a pipe from the program, and what copies it into frames.
type output struct {
	r, w *os.File // w is the program's end
	done sync.WaitGroup
	n    int64
}

func newOutput(kind guest.Kind, frames *guest.FrameWriter) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o := &output{r: r, w: w}
	o.done.Go(func() {
		if err := o.forward(kind, frames, 0); errors.Is(err, os.ErrDeadlineExceeded) {
			o.forward(kind, frames, outputGrace)
		}
	})
	return o, nil
}

// forward copies until the pipe's end, or until nothing came for the length of
// silence if that is not 0.
func (o *output) forward(kind guest.Kind, frames *guest.FrameWriter, silence time.Duration) error {
	buf := make([]byte, guest.MaxPayload)
	for {
		if silence > 0 {
			o.r.SetReadDeadline(time.Now().Add(silence))
		}
		n, err := o.r.Read(buf)
		if err != nil {
			return err
		}
		if err := frames.Write(kind, buf[:n]); err != nil {
			return err
		}
		o.n += int64(n)
	}
}

// finish returns the number of bytes sent, once all are. The program has ended;
// if no child of it lives, the pipe has an end and all that is in it is sent.
func (o *output) finish() int64 {
	o.r.SetReadDeadline(time.Unix(1, 0)) // from now on with a limit on silence
	o.done.Wait()
	return o.n
}
