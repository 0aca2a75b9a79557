package scenario

// The suite can fail: backends that do one thing wrong must come out as
// different, and the same backend without a fault as equal.

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// faulty is a backend that does everything right but what its fault overrides.
type faulty struct {
	uring.Backend
	cqes   func(got []sys.CQE) []sys.CQE // what becomes of completions
	wide   func(got []sys.CQE32)
	submit func(n int, err error) (int, error)
	wait   func(error) error
	status func(*sys.Status)
	result func(n int, err error) (int, error)
	close  func(error) error
}

func (f *faulty) Peek(dst []sys.CQE) int {
	got := dst[:f.Backend.Peek(dst)]
	if f.cqes != nil && len(got) > 0 {
		return copy(dst, f.cqes(got))
	}
	return len(got)
}

func (f *faulty) Peek32(dst []sys.CQE32) int {
	n := f.Backend.Peek32(dst)
	if f.wide != nil {
		f.wide(dst[:n])
	}
	return n
}

func (f *faulty) Submit(w sys.Wait) (int, error) {
	n, err := f.Backend.Submit(w)
	if f.submit != nil {
		return f.submit(n, err)
	}
	return n, err
}

func (f *faulty) Wait(w sys.Wait) error {
	err := f.Backend.Wait(w)
	if f.wait != nil {
		return f.wait(err)
	}
	return err
}

func (f *faulty) Status() sys.Status {
	s := f.Backend.Status()
	if f.status != nil {
		f.status(&s)
	}
	return s
}

func (f *faulty) Register(op sys.RegisterOp, arg sys.Pointer, n uint32) (int, error) {
	res, err := f.Backend.Register(op, arg, n)
	if f.result != nil {
		return f.result(res, err)
	}
	return res, err
}

func (f *faulty) Close() error {
	err := f.Backend.Close()
	if f.close != nil {
		return f.close(err)
	}
	return err
}

// withFault returns purego with a fault.
func withFault(f faulty) Backend {
	b := Purego()
	b.Name = "faulty"
	open := b.Open
	b.Open = func(entries uint32, p *sys.Params) (uring.Backend, error) {
		r, err := open(entries, p)
		if err != nil {
			return nil, err
		}
		made := f
		made.Backend = r
		return &made, nil
	}
	return b
}

