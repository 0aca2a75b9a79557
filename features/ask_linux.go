package features

// How each kind of constant is asked for.

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

const builtWithout = "this kernel was built without it"

// known asks IORING_REGISTER_QUERY with is; without that, it tries.
func known(is func(sys.QueryOpcode) bool, try func() error) error {
	q, err := askQuery()
	if err != nil {
		return try()
	}
	if !is(q) {
		return no
	}
	return nil
}

// Operations. IORING_REGISTER_QUERY tells how many numbers are taken, and can
// only say no: the kernel may have been built without one of them.
func askOp(op sys.Op) error {
	q, queryErr := askQuery()
	if queryErr == nil && uint32(op) >= q.NrRequestOpcodes {
		return no
	}
	p, err := askProbe()
	switch {
	case err != nil:
		return err
	case int(op) >= int(p.OpsLen):
		return no
	case p.ops[op].Flags&sys.IO_URING_OP_SUPPORTED == 0:
		return &missing{builtWithout}
	}
	return nil
}

// probe is the argument of IORING_REGISTER_PROBE with room for every number.
type probe struct {
	sys.Probe
	ops [256]sys.ProbeOp
}

// probed remembers the answer of IORING_REGISTER_PROBE.
var probed struct {
	mu  sync.Mutex
	ok  bool
	arg probe
}

func askProbe() (*probe, error) {
	p := &probed
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ok {
		return &p.arg, nil
	}
	err := withRing(0, func(t *trial) error {
		p.arg = probe{}
		_, err := t.Register(sys.IORING_REGISTER_PROBE, sys.PointerTo(&p.arg), uint32(len(p.arg.ops)))
		return err
	})
	p.ok = err == nil
	return &p.arg, err
}

// Feature bits are in what the kernel makes of any ring.
func askFeature(f sys.FeatFlags) error {
	return known(
		func(q sys.QueryOpcode) bool { return q.FeatureFlags&uint64(f) != 0 },
		func() error { return tryFeature(f) })
}

func tryFeature(f sys.FeatFlags) error {
	p, err := askPlainRing()
	if err == nil && p.Features&f == 0 {
		return no
	}
	return err
}

func askSetup(f sys.SetupFlags) error {
	return known(
		func(q sys.QueryOpcode) bool { return q.RingSetupFlags&uint64(f) != 0 },
		func() error { return trySetup(f) })
}

// setupNeeds has the flags without which a flag is refused by every kernel. They
// are no younger than the flag.
var setupNeeds = map[sys.SetupFlags]sys.SetupFlags{
	sys.IORING_SETUP_SQ_AFF:             sys.IORING_SETUP_SQPOLL,
	sys.IORING_SETUP_TASKRUN_FLAG:       sys.IORING_SETUP_COOP_TASKRUN,
	sys.IORING_SETUP_DEFER_TASKRUN:      sys.IORING_SETUP_SINGLE_ISSUER,
	sys.IORING_SETUP_REGISTERED_FD_ONLY: sys.IORING_SETUP_NO_MMAP,
	sys.IORING_SETUP_HYBRID_IOPOLL:      sys.IORING_SETUP_IOPOLL,
}

// trySetup makes a ring with the flag. The kernel refuses flags that it does not
// know with EINVAL, before anything else can go wrong with them.
func trySetup(f sys.SetupFlags) error {
	return withRing(0, func(t *trial) error {
		p := sys.Params{Flags: f | setupNeeds[f], CQEntries: 8, WQFd: uint32(t.Fd())}
		var cpus unix.CPUSet
		if err := unix.SchedGetaffinity(0, &cpus); err != nil {
			return os.NewSyscallError("sched_getaffinity", err)
		}
		for !cpus.IsSet(int(p.SQThreadCPU)) {
			p.SQThreadCPU++
		}
		r, err := purego.New(4, &p)
		if err == nil {
			return r.Close()
		}
		var call *os.SyscallError
		if !errors.As(err, &call) || call.Syscall != "io_uring_setup" {
			return err
		}
		switch {
		case errors.Is(err, syscall.EINVAL):
			return no
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
			// A plain ring was allowed, so it is this flag that is not, and the
			// kernel knows it.
			return nil
		}
		return err
	})
}

func askEnter(f sys.EnterFlags) error {
	return known(
		func(q sys.QueryOpcode) bool { return q.EnterFlags&uint64(f) != 0 },
		func() error { return tryEnter(f) })
}

