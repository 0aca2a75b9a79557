package purego

// The two queues on memory that the test makes, against a model of what the
// kernel and the caller see. The indices begin just below the point where 32 bits
// wrap, so that every run crosses it.

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/uring-go/uring/sys"
)

// chooser makes the decisions of a run: at random, or as a fuzzer says.
type chooser interface{ IntN(n int) int }

// tape reads decisions from a fuzzer's bytes; at their end it always says 0.
type tape struct{ data []byte }

func (t *tape) IntN(n int) int {
	if len(t.data) == 0 {
		return 0
	}
	b := t.data[0]
	t.data = t.data[1:]
	return int(b) % n
}

// starts are indices at which a queue may begin: each crosses 1<<32 or 1<<31 soon,
// or not at all.
var starts = []uint32{0, 1, 1<<31 - 3, 1 << 31, 1<<32 - 1, 1<<32 - 2, 1<<32 - 7, 1<<32 - 64, 1<<32 - 65}

func newSQ(entries, start uint32, shift uint8, rewind, sqpoll bool) *sq {
	if rewind {
		start = 0
	}
	q := &sq{
		head: new(atomic.Uint32), tail: new(atomic.Uint32), flags: new(atomic.Uint32), dropped: new(atomic.Uint32),
		slots: make([]sys.SQE, entries<<shift), entries: entries, mask: entries - 1,
		shift: shift, rewind: rewind, sqpoll: sqpoll,
		local: start, shared: start, zeroed: start + entries,
	}
	q.head.Store(start)
	q.tail.Store(start)
	return q
}

// runSQ drives a submission queue through steps decisions.
func runSQ(t *testing.T, q *sq, choose chooser, steps int) {
	t.Helper()
	size := int(q.entries)
	step := 1 << q.shift
	start := q.head.Load()
	tail, published, taken := 0, 0, 0 // entries, counted from the beginning
	var held [][]sys.SQE              // those handed over and not taken by the kernel
	var written []sys.SQE             // what lies at the start of the window already
	serial := uint64(0)
	entry := func() sys.SQE {
		serial++
		return sys.SQE{Opcode: 1, Off: serial, UserData: serial, Pad2: ^serial}
	}
	at := func(n int) int { // the slot of entry n
		if q.rewind {
			return (n - taken) % size
		}
		return int((start + uint32(n)) & q.mask)
	}
	for range steps {
		switch choose.IntN(4) {
		case 0: // look at the window, write some, hand over some
			w := q.window()
			if want := min(size-(tail-taken), size-at(tail)) * step; len(w) != want {
				t.Fatalf("the window has %d slots, want %d: %d entries, %d in use, tail at %d", len(w), want, size, tail-taken, at(tail))
			}
			for i := range w {
				var want sys.SQE
				if i < len(written) {
					want = written[i]
				}
				if w[i] != want {
					t.Fatalf("slot %d of the window is %+v, want %+v", i, w[i], want)
				}
			}
			if len(w) > 0 && &w[0] != &q.slots[at(tail)*step] {
				t.Fatalf("the window does not begin at entry %d", at(tail))
			}
			n := choose.IntN(len(w) + 1)
			for i := range n {
				w[i] = entry()
			}
			give := choose.IntN(n/step+1) * step
			for i := 0; i < give; i += step {
				held = append(held, slices.Clone(w[i:i+step]))
			}
			written = slices.Clone(w[give:max(n, len(written))])
			q.advance(give)
			tail += give / step
		case 1: // tell the kernel
			pending, fresh := q.publish()
			wantPending, wantFresh := tail-taken, tail-published
			if q.rewind {
				wantFresh = wantPending
			}
			if int(pending) != wantPending || int(fresh) != wantFresh {
				t.Fatalf("publish = %d, %d; want %d, %d", pending, fresh, wantPending, wantFresh)
			}
			published = tail
			if q.rewind {
				// The kernel takes what it takes, from slot 0, and the rest is dropped.
				for i, e := range held {
					if !slices.Equal(q.slots[i*step:(i+1)*step], e) {
						t.Fatalf("entry %d is %+v, want %+v", i, q.slots[i*step:(i+1)*step], e)
					}
				}
				held, written, taken = nil, nil, tail
			} else if got := q.tail.Load(); got != start+uint32(tail) {
				t.Fatalf("the shared tail is %d, want %d", got, start+uint32(tail))
			}
		case 2: // the kernel takes some of what it was told of
			if q.rewind {
				continue
			}
			for n := choose.IntN(published - taken + 1); n > 0; n-- {
				i := at(taken) * step
				if got := q.slots[i : i+step]; !slices.Equal(got, held[0]) {
					t.Fatalf("entry %d is %+v, want %+v", taken, got, held[0])
				}
				held = held[1:]
				taken++
				q.head.Store(start + uint32(taken))
			}
		case 3:
			if got := int(q.ready()); got != tail-taken {
				t.Fatalf("ready = %d, want %d", got, tail-taken)
			}
			if got := q.tail.Load(); !q.rewind && got != start+uint32(published) {
				t.Fatalf("the shared tail is %d without publish, want %d", got, start+uint32(published))
			}
		}
	}
}