func TestFaultsAreFound(t *testing.T) {
	dropped := false
	for name, c := range map[string]struct {
		scenario string
		mode     Mode
		fault    faulty
		sign     string // what must be in the difference
	}{
		"a completion is lost": {"link_fail", Plain, faulty{cqes: func(got []sys.CQE) []sys.CQE {
			if dropped {
				return got
			}
			dropped = true
			return got[1:]
		}}, `-{"cqe":{"user_data":1,"res":"-EBADF","flags":"0"}}`},
		"two completions change places": {"link_fail", Plain, faulty{cqes: func(got []sys.CQE) []sys.CQE {
			if len(got) > 1 {
				got[0], got[1] = got[1], got[0]
			}
			return got
		}}, `-{"cqe":{"user_data":1,"res":"-EBADF","flags":"0"}}`},
		"a completion comes twice": {"cq_ready", Plain, faulty{cqes: func(got []sys.CQE) []sys.CQE {
			got[len(got)-1] = got[0]
			return got
		}}, `-{"cqe":{"user_data":3`},
		"another result": {"hardlink", Coop, faulty{cqes: func(got []sys.CQE) []sys.CQE {
			got[len(got)-1].Res++
			return got
		}}, `"res":"1"`},
		"another errno": {"link_short", Defer, faulty{cqes: func(got []sys.CQE) []sys.CQE {
			for i := range got {
				if got[i].Res < 0 {
					got[i].Res = -4
				}
			}
			return got
		}}, `"res":"-EINTR"`},
		"other flags": {"timeout_remove", SQPoll, faulty{cqes: func(got []sys.CQE) []sys.CQE {
			got[0].Flags |= sys.IORING_CQE_F_MORE
			return got
		}}, `"flags":"MORE"`},
		"another user_data": {"nop_order", SQE128, faulty{cqes: func(got []sys.CQE) []sys.CQE {
			got[0].UserData |= 1 << 63
			return got
		}}, `+{"cqe":{"user_data":9223372036854775908`},
		"another second half": {"nop_order", CQE32, faulty{wide: func(got []sys.CQE32) {
			for i := range got {
				got[i].Extra[1] = 7
			}
		}}, `"extra":[0,7]`},
		"another number of entries submitted": {"bad_op", Plain, faulty{submit: func(n int, err error) (int, error) {
			return n + 1, err
		}}, `+{"call":"submit","ret":"3"}`},
		"an error that is none": {"nop_order", Plain, faulty{submit: func(n int, err error) (int, error) {
			return n, errors.New("out of order")
		}}, `out of order`},
		"another error of a wait": {"submit_wait_timeout", Plain, faulty{wait: func(error) error { return syscall.EIO }}, `"ret":"-EIO"`},
		"a counter that is wrong": {"cq_ready", Plain, faulty{status: func(s *sys.Status) { s.CQReady++ }}, `cq_ready=6`},
		"a flag that is wrong":    {"overflow", SQPoll, faulty{status: func(s *sys.Status) { s.Overflow = false }}, `overflow=false`},
		"a ring that does not close": {"nop_order", Plain, faulty{close: func(error) error {
			return errors.New("still in use")
		}}, `still in use`},
		"something that it should have": {"nop_order", Plain, faulty{submit: func(n int, err error) (int, error) {
			return n, errors.ErrUnsupported
		}}, `lacks`},
	} {
		t.Run(name, func(t *testing.T) {
			rep, err := Diff(t.Context(), Options{
				Scenarios: []string{c.scenario},
				Modes:     []Mode{c.mode},
				A:         Purego(),
				B:         withFault(c.fault),
				Patience:  500 * time.Millisecond,
				Dir:       t.TempDir(),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, res := range rep.Results {
				if res.Outcome != Different || !strings.Contains(res.Diff, c.sign) {
					t.Errorf("%s in mode %s: %s %s, want different with %q in\n%s", res.Scenario, res.Mode, res.Outcome, res.Reason, c.sign, res.Diff)
				}
			}
			if len(rep.Results) != 1 {
				t.Errorf("%d results, want 1", len(rep.Results))
			}
		})
	}
}

// Without a fault the wrapped backend is equal, so the differences above come
// from the faults.
func TestNoFault(t *testing.T) {
	rep, err := Diff(t.Context(), Options{
		Scenarios: []string{"nop_order", "link_*", "cq_ready", "overflow"},
		A:         Purego(),
		B:         withFault(faulty{}),
		Dir:       t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Results) == 0 || rep.Count[Equal]+rep.Count[Skipped] != len(rep.Results) {
		t.Errorf("counts %v of %d results: %+v", rep.Count, len(rep.Results), rep.Results)
	}
}

// A backend that loses a completion on both sides is no success.
func TestBothFail(t *testing.T) {
	loses := withFault(faulty{cqes: func(got []sys.CQE) []sys.CQE { return got[1:] }})
	rep, err := Diff(t.Context(), Options{Scenarios: []string{"hardlink"}, Modes: []Mode{Plain}, A: loses, B: loses,
		Patience: 200 * time.Millisecond, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Count[Untried] != 1 || rep.Results[0].Reason == "" {
		t.Errorf("%+v, want one that could not be tried, with a reason", rep.Results)
	}
}

// A backend that hangs is given up, and named.
func TestHang(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	hangs := withFault(faulty{wait: func(err error) error { <-release; return err }})
	rep, err := Diff(t.Context(), Options{Scenarios: []string{"link_fail"}, Modes: []Mode{Plain}, A: Purego(), B: hangs,
		Patience: 50 * time.Millisecond, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Count[Different] != 1 || !strings.Contains(rep.Results[0].Diff, "hangs") {
		t.Errorf("%+v, want a difference that tells of the hang", rep.Results)
	}
}

// A backend that this build lacks makes skips, with its own sentence.
func TestAbsentBackend(t *testing.T) {
	absent := Backend{Name: "absent", Open: func(uint32, *sys.Params) (uring.Backend, error) {
		return nil, errors.Join(errors.New("not in this build"), errors.ErrUnsupported)
	}}
	rep, err := Diff(t.Context(), Options{Scenarios: []string{"setup", "drain"}, A: absent, B: Purego()})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Results) != 5 || rep.Count[Skipped] != 5 || !strings.Contains(rep.Results[0].Reason, "not in this build") {
		t.Errorf("%+v, want five skips that say why", rep.Results)
	}
}

// A scenario on the same backend twice is the same trace twice: what a
// comparison finds comes from the backends, not from the scenario. This is also
// what a build with one backend can say.
func TestScenariosRepeat(t *testing.T) {
	o := Options{A: Purego(), B: Purego(), Dir: t.TempDir()}
	o.B.Name = "purego again"
	if testing.Short() {
		o.Modes = []Mode{Defer}
	}
	o.Each = func(res Result) {
		switch res.Outcome {
		case Different, Untried:
			t.Errorf("%s in mode %s: %s %s\n%s", res.Scenario, res.Mode, res.Outcome, res.Reason, res.Diff)
		}
	}
	rep, err := Diff(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d results: %v", len(rep.Results), rep.Count)
}

// counting is a backend that notes which operations are handed over.
type counting struct {
	uring.Backend
	window []sys.SQE
	seen   map[sys.Op]bool
}

func (c *counting) Queue() []sys.SQE {
	c.window = c.Backend.Queue()
	return c.window
}

func (c *counting) Advance(n int) {
	for _, s := range c.window[:n] {
		c.seen[s.Opcode] = true
	}
	c.window = c.window[n:]
	c.Backend.Advance(n)
}

// Every operation that this kernel has is part of a scenario, but for those that
// need what a machine seldom has.
func TestEveryOperationRuns(t *testing.T) {
	special := map[sys.Op]string{
		sys.IORING_OP_RECV_ZC:      "a network card that splits headers",
		sys.IORING_OP_URING_CMD128: "a driver with commands of 80 bytes, such as NVMe",
	}
	supported, err := supportedOps()
	if err != nil {
		t.Skipf("no probe: %v", err)
	}
	seen := map[sys.Op]bool{}
	b := Purego()
	open := b.Open
	b.Open = func(entries uint32, p *sys.Params) (uring.Backend, error) {
		r, err := open(entries, p)
		if err != nil {
			return nil, err
		}
		return &counting{Backend: r, seen: seen}, nil
	}
	for _, s := range List() {
		if tr := Record(t.Context(), s, s.Modes[0], b, Options{Dir: t.TempDir()}); tr.Failed != "" {
			t.Errorf("%s: %s", s.Name, tr.Failed)
		}
	}
	for op := range supported {
		if why := special[op]; why == "" && !seen[op] {
			t.Errorf("no scenario has %v", op)
		}
	}
}
