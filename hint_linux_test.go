package uring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/host"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// hintChild names the environment variable that makes TestHintChild do
// something to its process and then call New.
const hintChild = "URING_HINT_CHILD"

// childAnswer is what the child reports of New's error.
type childAnswer struct {
	Setup bool   // it is a *SetupError
	Errno int    // the errno in it
	Hint  string // its hint
	Text  string // its text
}

// obstacles are the things that a child does to itself.
var obstacles = map[string]func() error{
	"seccomp setup EPERM":  func() error { return blockCalls(syscall.EPERM, unix.SYS_IO_URING_SETUP) },
	"seccomp setup EACCES": func() error { return blockCalls(syscall.EACCES, unix.SYS_IO_URING_SETUP) },
	"seccomp setup ENOSYS": func() error { return blockCalls(syscall.ENOSYS, unix.SYS_IO_URING_SETUP) },
	"seccomp all EPERM":    func() error { return blockCalls(syscall.EPERM, allCalls...) },
	"seccomp all ENOSYS":   func() error { return blockCalls(syscall.ENOSYS, allCalls...) },
	"descriptors":          useUpDescriptors,
}

var allCalls = []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}

func useUpDescriptors() error {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 40, Max: 80}); err != nil {
		return err
	}
	for {
		if _, err := unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0); errors.Is(err, syscall.EMFILE) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestHintChild is the child of TestHintObstacles and no test by itself.
func TestHintChild(t *testing.T) {
	name := os.Getenv(hintChild)
	if name == "" {
		t.Skip("it is run by TestHintObstacles")
	}
	if err := obstacles[name](); err != nil {
		t.Fatal(err)
	}
	r, err := New(nil)
	// With -cover the process needs descriptors at its end.
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 80, Max: 80}); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		r.Close()
		t.Fatal("a ring could be made all the same")
	}
	var setup *SetupError
	var errno syscall.Errno
	a := childAnswer{Setup: errors.As(err, &setup), Text: err.Error()}
	if a.Setup {
		a.Hint = setup.Hint
	}
	if errors.As(err, &errno) {
		a.Errno = int(errno)
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		t.Fatal(err)
	}
}

// TestHintObstacles puts real obstacles before New, each in a process of its own.
func TestHintObstacles(t *testing.T) {
	needRing(t)
	_, sysctlErr := host.This().Sysctl("kernel/io_uring_disabled")
	for name, tt := range map[string]struct {
		errno syscall.Errno
		want  []string
		never []string
	}{
		// The filter leaves io_uring_enter alone, as a security module would.
		"seccomp setup EPERM":  {syscall.EPERM, []string{"probably a seccomp filter blocks io_uring_setup", "Seccomp is 2", "security module", "must allow io_uring_setup"}, nil},
		"seccomp setup EACCES": {syscall.EACCES, []string{"probably a seccomp filter blocks io_uring_setup", "security module"}, nil},
		// io_uring_enter shows that the kernel has io_uring.
		"seccomp setup ENOSYS": {syscall.ENOSYS, []string{"a seccomp filter blocks io_uring_setup", "Seccomp is 2"}, []string{"probably", "cannot be told"}},
		"seccomp all EPERM":    {syscall.EPERM, []string{"a seccomp filter blocks io_uring (", "Seccomp is 2"}, []string{"probably", "security module"}},
		"seccomp all ENOSYS":   {syscall.ENOSYS, []string{"seccomp filter", "cannot be told which"}, nil},
		"descriptors":          {syscall.EMFILE, []string{"RLIMIT_NOFILE", " 40:"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "seccomp all ENOSYS" && sysctlErr == nil {
				// Only the sysctl shows that the kernel has io_uring.
				tt.want, tt.never = []string{"a seccomp filter blocks io_uring_setup", "kernel.io_uring_disabled is 0"}, []string{"cannot be told"}
			}
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe, "-test.run=^TestHintChild$", "-test.v")
			// Coverage of the child would be written where it may not be.
			cmd.Env = append(os.Environ(), hintChild+"="+name, "GOCOVERDIR="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("the child: %v\n%s", err, out)
			}
			var a childAnswer
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "{") {
					if err := json.Unmarshal([]byte(line), &a); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
				}
			}
			if !a.Setup || a.Errno != int(tt.errno) {
				t.Fatalf("the child got errno %d in a SetupError (%v), want %v\n%s", a.Errno, a.Setup, tt.errno, out)
			}
			if !strings.HasSuffix(a.Text, ": "+a.Hint) {
				t.Errorf("the text %q does not end with the hint %q", a.Text, a.Hint)
			}
			t.Log(a.Text)
			checkHint(t, a.Hint, tt.want, tt.never)
		})
	}
}