// tryEnter enters with the flag, to do nothing. An unknown flag is EINVAL. What
// flags mean for the argument matters only to a call that waits.
func tryEnter(f sys.EnterFlags) error {
	return withRing(0, func(t *trial) error {
		if f == sys.IORING_ENTER_REGISTERED_RING {
			// Only with the descriptor's index it is not EINVAL or EBADF.
			if err := t.RegisterRingFd(); errors.Is(err, syscall.EINVAL) {
				return no
			} else if err != nil {
				return err
			}
			if err := t.Wait(sys.Wait{Flags: sys.IORING_ENTER_GETEVENTS}); err != nil && !errors.Is(err, syscall.EINTR) {
				return err
			}
			return nil
		}
		switch errno := enter(t.Fd(), f); errno {
		case 0, syscall.EINTR:
			return nil
		case syscall.EINVAL:
			return no
		default:
			return os.NewSyscallError("io_uring_enter", errno)
		}
	})
}

func askSQEFlag(f sys.SQEFlags) error {
	return known(
		func(q sys.QueryOpcode) bool { return q.SQEFlags&uint64(f) != 0 },
		func() error { return trySQEFlag(f) })
}

// trySQEFlag submits a NOP with the flag. An unknown flag is EINVAL; a known one
// that a NOP has no use for is ignored or another error.
func trySQEFlag(f sys.SQEFlags) error {
	return withRing(0, func(t *trial) error {
		first, err := t.send(func(s *sys.SQE) { s.PrepNop(); s.Fd = -1; s.Flags = f })
		if err != nil {
			return err
		}
		// With IOSQE_CQE_SKIP_SUCCESS a success shows only by another request's
		// completion: completions of NOPs come in order.
		second, err := t.send(func(s *sys.SQE) { s.PrepNop() })
		if err != nil {
			return err
		}
		if _, err := t.next(second); err != nil {
			return err
		}
		for _, c := range t.seen {
			if c.UserData == first && c.Res == -int32(syscall.EINVAL) {
				return no
			}
		}
		if f == sys.IOSQE_CQE_SKIP_SUCCESS {
			delete(t.open, first)
		}
		return nil
	})
}

func askRegisterOp(op sys.RegisterOp) error {
	q, err := askQuery()
	switch {
	case err == nil && uint32(op) >= q.NrRegisterOpcodes:
		return no
	case err == nil && !optional[op]:
		return nil
	case err != nil && op > sys.IORING_REGISTER_QUERY:
		// Numbers are given out in order.
		return tryRegisterOp(sys.IORING_REGISTER_QUERY)
	}
	tried := tryRegisterOp(op)
	if err == nil && tried == error(no) {
		// The kernel knows the number.
		return &missing{builtWithout}
	}
	return tried
}

// optional are the register operations that a kernel can be built without while
// it knows their numbers.
var optional = map[sys.RegisterOp]bool{
	sys.IORING_REGISTER_NAPI:       true, // CONFIG_NET_RX_BUSY_POLL
	sys.IORING_UNREGISTER_NAPI:     true,
	sys.IORING_REGISTER_ZCRX_IFQ:   true, // CONFIG_IO_URING_ZCRX
	sys.IORING_REGISTER_ZCRX_CTRL:  true,
	sys.IORING_REGISTER_BPF_FILTER: true, // CONFIG_IO_URING_BPF
}

// registerTrial is a call that a kernel which knows the operation does not
// answer with EINVAL, and that does nothing.
type registerTrial struct {
	bad   bool   // the argument is badAddress, and not nil
	n     uint32 // the number of arguments, or their size
	setup sys.SetupFlags
}

