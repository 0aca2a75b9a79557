//go:build linux

// Preparing the guest: file systems, sysctls, limits, the scratch disk.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/uring-go/uring/internal/vm/guest"
)

// mountAll mounts what a program expects to find on any Linux. /tmp stays in the
// root file system, which is a tmpfs: the job's files may be below it.
func mountAll() error {
	for _, m := range []struct {
		dir, fs, options string
		optional         bool // depends on how the kernel was configured
	}{
		{dir: "/proc", fs: "proc"},
		{dir: "/sys", fs: "sysfs"},
		{dir: "/dev", fs: "devtmpfs"},
		{dir: "/dev/pts", fs: "devpts", optional: true},
		{dir: "/dev/shm", fs: "tmpfs", options: "mode=1777"},
		{dir: "/sys/fs/cgroup", fs: "cgroup2", optional: true},
	} {
		// /sys/fs/cgroup is there already if it can be used at all.
		if err := os.Mkdir(m.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) && !m.optional {
			return err
		}
		if err := syscall.Mount(m.fs, m.dir, m.fs, syscall.MS_NOSUID, m.options); err != nil && !m.optional {
			return &fs.PathError{Op: "mount " + m.fs, Path: m.dir, Err: err}
		}
	}
	for name, target := range map[string]string{"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"} {
		if err := os.Symlink("/proc/self/fd"+target, "/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

// setSysctl sets NAME=VALUE; dots in the name are slashes below /proc/sys.
func setSysctl(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return fmt.Errorf("sysctl %q is not NAME=VALUE", s)
	}
	path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sysctl %s: this kernel does not have it", name)
	}
	if err != nil {
		return fmt.Errorf("sysctl %s: %w", name, err)
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("sysctl %s=%s: %w", name, value, err)
	}
	return nil
}

// setLimits gives the program as many descriptors as an ordinary system does;
// the kernel's own limit for its first process is 4096. Locked memory stays as
// the kernel sets it.
func setLimits() error {
	const files = 1 << 19
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: files, Max: files})
}

// mountScratch waits for the disk, which is found while the kernel boots, and
// mounts it.
func mountScratch(s *guest.Scratch, uid int) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(s.Device); err == nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the scratch disk %s did not appear within 10 s: its driver may be a module in this kernel", s.Device)
		}
	}
	if s.FS == "" {
		return os.Chown(s.Device, uid, uid)
	}
	if err := os.MkdirAll(s.Mount, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(s.Device, s.Mount, s.FS, 0, ""); err != nil {
		return &fs.PathError{Op: "mount " + s.FS + " disk " + s.Device, Path: s.Mount, Err: err}
	}
	return os.Chown(s.Mount, uid, uid)
}
