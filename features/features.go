package features

// The three answers, what can be asked, and the memory of what was answered.

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/uring-go/uring/sys"
)

// ErrNotSupported is in the error of a Have function when the kernel lacks what
// was asked for. It wraps errors.ErrUnsupported. The reverse test is no
// substitute: an error that says only that nothing could be told may hold
// another errors.ErrUnsupported, such as ENOSYS.
var ErrNotSupported = fmt.Errorf("the kernel does not have it: %w", errors.ErrUnsupported)

// An Answer is one of the three answers, as a word.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown" // it could not be told
)

// AnswerOf returns the answer that an error of a Have function stands for.
func AnswerOf(err error) Answer {
	switch {
	case err == nil:
		return Yes
	case errors.Is(err, ErrNotSupported):
		return No
	}
	return Unknown
}

// A Kind is a group of features.
type Kind string

// The kinds, in the order of [Known].
const (
	Setup      Kind = "setup"       // IORING_SETUP_
	FeatureBit Kind = "feature"     // IORING_FEAT_
	Op         Kind = "op"          // IORING_OP_
	RegisterOp Kind = "register_op" // IORING_REGISTER_, IORING_UNREGISTER_
	EnterFlag  Kind = "enter"       // IORING_ENTER_
	SQEFlag    Kind = "sqe_flag"    // IOSQE_
	Behaviour  Kind = "behaviour"   // what no single constant of the kernel's stands for
)

// A Feature is something that a kernel has or has not.
type Feature struct {
	Kind  Kind
	Name  string // the kernel's name; of a Behaviour the word for it, such as "recv_multishot"
	Since string // the release of Linux that brought it, such as "6.0"

	number uint32 // the constant; of a Behaviour its place in the table
}

// Have asks the kernel for the feature; see the package documentation for what
// the error means.
func (f Feature) Have() error {
	key := key{f.Kind, f.number}
	if err, ok := remembered.get(key); ok {
		return err
	}
	err := ask(f)
	var lacks *missing
	switch {
	case err == nil:
		remembered.put(key, nil)
		return nil
	case errors.As(err, &lacks):
		err = &notSupported{f, lacks.why}
		remembered.put(key, err)
		return err
	}
	return fmt.Errorf("uring: whether the kernel has %s cannot be told: %w", f.Name, err)
}

// ask is have without memory. It returns nil, a *missing, or what stood in the
// way.
func ask(f Feature) error {
	switch f.Kind {
	case Setup:
		return askSetup(sys.SetupFlags(f.number))
	case FeatureBit:
		return askFeature(sys.FeatFlags(f.number))
	case Op:
		return askOp(sys.Op(f.number))
	case RegisterOp:
		return askRegisterOp(sys.RegisterOp(f.number))
	case EnterFlag:
		return askEnter(sys.EnterFlags(f.number))
	case SQEFlag:
		return askSQEFlag(sys.SQEFlags(f.number))
	case Behaviour:
		return askBehaviour(int(f.number))
	}
	return fmt.Errorf("there is no kind %q", f.Kind)
}

// missing is the answer no, on its way from a question to Have.
type missing struct {
	why string // "" if the kernel has just never heard of it
}

func (m *missing) Error() string { return "no" }

var no = &missing{}

// notSupported is the answer no as Have functions return it.
type notSupported struct {
	f   Feature
	why string
}

func (e *notSupported) Error() string {
	s := "uring: the kernel does not have " + e.f.Name
	switch {
	case e.why != "":
		s += ": " + e.why
	case e.f.Since != "":
		s += ", which came with Linux " + e.f.Since
	}
	return s
}

func (e *notSupported) Unwrap() error { return ErrNotSupported }

type key struct {
	kind   Kind
	number uint32
}

// remembered holds the conclusive answers.
var remembered memory

type memory struct {
	mu      sync.Mutex
	answers map[key]error
}

func (m *memory) get(k key) (err error, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err, ok = m.answers[k]
	return err, ok
}

func (m *memory) put(k key, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil {
		m.answers = map[key]error{}
	}
	m.answers[k] = err
}

// HaveOp asks for an operation. A kernel that knows the operation's number but
// was built without what it needs does not have it.
func HaveOp(op sys.Op) error {
	return Feature{Op, op.String(), op.Since(), uint32(op)}.Have()
}