func TestSQAgainstAModel(t *testing.T) {
	for entries := uint32(1); entries <= 64; entries *= 2 {
		for _, start := range starts {
			for shift := range uint8(2) {
				for _, kind := range []string{"plain", "sqpoll", "rewind"} {
					q := newSQ(entries, start, shift, kind == "rewind", kind == "sqpoll")
					rng := rand.New(rand.NewPCG(uint64(entries), uint64(start)))
					t.Run(fmt.Sprintf("%d from %#x, %d slots each, %s", entries, start, 1<<shift, kind), func(t *testing.T) {
						runSQ(t, q, rng, 1000)
					})
				}
			}
		}
	}
}

// The largest queue there is, whose free space is far from what 32 bits hold but
// whose laps are long.
func TestLargestSQ(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	runSQ(t, newSQ(sys.MaxEntries, 1<<32-100_000, 0, false, false), rng, 60)
	runSQ(t, newSQ(sys.MaxEntries, 1<<32-100_000, 1, false, true), rng, 60)
}

func FuzzSQ(f *testing.F) {
	f.Add(uint8(3), uint32(1<<32-2), uint8(0), []byte{0, 5, 3, 1, 2, 3, 0, 8, 8, 1, 2, 7, 3})
	f.Add(uint8(0), uint32(1<<32-1), uint8(1), []byte{0, 2, 1, 1, 2, 1, 0, 2, 1, 1, 2, 1})
	f.Add(uint8(2), uint32(0), uint8(5), []byte{0, 4, 2, 1, 1, 0, 4, 4, 1, 0, 3, 0})
	f.Fuzz(func(t *testing.T, log uint8, start uint32, kind uint8, data []byte) {
		q := newSQ(1<<(log%7), start, kind&1, kind&4 != 0, kind&2 != 0)
		runSQ(t, q, &tape{data}, len(data))
	})
}

// A completionQueue is a cq and the kernel's side of it.
type completionQueue struct {
	*cq
	next uint32 // the kernel's tail
	sent []sys.CQE32
	n    uint64
}

func newCQ(entries, start uint32, wide, mixed bool) *completionQueue {
	slots := entries
	if wide {
		slots *= 2
	}
	q := &completionQueue{next: start, cq: &cq{
		head: new(atomic.Uint32), tail: new(atomic.Uint32), overflow: new(atomic.Uint32),
		cqes: make([]sys.CQE, slots), entries: entries, mask: entries - 1, wide: wide, mixed: mixed,
	}}
	q.head.Store(start)
	q.tail.Store(start)
	for i := range q.cqes {
		q.cqes[i] = sys.CQE{UserData: 0xDEAD, Res: -1, Flags: sys.IORING_CQE_F_SKIP | sys.IORING_CQE_F_32}
	}
	return q
}

// second makes the slot that holds two numbers.
func second(extra [2]uint64) sys.CQE {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:], extra[0])
	binary.NativeEndian.PutUint64(b[8:], extra[1])
	return sys.CQE{
		UserData: binary.NativeEndian.Uint64(b[:]),
		Res:      int32(binary.NativeEndian.Uint32(b[8:])),
		Flags:    sys.CQEFlags(binary.NativeEndian.Uint32(b[12:])),
	}
}

// post posts one completion as the kernel does, if there is room for it. On a
// mixed queue a large one does not wrap: padding fills the last slot.
func (q *completionQueue) post(large bool) bool {
	free := q.entries - (q.next - q.head.Load())
	need := uint32(1)
	pad := false
	if q.mixed && large {
		need = 2
		if q.next&q.mask == q.mask {
			pad, need = true, 3
		}
	}
	if free < need {
		return false
	}
	q.n++
	c := sys.CQE32{CQE: sys.CQE{UserData: q.n, Res: int32(q.n * 7)}}
	if pad {
		q.cqes[q.next&q.mask] = sys.CQE{Flags: sys.IORING_CQE_F_SKIP}
		q.next++
	}
	switch {
	case q.wide:
		c.Extra = [2]uint64{q.n * 3, ^q.n}
		at := (q.next & q.mask) * 2
		q.cqes[at], q.cqes[at+1] = c.CQE, second(c.Extra)
		q.next++
	case q.mixed && large:
		c.Flags |= sys.IORING_CQE_F_32
		c.Extra = [2]uint64{q.n * 3, ^q.n}
		q.cqes[q.next&q.mask], q.cqes[(q.next+1)&q.mask] = c.CQE, second(c.Extra)
		q.next += 2
	default:
		q.cqes[q.next&q.mask] = c.CQE
		q.next++
	}
	q.sent = append(q.sent, c)
	return true
}

