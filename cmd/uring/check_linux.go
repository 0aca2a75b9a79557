package main

// What check looks at. internal/host reads the system; the rest is done with
// rings.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/host"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

func check() (kernel string, results []finding) {
	h := host.This()
	kernel, _, _ = h.Release()
	ringErr := tryRing()
	// The backends are tried in any case: the library may be what fails.
	return kernel, append(environment(h, ringErr), backends()...)
}

// tryRing makes a ring as programs do.
func tryRing() error {
	r, err := uring.New(nil)
	if err != nil {
		return err
	}
	return r.Close()
}

// environment looks at what is around io_uring. ringErr is what came of making a
// ring: it decides whether what could be an obstacle is one.
func environment(h host.Host, ringErr error) []finding {
	return slices.Concat(
		checkKernel(h),
		checkSysctl(h, ringErr),
		checkSeccomp(h, ringErr),
		checkContainer(h, ringErr),
		checkLimits(h),
		checkGroups(h),
		checkRing(ringErr),
	)
}

func checkKernel(h host.Host) []finding {
	f := finding{Name: "kernel", Status: ok}
	release, version, err := h.Release()
	switch {
	case err != nil:
		f.Status, f.Text = warn, "its release cannot be told: "+err.Error()
	case version.Before(host.Version{Major: 5, Minor: 1}):
		f.Status, f.Text, f.Hint = bad, release+" has no io_uring", "io_uring came with Linux 5.1; use a newer kernel"
	case version.Before(host.Version{Major: 5, Minor: 11}):
		f.Status, f.Text = warn, release+" is old for io_uring"
		f.Hint = "Linux 5.11 and later can wait with a timeout; \"uring probe\" tells what this kernel has"
	default:
		f.Text = release
	}
	return []finding{f}
}

func checkSysctl(h host.Host, ringErr error) []finding {
	f := finding{Name: "sysctl", Status: ok}
	v, err := h.Sysctl("kernel/io_uring_disabled")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Text = "there is no kernel.io_uring_disabled (Linux 6.6) to forbid io_uring"
	case err != nil:
		f.Status, f.Text = warn, "kernel.io_uring_disabled cannot be read: "+err.Error()
	case v == 0:
		f.Text = "kernel.io_uring_disabled is 0: every process may use io_uring"
	case v == 1:
		f.Status, f.Text = warn, "kernel.io_uring_disabled is 1: only processes with CAP_SYS_ADMIN and members of the group kernel.io_uring_group may use io_uring"
		if errors.Is(ringErr, syscall.EPERM) {
			f.Status = bad
		}
		f.Hint = "sysctl -w kernel.io_uring_disabled=0, or kernel.io_uring_group=GID of those who may"
	default:
		f.Status, f.Text = bad, fmt.Sprintf("kernel.io_uring_disabled is %d: no process may use io_uring", v)
		f.Hint = "sysctl -w kernel.io_uring_disabled=0"
	}
	return []finding{f}
}

func checkSeccomp(h host.Host, ringErr error) []finding {
	f := finding{Name: "seccomp", Status: ok}
	s, err := h.Status()
	switch {
	case err != nil:
		f.Status, f.Text = warn, "whether there is a filter cannot be told: "+err.Error()
	case s.Seccomp < 0:
		f.Status, f.Text = warn, "the kernel does not say whether there is a filter"
	case s.Seccomp == 0:
		f.Text = "this process has no filter"
	case ringErr == nil:
		f.Text = "this process has a filter, which lets io_uring pass"
	default:
		f.Status, f.Text = warn, "this process has a filter, which may be what blocks io_uring"
		f.Hint = "allow io_uring_setup, io_uring_enter and io_uring_register in the profile; for a container: docker run --security-opt seccomp=PROFILE.json"
	}
	return []finding{f}
}

func checkContainer(h host.Host, ringErr error) []finding {
	f := finding{Name: "container", Status: ok}
	switch c := h.Container(); {
	case c == "":
		f.Text = "nothing shows that this is one"
	case ringErr == nil:
		f.Text = c
	default:
		f.Status, f.Text = warn, c+"; container runtimes forbid io_uring by default"
	}
	return []finding{f}
}

// Below these a limit gets a warning.
const (
	littleMemlock = 1 << 20  // bytes of registered buffers
	littleNofile  = 256      // descriptors
	littleMemory  = 16 << 20 // bytes left in a control group
	littleTasks   = 8        // threads left in a control group
)

func checkLimits(h host.Host) []finding {
	memlock := finding{Name: "memlock", Status: ok}
	status, statusErr := h.Status()
	switch n, err := h.Rlimit(unix.RLIMIT_MEMLOCK); {
	case err != nil:
		memlock.Status, memlock.Text = warn, err.Error()
	case statusErr == nil && status.Capable(unix.CAP_IPC_LOCK):
		memlock.Text = "this process has CAP_IPC_LOCK, which RLIMIT_MEMLOCK does not bind"
	case n == host.Unlimited:
		memlock.Text = "RLIMIT_MEMLOCK is unlimited"
	default:
		memlock.Text = fmt.Sprintf("RLIMIT_MEMLOCK is %d KiB, which bounds the registered buffers of a user, and before Linux 5.12 the rings", n>>10)
		if n < littleMemlock {
			memlock.Status, memlock.Hint = warn, "ulimit -l, LimitMEMLOCK= in a systemd unit, or docker run --ulimit memlock="
		}
	}
	nofile := finding{Name: "nofile", Status: ok}
	switch n, err := h.Rlimit(unix.RLIMIT_NOFILE); {
	case err != nil:
		nofile.Status, nofile.Text = warn, err.Error()
	case n == host.Unlimited:
		nofile.Text = "RLIMIT_NOFILE is unlimited"
	default:
		nofile.Text = fmt.Sprintf("RLIMIT_NOFILE is %d, which bounds descriptors and registered files", n)
		if n < littleNofile {
			nofile.Status, nofile.Hint = warn, "ulimit -n, or LimitNOFILE= in a systemd unit"
		}
	}
	return []finding{memlock, nofile}
}

