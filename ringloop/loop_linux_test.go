package ringloop

// Every test runs on both backends and on epoll, and leaves nothing behind.

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/sys"
)

func each(t *testing.T, test func(t *testing.T, config Config)) {
	pure := func(n uint32, p *sys.Params) (uring.Backend, error) { return purego.New(n, p) }
	withC := func(n uint32, p *sys.Params) (uring.Backend, error) { return liburing.New(n, p) }
	for _, v := range []struct {
		name   string
		config Config
	}{
		{"purego", Config{Backend: pure, Fallback: FallbackNever}},
		{"liburing", Config{Backend: withC, Fallback: FallbackNever}},
		{"epoll", Config{Fallback: FallbackAlways}},
	} {
		t.Run(v.name, func(t *testing.T) {
			l, err := New(&v.config)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if l.Ring() == (v.name == "epoll") {
				t.Errorf("Ring is %v", l.Ring())
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			test(t, v.config)
		})
	}
}

// start runs a Loop. When the test is over it is closed, and must have left nothing.
func start(t *testing.T, config Config) *Loop {
	t.Helper()
	if r, w, err := os.Pipe(); err == nil { // the runtime's poller has descriptors, too
		r.Close()
		w.Close()
	}
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	l, err := New(&config)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	watchdog := time.AfterFunc(3*time.Minute, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs with %d connections\n%s", t.Name(), l.open, buf[:runtime.Stack(buf, true)]))
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
		watchdog.Stop()
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines || descriptors(t) > fds; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, there were %d; %d descriptors, there were %d\n%s", runtime.NumGoroutine(), goroutines, descriptors(t), fds, buf[:runtime.Stack(buf, true)])
			}
		}
	})
	return l
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// serve has a Loop serve a new listener, and returns a function that connects to it.
func serve(t *testing.T, l *Loop, network string, h *Handler) (dial func() net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "socket")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Serve(ln, h); err != nil {
		t.Fatal(err)
	}
	return func() net.Conn {
		c, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// await has the Loop run f.
func await(t *testing.T, l *Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	if err := l.Post(func() { f(); close(done) }); err != nil {
		t.Fatal(err)
	}
	<-done
}

// place makes every byte carry its place in a long sequence.
func place(b []byte, off int) {
	var word [8]byte
	for i := 0; i < len(b); {
		at := off + i
		binary.LittleEndian.PutUint64(word[:], uint64(at/8+1)*0x9e3779b97f4a7c15)
		i += copy(b[i:], word[at%8:])
	}
}

func echo(c *Conn, b []byte) { c.Send(b) }

// talk sends a sequence through a connection to an echo server in pieces of all sizes,
// and looks at every byte that comes back.
func talk(c net.Conn, total int, seed uint64) error {
	defer c.Close()
	sent := make(chan error, 1)
	go func() {
		rnd := rand.New(rand.NewPCG(seed, 1))
		buf := make([]byte, 20_000)
		for off := 0; off < total; {
			b := buf[:min(1+rnd.IntN(len(buf)), total-off)]
			place(b, off)
			if _, err := c.Write(b); err != nil {
				sent <- err
				return
			}
			off += len(b)
		}
		sent <- c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, want := make([]byte, 30_000), make([]byte, 30_000)
	for off := 0; ; {
		n, err := c.Read(got)
		place(want[:n], off)
		if !bytes.Equal(got[:n], want[:n]) {
			return fmt.Errorf("wrong bytes at %d", off)
		}
		off += n
		if err == io.EOF && off == total {
			return <-sent
		}
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", off, err)
		}
	}
}

func TestEcho(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		// Few and small buffers, and little that may wait, so that all is exhausted.
		config.Buffers, config.BufferSize, config.SendLimit, config.Entries = 8, 1000, 10_000, 4
		for _, network := range []string{"tcp", "unix"} {
			l := start(t, config)
			var opened, closed atomic.Int64
			dial := serve(t, l, network, &Handler{
				Open: func(*Conn) { opened.Add(1) },
				Data: echo,
				Close: func(c *Conn, err error) {
					if err != nil || c.Fd() != -1 {
						t.Errorf("closed with %v, descriptor %d", err, c.Fd())
					}
					closed.Add(1)
				},
			})
			const n = 20
			var wg sync.WaitGroup
			for i := range n {
				c := dial()
				wg.Go(func() {
					if err := talk(c, 100_000, uint64(i)); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for closed.Load() < n {
				time.Sleep(time.Millisecond)
			}
			await(t, l, func() {
				if l.Conns() != 0 || opened.Load() != n {
					t.Errorf("%d connections left, %d were opened", l.Conns(), opened.Load())
				}
			})
		}
	})
}

// A peer that does not read makes receiving pause, and nothing else.
func TestBackPressure(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		config.SendLimit = 50_000
		l := start(t, config)
		var most atomic.Int64
		dial := serve(t, l, "tcp", &Handler{Data: func(c *Conn, b []byte) {
			c.Send(b)
			most.Store(max(most.Load(), int64(c.Buffered())))
		}})
		c := dial()
		c.(*net.TCPConn).SetReadBuffer(1 << 16)
		stuck := make(chan error, 1)
		const total = 8 << 20
		go func() {
			buf := make([]byte, 1<<16)
			for off := 0; off < total; off += len(buf) {
				place(buf, off)
				if _, err := c.Write(buf); err != nil {
					stuck <- err
					return
				}
			}
			stuck <- nil
		}()
		time.Sleep(50 * time.Millisecond)
		if err := talk(dial(), 10_000, 1); err != nil {
			t.Errorf("beside it: %v", err)
		}
		got, want := make([]byte, 1<<16), make([]byte, 1<<16)
		for off := 0; off < total; off += len(got) {
			if _, err := io.ReadFull(c, got); err != nil {
				t.Fatal(err)
			}
			if place(want, off); !bytes.Equal(got, want) {
				t.Fatalf("wrong bytes after %d", off)
			}
		}
		if err := <-stuck; err != nil {
			t.Error(err)
		}
		c.Close()
		// What had been received when it was told to pause comes in addition.
		if limit := int64(config.SendLimit + 1024*4096); most.Load() > limit {
			t.Errorf("%d bytes waited to be sent, more than %d", most.Load(), limit)
		}
	})
}