// runCQ drives a completion queue through steps decisions.
func runCQ(t *testing.T, q *completionQueue, choose chooser, steps int) {
	t.Helper()
	shown := 0 // completions of sent that the tail covers
	check := func(got []sys.CQE32, halves bool) {
		t.Helper()
		for _, c := range got {
			want := q.sent[0]
			if !halves {
				want.Extra = [2]uint64{}
			}
			if c != want {
				t.Fatalf("got %+v, want %+v", c, want)
			}
			q.sent, shown = q.sent[1:], shown-1
		}
	}
	for range steps {
		switch choose.IntN(3) {
		case 0: // the kernel posts some and shows them
			for range choose.IntN(int(q.entries) + 2) {
				q.post(choose.IntN(2) == 1)
			}
			q.tail.Store(q.next)
			shown = len(q.sent)
		case 1:
			dst := make([]sys.CQE, choose.IntN(int(q.entries)+3))
			ready := q.ready()
			n := q.peek(dst)
			if n != min(len(dst), shown) {
				t.Fatalf("peek into %d with %d shown gave %d", len(dst), shown, n)
			}
			for _, c := range dst[:n] {
				check([]sys.CQE32{{CQE: c}}, false)
			}
			if !q.mixed && int(ready-q.ready()) != n {
				t.Fatalf("peek gave %d and consumed %d", n, ready-q.ready())
			}
		case 2:
			dst := make([]sys.CQE32, choose.IntN(int(q.entries)+3))
			n := q.peek32(dst)
			if n != min(len(dst), shown) {
				t.Fatalf("peek32 into %d with %d shown gave %d", len(dst), shown, n)
			}
			check(dst[:n], true)
		}
		if q.ready() > q.entries {
			t.Fatalf("the head passed the tail: %d ready of %d", q.ready(), q.entries)
		}
	}
}

func TestCQAgainstAModel(t *testing.T) {
	for entries := uint32(1); entries <= 64; entries *= 2 {
		for _, start := range starts {
			for _, kind := range []string{"16", "32", "mixed"} {
				if kind == "mixed" && entries < 4 {
					continue // a large completion and padding do not fit
				}
				t.Run(fmt.Sprintf("%d from %#x, %s", entries, start, kind), func(t *testing.T) {
					q := newCQ(entries, start, kind == "32", kind == "mixed")
					runCQ(t, q, rand.New(rand.NewPCG(uint64(entries), uint64(start))), 1000)
				})
			}
		}
	}
}

func FuzzCQ(f *testing.F) {
	f.Add(uint8(2), uint32(1<<32-2), uint8(0), []byte{0, 4, 0, 0, 0, 0, 1, 3, 0, 2, 1, 1, 2, 5})
	f.Add(uint8(2), uint32(3), uint8(2), []byte{0, 1, 1, 2, 3, 0, 3, 1, 0, 1, 2, 6})
	f.Add(uint8(3), uint32(1<<31-2), uint8(1), []byte{0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 9, 1, 9})
	f.Fuzz(func(t *testing.T, log uint8, start uint32, kind uint8, data []byte) {
		wide, mixed := kind%3 == 1, kind%3 == 2
		if mixed {
			log = 2 + log%5
		}
		runCQ(t, newCQ(1<<(log%7), start, wide, mixed), &tape{data}, len(data))
	})
}

// A completion that says it has two slots where only one was posted is the
// kernel's mistake (Linux 6.18 shows stale entries after an overflow of a mixed
// queue). The head must not pass the tail, or reaping would never end.
func TestMixedCQDoesNotRunPastTheTail(t *testing.T) {
	for _, flags := range []sys.CQEFlags{sys.IORING_CQE_F_32, sys.IORING_CQE_F_32 | sys.IORING_CQE_F_SKIP} {
		q := newCQ(4, 2, false, true)
		q.cqes[2] = sys.CQE{UserData: 1}
		q.cqes[3] = sys.CQE{UserData: 2, Flags: flags}
		q.tail.Store(4)
		dst := make([]sys.CQE32, 8)
		n := q.peek32(dst)
		if n > 2 || q.ready() > q.entries {
			t.Errorf("flags %v: two slots gave %d completions, and %d of %d slots are left", flags, n, q.ready(), q.entries)
		}
	}
}
