package proactor

// Do, Batch and Link: results, cancelling, limits.

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func TestNoAllocations(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		p := open(t, config)
		f := tempFile(t, 1<<20)
		fd := int(f.Fd())
		a, b := pair(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var gate Gate
		buf, echo := make([]byte, 4096), make([]byte, 64)
		ops, results := make([]Op, 8), make([]Result, 8)
		must := func(n int, err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		// The other end of the socket pair, so that receiving waits.
		go func() {
			echo := make([]byte, 64)
			for {
				n, err := p.Do(context.Background(), Recv(b, echo, 0))
				if n == 0 || err != nil {
					return
				}
				p.Do(context.Background(), Send(b, echo[:n], 0))
			}
		}()
		defer unix.Shutdown(a, unix.SHUT_RDWR)
		path, stat := f.Name(), new(unix.Statx_t)
		vec := [][]byte{buf[:100], buf[100:200]}
		for _, c := range []struct {
			name string
			f    func()
		}{
			{"read", func() { must(p.Do(ctx, Read(fd, buf, 8192))) }},
			{"write", func() { must(p.Do(ctx, Write(fd, buf, 8192))) }},
			{"readv", func() { must(p.Do(ctx, Readv(fd, vec, 8192))) }},
			{"statx", func() { must(p.Do(ctx, Statx(unix.AT_FDCWD, path, 0, unix.STATX_SIZE, stat))) }},
			{"with a limit", func() { must(p.Do(ctx, Read(fd, buf, 0).WithTimeout(time.Minute))) }},
			{"send and receive", func() {
				must(p.Do(ctx, Send(a, echo, 0).Through(&gate)))
				must(p.Do(ctx, Recv(a, echo, unix.MSG_WAITALL).Through(&gate)))
			}},
			{"batch", func() {
				for i := range ops {
					ops[i] = Read(fd, buf[i*512:(i+1)*512], int64(i)*4096)
				}
				if err := p.Batch(ctx, ops, results); err != nil {
					t.Fatal(err)
				}
			}},
			{"chain", func() {
				ops[0], ops[1] = Write(fd, buf[:512], 0), Read(fd, buf[512:1024], 0)
				if err := p.Link(ctx, ops[:2], results); err != nil {
					t.Fatal(err)
				}
			}},
			{"deadline", func() { gate.SetDeadline(time.Now().Add(time.Hour)) }},
		} {
			for range 100 {
				c.f()
			}
			if n := testing.AllocsPerRun(1000, c.f); n != 0 {
				t.Errorf("%s: %v allocations", c.name, n)
			}
		}
	})
}

func TestBatch(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		f := tempFile(t, 1<<20)
		fd := int(f.Fd())
		for _, n := range []int{0, 1, 2, 8, 100, 256, 257, 3000} {
			ops, results, bufs := make([]Op, n), make([]Result, n), make([][]byte, n)
			for i := range ops {
				bufs[i] = make([]byte, 100+i%50)
				ops[i] = Read(fd, bufs[i], int64(i*300))
			}
			if err := p.Batch(t.Context(), ops, results); err != nil {
				t.Fatalf("%d reads: %v", n, err)
			}
			for i, r := range results {
				if r.N != len(bufs[i]) || r.Err != nil {
					t.Errorf("read %d of %d: %d, %v", i, n, r.N, r.Err)
				}
				if err := checkPlace(bufs[i], int64(i*300)); err != nil {
					t.Errorf("read %d of %d: %v", i, n, err)
				}
			}
		}
	})
}