func checkHint(t *testing.T, hint string, want, never []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(hint, w) {
			t.Errorf("the hint %q lacks %q", hint, w)
		}
	}
	for _, n := range never {
		if strings.Contains(hint, n) {
			t.Errorf("the hint %q has %q", hint, n)
		}
	}
}

// needRing skips the test where a plain ring cannot be made.
func needRing(t *testing.T) {
	t.Helper()
	if err := tryRing(1, new(sys.Params)); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
}

// TestHintFlags asks the running kernel for each setup flag. Where it refuses
// one that this package knows, the hint must name that one and no other.
func TestHintFlags(t *testing.T) {
	needRing(t)
	cpus, err := allowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	for flag := range eachFlag(1<<32 - 1) {
		if flag.Since() == "" || flag == sys.IORING_SETUP_ATTACH_WQ {
			continue
		}
		p := sys.Params{Flags: flag | companions(flag, flag), CQEntries: 8, SQThreadCPU: uint32(cpus[0])}
		asked := p
		r, err := purego.New(4, &p)
		if err == nil {
			r.Close()
			continue
		}
		e := setupError(err, 4, asked)
		t.Logf("%v: %v", flag, e)
		// A flag whose companion is refused is not to blame for that.
		if errors.Is(err, syscall.EINVAL) && tryRing(1, &sys.Params{Flags: companions(flag, flag), CQEntries: 8}) == nil {
			checkHint(t, e.Hint, []string{"refuses " + flag.String() + ", which came with Linux " + flag.Since()}, nil)
			if n := strings.Count(e.Hint, "IORING_SETUP_"); n != 1 {
				t.Errorf("%v: the hint names %d flags: %q", flag, n, e.Hint)
			}
		}
	}
}

// TestHintValues: what is wrong with the request beside its flags.
func TestHintValues(t *testing.T) {
	needRing(t)
	plain, err := purego.New(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, tt := range []struct {
		name string
		p    sys.Params
		want []string
	}{
		{"a CPU that is not there",
			sys.Params{Flags: sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_SQ_AFF, SQThreadCPU: 100000},
			[]string{"SQThreadCPU is 100000", "may use the CPUs ["}},
		{"SQPOLL attached to a ring without",
			sys.Params{Flags: sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_ATTACH_WQ | sys.IORING_SETUP_CLAMP, WQFd: uint32(plain.Fd())},
			[]string{"refuses the combination IORING_SETUP_SQPOLL|IORING_SETUP_ATTACH_WQ:", "must itself have been made with IORING_SETUP_SQPOLL"}},
		{"attached to something else",
			sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: uint32(null.Fd())},
			[]string{fmt.Sprintf("IORING_SETUP_ATTACH_WQ: descriptor %d is not a ring to attach to", null.Fd())}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p
			r, err := purego.New(8, &p)
			if err == nil {
				r.Close()
				t.Fatal("a ring could be made")
			}
			e := setupError(err, 8, tt.p)
			t.Log(e)
			checkHint(t, e.Hint, tt.want, nil)
		})
	}
}

// TestHintMemlock needs a kernel that charges rings to RLIMIT_MEMLOCK (before
// 5.12) and a process that is not exempt.
func TestHintMemlock(t *testing.T) {
	var plain sys.Params
	if err := tryRing(1, &plain); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
	status, err := host.This().Status()
	if err != nil {
		t.Fatal(err)
	}
	if plain.Features&sys.IORING_FEAT_NATIVE_WORKERS != 0 || status.Capable(unix.CAP_IPC_LOCK) {
		t.Skip("this kernel does not charge rings to RLIMIT_MEMLOCK, or the process is exempt; TestHintAnswers has the case")
	}
	old := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old); err != nil {
		t.Fatal(err)
	}
	if old.Cur > 64<<10 {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 64 << 10, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &old)
	}
	_, err = New(&Config{Entries: 4096})
	var e *SetupError
	if !errors.As(err, &e) || !errors.Is(err, syscall.ENOMEM) {
		t.Fatalf("New gives %v, want a SetupError with ENOMEM", err)
	}
	t.Log(e)
	checkHint(t, e.Hint, []string{"needs 512 KiB of memory", "RLIMIT_MEMLOCK, which is 64 KiB", "ulimit -l"}, nil)
}