// HaveRegisterOp asks for an operation of io_uring_register(2). With
// IORING_REGISTER_USE_REGISTERED_RING in it, it asks for that way to name the
// ring too (IORING_FEAT_REG_REG_RING, Linux 6.3).
func HaveRegisterOp(op sys.RegisterOp) error {
	if plain := op &^ sys.IORING_REGISTER_USE_REGISTERED_RING; plain != op {
		return worst(HaveFeature(sys.IORING_FEAT_REG_REG_RING), HaveRegisterOp(plain))
	}
	return Feature{RegisterOp, op.String(), op.Since(), uint32(op)}.Have()
}

// HaveSetup asks for setup flags: whether the kernel knows them all, not whether
// they go together. A flag that only privileged processes may use counts as
// known.
func HaveSetup(flags sys.SetupFlags) error {
	return haveBits(Setup, flags)
}

// HaveFeature asks for feature bits: whether rings have them all.
func HaveFeature(flags sys.FeatFlags) error {
	return haveBits(FeatureBit, flags)
}

// HaveEnter asks for flags of io_uring_enter(2): whether the kernel knows them
// all.
func HaveEnter(flags sys.EnterFlags) error {
	return haveBits(EnterFlag, flags)
}

// HaveSQEFlag asks for flags of SQEs: whether the kernel knows them all.
func HaveSQEFlag(flags sys.SQEFlags) error {
	return haveBits(SQEFlag, flags)
}

// flags are the types of constants that are bits.
type flags interface {
	~uint8 | ~uint32
	fmt.Stringer
	Since() string
}

// haveBits asks for each bit by itself. No bits at all are always had.
func haveBits[F flags](kind Kind, v F) error {
	var errs []error
	for ; v != 0; v &= v - 1 {
		errs = append(errs, bit(kind, v&-v).Have())
	}
	return worst(errs...)
}

func bit[F flags](kind Kind, v F) Feature {
	return Feature{kind, v.String(), v.Since(), uint32(v)}
}

// worst returns the answer about several things together: no if one is missing,
// else unknown if one is, else yes.
func worst(errs ...error) error {
	var worst error
	for _, err := range errs {
		switch AnswerOf(err) {
		case No:
			return err
		case Unknown:
			if worst == nil {
				worst = err
			}
		}
	}
	return worst
}

// Known returns everything that this package knows to ask for, in a fixed order.
// It asks nothing.
func Known() []Feature {
	var all []Feature
	all = addBits(all, Setup, sys.SetupFlags(0))
	all = addBits(all, FeatureBit, sys.FeatFlags(0))
	for op := range sys.IORING_OP_LAST {
		all = append(all, Feature{Op, op.String(), op.Since(), uint32(op)})
	}
	for op := range sys.IORING_REGISTER_LAST {
		all = append(all, Feature{RegisterOp, op.String(), op.Since(), uint32(op)})
	}
	all = addBits(all, EnterFlag, sys.EnterFlags(0))
	all = addBits(all, SQEFlag, sys.SQEFlags(0))
	for i, b := range behaviours {
		all = append(all, Feature{Behaviour, b.name, b.since, uint32(i)})
	}
	return all
}

// addBits adds every bit of the type of none that has a release.
func addBits[F flags](all []Feature, kind Kind, none F) []Feature {
	for b := none + 1; b != 0; b <<= 1 {
		if b.Since() != "" {
			all = append(all, bit(kind, b))
		}
	}
	return all
}

// A Report is the answers to everything in [Known], made to be kept as JSON.
type Report struct {
	Schema  int      `json:"schema"` // of this type: 1
	Kernel  string   `json:"kernel"` // the release, as uname -r prints it; "" where it is hidden
	OS      string   `json:"os"`     // GOOS
	Arch    string   `json:"arch"`   // GOARCH of this program
	Results []Result `json:"results"`
}

// A Result is one line of a Report.
type Result struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Answer Answer `json:"answer"`
	Since  string `json:"since"`
	// Reason is the error's text if the answer is Unknown, and why a kernel that
	// knows the number lacks the thing if it is No.
	Reason string `json:"reason,omitempty"`
}

// All asks for everything in [Known]. It takes some milliseconds.
func All() Report { return Ask(Known()) }

// Ask asks for the given features.
func Ask(fs []Feature) Report {
	r := Report{Schema: 1, Kernel: kernelRelease(), OS: runtime.GOOS, Arch: runtime.GOARCH, Results: []Result{}}
	for _, f := range fs {
		err := f.Have()
		line := Result{Kind: f.Kind, Name: f.Name, Answer: AnswerOf(err), Since: f.Since}
		var lacks *notSupported
		switch {
		case line.Answer == Unknown:
			line.Reason = errors.Unwrap(err).Error()
		case errors.As(err, &lacks):
			line.Reason = lacks.why
		}
		r.Results = append(r.Results, line)
	}
	return r
}