// Failures stay with their operation.
func TestBatchErrors(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		f := tempFile(t, 100)
		fd := int(f.Fd())
		buf := make([]byte, 30)
		ops := []Op{Nop(), Read(-1, buf[:10], 0), Read(fd, buf[10:20], 5), Openat(unix.AT_FDCWD, "/none/such", 0, 0), Read(fd, buf[20:], 50).WithTimeout(time.Minute)}
		results := make([]Result, len(ops))
		if err := p.Batch(t.Context(), ops, results); err != syscall.EBADF {
			t.Errorf("the batch's error is %v", err)
		}
		for i, want := range []Result{{}, {Err: syscall.EBADF}, {N: 10}, {Err: syscall.ENOENT}, {N: 10}} {
			if results[i].N != want.N || results[i].Err != want.Err {
				t.Errorf("operation %d: %d, %v, not %d, %v", i, results[i].N, results[i].Err, want.N, want.Err)
			}
		}
		if err := errors.Join(checkPlace(buf[10:20], 5), checkPlace(buf[20:], 50)); err != nil {
			t.Error(err)
		}
		if err := p.Batch(t.Context(), ops, results[:4]); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("too few results: %v", err)
		}
		if err := p.Batch(t.Context(), []Op{Nop(), Unlinkat(-1, "a\x00", 0)}, results); err != syscall.EINVAL || results[0].Err != syscall.EINVAL {
			t.Errorf("an operation that cannot begin: %v, %v", err, results[0].Err)
		}
	})
}

// The operations of a batch are in flight together: each waits for the next.
func TestBatchTogether(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		const n = 50
		ops, results, bufs := make([]Op, 2*n), make([]Result, 2*n), make([][]byte, n)
		msg := []byte("message")
		for i := range n {
			a, b := pair(t)
			bufs[i] = make([]byte, len(msg))
			ops[i], ops[n+i] = Recv(a, bufs[i], 0), Send(b, msg, 0)
		}
		if err := p.Batch(t.Context(), ops, results); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if string(bufs[i]) != string(msg) {
				t.Errorf("receive %d: %q", i, bufs[i])
			}
		}
	})
}

func TestLink(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		f := tempFile(t, 0)
		fd := int(f.Fd())
		one, two, three := []byte("one"), []byte("two"), make([]byte, 6)
		ops := []Op{Write(fd, one, 0), Write(fd, two, 3), Fsync(fd, 0), Read(fd, three, 0)}
		results := make([]Result, 4)
		for range 100 {
			clear(three)
			if err := p.Link(t.Context(), ops, results); err != nil {
				t.Fatal(err)
			}
			if string(three) != "onetwo" {
				t.Fatalf("read %q", three)
			}
		}
		// A failure, and a short read, break the chain.
		for _, c := range []struct {
			breaker Op
			want    Result
			err     error
		}{
			{Read(-1, three, 0), Result{Err: syscall.EBADF}, syscall.EBADF},
			{Read(fd, make([]byte, 10), 0), Result{N: 6}, syscall.ECANCELED},
		} {
			ops := []Op{Nop(), c.breaker, Write(fd, []byte("xxx"), 0), Nop()}
			if err := p.Link(t.Context(), ops, results); err != c.err {
				t.Errorf("the chain's error is %v, not %v", err, c.err)
			}
			for i, want := range []Result{{}, c.want, {Err: syscall.ECANCELED}, {Err: syscall.ECANCELED}} {
				if results[i].N != want.N || results[i].Err != want.Err {
					t.Errorf("operation %d: %d, %v, not %d, %v", i, results[i].N, results[i].Err, want.N, want.Err)
				}
			}
		}
		if all, err := os.ReadFile(f.Name()); err != nil || string(all) != "onetwo" {
			t.Errorf("the file holds %q, %v", all, err)
		}
	})
}

func TestLinkTooLong(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		config.Entries = 8
		p := open(t, config)
		ops, results := make([]Op, 9), make([]Result, 9)
		for i := range ops {
			ops[i] = Nop()
		}
		if err := p.Link(t.Context(), ops[:8], results); err != nil {
			t.Errorf("a chain of 8: %v", err)
		}
		if err := p.Link(t.Context(), ops, results); !errors.Is(err, syscall.E2BIG) {
			t.Errorf("a chain of 9: %v", err)
		}
		for i := range ops {
			ops[i] = Nop().WithTimeout(time.Minute)
		}
		if err := p.Link(t.Context(), ops[:4], results); err != nil {
			t.Errorf("a chain of 4 with limits: %v", err)
		}
		if err := p.Link(t.Context(), ops[:5], results); !errors.Is(err, syscall.E2BIG) {
			t.Errorf("a chain of 5 with limits: %v", err)
		}
	})
}