// TestHintDisabled needs a kernel whose kernel.io_uring_disabled is not 0. It is
// not set here, for it would take io_uring from every process of the machine.
func TestHintDisabled(t *testing.T) {
	v, err := host.This().Sysctl("kernel/io_uring_disabled")
	if err != nil || v == 0 {
		t.Skip("kernel.io_uring_disabled is 0 or not there; TestHintAnswers has the other cases")
	}
	r, err := New(nil)
	if err == nil {
		r.Close()
		if v >= 2 {
			t.Fatalf("a ring could be made though kernel.io_uring_disabled is %d", v)
		}
		t.Skip("kernel.io_uring_disabled is 1, and this process is privileged")
	}
	var e *SetupError
	if !errors.As(err, &e) || !errors.Is(err, syscall.EPERM) {
		t.Fatalf("New gives %v, want a SetupError with EPERM", err)
	}
	t.Log(e)
	checkHint(t, e.Hint, []string{fmt.Sprintf("kernel.io_uring_disabled is %d", v)}, nil)
}

// Answers of a system that does not exist: files, limits, and what rings come to.
type answers struct {
	files  map[string]string
	limits map[int]uint64
	ring   func(entries uint32, p *sys.Params) error
	enter  error
}

func (a answers) system() system {
	root := fstest.MapFS{}
	for name, text := range a.files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return system{
		Host: host.Host{Root: root, Rlimit: func(r int) (uint64, error) {
			if v, ok := a.limits[r]; ok {
				return v, nil
			}
			return host.Unlimited, nil
		}},
		ring:  a.ring,
		enter: func() error { return a.enter },
		cpus:  func() ([]int, error) { return []int{0, 1}, nil },
	}
}

// never is a kernel that refuses every ring.
func never(errno syscall.Errno) func(uint32, *sys.Params) error {
	return func(uint32, *sys.Params) error { return os.NewSyscallError("io_uring_setup", errno) }
}

// refusing is a kernel that refuses rings for which bad says so.
func refusing(errno syscall.Errno, features sys.FeatFlags, bad func(entries uint32, p *sys.Params) bool) func(uint32, *sys.Params) error {
	return func(entries uint32, p *sys.Params) error {
		if err := sys.CheckSetup(entries, p); err != nil {
			return err
		}
		if bad(entries, p) {
			return os.NewSyscallError("io_uring_setup", errno)
		}
		p.Features = features
		return nil
	}
}

const (
	disabledFile = "proc/sys/kernel/io_uring_disabled"
	groupFile    = "proc/sys/kernel/io_uring_group"
	releaseFile  = "proc/sys/kernel/osrelease"
	statusFile   = "proc/thread-self/status"
	uidMapFile   = "proc/self/uid_map"
	lsmFile      = "sys/kernel/security/lsm"

	noFilter = "Seccomp:\t0\nCapEff:\t0\nGid:\t7 7 7 7\n"
	filter   = "Seccomp:\t2\nCapEff:\t0\nGid:\t7 7 7 7\n"
	rootUser = "Seccomp:\t0\nCapEff:\t000001ffffffffff\nGid:\t0 0 0 0\n"
	initMap  = "0 0 4294967295"
	otherMap = "0 100000 65536"
)

