package uring

// The hint of a SetupError: why the kernel refused a ring, and what to do about
// it. Nothing is guessed from the errno alone. The system is asked: its sysctls,
// this process's limits, and the kernel itself, by trying smaller and plainer
// rings. What cannot be told apart is said to be so.
//
// Trial rings are made with package purego in either build: the kernel's answer
// is the same, and no C library stands between.

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/host"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

func setupError(err error, entries uint32, p sys.Params) *SetupError {
	return &SetupError{Err: err, Hint: realSystem().hint(err, entries, p)}
}

// A system answers the questions that a hint is made from; tests give answers of
// their own.
type system struct {
	host.Host
	// ring makes a ring and closes it at once. A nil error tells what the kernel
	// made of p.
	ring func(entries uint32, p *sys.Params) error
	// enter calls io_uring_enter with a descriptor that does not exist: EBADF
	// unless something stands before the kernel's io_uring, or there is none.
	enter func() error
	// cpus returns the CPUs that the process may run on.
	cpus func() ([]int, error)
}

func realSystem() system {
	return system{Host: host.This(), ring: tryRing, enter: tryEnter, cpus: allowedCPUs}
}

func tryRing(entries uint32, p *sys.Params) error {
	// A ring without a descriptor is closed by the thread that made it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := purego.New(entries, p)
	if err != nil {
		return err
	}
	return r.Close()
}

