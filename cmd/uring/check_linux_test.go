package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/host"
	"github.com/uring-go/uring/purego"
)

// TestEnvironment goes through systems that this is not.
func TestEnvironment(t *testing.T) {
	refused := &uring.SetupError{Err: os.NewSyscallError("io_uring_setup", syscall.EPERM), Hint: "because"}
	base := map[string]string{
		"proc/sys/kernel/osrelease":         "6.12.1",
		"proc/sys/kernel/io_uring_disabled": "0",
		"proc/thread-self/status":           "Seccomp:\t0\nCapEff:\t0\n",
	}
	for _, tt := range []struct {
		name    string
		files   map[string]string // added to base; "-" takes one away
		limits  map[int]uint64
		ringErr error
		finding string
		want    status
		text    []string // of the text and the hint
	}{
		{"all is well", nil, nil, nil, "sysctl", ok, []string{"io_uring_disabled is 0"}},
		{"disabled", map[string]string{"proc/sys/kernel/io_uring_disabled": "2"}, nil, refused, "sysctl", bad, []string{"is 2", "no process", "sysctl -w kernel.io_uring_disabled=0"}},
		{"for some, not this one", map[string]string{"proc/sys/kernel/io_uring_disabled": "1"}, nil, refused, "sysctl", bad, []string{"is 1", "io_uring_group"}},
		{"for some, this one too", map[string]string{"proc/sys/kernel/io_uring_disabled": "1"}, nil, nil, "sysctl", warn, []string{"is 1", "CAP_SYS_ADMIN"}},
		{"no such sysctl", map[string]string{"proc/sys/kernel/io_uring_disabled": "-"}, nil, nil, "sysctl", ok, []string{"there is no kernel.io_uring_disabled"}},
		{"unreadable sysctl", map[string]string{"proc/sys/kernel/io_uring_disabled": "x"}, nil, nil, "sysctl", warn, []string{"cannot be read"}},
		{"a filter that blocks", map[string]string{"proc/thread-self/status": "Seccomp:\t2\n"}, nil, refused, "seccomp", warn, []string{"may be what blocks", "io_uring_enter"}},
		{"a filter that does not", map[string]string{"proc/thread-self/status": "Seccomp:\t2\n"}, nil, nil, "seccomp", ok, []string{"lets io_uring pass"}},
		{"no word of filters", map[string]string{"proc/thread-self/status": "CapEff:\t0\n"}, nil, nil, "seccomp", warn, []string{"does not say"}},
		{"no status", map[string]string{"proc/thread-self/status": "-"}, nil, nil, "seccomp", warn, []string{"cannot be told"}},
		{"no io_uring at all", map[string]string{"proc/sys/kernel/osrelease": "4.19.0"}, nil, refused, "kernel", bad, []string{"4.19.0 has no io_uring", "5.1"}},
		{"old", map[string]string{"proc/sys/kernel/osrelease": "5.4.0"}, nil, nil, "kernel", warn, []string{"5.4.0 is old", "5.11"}},
		{"release hidden", map[string]string{"proc/sys/kernel/osrelease": "-"}, nil, nil, "kernel", warn, []string{"cannot be told"}},
		{"container that forbids", map[string]string{".dockerenv": ""}, nil, refused, "container", warn, []string{"Docker", "forbid io_uring by default"}},
		{"container that allows", map[string]string{".dockerenv": ""}, nil, nil, "container", ok, []string{"Docker"}},
		{"little memlock", nil, map[int]uint64{unix.RLIMIT_MEMLOCK: 64 << 10}, nil, "memlock", warn, []string{"is 64 KiB", "ulimit -l"}},
		{"enough memlock", nil, map[int]uint64{unix.RLIMIT_MEMLOCK: 8 << 20}, nil, "memlock", ok, []string{"is 8192 KiB"}},
		{"memlock does not count", map[string]string{"proc/thread-self/status": "Seccomp:\t0\nCapEff:\t4000\n"}, map[int]uint64{unix.RLIMIT_MEMLOCK: 1}, nil, "memlock", ok, []string{"CAP_IPC_LOCK"}},
		{"few descriptors", nil, map[int]uint64{unix.RLIMIT_NOFILE: 64}, nil, "nofile", warn, []string{"is 64", "ulimit -n"}},
		{"no limit on descriptors", nil, nil, nil, "nofile", ok, []string{"unlimited"}},
		{"no control group", nil, nil, nil, "cgroup", ok, []string{"no limit"}},
		{"little memory left", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "20971520", "sys/fs/cgroup/memory.current": "10485760"}, nil, nil, "cgroup", warn, []string{"allows 20480 KiB, 10240 KiB are in use", "raise the limit"}},
		{"few threads left", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/pids.max": "20", "sys/fs/cgroup/pids.current": "19"}, nil, nil, "cgroup", warn, []string{"allows 20 threads, 19 are in use"}},
		{"room in the control group", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/pids.max": "2000", "sys/fs/cgroup/pids.current": "19"}, nil, nil, "cgroup", ok, []string{"allows 2000 threads"}},
		{"a ring", nil, nil, nil, "ring", ok, []string{uring.DefaultBackend}},
		{"no ring", nil, nil, refused, "ring", bad, []string{"io_uring_setup: operation not permitted", "because"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for _, files := range []map[string]string{base, tt.files} {
				for name, text := range files {
					if delete(root, name); text != "-" {
						root[name] = &fstest.MapFile{Data: []byte(text)}
					}
				}
			}
			h := host.Host{Root: root, Rlimit: func(r int) (uint64, error) {
				if n, found := tt.limits[r]; found {
					return n, nil
				}
				return host.Unlimited, nil
			}}
			n := 0
			for _, f := range environment(h, tt.ringErr) {
				if f.Name != tt.finding {
					continue
				}
				n++
				if f.Status != tt.want {
					t.Errorf("%s: %s (%s), want %s", f.Name, f.Status, f.Text, tt.want)
				}
				for _, w := range tt.text {
					if !strings.Contains(f.Text+"\n"+f.Hint, w) {
						t.Errorf("%q with hint %q lacks %q", f.Text, f.Hint, w)
					}
				}
			}
			if n != 1 {
				t.Errorf("%d findings called %s", n, tt.finding)
			}
		})
	}
}

// TestCheckFails: a process without descriptors cannot make a ring, and check
// says so.
func TestCheckFails(t *testing.T) {
	if err := tryRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	out, errs, status := uringCmd(t, "check")
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if status != exitNo || errs != "" {
		t.Errorf("status %d, stderr %q", status, errs)
	}
	for _, want := range []string{"fail  ring", "too many open files", "hint: this process has as many descriptors open as RLIMIT_NOFILE allows, 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

// faulty is a backend that does not do as it should.
type faulty struct {
	*purego.Ring
	submit func(*purego.Ring, uring.Wait) (int, error)
	peek   func([]uring.CQE) int
}

func (b faulty) Submit(w uring.Wait) (int, error) {
	if b.submit != nil {
		return b.submit(b.Ring, w)
	}
	return b.Ring.Submit(w)
}

func (b faulty) Peek(dst []uring.CQE) int {
	n := b.Ring.Peek(dst)
	if b.peek != nil {
		return b.peek(dst[:n])
	}
	return n
}

func TestWork(t *testing.T) {
	if err := tryRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
	with := func(f faulty) func() (uring.Backend, error) {
		return func() (uring.Backend, error) {
			var err error
			f.Ring, err = purego.New(4, nil)
			return f, err
		}
	}
	var released atomic.Bool
	hang := make(chan struct{})
	defer func() { close(hang) }()
	for _, tt := range []struct {
		name string
		open func() (uring.Backend, error)
		want string // of the first finding
	}{
		{"cannot be opened", func() (uring.Backend, error) { return nil, fs.ErrPermission }, "permission denied"},
		{"refuses entries", with(faulty{submit: func(*purego.Ring, uring.Wait) (int, error) { return 0, syscall.EBUSY }}), "took 0 of 1 entries"},
		{"loses completions", with(faulty{peek: func([]uring.CQE) int { return 0 }}), "0 completions"},
		{"mixes them up", with(faulty{peek: func(c []uring.CQE) int { c[0].UserData++; return len(c) }}), "user_data 78"},
		{"gives errors", with(faulty{peek: func(c []uring.CQE) int { c[0].Res = -int32(syscall.EIO); return len(c) }}), "input/output error"},
		{"hangs", with(faulty{submit: func(r *purego.Ring, w uring.Wait) (int, error) {
			<-hang
			released.Store(true)
			return r.Submit(w)
		}}), "did not complete in 50ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limit := patience
			if tt.name == "hangs" {
				limit = 50 * time.Millisecond
			}
			f := work("b", tt.open, limit)[0]
			if f.Status != bad || !strings.Contains(f.Text, tt.want) {
				t.Errorf("%s: %s; want a failure with %q", f.Status, f.Text, tt.want)
			}
		})
	}
	if released.Load() {
		t.Error("the ring that hangs went on too early")
	}
	for _, f := range work("purego", with(faulty{}), patience) {
		if f.Status != ok {
			t.Errorf("a backend without faults: %s: %s %s", f.Name, f.Status, f.Text)
		}
	}
	if f := failed("x", errors.New("uring: a sentence")); f.Text != "a sentence" || f.Hint != "" {
		t.Errorf("a finding of a sentence is %+v", f)
	}
}
