package features

import (
	"encoding/json"
	"errors"
	"regexp"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uring-go/uring/sys"
)

// TestKnown: what can be asked for has a name of its own, a release, and a fixed
// order.
func TestKnown(t *testing.T) {
	release := regexp.MustCompile(`^[5-9]\.[0-9]+$`)
	names, keys, kinds := map[string]bool{}, map[key]bool{}, map[Kind]int{}
	var order []Kind
	for _, f := range Known() {
		if !release.MatchString(f.Since) {
			t.Errorf("%s has Since %q", f.Name, f.Since)
		}
		if k := (key{f.Kind, f.number}); names[f.Name] || keys[k] {
			t.Errorf("%s, number %#x, is there twice", f.Name, f.number)
		} else {
			names[f.Name], keys[k] = true, true
		}
		if kinds[f.Kind]++; kinds[f.Kind] == 1 {
			order = append(order, f.Kind)
		}
	}
	if diff := cmp.Diff([]Kind{Setup, FeatureBit, Op, RegisterOp, EnterFlag, SQEFlag, Behaviour}, order); diff != "" {
		t.Errorf("kinds:\n%s", diff)
	}
	for kind, want := range map[Kind]int{Op: int(sys.IORING_OP_LAST), RegisterOp: int(sys.IORING_REGISTER_LAST), SQEFlag: 7, Behaviour: len(behaviours)} {
		if kinds[kind] != want {
			t.Errorf("%d of kind %s, want %d", kinds[kind], kind, want)
		}
	}
	if !slices.IsSortedFunc(behaviours[:], func(a, b behaviour) int {
		if a.name < b.name {
			return -1
		}
		return 1
	}) {
		t.Error("the table of behaviours is not in order")
	}
}

func TestAnswerOf(t *testing.T) {
	for err, want := range map[error]Answer{
		nil:                                   Yes,
		&notSupported{Feature{Name: "x"}, ""}: No,
		errors.New("x"):                       Unknown,
		errors.ErrUnsupported:                 Unknown,
	} {
		if got := AnswerOf(err); got != want {
			t.Errorf("AnswerOf(%v) = %s, want %s", err, got, want)
		}
	}
	if !errors.Is(ErrNotSupported, errors.ErrUnsupported) {
		t.Error("ErrNotSupported does not wrap errors.ErrUnsupported")
	}
}

// TestWorst: several things together.
func TestWorst(t *testing.T) {
	no, unknown := error(&notSupported{}), errors.New("x")
	for _, tt := range []struct {
		errs []error
		want error
	}{
		{nil, nil},
		{[]error{nil, nil}, nil},
		{[]error{nil, unknown, nil}, unknown},
		{[]error{unknown, no}, no},
		{[]error{no, unknown}, no},
	} {
		if got := worst(tt.errs...); got != tt.want {
			t.Errorf("worst(%v) = %v, want %v", tt.errs, got, tt.want)
		}
	}
	if err := HaveSetup(0); err != nil {
		t.Errorf("no flags at all: %v", err)
	}
}

func TestErrorText(t *testing.T) {
	f := Feature{Op, "IORING_OP_PIPE", "6.16", 62}
	for why, want := range map[string]string{
		"":           "uring: the kernel does not have IORING_OP_PIPE, which came with Linux 6.16",
		"it was not": "uring: the kernel does not have IORING_OP_PIPE: it was not",
	} {
		err := error(&notSupported{f, why})
		if err.Error() != want {
			t.Errorf("the text is %q, want %q", err, want)
		}
		if !errors.Is(err, ErrNotSupported) || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v is not ErrNotSupported", err)
		}
	}
	if s := (&notSupported{Feature{Name: "Op(200)"}, ""}).Error(); s != "uring: the kernel does not have Op(200)" {
		t.Errorf("the text for a number without a name is %q", s)
	}
}