func tryEnter() error {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, ^uintptr(0), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func allowedCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for i := range len(set) * bits.UintSize {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus, nil
}

// hint says what is known about the reason of err, "" if err needs no
// explanation: an error that is not a system call's is a sentence already.
func (s system) hint(err error, entries uint32, p sys.Params) string {
	var call *os.SyscallError
	var errno syscall.Errno
	if !errors.As(err, &call) || !errors.As(err, &errno) {
		return ""
	}
	// These need no trial, and trials would meet the same.
	switch errno {
	case syscall.EMFILE:
		return s.descriptors()
	case syscall.ENFILE:
		return "the system's table of open files is full (fs.file-max)"
	}
	var plain sys.Params
	if err := s.ring(1, &plain); err != nil {
		switch {
		case errors.Is(err, syscall.ENOMEM):
			return s.memory(entries, p, nil)
		case !errors.Is(err, errno):
			return fmt.Sprintf("a plain ring of one entry cannot be made either (%v)", err)
		case errno == syscall.ENOSYS || errno == syscall.EPERM || errno == syscall.EACCES:
			return s.refused(errno)
		}
		return "a plain ring of one entry is refused likewise; why, the kernel does not say"
	}
	if same := p; s.ring(entries, &same) == nil {
		if DefaultBackend == "liburing" {
			return "a second attempt, by package purego, made the same ring: the reason has passed, or lies with the C library"
		}
		return "a second attempt made the same ring: the reason has passed"
	}
	if errno == syscall.ENOMEM {
		return s.memory(entries, p, &plain)
	}
	return s.culprit(errno, entries, p, plain.Features)
}

func (s system) descriptors() string {
	n, err := s.Rlimit(unix.RLIMIT_NOFILE)
	if err != nil {
		return "this process has as many descriptors open as RLIMIT_NOFILE allows"
	}
	return fmt.Sprintf("this process has as many descriptors open as RLIMIT_NOFILE allows, %d: close some, or raise the limit (ulimit -n)", n)
}

const (
	disabledSysctl = "kernel.io_uring_disabled"
	filterAdvice   = "the profile must allow io_uring_setup, io_uring_enter and io_uring_register, which the default profiles of container runtimes do not"
)

// refused explains why not even a plain ring can be made.
func (s system) refused(errno syscall.Errno) string {
	status, statusErr := s.Status()
	filtered := statusErr == nil && status.Seccomp > 0
	// io_uring_enter looks at the descriptor first. Neither the sysctl nor a
	// security module has a say before that, but a seccomp filter has.
	reached := errors.Is(s.enter(), syscall.EBADF)
	if errno == syscall.EPERM {
		if reason := s.disabled(); reason != "" {
			if filtered && !reached {
				reason += "; besides, a seccomp filter blocks io_uring: " + filterAdvice
			}
			return reason
		}
	}
	disabled, sysctlErr := s.Sysctl("kernel/io_uring_disabled")
	release, version, releaseErr := s.Release()

	if errno == syscall.ENOSYS && !reached && sysctlErr != nil {
		// Nothing shows that the kernel has io_uring.
		if releaseErr != nil {
			return "the kernel has no io_uring, or a seccomp filter answers in its place; it cannot be told which, for its release is hidden"
		}
		switch {
		case version.Before(host.Version{Major: 5, Minor: 1}):
			return "this kernel, " + release + ", is too old: io_uring came with Linux 5.1"
		case errors.Is(sysctlErr, fs.ErrNotExist) && !version.Before(host.Version{Major: 6, Minor: 6}):
			return "this kernel, " + release + ", was built without io_uring (CONFIG_IO_URING): it has no " + disabledSysctl + ", which every kernel with io_uring has since Linux 6.6"
		case filtered:
			return "either a seccomp filter, which this process has, answers in the kernel's place, or the kernel, " + release + ", was built without io_uring (CONFIG_IO_URING); it cannot be told which"
		case statusErr == nil && status.Seccomp == 0:
			return "this kernel, " + release + ", was built without io_uring (CONFIG_IO_URING)"
		}
		return "the kernel, " + release + ", was built without io_uring (CONFIG_IO_URING), or a seccomp filter answers in its place; it cannot be told which"
	}
	if filtered {
		proof := "Seccomp is " + fmt.Sprint(status.Seccomp) + " in /proc/self/status"
		if sysctlErr == nil {
			proof += fmt.Sprintf(", and %s is %d", disabledSysctl, disabled)
		}
		switch {
		case errno == syscall.ENOSYS:
			// A kernel with io_uring does not answer so by itself.
			return "a seccomp filter blocks io_uring_setup (" + proof + "): " + filterAdvice
		case !reached:
			return "a seccomp filter blocks io_uring (" + proof + "): " + filterAdvice
		}
		return "probably a seccomp filter blocks io_uring_setup (" + proof + "): " + filterAdvice + "; it could also be " + s.modules()
	}
	if errno == syscall.ENOSYS {
		return "the kernel, " + release + ", has io_uring and this process has no seccomp filter, yet the call is answered as if there were none: something between them, such as a sandbox that emulates the kernel, does so"
	}
	if statusErr != nil {
		return fmt.Sprintf("either a seccomp filter blocks io_uring_setup or %s does; it cannot be told which (%v)", s.modules(), statusErr)
	}
	return "this process has no seccomp filter and " + s.sysctlText(disabled, sysctlErr) + "; it is " + s.modules() + " that refuses, or something that cannot be seen from here"
}

func (s system) sysctlText(disabled int, err error) string {
	if err != nil {
		return disabledSysctl + " is not there to forbid it"
	}
	return fmt.Sprintf("%s is %d, which does not forbid it", disabledSysctl, disabled)
}

// modules names what a security module that refuses could be.
func (s system) modules() string {
	list, err := s.SecurityModules()
	if err != nil || len(list) == 0 {
		return "a security module"
	}
	return "a security module (active: " + strings.Join(list, ", ") + ")"
}

// disabled explains EPERM by the sysctl kernel.io_uring_disabled, "" if that
// does not forbid io_uring to this process.
func (s system) disabled() string {
	switch v, err := s.Sysctl("kernel/io_uring_disabled"); {
	case err != nil || v <= 0:
		return ""
	case v >= 2:
		return fmt.Sprintf("%s is %d, which forbids io_uring to every process: set it to 0 (sysctl -w %s=0), or to 1 for privileged ones", disabledSysctl, v, disabledSysctl)
	}
	const needs = disabledSysctl + " is 1, which allows io_uring to processes with CAP_SYS_ADMIN and to members of the group kernel.io_uring_group"
	group, groupErr := s.Sysctl("kernel/io_uring_group")
	status, statusErr := s.Status()
	if statusErr != nil {
		return fmt.Sprintf("%s; whether this process is one cannot be told (%v)", needs, statusErr)
	}
	if groupErr == nil && group >= 0 && slices.Contains(status.Groups, group) {
		// A group id means another group in another user namespace.
		if foreign, err := s.Foreign(); err == nil && !foreign {
			return ""
		}
	}
	advice := "run it with CAP_SYS_ADMIN, or set " + disabledSysctl + " to 0"
	switch {
	case groupErr != nil:
	case group < 0:
		advice = "set that group (it is -1, which is none) to one of this process's, or " + advice
	default:
		advice = fmt.Sprintf("join that group (%d), or ", group) + advice
	}
	if status.Capable(unix.CAP_SYS_ADMIN) {
		foreign, err := s.Foreign()
		if err == nil && !foreign {
			return ""
		}
		return needs + "; this process's CAP_SYS_ADMIN holds in a user namespace of its own only: " + advice
	}
	return needs + ", and this process is neither: " + advice
}

// memory explains ENOMEM. plain is a ring of one entry that could be made, nil
// if not even that could.
func (s system) memory(entries uint32, p sys.Params, plain *sys.Params) string {
	need := ringMemory(entries, &p)
	size := fmt.Sprintf("this ring needs %s of memory", kibibytes(need))
	if plain != nil && plain.Features&sys.IORING_FEAT_NATIVE_WORKERS == 0 {
		// Only kernels before 5.12 charge rings to RLIMIT_MEMLOCK, and only for
		// processes without CAP_IPC_LOCK.
		limit, err := s.Rlimit(unix.RLIMIT_MEMLOCK)
		status, statusErr := s.Status()
		if err == nil && limit != host.Unlimited && (statusErr != nil || !status.Capable(unix.CAP_IPC_LOCK)) {
			return fmt.Sprintf("%s, and before Linux 5.12 all rings of a user count against RLIMIT_MEMLOCK, which is %s here; a ring of one entry can be made: ask for fewer entries, or raise the limit (ulimit -l)", size, kibibytes(limit))
		}
	}
	if p.Flags&sys.IORING_SETUP_NO_MMAP != 0 {
		if n, err := s.HugePages(); err == nil && n == 0 && need > uint64(os.Getpagesize()) {
			return size + " that IORING_SETUP_NO_MMAP takes from huge pages, of which none is free: reserve some (sysctl -w vm.nr_hugepages=N), or lend the ring memory"
		}
	}
	var why string
	if plain == nil {
		why = "not even a ring of one entry can be made"
		limit, err := s.Rlimit(unix.RLIMIT_MEMLOCK)
		if err == nil && limit != host.Unlimited {
			why += fmt.Sprintf("; on kernels before 5.12 all rings of a user count against RLIMIT_MEMLOCK, which is %s here (ulimit -l)", kibibytes(limit))
		}
	} else {
		why = size + "; a ring of one entry can be made"
	}
	if l, ok := s.MemoryLimit(); ok {
		why += fmt.Sprintf("; %s allows %s, of which %s are in use", l.File, kibibytes(l.Max), kibibytes(l.Used))
	}
	if plain == nil {
		return why
	}
	return why + "; before Linux 6.10 the kernel also needs it in few large pieces, which may not be free"
}

func kibibytes(n uint64) string {
	return fmt.Sprintf("%d KiB", (n+1023)/1024)
}

// ringMemory is about what the kernel allocates for a ring: two areas, each
// rounded up to a power of two of pages.
func ringMemory(entries uint32, p *sys.Params) uint64 {
	const header = 320
	sq, cq := sys.RingEntries(entries, p)
	sqe, cqe := uint64(64), uint64(16)
	if p.Flags&sys.IORING_SETUP_SQE128 != 0 {
		sqe *= 2
	}
	if p.Flags&sys.IORING_SETUP_CQE32 != 0 {
		cqe *= 2
	}
	area := func(n uint64) uint64 {
		size := uint64(os.Getpagesize())
		for size < n {
			size *= 2
		}
		return size
	}
	return area(uint64(sq)*sqe) + area(header+uint64(cq)*cqe+uint64(sq)*4)
}

// companions are the flags without which the kernel refuses a flag whatever else
// it thinks of it. Where one of several will do, it is the one that was asked
// for.
func companions(flag, asked sys.SetupFlags) sys.SetupFlags {
	switch flag {
	case sys.IORING_SETUP_SQ_AFF:
		return sys.IORING_SETUP_SQPOLL
	case sys.IORING_SETUP_TASKRUN_FLAG:
		if asked&sys.IORING_SETUP_COOP_TASKRUN != 0 {
			return sys.IORING_SETUP_COOP_TASKRUN
		}
		return sys.IORING_SETUP_DEFER_TASKRUN | sys.IORING_SETUP_SINGLE_ISSUER
	case sys.IORING_SETUP_DEFER_TASKRUN:
		return sys.IORING_SETUP_SINGLE_ISSUER
	case sys.IORING_SETUP_HYBRID_IOPOLL:
		return sys.IORING_SETUP_IOPOLL
	case sys.IORING_SETUP_REGISTERED_FD_ONLY:
		return sys.IORING_SETUP_NO_MMAP
	}
	return 0
}

// culprit finds what about p it is that the kernel refuses with errno, when a
// plain ring can be made, which has the given features.
func (s system) culprit(errno syscall.Errno, entries uint32, p sys.Params, features sys.FeatFlags) string {
	refuses := func(flags sys.SetupFlags, change func(*sys.Params)) bool {
		q := sys.Params{Flags: flags, SQThreadCPU: p.SQThreadCPU, SQThreadIdle: p.SQThreadIdle, WQFd: p.WQFd, CQEntries: 2}
		if change != nil {
			change(&q)
		}
		return errors.Is(s.ring(1, &q), errno)
	}
	var refused sys.SetupFlags
	for flag := range eachFlag(p.Flags) {
		if refuses(flag|companions(flag, p.Flags), nil) {
			refused |= flag
		}
	}
	// A flag that fails only because of its companion is not to blame.
	blamed := refused
	for flag := range eachFlag(refused) {
		if companions(flag, p.Flags)&refused != 0 {
			blamed &^= flag
		}
	}
	if blamed != 0 {
		var why []string
		for flag := range eachFlag(blamed) {
			why = append(why, s.blame(errno, flag, p, features, refuses))
		}
		return strings.Join(why, "; ")
	}
	if !refuses(p.Flags, nil) {
		return fmt.Sprintf("a ring of one entry with the same flags can be made: it is the size, %d entries, that is refused", entries)
	}
	// No single flag: take away what the refusal does not need.
	least := p.Flags
	for flag := range eachFlag(p.Flags) {
		rest := least &^ flag
		if sys.CheckSetup(1, &sys.Params{Flags: rest, CQEntries: 2}) == nil && refuses(rest, nil) {
			least = rest
		}
	}
	why := s.kernel() + " refuses the combination " + least.String()
	if least&^sys.IORING_SETUP_SQ_AFF == sys.IORING_SETUP_ATTACH_WQ|sys.IORING_SETUP_SQPOLL {
		why += ": the ring to attach to must itself have been made with IORING_SETUP_SQPOLL"
	}
	return why
}

// blame says what is wrong with a flag that the kernel refuses though its
// companions are there.
func (s system) blame(errno syscall.Errno, flag sys.SetupFlags, p sys.Params, features sys.FeatFlags, refuses func(sys.SetupFlags, func(*sys.Params)) bool) string {
	switch {
	case flag == sys.IORING_SETUP_SQ_AFF:
		cpus, err := s.cpus()
		if err == nil && len(cpus) > 0 && !refuses(flag|sys.IORING_SETUP_SQPOLL, func(q *sys.Params) { q.SQThreadCPU = uint32(cpus[0]) }) {
			return fmt.Sprintf("SQThreadCPU is %d, and the kernel's thread cannot run there: this process may use the CPUs %v", p.SQThreadCPU, cpus)
		}
	case flag == sys.IORING_SETUP_SQPOLL && errno == syscall.EPERM:
		return s.kernel() + " allows IORING_SETUP_SQPOLL to privileged processes only: before Linux 5.11 it needs CAP_SYS_ADMIN, before 5.13 CAP_SYS_NICE"
	case flag == sys.IORING_SETUP_SQPOLL && errno == syscall.EAGAIN:
		return "the kernel's thread (IORING_SETUP_SQPOLL) cannot be started: " + s.threads()
	case flag == sys.IORING_SETUP_ATTACH_WQ && (errno != syscall.EINVAL || features&sys.IORING_FEAT_CUR_PERSONALITY != 0):
		// The feature came in the same release as the flag.
		return fmt.Sprintf("IORING_SETUP_ATTACH_WQ: descriptor %d is not a ring to attach to", p.WQFd)
	case errno != syscall.EINVAL:
		return "it is for " + flag.String() + " that the kernel refuses; why, it does not say"
	}
	return s.kernel() + " refuses " + flag.String() + ", which came with Linux " + flag.Since()
}

// threads says which limit on threads there is.
func (s system) threads() string {
	if l, ok := s.TaskLimit(); ok {
		return fmt.Sprintf("%s allows %d threads, of which %d are in use", l.File, l.Max, l.Used)
	}
	if n, err := s.Rlimit(unix.RLIMIT_NPROC); err == nil && n != host.Unlimited {
		return fmt.Sprintf("RLIMIT_NPROC allows this user %d threads (ulimit -u)", n)
	}
	return "the system has no room for another thread"
}

// kernel names the running kernel.
func (s system) kernel() string {
	release, _, err := s.Release()
	if err != nil {
		return "this kernel"
	}
	return "this kernel, " + release + ","
}

// eachFlag yields the bits of v, lowest first.
func eachFlag(v sys.SetupFlags) func(yield func(sys.SetupFlags) bool) {
	return func(yield func(sys.SetupFlags) bool) {
		for ; v != 0; v &= v - 1 {
			if !yield(v & -v) {
				return
			}
		}
	}
}