func TestWithTimeout(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		a, b := pair(t)
		buf := make([]byte, 10)
		within(t, 5*time.Second, "a receive with a limit", func() {
			if n, err := p.Do(t.Context(), Recv(a, buf, 0).WithTimeout(20*time.Millisecond)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d, %v", n, err)
			}
		})
		do(t, p, Send(b, []byte("hello"), 0))
		if n := do(t, p, Recv(a, buf, 0).WithTimeout(time.Minute)); n != 5 {
			t.Errorf("received %d bytes", n)
		}
		// In a chain, each operation has its own.
		results := make([]Result, 3)
		err := p.Link(t.Context(), []Op{Nop().WithTimeout(time.Minute), Recv(a, buf, 0).WithTimeout(20 * time.Millisecond), Nop()}, results)
		if !errors.Is(err, os.ErrDeadlineExceeded) || results[0].Err != nil || results[2].Err != syscall.ECANCELED {
			t.Errorf("the chain: %v, results %v", err, results)
		}
	})
}

// waiting returns operations that do not complete by themselves.
func waiting(t *testing.T) map[string]func() Op {
	t.Helper()
	a, _ := pair(t)
	lfd, _ := listener(t)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pipe[0]); unix.Close(pipe[1]) })
	// A socket whose buffer is full.
	full, _ := pair(t)
	unix.SetNonblock(full, true)
	for junk := make([]byte, 1<<16); ; {
		if _, err := unix.Write(full, junk); err != nil {
			break
		}
	}
	unix.SetNonblock(full, false)
	buf := make([]byte, 100)
	return map[string]func() Op{
		"recv":    func() Op { return Recv(a, buf, 0) },
		"recvmsg": func() Op { return Recvmsg(a, &Message{Buffers: [][]byte{buf}}, 0) },
		"send":    func() Op { return Send(full, buf, 0) },
		"read":    func() Op { return Read(pipe[0], buf, -1) },
		"readv":   func() Op { return Readv(pipe[0], [][]byte{buf}, -1) },
		"accept":  func() Op { return Accept(lfd, new(Sockaddr), 0) },
		"poll":    func() Op { return Poll(a, unix.POLLIN) },
		"timeout": func() Op { return Timeout(time.Hour) },
		"splice":  func() Op { return Splice(pipe[0], -1, full, -1, 100, 0) },
		"limited": func() Op { return Recv(a, buf, 0).WithTimeout(time.Hour) },
	}
}

func TestContext(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		for name, op := range waiting(t) {
			t.Run(name, func(t *testing.T) {
				within(t, 10*time.Second, "cancelling", func() {
					if n, err := p.Do(later(t, 10*time.Millisecond), op()); n != 0 || err != context.Canceled {
						t.Errorf("cancelled: %d, %v", n, err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
					defer cancel()
					if n, err := p.Do(ctx, op()); n != 0 || err != context.DeadlineExceeded {
						t.Errorf("timed out: %d, %v", n, err)
					}
					if n, err := p.Do(ctx, op()); n != 0 || err != context.DeadlineExceeded {
						t.Errorf("timed out before: %d, %v", n, err)
					}
				})
			})
		}
	})
}

func TestContextOfMany(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		list := waiting(t)
		delete(list, "splice") // it waits in a kernel thread that others can't share
		for name, call := range map[string]func(context.Context, []Op, []Result) error{"batch": p.Batch, "link": p.Link} {
			ops := []Op{Nop()}
			for _, op := range list {
				ops = append(ops, op())
			}
			results := make([]Result, len(ops))
			within(t, 10*time.Second, name, func() {
				if err := call(later(t, 10*time.Millisecond), ops, results); err != context.Canceled {
					t.Errorf("%s: %v", name, err)
				}
			})
			for i, r := range results {
				if want := context.Canceled; i > 0 && r.Err != want || i == 0 && r.Err != nil {
					t.Errorf("%s: %v: %v", name, ops[i].Code(), r.Err)
				}
			}
		}
	})
}

