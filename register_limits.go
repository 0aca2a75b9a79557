package uring

// What requests may do, and in whose name: restrictions and filters, which take
// permissions away for good, and personalities.

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// RegisterPersonality has the ring remember the calling thread's credentials and
// returns their id. A request with that id in SQE.Personality is carried out with
// them. A goroutine that changes its thread's credentials first calls
// runtime.LockOSThread.
//
// liburing: io_uring_register_personality   kernel: 5.6
func (r *Ring) RegisterPersonality() (id uint16, err error) {
	n, err := r.register(sys.IORING_REGISTER_PERSONALITY, nil, 0)
	if err == nil && (n < 0 || n > math.MaxUint16) {
		err = fmt.Errorf("uring: the kernel answered personality %d, which no request can name", n)
	}
	return uint16(n), err
}

// UnregisterPersonality forgets credentials. It is EINVAL if there are none with
// that id.
//
// liburing: io_uring_unregister_personality   kernel: 5.6
func (r *Ring) UnregisterPersonality(id uint16) error {
	_, err := r.register(sys.IORING_UNREGISTER_PERSONALITY, nil, uint32(id))
	return explain(err, syscall.EINVAL, "the ring has no personality %d", id)
}

// Restrictions say what a ring may be used for. The zero value forbids everything.
//
// Linux 7.0 restricts requests only if something is said about them (Ops, Allowed
// or Required), and registration only if RegisterOps is not empty; if nothing is
// said at all it forbids everything. Older kernels always restrict both.
type Restrictions struct {
	Ops         []sys.Op         // operations that requests may have
	RegisterOps []sys.RegisterOp // operations of io_uring_register(2) that may be called
	Allowed     sys.SQEFlags     // flags that requests may have
	Required    sys.SQEFlags     // flags that requests must have
}

// table returns the restrictions as the kernel takes them.
func (s *Restrictions) table(method string) ([]sys.Restriction, error) {
	var t []sys.Restriction
	for _, op := range s.RegisterOps {
		if op > math.MaxUint8 {
			return nil, refuse(method, "register operation %#x; the last possible is %d", uint32(op), math.MaxUint8)
		}
		t = append(t, sys.Restriction{Opcode: sys.IORING_RESTRICTION_REGISTER_OP, Arg: uint8(op)})
	}
	for _, op := range s.Ops {
		t = append(t, sys.Restriction{Opcode: sys.IORING_RESTRICTION_SQE_OP, Arg: uint8(op)})
	}
	if s.Allowed != 0 {
		t = append(t, sys.Restriction{Opcode: sys.IORING_RESTRICTION_SQE_FLAGS_ALLOWED, Arg: uint8(s.Allowed)})
	}
	if s.Required != 0 {
		t = append(t, sys.Restriction{Opcode: sys.IORING_RESTRICTION_SQE_FLAGS_REQUIRED, Arg: uint8(s.Required)})
	}
	return t, nil
}

// RegisterRestrictions restricts a ring that was made with IORING_SETUP_R_DISABLED
// and is not enabled yet, once and for good. From Enable on (Linux 7.0: at once) a
// request that is not permitted completes with EACCES, and a registration fails
// with it. Enable itself needs no permission before Linux 7.0 and
// IORING_REGISTER_ENABLE_RINGS in RegisterOps from there on.
//
// It is EBUSY if the ring has restrictions, EBADFD if it is enabled, EINVAL for an
// operation that the kernel does not know.
//
// liburing: io_uring_register_restrictions   kernel: 5.10
func (r *Ring) RegisterRestrictions(s Restrictions) error {
	if err := r.usable(); err != nil {
		return err
	}
	t, err := s.table("RegisterRestrictions")
	if err != nil {
		return err
	}
	n := uint32(len(t))
	if n == 0 {
		t = make([]sys.Restriction, 1) // the kernel wants an address
	}
	_, err = r.register(sys.IORING_REGISTER_RESTRICTIONS, elements(t), n)
	err = explain(err, syscall.EBUSY, "the ring has restrictions already")
	return explain(err, syscall.EINVAL, "an operation in Restrictions that the kernel does not know")
}

// Enable starts a ring that was made with IORING_SETUP_R_DISABLED. With
// IORING_SETUP_SINGLE_ISSUER the ring belongs to the calling thread from then on.
// A ring that is enabled already is EBADFD, or EACCES if its restrictions forbid
// the call.
//
// liburing: io_uring_enable_rings   kernel: 5.10
func (r *Ring) Enable() error {
	_, err := r.register(sys.IORING_REGISTER_ENABLE_RINGS, nil, 0)
	return err
}