func checkGroups(h host.Host) []finding {
	f := finding{Name: "cgroup", Status: ok, Text: "no limit on memory or threads is to be seen"}
	var texts []string
	if l, found := h.MemoryLimit(); found {
		texts = append(texts, fmt.Sprintf("%s allows %d KiB, %d KiB are in use", l.File, l.Max>>10, l.Used>>10))
		if l.Max-min(l.Max, l.Used) < littleMemory {
			f.Status, f.Hint = warn, "rings and registered buffers count; raise the limit"
		}
	}
	if l, found := h.TaskLimit(); found {
		texts = append(texts, fmt.Sprintf("%s allows %d threads, %d are in use", l.File, l.Max, l.Used))
		if l.Max-min(l.Max, l.Used) < littleTasks {
			f.Status, f.Hint = warn, "the kernel's workers and IORING_SETUP_SQPOLL threads count; raise the limit"
		}
	}
	if texts != nil {
		f.Text = strings.Join(texts, "; ")
	}
	return []finding{f}
}

func checkRing(err error) []finding {
	if err != nil {
		return []finding{failed("ring", err)}
	}
	return []finding{{Name: "ring", Status: ok, Text: "uring.New makes one, with " + uring.DefaultBackend}}
}

// backends runs requests on each backend that this build has.
func backends() []finding {
	results := work("purego", func() (uring.Backend, error) { return purego.New(4, nil) }, patience)
	if liburing.HeaderVersion() == "" {
		return append(results, finding{Name: "liburing", Status: ok, Text: "not in this build, which has no cgo; nothing is missing without it"})
	}
	return append(results, work("liburing", func() (uring.Backend, error) { return liburing.New(4, nil) }, patience)...)
}

// patience is how long requests may take that should take no time.
const patience = 10 * time.Second

// work makes a ring and runs requests on it. It does not wait longer than
// patience: a ring that hangs is left behind, with its goroutine.
func work(name string, open func() (uring.Backend, error), patience time.Duration) []finding {
	b, err := open()
	if err != nil {
		return []finding{failed(name, err)}
	}
	done := make(chan []finding, 1)
	go func() {
		r := uring.NewRing(b)
		results := []finding{
			try(name+" nop", func() (string, error) { return doNop(r) }),
			try(name+" read", func() (string, error) { return doRead(r) }),
			try(name+" timeout", func() (string, error) { return doTimeout(r) }),
		}
		if err := r.Close(); err != nil {
			results = append(results, failed(name+" close", err))
		}
		done <- results
	}()
	select {
	case results := <-done:
		return results
	case <-time.After(patience):
		return []finding{failed(name, fmt.Errorf("requests did not complete in %v", patience))}
	}
}

func try(name string, f func() (string, error)) finding {
	text, err := f()
	if err != nil {
		return failed(name, err)
	}
	return finding{Name: name, Status: ok, Text: text}
}

// one runs one request.
func one(r *uring.Ring, prep func(*uring.SQE)) (int, error) {
	s := r.GetSQE()
	prep(s)
	const id = 77
	s.UserData = id
	if n, err := r.SubmitWait(uring.Wait{N: 1}); err != nil || n != 1 {
		return 0, fmt.Errorf("the kernel took %d of 1 entries: %w", n, err)
	}
	var c [2]uring.CQE
	if n := r.Peek(c[:]); n != 1 || c[0].UserData != id {
		return 0, fmt.Errorf("%d completions, the first with user_data %d, instead of one with %d", n, c[0].UserData, id)
	}
	return c[0].Result()
}

func doNop(r *uring.Ring) (string, error) {
	start := time.Now()
	_, err := one(r, func(s *uring.SQE) { s.PrepNop() })
	return fmt.Sprintf("done in %v", time.Since(start).Round(time.Microsecond)), err
}

func doRead(r *uring.Ring) (string, error) {
	const content = "read through a ring"
	f, err := os.CreateTemp("", "uring-check-")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.WriteString("....." + content); err != nil {
		return "", err
	}
	buf := make([]byte, 64)
	n, err := one(r, func(s *uring.SQE) { s.PrepRead(int(f.Fd()), buf, 5) })
	switch {
	case errors.Is(err, syscall.EINVAL):
		return "", fmt.Errorf("IORING_OP_READ, which came with Linux %s: %w", sys.IORING_OP_READ.Since(), err)
	case err != nil:
		return "", err
	case string(buf[:n]) != content:
		return "", fmt.Errorf("%q was read where the file holds %q", buf[:n], content)
	}
	return fmt.Sprintf("%d bytes of a file in %s", n, os.TempDir()), nil
}

func doTimeout(r *uring.Ring) (string, error) {
	const want = 20 * time.Millisecond
	ts := &unix.KernelTimespec{Nsec: int64(want)}
	start := time.Now()
	_, err := one(r, func(s *uring.SQE) { s.PrepTimeout(ts, 0, 0) })
	took := time.Since(start)
	switch {
	case !errors.Is(err, syscall.ETIME):
		return "", fmt.Errorf("a timeout of %v ended with %v and not with ETIME", want, err)
	case took < want:
		return "", fmt.Errorf("a timeout of %v was over after %v", want, took)
	}
	return fmt.Sprintf("one of %v took %v", want, took.Round(10*time.Microsecond)), nil
}