// TestHintAnswers goes through systems that cannot be had here.
func TestHintAnswers(t *testing.T) {
	big := func(entries uint32, p *sys.Params) bool { return entries > 1 }
	knows := func(known sys.SetupFlags) func(uint32, *sys.Params) bool {
		return func(_ uint32, p *sys.Params) bool { return p.Flags&^known != 0 }
	}
	for _, tt := range []struct {
		name    string
		errno   syscall.Errno
		a       answers
		entries uint32
		p       sys.Params
		want    string
	}{
		{name: "disabled", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EBADF, files: map[string]string{disabledFile: "2", statusFile: rootUser}},
			want: "kernel.io_uring_disabled is 2, which forbids io_uring to every process: set it to 0 (sysctl -w kernel.io_uring_disabled=0), or to 1 for privileged ones"},
		{name: "disabled and filtered", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EPERM, files: map[string]string{disabledFile: "2", statusFile: filter}},
			want: "kernel.io_uring_disabled is 2, which forbids io_uring to every process: set it to 0 (sysctl -w kernel.io_uring_disabled=0), or to 1 for privileged ones; besides, a seccomp filter blocks io_uring: " + filterAdvice},
		{name: "privileged only, no group", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EBADF, files: map[string]string{disabledFile: "1", groupFile: "-1", statusFile: noFilter, uidMapFile: initMap}},
			want: "kernel.io_uring_disabled is 1, which allows io_uring to processes with CAP_SYS_ADMIN and to members of the group kernel.io_uring_group, and this process is neither: set that group (it is -1, which is none) to one of this process's, or run it with CAP_SYS_ADMIN, or set kernel.io_uring_disabled to 0"},
		{name: "privileged only, another group", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EBADF, files: map[string]string{disabledFile: "1", groupFile: "1234", statusFile: noFilter, uidMapFile: initMap}},
			want: "kernel.io_uring_disabled is 1, which allows io_uring to processes with CAP_SYS_ADMIN and to members of the group kernel.io_uring_group, and this process is neither: join that group (1234), or run it with CAP_SYS_ADMIN, or set kernel.io_uring_disabled to 0"},
		{name: "privileged only, root of a container", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EBADF, files: map[string]string{disabledFile: "1", groupFile: "-1", statusFile: rootUser, uidMapFile: otherMap}},
			want: "kernel.io_uring_disabled is 1, which allows io_uring to processes with CAP_SYS_ADMIN and to members of the group kernel.io_uring_group; this process's CAP_SYS_ADMIN holds in a user namespace of its own only: set that group (it is -1, which is none) to one of this process's, or run it with CAP_SYS_ADMIN, or set kernel.io_uring_disabled to 0"},
		{name: "privileged only, status hidden", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EBADF, files: map[string]string{disabledFile: "1", groupFile: "-1"}},
			want: "kernel.io_uring_disabled is 1, which allows io_uring to processes with CAP_SYS_ADMIN and to members of the group kernel.io_uring_group; whether this process is one cannot be told (open proc/thread-self/status: file does not exist)"},
		{name: "privileged only, and it is: a filter then", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EPERM, files: map[string]string{disabledFile: "1", groupFile: "7", statusFile: filter, uidMapFile: initMap}},
			want: "a seccomp filter blocks io_uring (Seccomp is 2 in /proc/self/status, and kernel.io_uring_disabled is 1): " + filterAdvice},
		{name: "a security module", errno: syscall.EACCES,
			a:    answers{ring: never(syscall.EACCES), enter: syscall.EBADF, files: map[string]string{disabledFile: "0", statusFile: noFilter, lsmFile: "capability,selinux\n"}},
			want: "this process has no seccomp filter and kernel.io_uring_disabled is 0, which does not forbid it; it is a security module (active: capability, selinux) that refuses, or something that cannot be seen from here"},
		{name: "EPERM on an old kernel without a filter", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EBADF, files: map[string]string{releaseFile: "5.15.0", statusFile: noFilter}},
			want: "this process has no seccomp filter and kernel.io_uring_disabled is not there to forbid it; it is a security module that refuses, or something that cannot be seen from here"},
		{name: "EPERM, and /proc hidden", errno: syscall.EPERM,
			a:    answers{ring: never(syscall.EPERM), enter: syscall.EPERM},
			want: "either a seccomp filter blocks io_uring_setup or a security module does; it cannot be told which (open proc/thread-self/status: file does not exist)"},
		{name: "too old", errno: syscall.ENOSYS,
			a:    answers{ring: never(syscall.ENOSYS), enter: syscall.ENOSYS, files: map[string]string{releaseFile: "4.19.0-27-amd64", statusFile: filter}},
			want: "this kernel, 4.19.0-27-amd64, is too old: io_uring came with Linux 5.1"},
		{name: "built without, and it shows", errno: syscall.ENOSYS,
			a:    answers{ring: never(syscall.ENOSYS), enter: syscall.ENOSYS, files: map[string]string{releaseFile: "6.12.1", statusFile: filter}},
			want: "this kernel, 6.12.1, was built without io_uring (CONFIG_IO_URING): it has no kernel.io_uring_disabled, which every kernel with io_uring has since Linux 6.6"},
		{name: "built without, no filter", errno: syscall.ENOSYS,
			a:    answers{ring: never(syscall.ENOSYS), enter: syscall.ENOSYS, files: map[string]string{releaseFile: "5.15.0", statusFile: noFilter}},
			want: "this kernel, 5.15.0, was built without io_uring (CONFIG_IO_URING)"},
		{name: "built without, or a filter", errno: syscall.ENOSYS,
			a:    answers{ring: never(syscall.ENOSYS), enter: syscall.ENOSYS, files: map[string]string{releaseFile: "5.15.0", statusFile: filter}},
			want: "either a seccomp filter, which this process has, answers in the kernel's place, or the kernel, 5.15.0, was built without io_uring (CONFIG_IO_URING); it cannot be told which"},
		{name: "built without, or a filter that does not show", errno: syscall.ENOSYS,
			a:    answers{ring: never(syscall.ENOSYS), enter: syscall.ENOSYS, files: map[string]string{releaseFile: "5.15.0", statusFile: "CapEff:\t0\n"}},
			want: "the kernel, 5.15.0, was built without io_uring (CONFIG_IO_URING), or a seccomp filter answers in its place; it cannot be told which"},
		{name: "nothing to be seen", errno: syscall.ENOSYS,
			a:    answers{ring: never(syscall.ENOSYS), enter: syscall.ENOSYS},
			want: "the kernel has no io_uring, or a seccomp filter answers in its place; it cannot be told which, for its release is hidden"},
		{name: "ENOSYS from a kernel with io_uring and without a filter", errno: syscall.ENOSYS,
			a:    answers{ring: never(syscall.ENOSYS), enter: syscall.ENOSYS, files: map[string]string{disabledFile: "0", releaseFile: "6.12.1", statusFile: noFilter}},
			want: "the kernel, 6.12.1, has io_uring and this process has no seccomp filter, yet the call is answered as if there were none: something between them, such as a sandbox that emulates the kernel, does so"},
		{name: "descriptors of the system", errno: syscall.ENFILE,
			a:    answers{ring: never(syscall.ENFILE)},
			want: "the system's table of open files is full (fs.file-max)"},

		{name: "memlock", errno: syscall.ENOMEM, entries: 4096,
			a: answers{ring: refusing(syscall.ENOMEM, sys.IORING_FEAT_SINGLE_MMAP, big), limits: map[int]uint64{unix.RLIMIT_MEMLOCK: 64 << 10},
				files: map[string]string{statusFile: noFilter}},
			want: "this ring needs 512 KiB of memory, and before Linux 5.12 all rings of a user count against RLIMIT_MEMLOCK, which is 64 KiB here; a ring of one entry can be made: ask for fewer entries, or raise the limit (ulimit -l)"},
		{name: "memlock used up", errno: syscall.ENOMEM, entries: 4096,
			a:    answers{ring: never(syscall.ENOMEM), limits: map[int]uint64{unix.RLIMIT_MEMLOCK: 64 << 10}, files: map[string]string{statusFile: noFilter}},
			want: "not even a ring of one entry can be made; on kernels before 5.12 all rings of a user count against RLIMIT_MEMLOCK, which is 64 KiB here (ulimit -l)"},
		{name: "memory of the control group", errno: syscall.ENOMEM, entries: 32768,
			a: answers{ring: refusing(syscall.ENOMEM, sys.IORING_FEAT_NATIVE_WORKERS, big), limits: map[int]uint64{unix.RLIMIT_MEMLOCK: 64 << 10},
				files: map[string]string{statusFile: noFilter, "proc/self/cgroup": "0::/x\n", "sys/fs/cgroup/x/memory.max": "4194304", "sys/fs/cgroup/x/memory.current": "4000000"}},
			want: "this ring needs 4096 KiB of memory; a ring of one entry can be made; /sys/fs/cgroup/x/memory.max allows 4096 KiB, of which 3907 KiB are in use; before Linux 6.10 the kernel also needs it in few large pieces, which may not be free"},
		{name: "huge pages", errno: syscall.ENOMEM, entries: 4096, p: sys.Params{Flags: sys.IORING_SETUP_NO_MMAP},
			a: answers{ring: refusing(syscall.ENOMEM, sys.IORING_FEAT_NATIVE_WORKERS, big),
				files: map[string]string{"proc/meminfo": "HugePages_Free:       0\n"}},
			want: "this ring needs 512 KiB of memory that IORING_SETUP_NO_MMAP takes from huge pages, of which none is free: reserve some (sysctl -w vm.nr_hugepages=N), or lend the ring memory"},

		{name: "one flag too new", errno: syscall.EINVAL, p: sys.Params{Flags: sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN | sys.IORING_SETUP_CLAMP},
			a:    answers{ring: refusing(syscall.EINVAL, 0, knows(sys.IORING_SETUP_SINGLE_ISSUER|sys.IORING_SETUP_CLAMP)), files: map[string]string{releaseFile: "6.0.1"}},
			want: "this kernel, 6.0.1, refuses IORING_SETUP_DEFER_TASKRUN, which came with Linux 6.1"},
		{name: "two flags too new, one because of the other", errno: syscall.EINVAL, p: sys.Params{Flags: sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN | sys.IORING_SETUP_TASKRUN_FLAG},
			a:    answers{ring: refusing(syscall.EINVAL, 0, knows(0)), files: map[string]string{releaseFile: "5.10.1"}},
			want: "this kernel, 5.10.1, refuses IORING_SETUP_SINGLE_ISSUER, which came with Linux 6.0"},
		{name: "two flags too new", errno: syscall.EINVAL, p: sys.Params{Flags: sys.IORING_SETUP_CQE32 | sys.IORING_SETUP_SQE_MIXED | sys.IORING_SETUP_CQSIZE, CQEntries: 64},
			a:    answers{ring: refusing(syscall.EINVAL, 0, knows(sys.IORING_SETUP_CQSIZE))},
			want: "this kernel refuses IORING_SETUP_CQE32, which came with Linux 5.19; this kernel refuses IORING_SETUP_SQE_MIXED, which came with Linux 6.19"},
		{name: "a combination", errno: syscall.EINVAL, p: sys.Params{Flags: sys.IORING_SETUP_CLAMP | sys.IORING_SETUP_IOPOLL | sys.IORING_SETUP_CQE32 | sys.IORING_SETUP_R_DISABLED},
			a: answers{ring: refusing(syscall.EINVAL, 0, func(_ uint32, p *sys.Params) bool {
				const pair = sys.IORING_SETUP_IOPOLL | sys.IORING_SETUP_CQE32
				return p.Flags&pair == pair
			})},
			want: "this kernel refuses the combination IORING_SETUP_IOPOLL|IORING_SETUP_CQE32"},
		{name: "too old to attach", errno: syscall.EINVAL, p: sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: 5},
			a:    answers{ring: refusing(syscall.EINVAL, sys.IORING_FEAT_NODROP, knows(0)), files: map[string]string{releaseFile: "5.5.1"}},
			want: "this kernel, 5.5.1, refuses IORING_SETUP_ATTACH_WQ, which came with Linux 5.6"},
		{name: "the size", errno: syscall.EINVAL, entries: 64, p: sys.Params{Flags: sys.IORING_SETUP_CLAMP},
			a:    answers{ring: refusing(syscall.EINVAL, 0, big)},
			want: "a ring of one entry with the same flags can be made: it is the size, 64 entries, that is refused"},
		{name: "unprivileged SQPOLL", errno: syscall.EPERM, p: sys.Params{Flags: sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_SQ_AFF},
			a: answers{ring: refusing(syscall.EPERM, 0, func(_ uint32, p *sys.Params) bool { return p.Flags&sys.IORING_SETUP_SQPOLL != 0 }),
				files: map[string]string{releaseFile: "5.10.0-32-amd64"}},
			want: "this kernel, 5.10.0-32-amd64, allows IORING_SETUP_SQPOLL to privileged processes only: before Linux 5.11 it needs CAP_SYS_ADMIN, before 5.13 CAP_SYS_NICE"},
		{name: "no thread for SQPOLL", errno: syscall.EAGAIN, p: sys.Params{Flags: sys.IORING_SETUP_SQPOLL},
			a: answers{ring: refusing(syscall.EAGAIN, 0, func(_ uint32, p *sys.Params) bool { return p.Flags&sys.IORING_SETUP_SQPOLL != 0 }),
				limits: map[int]uint64{unix.RLIMIT_NPROC: 100}},
			want: "the kernel's thread (IORING_SETUP_SQPOLL) cannot be started: RLIMIT_NPROC allows this user 100 threads (ulimit -u)"},
		{name: "no thread for SQPOLL in the control group", errno: syscall.EAGAIN, p: sys.Params{Flags: sys.IORING_SETUP_SQPOLL},
			a: answers{ring: refusing(syscall.EAGAIN, 0, func(_ uint32, p *sys.Params) bool { return p.Flags&sys.IORING_SETUP_SQPOLL != 0 }),
				files: map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/pids.max": "20", "sys/fs/cgroup/pids.current": "20"}},
			want: "the kernel's thread (IORING_SETUP_SQPOLL) cannot be started: /sys/fs/cgroup/pids.max allows 20 threads, of which 20 are in use"},
		{name: "a flag that is refused for no reason given", errno: syscall.EPERM, p: sys.Params{Flags: sys.IORING_SETUP_NO_MMAP},
			a:    answers{ring: refusing(syscall.EPERM, 0, knows(0))},
			want: "it is for IORING_SETUP_NO_MMAP that the kernel refuses; why, it does not say"},
		{name: "another obstacle in the trial", errno: syscall.EINVAL, p: sys.Params{Flags: sys.IORING_SETUP_SQPOLL},
			a:    answers{ring: never(syscall.EPERM)},
			want: "a plain ring of one entry cannot be made either (io_uring_setup: operation not permitted)"},
		{name: "an errno without a story", errno: syscall.EFAULT,
			a:    answers{ring: never(syscall.EFAULT)},
			want: "a plain ring of one entry is refused likewise; why, the kernel does not say"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			entries := max(tt.entries, 1)
			got := tt.a.system().hint(os.NewSyscallError("io_uring_setup", tt.errno), entries, tt.p)
			if got != tt.want {
				t.Errorf("the hint is\n\t%s\nwant\n\t%s", got, tt.want)
			}
		})
	}
}

