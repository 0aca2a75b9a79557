//go:build linux

// Package host reads what the system says about io_uring outside of io_uring:
// sysctls, the process's status, its limits, its control group. The hint of
// uring.SetupError and the command "uring check" are made from it.
//
// Files are read through an fs.FS, so that a test can give the answers of a
// system that it does not run on. A file that is missing is an answer
// (fs.ErrNotExist); any other error means that it could not be told.
package host

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Host is a system that can be asked.
type Host struct {
	// Root is the system's root directory; proc and sys are looked for in it.
	Root fs.FS
	// Rlimit returns the soft limit of one of the RLIMIT_ resources. It is no
	// file, because files cannot be read when descriptors are what is lacking.
	Rlimit func(resource int) (uint64, error)
}

// This returns the system that the process runs on.
func This() Host {
	return Host{Root: os.DirFS("/"), Rlimit: rlimit}
}

func rlimit(resource int) (uint64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(resource, &l); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	return l.Cur, nil
}

// Unlimited is the value of a limit that does not limit.
const Unlimited = unix.RLIM_INFINITY

// Sysctl reads an integer below /proc/sys: its name has slashes, as in
// "kernel/io_uring_disabled".
func (h Host) Sysctl(name string) (int, error) {
	return h.integer("proc/sys/" + name)
}

func (h Host) integer(name string) (int, error) {
	s, err := h.text(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("/%s holds %q, which is not a number", name, s)
	}
	return n, nil
}

func (h Host) text(name string) (string, error) {
	b, err := fs.ReadFile(h.Root, name)
	return strings.TrimSpace(string(b)), err
}

// Exists reports whether there is a file of that name; false also if that
// cannot be told.
func (h Host) Exists(name string) bool {
	_, err := fs.Stat(h.Root, name)
	return err == nil
}

// Release returns the kernel's release as uname -r prints it, such as
// "6.1.0-50-amd64", and the version in it.
func (h Host) Release() (string, Version, error) {
	s, err := h.text("proc/sys/kernel/osrelease")
	if err != nil {
		return "", Version{}, err
	}
	v, err := ParseVersion(s)
	return s, v, err
}

// A Version is the part of a kernel's release by which features are dated.
type Version struct{ Major, Minor int }

// ParseVersion reads the beginning of a release.
func ParseVersion(s string) (Version, error) {
	var v Version
	if _, err := fmt.Sscanf(s, "%d.%d", &v.Major, &v.Minor); err != nil {
		return Version{}, fmt.Errorf("kernel release %q does not begin with a version", s)
	}
	return v, nil
}

// Before reports whether v is older than w.
func (v Version) Before(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// Status is what /proc/thread-self/status says about the calling thread.
type Status struct {
	Seccomp int    // 0: no filter, 1: strict mode, 2: filter; -1: the kernel does not say
	CapEff  uint64 // effective capabilities, a bit each
	Groups  []int  // the group that file access goes by, and the supplementary ones
}

// Status reads /proc/thread-self/status: the thread and not the process, since a
// seccomp filter may be on one thread only.
func (h Host) Status() (Status, error) {
	b, err := fs.ReadFile(h.Root, "proc/thread-self/status")
	if err != nil {
		return Status{}, err
	}
	s := Status{Seccomp: -1}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		fields := strings.Fields(value)
		switch key {
		case "Seccomp":
			s.Seccomp, err = strconv.Atoi(strings.TrimSpace(value))
		case "CapEff":
			s.CapEff, err = strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		case "Gid":
			// Real, effective, saved, file system.
			if len(fields) == 4 {
				fields = fields[3:]
			}
			fallthrough
		case "Groups":
			for _, f := range fields {
				var g int
				if g, err = strconv.Atoi(f); err != nil {
					break
				}
				if !slices.Contains(s.Groups, g) {
					s.Groups = append(s.Groups, g)
				}
			}
		}
		if err != nil {
			return Status{}, fmt.Errorf("/proc/thread-self/status: line %q: %w", lines.Text(), err)
		}
	}
	return s, lines.Err()
}

// Capable reports whether the process has a capability (CAP_) in its own user
// namespace.
func (s Status) Capable(capability int) bool { return s.CapEff&(1<<capability) != 0 }

// Foreign reports whether the process is in a user namespace other than the
// first, where its capabilities do not count for the whole system.
func (h Host) Foreign() (bool, error) {
	s, err := h.text("proc/self/uid_map")
	if err != nil {
		return false, err
	}
	return !slices.Equal(strings.Fields(s), []string{"0", "0", "4294967295"}), nil
}

// SecurityModules returns the security modules that are active, in the kernel's
// order.
func (h Host) SecurityModules() ([]string, error) {
	s, err := h.text("sys/kernel/security/lsm")
	if err != nil || s == "" {
		return nil, err
	}
	return strings.Split(s, ","), nil
}

// HugePages returns how many huge pages of the default size are free.
func (h Host) HugePages() (int, error) {
	s, err := h.text("proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(s) {
		if n, ok := strings.CutPrefix(line, "HugePages_Free:"); ok {
			return strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return 0, fs.ErrNotExist
}

// A GroupLimit is a limit of a control group that the process is in.
type GroupLimit struct {
	File      string // where it is set
	Max, Used uint64
}

// MemoryLimit returns the tightest limit on memory among the process's control
// groups of version 2; ok is false if there is none, or none to be seen.
func (h Host) MemoryLimit() (l GroupLimit, ok bool) {
	return h.groupLimit("memory.max", "memory.current")
}

// TaskLimit is MemoryLimit for the number of threads.
func (h Host) TaskLimit() (l GroupLimit, ok bool) {
	return h.groupLimit("pids.max", "pids.current")
}

func (h Host) groupLimit(limit, use string) (best GroupLimit, ok bool) {
	s, err := h.text("proc/self/cgroup")
	if err != nil {
		return best, false
	}
	var group string
	for line := range strings.Lines(s) {
		if g, is := strings.CutPrefix(line, "0::"); is {
			group = strings.TrimSpace(g)
		}
	}
	// In a container the group's path may name a directory that is not there;
	// then the root of what is mounted is the group.
	for at := path.Join("sys/fs/cgroup", group); strings.HasPrefix(at, "sys/fs/cgroup"); at = path.Dir(at) {
		most, err := h.text(path.Join(at, limit))
		if err != nil || most == "max" {
			continue
		}
		l := GroupLimit{File: "/" + path.Join(at, limit)}
		if l.Max, err = strconv.ParseUint(most, 10, 64); err != nil {
			continue
		}
		used, err := h.text(path.Join(at, use))
		if err != nil {
			continue
		}
		if l.Used, err = strconv.ParseUint(used, 10, 64); err != nil {
			continue
		}
		if !ok || l.Max-min(l.Used, l.Max) < best.Max-min(best.Used, best.Max) {
			best, ok = l, true
		}
	}
	return best, ok
}

// Container names what shows that the process runs in a container, "" if
// nothing does, which proves nothing.
func (h Host) Container() string {
	for _, c := range []struct{ file, name string }{
		{".dockerenv", "Docker"},
		{"run/.containerenv", "Podman"},
		{"var/run/secrets/kubernetes.io", "Kubernetes"},
		{"run/systemd/container", "systemd-nspawn or another manager"},
	} {
		if h.Exists(c.file) {
			return c.name + " (/" + c.file + ")"
		}
	}
	return ""
}