// registerTrials are the calls, by operation. Those with badAddress end with
// EFAULT, or earlier with another errno; the others say that there is nothing to
// unregister, or that the ring is enabled already.
var registerTrials = map[sys.RegisterOp]registerTrial{
	sys.IORING_REGISTER_BUFFERS:          {bad: true, n: 1},
	sys.IORING_UNREGISTER_BUFFERS:        {},
	sys.IORING_REGISTER_FILES:            {bad: true, n: 1},
	sys.IORING_UNREGISTER_FILES:          {},
	sys.IORING_REGISTER_EVENTFD:          {bad: true, n: 1},
	sys.IORING_UNREGISTER_EVENTFD:        {},
	sys.IORING_REGISTER_FILES_UPDATE:     {bad: true, n: 1},
	sys.IORING_REGISTER_EVENTFD_ASYNC:    {bad: true, n: 1},
	sys.IORING_REGISTER_PROBE:            {bad: true, n: 1},
	sys.IORING_REGISTER_RESTRICTIONS:     {bad: true, n: 1},
	sys.IORING_REGISTER_ENABLE_RINGS:     {},
	sys.IORING_REGISTER_FILES2:           {bad: true, n: 32},
	sys.IORING_REGISTER_FILES_UPDATE2:    {bad: true, n: 32},
	sys.IORING_REGISTER_BUFFERS2:         {bad: true, n: 32},
	sys.IORING_REGISTER_BUFFERS_UPDATE:   {bad: true, n: 32},
	sys.IORING_REGISTER_IOWQ_AFF:         {bad: true, n: 8},
	sys.IORING_UNREGISTER_IOWQ_AFF:       {}, // of the trial's thread
	sys.IORING_REGISTER_IOWQ_MAX_WORKERS: {bad: true, n: 2},
	sys.IORING_REGISTER_RING_FDS:         {bad: true, n: 1},
	sys.IORING_UNREGISTER_RING_FDS:       {bad: true, n: 1},
	sys.IORING_REGISTER_PBUF_RING:        {bad: true, n: 1},
	sys.IORING_UNREGISTER_PBUF_RING:      {bad: true, n: 1},
	sys.IORING_REGISTER_SYNC_CANCEL:      {bad: true, n: 1},
	sys.IORING_REGISTER_FILE_ALLOC_RANGE: {bad: true},
	sys.IORING_REGISTER_PBUF_STATUS:      {bad: true, n: 1},
	sys.IORING_REGISTER_NAPI:             {bad: true, n: 1},
	sys.IORING_UNREGISTER_NAPI:           {bad: true, n: 1},
	sys.IORING_REGISTER_CLOCK:            {bad: true},
	sys.IORING_REGISTER_CLONE_BUFFERS:    {bad: true, n: 1},
	sys.IORING_REGISTER_ZCRX_IFQ:         {bad: true, n: 1, setup: sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN | sys.IORING_SETUP_CQE32},
	sys.IORING_REGISTER_RESIZE_RINGS:     {bad: true, n: 1, setup: sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN},
	sys.IORING_REGISTER_MEM_REGION:       {bad: true, n: 1},
	sys.IORING_REGISTER_ZCRX_CTRL:        {bad: true},
	sys.IORING_REGISTER_BPF_FILTER:       {bad: true, n: 1},
}

func tryRegisterOp(op sys.RegisterOp) error {
	switch op {
	case sys.IORING_REGISTER_SEND_MSG_RING:
		// It takes no ring. An older kernel finds no ring behind the descriptor.
		switch _, errno := register(-1, op, badAddress, 1); errno {
		case syscall.EFAULT:
			return nil
		case syscall.EBADF, syscall.EINVAL:
			return no
		default:
			return ringError(sys.RegisterError(op, errno))
		}
	case sys.IORING_REGISTER_QUERY:
		_, err := askQuery()
		if err == errNoQuery {
			return no
		}
		return err
	}
	call := registerTrials[op]
	err := withRing(call.setup, func(t *trial) error {
		if op == sys.IORING_REGISTER_PERSONALITY || op == sys.IORING_UNREGISTER_PERSONALITY {
			return personality(t.Fd(), op)
		}
		arg := uintptr(0)
		if call.bad {
			arg = badAddress
		}
		switch _, errno := register(t.Fd(), op, arg, call.n); errno {
		case syscall.EINVAL:
			return no
		case syscall.EOPNOTSUPP:
			return &missing{builtWithout}
		case syscall.ENOMEM, syscall.EINTR, syscall.ENOSYS:
			return sys.RegisterError(op, errno)
		}
		return nil
	})
	if call.setup != 0 && errors.Is(err, syscall.EINVAL) {
		// Kernels without these setup flags are older than the operation.
		if plain := trySetup(sys.IORING_SETUP_DEFER_TASKRUN); plain == error(no) {
			return no
		}
	}
	return err
}

// personality registers one with the trial's ring and unregisters it: without
// one, the second call is EINVAL.
func personality(fd int, op sys.RegisterOp) error {
	id, errno := register(fd, sys.IORING_REGISTER_PERSONALITY, 0, 0)
	if errno == 0 {
		_, errno = register(fd, sys.IORING_UNREGISTER_PERSONALITY, 0, uint32(id))
	}
	switch errno {
	case 0:
		return nil
	case syscall.EINVAL:
		return no
	}
	return sys.RegisterError(op, errno)
}
