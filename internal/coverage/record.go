//go:build linux

package main

// Running the scenarios and noting what succeeded.

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/sys"
)

// Notes are what ran on one kernel: names of operations and registrations, with
// the backends on which they succeeded.
type Notes struct {
	Kernel    string              `json:"kernel"`
	Liburing  string              `json:"liburing"` // the header that the backend was compiled with
	Ops       map[string][]string `json:"ops"`
	Registers map[string][]string `json:"registers"`

	mu sync.Mutex
}

func (n *Notes) op(op sys.Op, backend string)         { n.note(n.Ops, op.String(), backend) }
func (n *Notes) register(op sys.RegisterOp, b string) { n.note(n.Registers, op.String(), b) }

func (n *Notes) note(m map[string][]string, name, backend string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(m[name], backend) {
		m[name] = append(m[name], backend)
		slices.Sort(m[name])
	}
}

// minus lists what n has and other lacks, on backends that other ran at all.
func (n *Notes) minus(other *Notes) (missing []string) {
	ran := func(backend string) bool {
		if backend == "liburing" && n.Liburing != other.Liburing {
			return false // another version can do more, or less
		}
		return slices.Contains(other.Ops[sys.IORING_OP_NOP.String()], backend)
	}
	for _, m := range [][2]map[string][]string{{n.Ops, other.Ops}, {n.Registers, other.Registers}} {
		for name, backends := range m[0] {
			for _, b := range backends {
				if ran(b) && !slices.Contains(m[1][name], b) {
					missing = append(missing, name+" on "+b)
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// record runs every scenario in every mode on every backend of this build.
func record(ctx context.Context) *Notes {
	n := &Notes{Kernel: kernelRelease(), Liburing: liburing.HeaderVersion(), Ops: map[string][]string{}, Registers: map[string][]string{}}
	for _, b := range []scenario.Backend{scenario.Purego(), scenario.Liburing()} {
		open := b.Open
		b.Open = func(entries uint32, p *sys.Params) (uring.Backend, error) {
			r, err := open(entries, p)
			if err != nil {
				return nil, err
			}
			return watch(r, n, b.Name), nil
		}
		for _, s := range scenario.List() {
			for _, m := range s.Modes {
				if t := scenario.Record(ctx, s, m, b, scenario.Options{}); t.Failed != "" {
					fmt.Fprintf(os.Stderr, "coverage: %s, %s, %s: %s\n", s.Name, m, b.Name, t.Failed)
				}
			}
		}
	}
	return n
}

// A watcher is a backend that notes what succeeds on another.
type watcher struct {
	uring.Backend
	notes  *Notes
	name   string
	window []sys.SQE
	wide   bool
	ops    map[uint64][]sys.Op // what was submitted, by user data
}

func watch(b uring.Backend, n *Notes, name string) *watcher {
	return &watcher{Backend: b, notes: n, name: name, wide: b.Params().Flags&sys.IORING_SETUP_SQE128 != 0, ops: map[uint64][]sys.Op{}}
}

func (w *watcher) Queue() []sys.SQE {
	w.window = w.Backend.Queue()
	return w.window
}

func (w *watcher) Advance(n int) {
	mixed := w.Backend.Params().Flags&sys.IORING_SETUP_SQE_MIXED != 0
	for i := 0; i < n; i++ {
		s := &w.window[i]
		if !slices.Contains(w.ops[s.UserData], s.Opcode) {
			w.ops[s.UserData] = append(w.ops[s.UserData], s.Opcode)
		}
		if w.wide || mixed && (s.Opcode == sys.IORING_OP_NOP128 || s.Opcode == sys.IORING_OP_URING_CMD128) {
			i++
		}
	}
	w.window = w.window[n:]
	w.Backend.Advance(n)
}

// done notes a success. User data that several operations carried tells
// nothing, unless all are the same operation.
func (w *watcher) done(c sys.CQE) {
	if ops := w.ops[c.UserData]; len(ops) == 1 && (c.Res >= 0 || expected(ops[0], c.Res)) {
		w.notes.op(ops[0], w.name)
	}
}

func (w *watcher) Peek(dst []sys.CQE) int {
	n := w.Backend.Peek(dst)
	for _, c := range dst[:n] {
		w.done(c)
	}
	return n
}

func (w *watcher) Peek32(dst []sys.CQE32) int {
	n := w.Backend.Peek32(dst)
	for _, c := range dst[:n] {
		w.done(c.CQE)
	}
	return n
}

func (w *watcher) Register(op sys.RegisterOp, arg sys.Pointer, count uint32) (int, error) {
	n, err := w.Backend.Register(op, arg, count)
	if err == nil {
		w.notes.register(op, w.name)
	}
	return n, err
}

func (w *watcher) RegisterRingFd() error {
	return w.typed(sys.IORING_REGISTER_RING_FDS, w.Backend.RegisterRingFd())
}

func (w *watcher) UnregisterRingFd() error {
	return w.typed(sys.IORING_UNREGISTER_RING_FDS, w.Backend.UnregisterRingFd())
}

func (w *watcher) Resize(entries uint32, p *sys.Params) error {
	return w.typed(sys.IORING_REGISTER_RESIZE_RINGS, w.Backend.Resize(entries, p))
}

func (w *watcher) typed(op sys.RegisterOp, err error) error {
	if err == nil {
		w.notes.register(op, w.name)
	}
	return err
}