// TestReportJSON holds the form of a report that others may have stored.
func TestReportJSON(t *testing.T) {
	r := Report{Schema: 1, Kernel: "6.1.0", OS: "linux", Arch: "amd64", Results: []Result{
		{Kind: Op, Name: "IORING_OP_NOP", Answer: Yes, Since: "5.1"},
		{Kind: Behaviour, Name: "send_zc", Answer: Unknown, Since: "6.0", Reason: "socket: permission denied"},
	}}
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":1,"kernel":"6.1.0","os":"linux","arch":"amd64","results":[` +
		`{"kind":"op","name":"IORING_OP_NOP","answer":"yes","since":"5.1"},` +
		`{"kind":"behaviour","name":"send_zc","answer":"unknown","since":"6.0","reason":"socket: permission denied"}]}`
	if string(got) != want {
		t.Errorf("the report is\n%s\nwant\n%s", got, want)
	}
}

// TestAll: a report answers everything, and says whose answers they are.
func TestAll(t *testing.T) {
	r := All()
	if r.Schema != 1 || r.OS != runtime.GOOS || r.Arch != runtime.GOARCH || len(r.Results) != len(Known()) {
		t.Errorf("report of schema %d for %s/%s with %d results", r.Schema, r.OS, r.Arch, len(r.Results))
	}
	for i, f := range Known() {
		got := r.Results[i]
		if got.Kind != f.Kind || got.Name != f.Name || got.Since != f.Since {
			t.Errorf("result %d is about %s, want %s", i, got.Name, f.Name)
		}
		if err := f.Have(); AnswerOf(err) != got.Answer {
			t.Errorf("%s: %s in the report, then %v", f.Name, got.Answer, err)
		}
		if (got.Answer == Unknown) != (got.Reason != "" && got.Answer != No) {
			t.Errorf("%s: answer %s with reason %q", f.Name, got.Answer, got.Reason)
		}
	}
	if runtime.GOOS != "linux" {
		for _, got := range r.Results {
			if got.Answer != No {
				t.Errorf("%s: %s on %s", got.Name, got.Answer, runtime.GOOS)
			}
		}
	}
}

// TestHaveFunctions: each asks for what its name says.
func TestHaveFunctions(t *testing.T) {
	byName := map[string]Feature{}
	for _, f := range Known() {
		byName[f.Name] = f
	}
	for name, have := range map[string]func() error{
		"IORING_OP_PIPE":           func() error { return HaveOp(sys.IORING_OP_PIPE) },
		"IORING_REGISTER_CLOCK":    func() error { return HaveRegisterOp(sys.IORING_REGISTER_CLOCK) },
		"IORING_SETUP_SQE_MIXED":   func() error { return HaveSetup(sys.IORING_SETUP_SQE_MIXED) },
		"IORING_FEAT_RW_ATTR":      func() error { return HaveFeature(sys.IORING_FEAT_RW_ATTR) },
		"IORING_ENTER_EXT_ARG_REG": func() error { return HaveEnter(sys.IORING_ENTER_EXT_ARG_REG) },
		"IOSQE_CQE_SKIP_SUCCESS":   func() error { return HaveSQEFlag(sys.IOSQE_CQE_SKIP_SUCCESS) },
		"accept_multishot":         HaveAcceptMultishot,
		"buf_ring":                 HaveBufRing,
		"buf_ring_incremental":     HaveBufRingIncremental,
		"buf_ring_mmap":            HaveBufRingMmap,
		"bundle":                   HaveBundle,
		"cancel_any":               HaveCancelAny,
		"cancel_op":                HaveCancelOp,
		"direct_alloc":             HaveDirectAlloc,
		"files_sparse":             HaveFilesSparse,
		"getsockname":              HaveGetsockname,
		"min_timeout":              HaveMinTimeout,
		"msg_ring_flags":           HaveMsgRingFlags,
		"nop_result":               HaveNopResult,
		"poll_multishot":           HavePollMultishot,
		"recv_multishot":           HaveRecvMultishot,
		"send_vectorized":          HaveSendVectorized,
		"send_zc":                  HaveSendZC,
		"socket_option":            HaveSocketOption,
		"timeout_immediate":        HaveTimeoutImmediate,
		"timeout_multishot":        HaveTimeoutMultishot,
	} {
		f := byName[name]
		// An answer that only f can have got.
		want := &notSupported{Feature{Name: name}, "this test says so"}
		k := key{f.Kind, f.number}
		old, had := remembered.get(k)
		remembered.put(k, want)
		if got := have(); got != error(want) {
			t.Errorf("%s: asked for something else and got %v", name, got)
		}
		if had {
			remembered.put(k, old)
		} else {
			remembered.forget()
		}
	}
}