func TestGate(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		why := errors.New("why")
		for name, op := range waiting(t) {
			t.Run(name, func(t *testing.T) {
				var g Gate
				within(t, 20*time.Second, "shutting gates", func() {
					time.AfterFunc(10*time.Millisecond, func() { g.Shut(why) })
					if n, err := p.Do(t.Context(), op().Through(&g)); n != 0 || err != why {
						t.Errorf("shut: %d, %v", n, err)
					}
					if n, err := p.Do(t.Context(), op().Through(&g)); n != 0 || err != why {
						t.Errorf("shut before: %d, %v", n, err)
					}
					g.Open()
					g.SetDeadline(time.Now().Add(10 * time.Millisecond))
					if n, err := p.Do(t.Context(), op().Through(&g)); n != 0 || err != os.ErrDeadlineExceeded {
						t.Errorf("deadline: %d, %v", n, err)
					}
					if n, err := p.Do(t.Context(), op().Through(&g)); n != 0 || err != os.ErrDeadlineExceeded {
						t.Errorf("deadline before: %d, %v", n, err)
					}
					g.SetDeadline(time.Time{})
					g.SetDeadline(time.Now().Add(time.Hour))
					time.AfterFunc(10*time.Millisecond, func() { g.SetDeadline(time.Now().Add(-time.Second)) })
					if n, err := p.Do(t.Context(), op().Through(&g)); n != 0 || err != os.ErrDeadlineExceeded {
						t.Errorf("deadline in the past: %d, %v", n, err)
					}
				})
				g.SetDeadline(time.Now().Add(time.Hour))
				if err := g.Err(); err != nil {
					t.Errorf("open again: %v", err)
				}
				g.Shut(why)
				g.SetDeadline(time.Time{})
				if err := g.Err(); err != why {
					t.Errorf("a deadline opened what was shut: %v", err)
				}
			})
		}
	})
}

// Several operations through one gate, and several gates in one call.
func TestGates(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		one, two := errors.New("one"), errors.New("two")
		var g1, g2 Gate
		a, _ := pair(t)
		bufs := make([][]byte, 6)
		ops := make([]Op, len(bufs))
		for i := range ops {
			bufs[i] = make([]byte, 1)
			ops[i] = Recv(a, bufs[i], 0).Through(&g1)
			if i%2 == 1 {
				ops[i] = ops[i].Through(&g2).WithTimeout(time.Hour)
			}
		}
		time.AfterFunc(10*time.Millisecond, func() { g1.Shut(one) })
		time.AfterFunc(20*time.Millisecond, func() { g2.Shut(two) })
		results := make([]Result, len(ops))
		if err := p.Batch(t.Context(), ops, results); err != one {
			t.Errorf("the batch: %v", err)
		}
		for i, r := range results {
			if want := []error{one, two}[i%2]; r.Err != want {
				t.Errorf("operation %d: %v, not %v", i, r.Err, want)
			}
		}
		if g1.first != nil || g2.first != nil {
			t.Error("something is left in a gate")
		}
	})
}

