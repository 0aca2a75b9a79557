package proactor

// Everything at once, under conditions that nobody would choose. Every byte carries
// its place, so that one that went astray is seen. -soak makes the tests longer.

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostile is how long a hostile test runs.
func hostile() time.Duration {
	if testing.Short() {
		return max(40*time.Millisecond, *soak)
	}
	return max(200*time.Millisecond, *soak)
}

// A workload is a goroutine's part in a hostile test: it makes calls until ctx ends
// and returns what went wrong.
type workload func(t *testing.T, ctx context.Context, p *Proactor, rnd *rand.Rand) error

// churn runs workloads in n goroutines until the time is over.
func churn(t *testing.T, p *Proactor, n int, list ...workload) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hostile())
	defer cancel()
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for ctx.Err() == nil {
				if err := list[g%len(list)](t, ctx, p, rnd); err != nil && ctx.Err() == nil {
					t.Errorf("workload %d: %v", g%len(list), err)
					return
				}
			}
		})
	}
	wg.Wait()
}

const hostileFile = 1 << 20

// readers reads a file at random, in calls of all kinds, into memory that is garbage
// a moment later.
func readers(f *os.File) workload {
	fd := int(f.Fd())
	return func(t *testing.T, ctx context.Context, p *Proactor, rnd *rand.Rand) error {
		n := 1 + rnd.IntN(20)
		ops, results, bufs, offs := make([]Op, n), make([]Result, n), make([][]byte, n), make([]int64, n)
		for i := range ops {
			bufs[i] = make([]byte, 1+rnd.IntN(3000))
			offs[i] = rnd.Int64N(hostileFile - 3000)
			switch rnd.IntN(3) {
			case 0:
				half := len(bufs[i]) / 2
				ops[i] = Readv(fd, [][]byte{bufs[i][:half], nil, bufs[i][half:]}, offs[i])
			case 1:
				ops[i] = Read(fd, bufs[i], offs[i]).WithTimeout(time.Minute)
			default:
				ops[i] = Read(fd, bufs[i], offs[i])
			}
		}
		var err error
		switch rnd.IntN(3) {
		case 0:
			results = results[:1]
			results[0].N, err = p.Do(ctx, ops[0])
		case 1:
			err = p.Batch(ctx, ops, results)
		default:
			err = p.Link(ctx, ops, results)
		}
		if err != nil {
			return err
		}
		for i, r := range results {
			if r.N != len(bufs[i]) {
				return errors.New("a short read")
			}
			if err := checkPlace(bufs[i], offs[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// talkers sends a stream through a socket pair of its own and receives it, giving up
// calls at random moments.
func talkers(t *testing.T, ctx context.Context, p *Proactor, rnd *rand.Rand) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	const total = 30_000
	sent := make(chan error, 1)
	go func() {
		for off := 0; off < total; {
			b := make([]byte, min(1+rand.IntN(4000), total-off))
			place(b, int64(off))
			n, err := p.Do(ctx, Send(fds[0], b, 0))
			if err != nil {
				unix.Shutdown(fds[0], unix.SHUT_RDWR)
				sent <- err
				return
			}
			off += n
		}
		sent <- nil
	}()
	defer func() { <-sent }()
	defer unix.Shutdown(fds[1], unix.SHUT_RDWR)
	var gate Gate
	for off := 0; off < total; {
		b := make([]byte, 1+rnd.IntN(4000))
		op := Recv(fds[1], b, 0)
		give, cancel := ctx, context.CancelFunc(func() {})
		switch rnd.IntN(4) {
		case 0:
			give, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(300))*time.Microsecond)
		case 1:
			gate.SetDeadline(time.Now().Add(time.Duration(rnd.IntN(300)) * time.Microsecond))
			op = op.Through(&gate)
		case 2:
			op = op.WithTimeout(time.Duration(1 + rnd.IntN(300_000)))
		}
		n, err := p.Do(give, op)
		cancel()
		if err == context.DeadlineExceeded || errors.Is(err, os.ErrDeadlineExceeded) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the stream ended early")
		}
		if err := checkPlace(b[:n], int64(off)); err != nil {
			return err
		}
		off += n
	}
	return nil
}

// waiters makes calls that would wait for ever, and gives them up.
func waiters(t *testing.T, ctx context.Context, p *Proactor, rnd *rand.Rand) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	short, cancel := context.WithTimeout(ctx, time.Duration(rnd.IntN(500))*time.Microsecond)
	defer cancel()
	switch rnd.IntN(3) {
	case 0:
		_, err = p.Do(short, Poll(fds[0], unix.POLLIN))
	case 1:
		ops := []Op{Recv(fds[0], make([]byte, 10), 0), Timeout(time.Hour), Nop()}
		err = p.Batch(short, ops, make([]Result, 3))
	case 2:
		for _, e := range p.Multishot(short, MultishotPoll(fds[1], unix.POLLIN)) {
			err = e
		}
	}
	if err == context.DeadlineExceeded || err == nil {
		return nil
	}
	return err
}

