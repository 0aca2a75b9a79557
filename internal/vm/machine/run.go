//go:build linux

// One run from beginning to end.

package machine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/uring-go/uring/internal/vm/guest"
	"github.com/uring-go/uring/internal/vm/kernel"
)

// Run runs the program and returns how it ended. When ctx is cancelled the guest
// is ended and the error is the context's. Otherwise an error is a *HangError, a
// *CrashError, or says why there was no run.
func Run(ctx context.Context, c *Config) (Result, error) {
	start := time.Now()
	if err := c.check(); err != nil {
		return Result{}, err
	}
	cache, err := kernel.CacheDir()
	if err != nil {
		return Result{}, err
	}
	initProgram, err := guest.BuildInit(ctx, cache, c.Kernel.Spec.Arch())
	if err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp("", "uring-vm-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)

	job := newJob(c)
	initramfs := filepath.Join(dir, "initramfs")
	if err := writeRootfs(initramfs, initProgram, job, c); err != nil {
		return Result{}, err
	}
	scratch := ""
	if c.Scratch.Size != 0 {
		scratch = filepath.Join(dir, "scratch")
		if err := makeScratch(ctx, scratch, c.Scratch); err != nil {
			return Result{}, err
		}
	}
	g, err := startGuest(c, dir, initramfs, scratch)
	if err != nil {
		return Result{}, err
	}
	defer g.end()
	r, err := g.follow(ctx, c)
	r.Total = time.Since(start)
	return r, err
}

func newJob(c *Config) *guest.Job {
	job := &guest.Job{
		Argv: append([]string{c.Program}, c.Args...),
		Dir:  c.Dir,
		// Of two equal names the first counts.
		Env:     append(c.Env[:len(c.Env):len(c.Env)], "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/root", "TMPDIR=/tmp", "PWD="+c.Dir),
		UID:     c.UID,
		Timeout: c.Timeout,
		Sysctls: c.Sysctls,
		Collect: append(c.Collect[:len(c.Collect):len(c.Collect)], c.CollectDirs...),
	}
	scratchDevice := qemuScratchDevice
	switch {
	case c.Kernel.Spec.UML:
		job.Channel, scratchDevice = umlChannel, umlScratchDevice
	default:
		job.Channel = qemuMachines[c.Kernel.Spec.Arch()].channel
	}
	if c.Scratch.Size != 0 {
		job.Scratch = &guest.Scratch{Device: scratchDevice}
		if c.Scratch.Ext4 {
			job.Scratch.FS, job.Scratch.Mount = "ext4", ScratchDir
		}
	}
	return job
}

// makeScratch makes the file that is the scratch disk. It is sparse.
func makeScratch(ctx context.Context, name string, s Scratch) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(s.Size); err != nil {
		return err
	}
	if !s.Ext4 {
		return nil
	}
	out, err := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("scratch disk: mkfs.ext4 (package e2fsprogs): %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// A running is a guest that was started.
type running struct {
	cmd     *exec.Cmd
	frames  io.ReadCloser
	ended   chan struct{}
	dir     string
	stderr  bytes.Buffer // the emulator's own complaints
	console *consoleTail
	guard   *guard
}

// startGuest starts the emulator. The caller's goroutine must end it.
func startGuest(c *Config, dir, initramfs, scratch string) (*running, error) {
	g := &running{ended: make(chan struct{}), dir: dir}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	g.frames = r
	if c.Kernel.Spec.UML {
		g.cmd, err = umlCommand(c, dir, initramfs, scratch)
	} else {
		g.cmd, err = qemuCommand(c, dir, initramfs, scratch)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	if c.Kernel.Spec.UML {
		g.cmd.ExtraFiles = []*os.File{w}
	} else {
		g.cmd.Stdout, g.cmd.Stderr = w, &g.stderr
	}
	// Should this process be killed, the guest is too. The kernel watches the
	// thread that starts it, so the goroutine must not leave that thread.
	// The group is for user-mode Linux, which is several processes.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	if err := g.cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		r.Close()
		return nil, err
	}
	go func() {
		g.cmd.Wait()
		close(g.ended)
	}()
	if g.guard, err = startGuard(g.cmd.Process.Pid, dir); err != nil {
		g.end()
		return nil, err
	}
	if c.Console != nil {
		g.console = followConsole(consoleFile(dir), c.Console)
	}
	return g, nil
}

// end ends the guest, if it has not ended, and releases what belongs to it.
func (g *running) end() {
	g.kill()
	<-g.ended
	runtime.UnlockOSThread()
	g.frames.Close()
	g.guard.stop()
	g.console.stop()
}

// kill ends every process of the guest.
func (g *running) kill() { syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) }

// follow passes on what the guest reports until the program's end.
func (g *running) follow(ctx context.Context, c *Config) (Result, error) {
	rec := newReceiver(c)
	booted, received := make(chan struct{}), make(chan error, 1)
	go func() {
		in := guest.NewFrameReader(bufio.NewReaderSize(g.frames, 64<<10))
		received <- rec.receive(in, booted)
	}()
	// abandon ends the guest, and with it what is received from it.
	abandon := func(err error) (Result, error) {
		g.kill()
		<-received
		return Result{}, err
	}
	limit, what := time.After(bootTimeout), fmt.Sprintf("kernel %v did not start its first program within %v", c.Kernel.Spec, bootTimeout)
	ended := g.ended
	for {
		select {
		case <-ctx.Done():
			return abandon(context.Cause(ctx))
		case <-booted:
			// The guest itself ends a program that hangs. This limit is for a
			// kernel that hangs.
			booted = nil
			allowed := c.Timeout + guest.ForceGrace
			limit, what = time.After(allowed), fmt.Sprintf("kernel %v hangs: no sign of life %v after the start of the program", c.Kernel.Spec, allowed)
		case <-limit:
			return abandon(&HangError{What: what, Console: g.consoleTail()})
		case <-ended:
			// A process that it left behind may hold the line open.
			ended = nil
			g.kill()
		case err := <-received:
			return g.judge(c, rec, err)
		}
	}
}

// judge turns what was received into the result.
func (g *running) judge(c *Config, rec *receiver, err error) (Result, error) {
	exit := rec.exit
	r := Result{Release: rec.boot.Release, Boot: rec.boot.Uptime}
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return r, err
	case err != nil || exit == nil:
		what := fmt.Sprintf("kernel %v ended before the program", c.Kernel.Spec)
		if rec.boot.Release == "" {
			what = fmt.Sprintf("kernel %v did not start", c.Kernel.Spec)
		}
		<-g.ended // its stderr is complete then
		return r, &CrashError{What: what, Console: g.consoleTail()}
	case exit.Failure != "":
		return r, fmt.Errorf("kernel %v: in the guest: %s", c.Kernel.Spec, exit.Failure)
	case exit.Stdout != rec.stdout || exit.Stderr != rec.stderr:
		return r, fmt.Errorf("kernel %v: the guest sent %d bytes of stdout and %d of stderr, %d and %d arrived", c.Kernel.Spec, exit.Stdout, exit.Stderr, rec.stdout, rec.stderr)
	case exit.TimedOut:
		return r, &HangError{What: fmt.Sprintf("kernel %v: the program was ended after %v", c.Kernel.Spec, c.Timeout)}
	}
	r.Status, r.Run = exit.Status, exit.Run
	return r, nil
}

// consoleTail returns the last messages of the kernel and of the emulator.
func (g *running) consoleTail() string {
	text, _ := os.ReadFile(consoleFile(g.dir))
	select {
	case <-g.ended:
		text = append(text, g.stderr.Bytes()...)
	default: // it may still be writing
	}
	return lastLines(text, 100) // a panic with its stack is 50
}