// A result that an operation had before it was cancelled is not thrown away: what
// is received is received.
func TestNothingIsLost(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		a, b := pair(t)
		const total = 3000
		go func() {
			for i := range total {
				unix.Write(b, []byte{placed(int64(i))})
				if i%100 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		buf := make([]byte, 10)
		var cancelled int
		for got := 0; got < total; {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(got%50)*time.Microsecond)
			n, err := p.Do(ctx, Recv(a, buf, 0))
			cancel()
			if err == context.DeadlineExceeded {
				cancelled++
				if n != 0 {
					t.Fatalf("%d bytes beside %v", n, err)
				}
				got += 0
				if got%50 == 0 {
					// Those with no time at all would be tried for ever.
					n, err = p.Do(t.Context(), Recv(a, buf[:1], 0))
				} else {
					continue
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := checkPlace(buf[:n], int64(got)); err != nil {
				t.Fatal(err)
			}
			got += n
		}
		if cancelled == 0 {
			t.Error("nothing was cancelled")
		}
	})
}

// More calls than there are slots wait for each other, and for no longer than their
// contexts say.
func TestTooManyInFlight(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		config.InFlight, config.Rings, config.Entries = 64, 2, 16
		if config.Crowd == CrowdAlways {
			config.Rings = 1 // and one of the crowd
		}
		p := open(t, config)
		a, b := pair(t)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var served atomic.Int32
		const calls = 300
		for range calls {
			wg.Go(func() {
				if _, err := p.Do(ctx, Recv(a, make([]byte, 1), 0)); err == nil {
					served.Add(1)
				} else if err != context.Canceled {
					t.Error(err)
				}
			})
		}
		const all = 2 * 64
		for p.Stats().InFlight < all {
			time.Sleep(time.Millisecond)
		}
		if n := p.Stats().InFlight; n != all {
			t.Errorf("%d in flight, not %d", n, all)
		}
		within(t, 5*time.Second, "waiting for a slot", func() {
			if _, err := p.Do(later(t, 10*time.Millisecond), Nop()); err != context.Canceled {
				t.Errorf("a call without a slot: %v", err)
			}
			results := make([]Result, 10)
			ops := make([]Op, 10)
			for i := range ops {
				ops[i] = Nop()
			}
			if err := p.Link(later(t, 10*time.Millisecond), ops, results); err != context.Canceled {
				t.Errorf("a chain without slots: %v", err)
			}
		})
		const bytes = 250
		if n, err := unix.Write(b, make([]byte, bytes)); n != bytes {
			t.Fatal(n, err)
		}
		for served.Load() < bytes {
			time.Sleep(time.Millisecond)
		}
		cancel()
		wg.Wait()
		if n := served.Load(); n != bytes {
			t.Errorf("%d calls received a byte, of %d sent", n, bytes)
		}
		if p.Stats().Waits == 0 {
			t.Error("Stats knows of nobody who waited")
		}
		do(t, p, Nop())
	})
}

// An operation that is cancelled before the kernel has seen it breaks its chain, and
// no other.
func TestCancelInBacklog(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		config.Rings, config.Crowd = 1, CrowdNever
		for struck := range 4 {
			p := open(t, config)
			r := (*p.rings.Load())[0]
			file, a, b := tempFile(t, 0), []byte("a"), []byte("b")
			fd := int(file.Fd())
			chain := []Op{Write(fd, a, 0), Write(fd, a, 1).WithTimeout(time.Minute), Write(fd, a, 2), Write(fd, a, 3)}
			first, n := r.table.prepare(chain, true, true)
			stranger, m := r.table.prepare([]Op{Write(fd, b, 4)}, false, true)
			if n != len(chain) || m != 1 {
				t.Fatal(n, m)
			}
			var slots []*slot // of the operations
			r.mu.Lock()
			r.enter()
			for _, lead := range []*slot{first, stranger} {
				for s := lead; s != nil; s = s.mate {
					s.armed = armedMark(s.generation)
					r.backlog = append(r.backlog, s)
					if !s.companion {
						slots = append(slots, s)
					}
				}
			}
			r.cancelNow(slots[struck], slots[struck].generation)
			r.turn()
			r.leave()
			sleep(t.Context(), first)
			sleep(t.Context(), stranger)
			for i, s := range slots {
				want := int32(1)
				if i >= struck && i < len(chain) {
					want = -int32(syscall.ECANCELED)
				}
				if s.res != want {
					t.Errorf("%d cancelled: the result of %d is %d, not %d", struck, i, s.res, want)
				}
			}
			got, err := os.ReadFile(file.Name())
			want := append([]byte("aaaa"), 'b')
			clear(want[struck:4])
			if err != nil || string(got) != string(want) {
				t.Errorf("%d cancelled: the file has %q, %v", struck, got, err)
			}
			r.table.put(first)
			r.table.put(stranger)
		}
	})
}

