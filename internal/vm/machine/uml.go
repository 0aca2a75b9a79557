//go:build linux

// User-mode Linux: a kernel that is an ordinary program on the host.

package machine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/uring-go/uring/internal/vm/kernel"
)

const (
	umlChannel       = "/dev/ttyS0"
	umlScratchDevice = "/dev/ubda"
)

// umlCommand returns the command that starts the kernel. The frames come out of
// file descriptor 3.
func umlCommand(c *Config, dir, initramfs, scratch string) (*exec.Cmd, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("kernel %v: user-mode Linux runs on amd64 hosts only", c.Kernel.Spec)
	}
	args := []string{
		fmt.Sprintf("mem=%dM", c.Memory),
		"initrd=" + initramfs,
		"con=null", "con0=null,fd:1", "ssl=null", "ssl0=null,fd:3",
		"uml_dir=" + dir, "umid=guest",
	}
	if scratch != "" {
		args = append(args, "ubd0="+scratch)
	}
	args = append(args, strings.Fields(kernelParameters(c))...)
	cmd := exec.Command("./"+filepath.Base(c.Kernel.Path()), args...)
	cmd.Dir = c.Kernel.Dir // its loader is named relative to it
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+c.Kernel.Dir,
		// The kernel's memory is a file in the first of these that is set.
		"TMP=", "TEMP=", "TMPDIR="+umlMemoryDir(c, dir))
	if _, err := os.Stat(filepath.Join(c.Kernel.Dir, kernel.UMLPreload)); err == nil {
		cmd.Env = append(cmd.Env, "LD_PRELOAD=./"+kernel.UMLPreload)
	}
	console, err := os.Create(consoleFile(dir))
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = console, console
	return cmd, nil
}

// umlMemoryDir returns the directory for the file that is the guest's memory.
// User-mode Linux unlinks it at once. On a disk its pages would be written out,
// so a tmpfs is better, if it is large enough and programs may be mapped from it.
func umlMemoryDir(c *Config, dir string) string {
	const shm, tmpfs, noexec = "/dev/shm", 0x01021994, 8
	var st syscall.Statfs_t
	err := syscall.Statfs(shm, &st)
	if err != nil || st.Type != tmpfs || st.Flags&noexec != 0 ||
		st.Bavail*uint64(st.Bsize) < uint64(c.Memory)<<20 {
		return dir
	}
	return shm
}