// tickers loops over timers and breaks off.
func tickers(t *testing.T, ctx context.Context, p *Proactor, rnd *rand.Rand) error {
	n := rnd.IntN(10)
	for _, err := range p.Multishot(ctx, MultishotTimeout(time.Duration(1+rnd.IntN(200))*time.Microsecond, 0)) {
		if err != nil {
			return err
		}
		if n--; n < 0 {
			break
		}
	}
	return nil
}

// deep calls f at the end of a stack that has to grow.
func deep(n int, f func()) {
	var pad [256]byte
	if n == 0 {
		f()
		return
	}
	deep(n-1, f)
	runtime.KeepAlive(&pad)
}

// stacks keeps buffers where a careless library would leave them on the stack, and
// grows the stack while the kernel has them.
func stacks(t *testing.T, ctx context.Context, p *Proactor, rnd *rand.Rand) error {
	var err error
	deep(rnd.IntN(100), func() {
		fds, e := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if e != nil {
			err = e
			return
		}
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		var in, out [100]byte
		place(out[:], 7)
		var results [2]Result
		ops := [2]Op{Recv(fds[0], in[:], 0), Send(fds[1], out[:], 0)}
		if err = p.Batch(ctx, ops[:], results[:]); err == nil {
			err = checkPlace(in[:], 7)
		}
	})
	return err
}

func TestHostileChurn(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		f := tempFile(t, hostileFile)
		churn(t, p, 50, readers(f), talkers, waiters, tickers, stacks)
	})
}

// The same on a ring so small that everything is full all the time.
func TestHostileTinyRing(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		config.Entries, config.InFlight, config.Rings = 64, 64, 1
		p := open(t, config)
		f := tempFile(t, hostileFile)
		for rounds := 0; rounds == 0 || p.Stats().Waits == 0; rounds++ {
			if rounds == 50 {
				t.Fatal("nothing was ever full")
			}
			churn(t, p, 50, readers(f), talkers, waiters, tickers, stacks)
		}
	})
}

// The garbage collector runs without pause, and finds little to keep.
func TestHostileCollector(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		defer debug.SetGCPercent(debug.SetGCPercent(1))
		stop := background(func() { runtime.GC() })
		defer stop()
		f := tempFile(t, hostileFile)
		churn(t, p, 20, readers(f), talkers, waiters, tickers, stacks)
	})
}

// Signals interrupt every thread in everything.
func TestHostileSignals(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		pid := os.Getpid()
		stop := background(func() {
			tasks, _ := os.ReadDir("/proc/self/task")
			for _, task := range tasks {
				var tid int
				for _, c := range task.Name() {
					tid = tid*10 + int(c-'0')
				}
				unix.Tgkill(pid, tid, syscall.SIGURG)
			}
			time.Sleep(50 * time.Microsecond)
		})
		defer stop()
		f := tempFile(t, hostileFile)
		churn(t, p, 20, readers(f), talkers, waiters, tickers, stacks)
	})
}

// The process forks while everything is in flight.
func TestHostileExec(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		stop := background(func() {
			if out, err := exec.Command(self, "-test.run=^$").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		f := tempFile(t, hostileFile)
		churn(t, p, 20, readers(f), talkers, waiters, tickers, stacks)
		stop()
	})
}

// background calls f again and again in a goroutine.
func background(f func()) (stop func()) {
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !over.Load() {
			f()
		}
	})
	return func() { over.Store(true); wg.Wait() }
}