func TestPost(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		l := start(t, config)
		const goroutines, each = 20, 500
		next := make([]int, goroutines) // without a lock: one thread
		total := 0
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					if err := l.Post(func() {
						if next[g] != i {
							t.Errorf("%d of goroutine %d comes when it is %d's turn", i, g, next[g])
						}
						next[g]++
						total++
					}); err != nil {
						t.Error(err)
					}
					if rand.IntN(20) == 0 {
						time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
					}
				}
			})
		}
		wg.Wait()
		var got int
		await(t, l, func() { got = total })
		if got != goroutines*each {
			t.Errorf("%d of %d were called", got, goroutines*each)
		}
		// A function that posts another one is not delayed by sleep.
		done := make(chan struct{})
		l.Post(func() { l.Post(func() { l.Post(func() { close(done) }) }) })
		<-done
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Post(func() {}); err != ErrClosed {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Every way in which a connection ends, and what Close is told.
func TestEnds(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		l := start(t, config)
		ends := make(chan error, 1)
		dial := serve(t, l, "tcp", &Handler{
			Data: func(c *Conn, b []byte) {
				switch b[0] {
				case 'c':
					c.Send(make([]byte, 100_000))
					c.Close()
					if err := c.Send([]byte("x")); err != net.ErrClosed {
						t.Errorf("Send after Close: %v", err)
					}
				case 'a':
					c.Send(make([]byte, 100_000))
					c.Abort()
					c.Abort()
				case 's':
					l.Stop()
				}
			},
			Close: func(c *Conn, err error) { ends <- err },
		})
		for _, c := range []struct {
			say  string
			want error
			all  int // bytes that the peer gets, -1 if that is not certain
		}{
			{"c", nil, 100_000},
			{"a", net.ErrClosed, -1},
			{"", nil, 0},
			{"r", syscall.ECONNRESET, -1},
			{"s", ErrClosed, -1},
		} {
			conn := dial()
			conn.Write([]byte(c.say))
			switch c.say {
			case "":
				conn.(*net.TCPConn).CloseWrite()
			case "r":
				time.Sleep(10 * time.Millisecond)
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			}
			got, _ := io.Copy(io.Discard, conn)
			if err := <-ends; err != c.want {
				t.Errorf("%q: closed with %v, not %v", c.say, err, c.want)
			}
			if c.all >= 0 && int(got) != c.all {
				t.Errorf("%q: got %d bytes, not %d", c.say, got, c.all)
			}
			conn.Close()
		}
	})
}

// A Loop is the client of another one.
func TestAdopt(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		l := start(t, config)
		server := start(t, config)
		dial := serve(t, server, "tcp", &Handler{Data: echo})
		const total = 1 << 20
		done := make(chan error, 1)
		got, sent, drained := 0, 0, 0
		buf := make([]byte, 4000)
		more := func(c *Conn) {
			if n := min(len(buf), total-sent); n > 0 {
				place(buf[:n], sent)
				sent += n
				c.Send(buf[:n])
			}
		}
		err := l.Adopt(dial(), &Handler{
			Open:    more,
			Drained: func(c *Conn) { drained++; more(c) },
			Data: func(c *Conn, b []byte) {
				want := make([]byte, len(b))
				if place(want, got); !bytes.Equal(b, want) {
					t.Errorf("wrong bytes after %d", got)
				}
				if got += len(b); got == total {
					c.Close()
				}
			},
			Close: func(c *Conn, err error) { done <- err },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got != total || drained < total/len(buf) {
			t.Errorf("%d bytes, drained %d times", got, drained)
		}
		if err := l.Adopt(pipeConn{}, nil); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a connection without a descriptor: %v", err)
		}
	})
}

