package scenario

// What the kernel can do: asked of the kernel, by its own lists where it has
// them and by trying elsewhere, never read from its version. The questions go
// through a ring of package purego, which every build has.

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

// needs returns what a mode needs.
func (m Mode) needs() []Need {
	needs := []Need{needSetup(m.Setup())}
	switch m {
	case SQPoll:
		// Without it the thread takes registered files only.
		needs = append(needs, needFeature(sys.IORING_FEAT_SQPOLL_NONFIXED))
	case RingFd:
		needs = append(needs, needRegister(sys.IORING_REGISTER_RING_FDS))
	}
	return needs
}

// needSetup needs a ring with these setup flags.
func needSetup(flags sys.SetupFlags) Need {
	what := "rings"
	if flags != 0 {
		what = flags.String()
	}
	return Need{what, func() (bool, error) {
		r, err := purego.New(8, &sys.Params{Flags: flags})
		if err != nil {
			if flags != 0 && errors.Is(err, syscall.EINVAL) {
				return false, nil
			}
			return false, err
		}
		return true, r.Close()
	}}
}

// needFeature needs features that the kernel announces.
func needFeature(f sys.FeatFlags) Need {
	return Need{f.String(), func() (bool, error) {
		r, err := purego.New(8, nil)
		if err != nil {
			return false, err
		}
		return r.Params().Features&f == f, r.Close()
	}}
}

// needOp needs operations that the kernel's probe lists.
func needOp(ops ...sys.Op) Need {
	return Need{names(ops), func() (bool, error) {
		supported, err := supportedOps()
		for _, op := range ops {
			if !supported[op] {
				return false, err
			}
		}
		return true, err
	}}
}

// names writes operations as a sentence has them.
func names[T fmt.Stringer](ops []T) string {
	all := make([]string, len(ops))
	for i, op := range ops {
		all[i] = op.String()
	}
	return strings.Join(all, " or ")
}