// A call that waits for a slot gets one of another ring, while all that is in flight
// on its own is stuck.
func TestSlotOfAnotherRing(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		config.InFlight, config.Rings, config.Entries, config.Crowd = 64, 2, 16, CrowdNever
		p := open(t, config)
		if _, err := p.addRing(); err != nil {
			t.Fatal(err)
		}
		rings := *p.rings.Load()
		var slots [2][]*slot
		for i, r := range rings {
			for s := r.table.get(); s != nil; s = r.table.get() {
				slots[i] = append(slots[i], s)
			}
		}
		found := make(chan *ring)
		go func() {
			r, s, err := p.obtain(t.Context(), new(Nop()), nil)
			if err != nil {
				t.Error(err)
			} else {
				r.table.put(s)
			}
			found <- r
		}()
		hungry := func(i int) bool { return rings[i].table.hungry.Load() > 0 }
		for !hungry(0) && !hungry(1) {
			time.Sleep(time.Millisecond)
		}
		other := 0
		if hungry(0) {
			other = 1
		}
		rings[other].table.put(slots[other][0])
		if r := <-found; r != rings[other] {
			t.Error("it is not the slot that was given back")
		}
		for _, s := range slots[other][1:] {
			rings[other].table.put(s)
		}
		for _, s := range slots[1-other] {
			rings[1-other].table.put(s)
		}
	})
}

// A batch that is larger than everything goes through in parts.
func TestBatchLargerThanRing(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		config.InFlight, config.Rings, config.Entries = 64, 1, 4
		p := open(t, config)
		f := tempFile(t, 1<<16)
		const n = 1000
		ops, results, bufs := make([]Op, n), make([]Result, n), make([][]byte, n)
		for i := range ops {
			bufs[i] = make([]byte, 64)
			ops[i] = Read(int(f.Fd()), bufs[i], int64(i*64))
			if i%10 == 0 {
				ops[i] = ops[i].WithTimeout(time.Minute)
			}
		}
		if err := p.Batch(t.Context(), ops, results); err != nil {
			t.Fatal(err)
		}
		for i, b := range bufs {
			if err := checkPlace(b, int64(i*64)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// An operation that the thread of another goroutine submitted survives that thread.
func TestThreadEnds(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		p := open(t, config)
		type result struct {
			n   int
			err error
		}
		const rounds = 20
		for range rounds {
			a, b := pair(t)
			done := make(chan result)
			buf := make([]byte, 10)
			go func() {
				runtime.LockOSThread()
				// The receive is submitted by this thread, and the goroutine that
				// waits for it is another.
				s := p.OpenStream(MultishotPoll(a, unix.POLLIN))
				if err := s.begin(t.Context()); err != nil {
					t.Error(err)
				}
				go func() {
					defer s.Close()
					c, err := s.Next(t.Context())
					done <- result{c.N, err}
				}()
				// Returning ends the thread.
			}()
			time.Sleep(2 * time.Millisecond)
			unix.Write(b, []byte("hello"))
			if r := <-done; r.n&unix.POLLIN == 0 || r.err != nil {
				t.Fatalf("the result is %#x, %v", r.n, r.err)
			}
			do(t, p, Recv(a, buf, 0))
		}
	})
}

func TestTrace(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		var entries, nops, sends atomic.Int64
		config.Trace = &Trace{
			Submitted: func(n int) { entries.Add(int64(n)) },
			Completed: func(op sys.Op, c sys.CQE, took time.Duration) {
				if took < 0 || took > time.Minute {
					t.Errorf("%v took %v", op, took)
				}
				switch op {
				case sys.IORING_OP_NOP:
					nops.Add(1)
				case sys.IORING_OP_SEND:
					sends.Add(int64(c.Res))
				}
			},
		}
		p := open(t, config)
		a, _ := pair(t)
		do(t, p, Nop())
		do(t, p, Send(a, make([]byte, 100), 0).WithTimeout(time.Minute))
		p.Batch(t.Context(), []Op{Nop(), Nop()}, make([]Result, 2))
		own := config.Crowd == CrowdAlways // its thread adds some of its own
		if n := entries.Load(); n < 5 || n > 5 && !own || nops.Load() != 3 || sends.Load() != 100 {
			t.Errorf("%d entries, %d NOPs, %d bytes sent", entries.Load(), nops.Load(), sends.Load())
		}
		if s := p.Stats(); s.Operations != 4 || !own && (s.Inline != 3 || s.Submissions != 3) {
			t.Errorf("%+v", s)
		}
	})
}