// RegisterTaskRestrictions restricts every ring that the calling thread makes from
// now on, and those of threads it starts, for good. The Go runtime starts threads
// from whichever thread it likes: call it early on a locked thread, and make the
// rings there. It needs no_new_privs (prctl(2)) or CAP_SYS_ADMIN: else it is
// EACCES. It is EPERM if the thread is restricted already, EINVAL for an operation
// that the kernel does not know, errors.ErrUnsupported on a kernel that cannot do it.
//
// kernel: 7.0
func RegisterTaskRestrictions(s Restrictions) error {
	return registerTaskRestrictions(registerRingless, s)
}

func registerTaskRestrictions(call ringless, s Restrictions) error {
	const method, op = "RegisterTaskRestrictions", sys.IORING_REGISTER_RESTRICTIONS
	t, err := s.table(method)
	if err != nil {
		return err
	}
	// The restrictions follow their header, which has their size.
	arg := make([]sys.Restriction, 1, 1+len(t))
	setTaskRestriction(&arg[0], uint16(len(t)))
	_, err = call(op, elements(append(arg, t...)), 1)
	return taskError(call, op, err, "an operation in Restrictions that the kernel does not know")
}

// taskError says what EINVAL stands for in a call that limits a task: a kernel
// without such calls, or one that has them and something to object to.
func taskError(call ringless, op sys.RegisterOp, err error, objection string) error {
	if errors.Is(err, syscall.EINVAL) {
		q, _ := query[sys.QueryOpcode](call, sys.IO_URING_QUERY_OPCODES)
		if q.NrRegisterOpcodes > uint32(sys.IORING_REGISTER_BPF_FILTER) {
			return explain(err, syscall.EINVAL, "%s", objection)
		}
	}
	return unsupportedRingless(op, sys.IORING_REGISTER_BPF_FILTER.Since(), err)
}

// A BPFInstruction is an instruction of classic BPF: struct sock_filter.
type BPFInstruction struct {
	Code   uint16
	JT, JF uint8
	K      uint32
}

// A BPFFilter decides about requests of one operation: a classic BPF program that
// is run on a sys.BPFCtx when such a request is taken. If it returns 0 the request
// completes with EACCES. Only loads of aligned 32-bit words of the context,
// arithmetic, jumps and returns are permitted. Of several filters for an operation
// all must agree.
type BPFFilter struct {
	Op      sys.Op
	Program []BPFInstruction
	// Flags are IO_URING_BPF_FILTER_ bits: DENY_REST forbids the operations that
	// have no filter, SZ_STRICT makes the registration fail if PDUSize is not what
	// the kernel has for the operation.
	Flags uint32
	// PDUSize is how many bytes of sys.BPFCtx.PDU the program expects.
	PDUSize uint8
}

// maxBPF is the kernel's limit for a program of classic BPF.
const maxBPF = 4096

func (f *BPFFilter) register(method string, call ringless) error {
	if len(f.Program) == 0 || len(f.Program) > maxBPF {
		return refuse(method, "a program of %d instructions; it has 1 to %d", len(f.Program), maxBPF)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := &sys.BPF{
		CmdType: sys.IO_URING_BPF_CMD_FILTER,
		Filter: sys.BPFFilter{
			Opcode:    uint32(f.Op),
			Flags:     f.Flags,
			FilterLen: uint32(len(f.Program)),
			PDUSize:   f.PDUSize,
			FilterPtr: addressIn(&pin, f.Program),
		},
	}
	_, err := call(sys.IORING_REGISTER_BPF_FILTER, sys.PointerTo(arg), 1)
	return err
}

// RegisterBPFFilter adds a filter to the ring, for good.
//
// It is EINVAL for an operation that the kernel does not know or an instruction
// that it does not permit, EMSGSIZE for a PDUSize that disagrees.
//
// liburing: io_uring_register_bpf_filter   kernel: 7.0
func (r *Ring) RegisterBPFFilter(f BPFFilter) error {
	if err := r.usable(); err != nil {
		return err
	}
	return f.register("RegisterBPFFilter", r.register)
}

// RegisterTaskBPFFilter adds a filter to every ring that the calling thread makes
// from now on, and those of threads it starts, for good. What
// RegisterTaskRestrictions says about threads, privileges and kernels holds here.
//
// liburing: io_uring_register_bpf_filter_task   kernel: 7.0
func RegisterTaskBPFFilter(f BPFFilter) error {
	return registerTaskBPFFilter(registerRingless, f)
}

func registerTaskBPFFilter(call ringless, f BPFFilter) error {
	err := f.register("RegisterTaskBPFFilter", call)
	if _, refused := errors.AsType[*os.SyscallError](err); !refused {
		return err // not asked
	}
	return taskError(call, sys.IORING_REGISTER_BPF_FILTER, err, "a filter for an operation that the kernel does not know, or with instructions that it does not permit")
}