// TestHintPassed: a ring that can be made when it is tried again.
func TestHintPassed(t *testing.T) {
	a := answers{ring: func(uint32, *sys.Params) error { return nil }}
	got := a.system().hint(os.NewSyscallError("io_uring_setup", syscall.EAGAIN), 8, sys.Params{})
	checkHint(t, got, []string{"a second attempt", "the reason has passed"}, nil)
	if named := strings.Contains(got, "C library"); named != (DefaultBackend == "liburing") {
		t.Errorf("with backend %s the hint is %q", DefaultBackend, got)
	}
}

// TestHintNone: errors that are sentences already get no hint, and nothing is
// tried for them.
func TestHintNone(t *testing.T) {
	a := answers{ring: func(uint32, *sys.Params) error { t.Error("a ring was tried"); return nil }}
	for _, err := range []error{
		sys.CheckSetup(0, nil),
		fmt.Errorf("uring: something: %w", errors.ErrUnsupported),
		fmt.Errorf("uring: something: %w", syscall.EINVAL),
		fs.ErrNotExist,
	} {
		if hint := a.system().hint(err, 1, sys.Params{}); hint != "" {
			t.Errorf("the hint of %q is %q", err, hint)
		}
	}
	_, err := New(&Config{Entries: 1 << 20})
	var e *SetupError
	if !errors.As(err, &e) || e.Hint != "" || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("too many entries give %v", err)
	}
}

// TestHintSingleFlags holds companions against CheckSetup: a flag with its
// companions is a request that CheckSetup lets pass, and without them is not.
func TestHintSingleFlags(t *testing.T) {
	need := map[sys.SetupFlags]bool{}
	for flag := range eachFlag(1<<32 - 1) {
		if flag.Since() == "" {
			continue
		}
		p := sys.Params{Flags: flag | companions(flag, flag), CQEntries: 2}
		if err := sys.CheckSetup(1, &p); err != nil {
			t.Errorf("%v with %v: %v", flag, companions(flag, flag), err)
		}
		if sys.CheckSetup(1, &sys.Params{Flags: flag, CQEntries: 2}) != nil {
			need[flag] = true
		}
	}
	for flag := range eachFlag(1<<32 - 1) {
		if got := companions(flag, flag) != 0; got != need[flag] {
			t.Errorf("%v has companions: %v, needs some: %v", flag, got, need[flag])
		}
	}
	if len(need) == 0 {
		t.Error("no flag needs another; this test looks at nothing")
	}
}
