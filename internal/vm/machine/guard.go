//go:build linux

// Cleaning up after this process, should it be killed.

package machine

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// A guard is a process that waits for the end of this one. It then ends a process
// group, because user-mode Linux has processes that outlive it, and removes a
// directory.
type guard struct {
	cmd  *exec.Cmd
	life *os.File // closed by the kernel when this process ends
}

// startGuard starts a guard. Both the group and the directory stay in the hands
// of this process, which calls stop when they are gone.
func startGuard(group int, dir string) (*guard, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	const script = `read -r _; kill -s KILL -- "-$1" 2>/dev/null; rm -rf "$2"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", strconv.Itoa(group), dir)
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // not to be killed with us
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, err
	}
	return &guard{cmd, w}, nil
}

// stop ends the guard. A nil guard has nothing to stop.
func (g *guard) stop() {
	if g == nil {
		return
	}
	g.cmd.Process.Kill()
	g.cmd.Wait()
	g.life.Close()
}