var supportedOps = sync.OnceValues(func() (map[sys.Op]bool, error) {
	r, err := purego.New(8, nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var probe struct {
		sys.Probe
		Ops [256]sys.ProbeOp
	}
	if _, err := r.Register(sys.IORING_REGISTER_PROBE, sys.PointerTo(&probe), uint32(len(probe.Ops))); err != nil {
		return nil, err
	}
	supported := map[sys.Op]bool{}
	for i := range probe.OpsLen {
		if p := probe.Ops[i]; p.Flags&sys.IO_URING_OP_SUPPORTED != 0 {
			supported[p.Op] = true
		}
	}
	return supported, nil
})

// needRegister needs operations of io_uring_register(2). Each is called in a way
// that does nothing; a kernel that does not know it answers EINVAL, which such a
// call gives for no other reason.
func needRegister(ops ...sys.RegisterOp) Need {
	return Need{names(ops), func() (bool, error) {
		for _, op := range ops {
			try, ok := registerTrials[op]
			if !ok {
				return false, fmt.Errorf("no trial for %v", op)
			}
			if known, err := tryRegister(try); !known {
				return false, err
			}
		}
		return true, nil
	}}
}

// A trial calls for a registration in a way that EINVAL can only mean that the
// kernel does not know it.
type trial func(r *purego.Ring) error

func tryRegister(try trial) (known bool, err error) {
	r, err := purego.New(8, nil)
	if err != nil {
		return false, err
	}
	defer r.Close()
	return !errors.Is(try(r), syscall.EINVAL), nil
}

// registers is a trial that makes one call; what it answers besides EINVAL does
// not matter.
func registers[T any](op sys.RegisterOp, arg T, n uint32) trial {
	return func(r *purego.Ring) error {
		_, err := r.Register(op, sys.PointerTo(&arg), n)
		return err
	}
}

// registerTrials has one for every operation that a scenario needs by name.
var registerTrials = map[sys.RegisterOp]trial{
	sys.IORING_REGISTER_RING_FDS: (*purego.Ring).RegisterRingFd,
	// A ring without files to cancel requests of: ENOENT.
	sys.IORING_REGISTER_SYNC_CANCEL: registers(sys.IORING_REGISTER_SYNC_CANCEL,
		sys.SyncCancelReg{Addr: 1, Fd: -1, Timeout: sys.Timespec{Sec: -1, Nsec: -1}}, 1),
	// A source that is no ring: EBADF.
	sys.IORING_REGISTER_CLONE_BUFFERS: registers(sys.IORING_REGISTER_CLONE_BUFFERS,
		sys.CloneBuffers{SrcFd: 1<<31 - 1}, 1),
	// Tables of one empty slot.
	sys.IORING_REGISTER_FILES2: registers(sys.IORING_REGISTER_FILES2,
		sys.RsrcRegister{Nr: 1, Flags: sys.IORING_RSRC_REGISTER_SPARSE}, sizeofRsrcRegister),
	sys.IORING_REGISTER_BUFFERS2: registers(sys.IORING_REGISTER_BUFFERS2,
		sys.RsrcRegister{Nr: 1, Flags: sys.IORING_RSRC_REGISTER_SPARSE}, sizeofRsrcRegister),
	// A group that does not exist: ENOENT.
	sys.IORING_UNREGISTER_PBUF_RING: registers(sys.IORING_UNREGISTER_PBUF_RING, sys.BufReg{Bgid: 1}, 1),
	sys.IORING_REGISTER_PBUF_STATUS: registers(sys.IORING_REGISTER_PBUF_STATUS, sys.BufStatus{BufGroup: 1}, 1),
	// It must be within a table.
	sys.IORING_REGISTER_FILE_ALLOC_RANGE: func(r *purego.Ring) error {
		empty := [1]int32{-1}
		if _, err := r.Register(sys.IORING_REGISTER_FILES, sys.PointerTo(&empty), 1); err != nil {
			return err
		}
		_, err := r.Register(sys.IORING_REGISTER_FILE_ALLOC_RANGE, sys.PointerTo(&sys.FileIndexRange{Len: 1}), 0)
		return err
	},
	// Limits of 0 change nothing.
	sys.IORING_REGISTER_IOWQ_MAX_WORKERS: registers(sys.IORING_REGISTER_IOWQ_MAX_WORKERS, [2]uint32{}, 2),
}

// needTrial needs what a small program over a ring finds to work.
func needTrial(what string, works func(t *tryRing) (bool, error)) Need {
	return Need{what, func() (bool, error) {
		b, err := purego.New(8, nil)
		if err != nil {
			return false, err
		}
		t := &tryRing{Ring: uring.NewRing(b)}
		ok, err := works(t)
		err = errors.Join(err, t.Close())
		for _, fd := range t.fds {
			unix.Close(fd)
		}
		return ok, err
	}}
}

// A tryRing is the ring of a trial. Its descriptors are closed after it.
type tryRing struct {
	*uring.Ring
	fds []int
}

// run submits one request and returns n completions: its own, and those of
// requests before it.
func (t *tryRing) run(n int, prepare func(*sys.SQE)) ([]sys.CQE, error) {
	prepare(t.GetSQE())
	if _, err := t.SubmitWait(uring.Wait{N: uint32(n)}); err != nil {
		return nil, err
	}
	got := make([]sys.CQE, n)
	if t.Peek(got) != n {
		return nil, errors.New("a completion that was waited for is not there")
	}
	return got, nil
}

// needRequest needs a request that may complete in any way but with the error by
// which a kernel says that it does not know it.
func needRequest(what string, unknown syscall.Errno, prepare func(*sys.SQE)) Need {
	return needTrial(what, func(t *tryRing) (bool, error) {
		got, err := t.run(1, prepare)
		if err != nil {
			return false, err
		}
		return got[0].Res != -int32(unknown), nil
	})
}

// needOverflow needs a kernel that takes entries while completions wait for room.
var needOverflow = needTrial("submission while completions overflow", func(t *tryRing) (bool, error) {
	for range t.Params().CQEntries + 1 {
		t.GetSQE().PrepNop()
		if _, err := t.Submit(); err != nil {
			return false, err
		}
	}
	t.GetSQE().PrepNop()
	_, err := t.Submit()
	if errors.Is(err, syscall.EBUSY) {
		return false, nil
	}
	return err == nil, err
})

// needLoopback needs IPv4 on the loopback interface.
var needLoopback = Need{"loopback interface", func() (bool, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, nil
	}
	defer unix.Close(fd)
	if unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback.As4()}) != nil || unix.Listen(fd, 1) != nil {
		return false, nil
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return false, err
	}
	c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(c)
	// With the interface down this is ENETUNREACH.
	err = unix.Connect(c, sa)
	return err == nil || err == unix.EINPROGRESS, nil
}}