type pipeConn struct{ net.Conn }

func TestContextEndsRun(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		l, err := New(&config)
		if err != nil {
			t.Fatal(err)
		}
		dial := serve(t, l, "tcp", &Handler{Data: echo})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		c := dial()
		defer c.Close()
		c.Write([]byte("hello"))
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("Run: %v", err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is still open")
		}
		if err := l.Run(t.Context()); err != ErrClosed {
			t.Errorf("Run again: %v", err)
		}
	})
}

// A Loop that never runs still closes what it was given.
func TestNeverRun(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		fds := descriptors(t)
		l, err := New(&config)
		if err != nil {
			t.Fatal(err)
		}
		serve(t, l, "tcp", &Handler{Data: echo})
		a, b, err := connected()
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Adopt(a, &Handler{}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != ErrClosed {
			t.Errorf("Close again: %v", err)
		}
		if _, err := b.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is still open")
		}
		b.Close()
		if now := descriptors(t); now > fds {
			t.Errorf("%d descriptors, there were %d", now, fds)
		}
	})
}

func connected() (a, b net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	if a, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	b, err = ln.Accept()
	return a, b, err
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{Buffers: 3}, {Buffers: -1}, {BufferSize: 1 << 21}, {Entries: 40_000}, {SendLimit: -1}, {Fallback: 3}} {
		if _, err := New(&c); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	nope := errors.New("nope")
	refuse := func(uint32, *sys.Params) (uring.Backend, error) { return nil, nope }
	if _, err := New(&Config{Backend: refuse, Fallback: FallbackNever}); !errors.Is(err, nope) || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a ring that is refused: %v", err)
	}
	l, err := New(&Config{Backend: refuse})
	if err != nil || l.Ring() {
		t.Fatalf("a ring that is refused: %v", err)
	}
	l.Close()
}

// In the long run a message costs no allocation.
func TestNoAllocations(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		l := start(t, config)
		dial := serve(t, l, "tcp", &Handler{Data: echo})
		c := dial()
		defer c.Close()
		fd, err := l.duplicate(c.(syscall.Conn))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		unix.SetNonblock(fd, false)
		buf := make([]byte, 64)
		f := func() {
			unix.Write(fd, buf)
			if n, err := unix.Read(fd, buf); n != len(buf) {
				t.Fatal(n, err)
			}
		}
		nothing := func() {}
		for range 200 {
			f()
			l.Post(nothing)
		}
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%v allocations for a message", n)
		}
		if n := testing.AllocsPerRun(1000, func() { l.Post(nothing) }); n != 0 {
			t.Errorf("%v allocations for a Post", n)
		}
	})
}

// Descriptors run out, and come back.
func TestHostileOutOfDescriptors(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		l := start(t, config)
		dial := serve(t, l, "tcp", &Handler{Data: echo})
		await(t, l, func() {}) // it accepts
		c := dial()
		defer c.Close()
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := talkOnce(c); err != nil {
			t.Fatal(err)
		}
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
		sa, err := unix.Getpeername(fdOf(t, c))
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, sa); err != nil {
			t.Fatal(err)
		}
		unix.Write(fd, []byte("hello"))
		time.Sleep(30 * time.Millisecond)
		if err := talkOnce(c); err != nil {
			t.Errorf("the other connection: %v", err)
		}
		unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
		buf := make([]byte, 5)
		if n, err := unix.Read(fd, buf); n != 5 {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func fdOf(t *testing.T, c net.Conn) (fd int) {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(p uintptr) { fd = int(p) })
	return fd
}

func talkOnce(c net.Conn) error {
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}

// Connections come, talk, are reset, and the Loop ends in the middle of it.
func TestHostileClose(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		config.Buffers, config.Entries = 16, 8
		rounds := 10
		if testing.Short() {
			rounds = 3
		}
		for round := range rounds {
			t.Run(strconv.Itoa(round), func(t *testing.T) { closeAfter(t, config, time.Duration(round)*time.Millisecond) })
		}
	})
}

func closeAfter(t *testing.T, config Config, d time.Duration) {
	l := start(t, config)
	var open atomic.Int64
	dial := serve(t, l, "tcp", &Handler{
		Open:  func(*Conn) { open.Add(1) },
		Data:  echo,
		Close: func(*Conn, error) { open.Add(-1) },
	})
	var wg sync.WaitGroup
	for g := range 12 {
		c := dial()
		wg.Go(func() {
			if g%3 == 0 {
				c.(*net.TCPConn).SetLinger(0)
				c.Write(make([]byte, 10_000))
				time.Sleep(time.Duration(g) * 100 * time.Microsecond)
				c.Close()
				return
			}
			talk(c, 1<<20, 1) // unless it is cut off
		})
	}
	time.Sleep(d)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if open.Load() != 0 {
		t.Errorf("%d connections were not closed", open.Load())
	}
	wg.Wait()
}