func TestHostileProcessors(t *testing.T) {
	for _, n := range []int{1, 16} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
		each(t, func(t *testing.T, config Config) {
			p := open(t, config)
			f := tempFile(t, hostileFile)
			churn(t, p, 40, readers(f), talkers, waiters, tickers, stacks)
			// Not the number there was when the Proactor was made.
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(17 - n))
			churn(t, p, 40, readers(f), talkers, waiters, tickers, stacks)
		})
	}
}

// Ten thousand goroutines wait, are served, and are given up.
func TestHostileTenThousand(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		const n = 10_000
		a, b := pair(t)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var served, given atomic.Int64
		for range n {
			wg.Go(func() {
				var c [1]byte
				switch m, err := p.Do(ctx, Recv(a, c[:], 0)); {
				case err == context.Canceled:
					given.Add(1)
				case err != nil || m != 1 || c[0] != 42:
					t.Errorf("%d, %v, %d", m, err, c[0])
				default:
					served.Add(1)
				}
			})
		}
		for p.Stats().InFlight < n {
			time.Sleep(time.Millisecond)
		}
		const bytes = n / 2
		msg := make([]byte, bytes)
		for i := range msg {
			msg[i] = 42
		}
		if m, err := unix.Write(b, msg); m != bytes {
			t.Fatal(m, err)
		}
		for served.Load() < bytes {
			time.Sleep(time.Millisecond)
		}
		within(t, 20*time.Second, "cancelling", func() {
			cancel()
			wg.Wait()
		})
		if served.Load() != bytes || given.Load() != n-bytes {
			t.Errorf("%d served, %d given up", served.Load(), given.Load())
		}
	})
}

// One operation that is stuck does not delay another.
func TestHostileStuckOperation(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		config.Rings = 1
		p := open(t, config)
		f := tempFile(t, hostileFile)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, op := range waiting(t) {
			wg.Go(func() {
				if _, err := p.Do(ctx, op()); err != context.Canceled {
					t.Error(err)
				}
			})
		}
		for p.Stats().InFlight < 10 {
			time.Sleep(time.Millisecond)
		}
		buf := make([]byte, 4096)
		var slowest time.Duration
		for i := range 2000 {
			start := time.Now()
			do(t, p, Read(int(f.Fd()), buf, int64(i)*100))
			slowest = max(slowest, time.Since(start))
		}
		if slowest > time.Second {
			t.Errorf("a read took %v", slowest)
		}
		cancel()
		wg.Wait()
	})
}

// Descriptors run out while there is no eventfd yet.
func TestHostileOutOfDescriptors(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		config.Rings = 1
		p := open(t, config)
		a, b := pair(t)
		var old, low unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		low = old
		low.Cur = 0
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
		time.AfterFunc(20*time.Millisecond, func() { unix.Write(b, []byte("hello")) })
		buf := make([]byte, 10)
		if n := do(t, p, Recv(a, buf, 0)); n != 5 {
			t.Errorf("received %d bytes", n)
		}
		if _, err := p.Do(later(t, 10*time.Millisecond), Recv(a, buf, 0)); err != context.Canceled {
			t.Errorf("cancelled: %v", err)
		}
		if _, err := p.Do(t.Context(), Socket(unix.AF_INET, unix.SOCK_STREAM, 0)); err != syscall.EMFILE {
			t.Errorf("a socket: %v", err)
		}
	})
}

func TestHostileDiskFull(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		fd, err := unix.Open("/dev/full", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Skip(err)
		}
		defer unix.Close(fd)
		ops := []Op{Write(fd, []byte("x"), 0), Fsync(fd, 0)}
		results := make([]Result, 2)
		if err := p.Link(t.Context(), ops, results); err != syscall.ENOSPC || results[1].Err != syscall.ECANCELED {
			t.Errorf("%v, %v", results[0].Err, results[1].Err)
		}
	})
}

// A connection that is reset in the middle.
func TestHostileReset(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		lfd, addr := listener(t)
		for range 50 {
			cfd := do(t, p, Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
			do(t, p, Connect(cfd, &addr))
			sfd := do(t, p, Accept(lfd, nil, 0))
			time.AfterFunc(time.Millisecond, func() {
				unix.SetsockoptLinger(cfd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
				unix.Close(cfd)
			})
			if n, err := p.Do(t.Context(), Recv(sfd, make([]byte, 10), 0)); err != syscall.ECONNRESET {
				t.Errorf("%d, %v", n, err)
			}
			do(t, p, Close(sfd))
		}
	})
}
