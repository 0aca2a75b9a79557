package proactor

// Multishot operations: what they yield, how they end, what a break undoes.

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMultishotAccept(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		lfd, addr := listener(t)
		const n = 20
		connect := func() int {
			fd := do(t, p, Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
			do(t, p, Connect(fd, &addr))
			return fd
		}
		for range 3 {
			// More connections than the loop sees: the rest must be closed again.
			var clients []int
			for range n + 5 {
				clients = append(clients, connect())
			}
			var servers []int
			for c, err := range p.Multishot(t.Context(), MultishotAccept(lfd, 0)) {
				if err != nil {
					t.Fatal(err)
				}
				if servers = append(servers, c.N); len(servers) == n {
					break
				}
			}
			if len(servers) != n {
				t.Fatalf("%d connections, not %d", len(servers), n)
			}
			for _, fd := range append(clients, servers...) {
				unix.Close(fd)
			}
			// Those that nobody has accepted.
			unix.SetNonblock(lfd, true)
			for {
				fd, _, err := unix.Accept(lfd)
				if err != nil {
					break
				}
				unix.Close(fd)
			}
			unix.SetNonblock(lfd, false)
		}
	})
}

func TestMultishotRecv(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		buffers, err := p.NewBuffers(8, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			a, b := pair(t)
			const total = 150_000
			go func() {
				msg := make([]byte, 777)
				for off := 0; off < total; {
					n := min(len(msg), total-off)
					place(msg[:n], int64(off))
					n, err := unix.Write(b, msg[:n])
					if err != nil {
						t.Error(err)
						return
					}
					off += n
				}
				unix.Shutdown(b, unix.SHUT_WR)
			}()
			got := 0
			for c, err := range p.Multishot(t.Context(), MultishotRecv(a, buffers, 0)) {
				if err != nil {
					t.Fatal(err)
				}
				if c.N == 0 || len(c.Data) != c.N {
					t.Fatalf("%d bytes, and data of %d", c.N, len(c.Data))
				}
				if err := checkPlace(c.Data, int64(got)); err != nil {
					t.Fatal(err)
				}
				if got += c.N; got%100 < 5 {
					time.Sleep(100 * time.Microsecond) // the buffers run out
				}
			}
			if got != total {
				t.Errorf("%d bytes of %d", got, total)
			}
		}
	})
}

// Many streams share a few buffers.
func TestSharedBuffers(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		buffers, err := p.NewBuffers(4, 512)
		if err != nil {
			t.Fatal(err)
		}
		const streams, total = 30, 20_000
		done := make(chan error, streams)
		for range streams {
			a, b := pair(t)
			go func() {
				msg := make([]byte, total)
				place(msg, 0)
				if n, err := p.Do(context.Background(), Send(b, msg, unix.MSG_WAITALL)); n != total {
					done <- err
				}
				unix.Shutdown(b, unix.SHUT_WR)
			}()
			go func() {
				s := p.OpenStream(MultishotRecv(a, buffers, 0))
				defer s.Close()
				for off := int64(0); ; {
					c, err := s.Next(t.Context())
					if err == io.EOF && off == total {
						done <- nil
						return
					}
					if err == nil {
						err = checkPlace(c.Data, off)
					}
					if err != nil {
						done <- err
						return
					}
					off += int64(c.N)
				}
			}()
		}
		for range streams {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		for _, br := range buffers.rings {
			if br.out != 0 {
				t.Errorf("%d buffers have not come back", br.out)
			}
		}
	})
}

func TestMultishotPollAndTimeout(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		one := []byte{0: 1, 7: 0}
		unix.Write(fd, one)
		n := 0
		for c, err := range p.Multishot(t.Context(), MultishotPoll(fd, unix.POLLIN)) {
			if err != nil || c.N&unix.POLLIN == 0 {
				t.Fatalf("%#x, %v", c.N, err)
			}
			if n++; n == 10 {
				break
			}
			unix.Read(fd, make([]byte, 8))
			unix.Write(fd, one)
		}
		if n != 10 {
			t.Errorf("%d events", n)
		}
		n = 0
		start := time.Now()
		for c, err := range p.Multishot(t.Context(), MultishotTimeout(2*time.Millisecond, 5)) {
			if err != nil || c.N != 0 {
				t.Fatalf("%d, %v", c.N, err)
			}
			n++
		}
		if took := time.Since(start); n != 5 || took < 10*time.Millisecond {
			t.Errorf("%d ticks in %v", n, took)
		}
		n = 0
		for range p.Multishot(t.Context(), MultishotTimeout(time.Millisecond, 0)) {
			if n++; n == 10 {
				break
			}
		}
	})
}

func TestMultishotEnds(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		a, _ := pair(t)
		buffers, err := p.NewBuffers(2, 100)
		if err != nil {
			t.Fatal(err)
		}
		why := errors.New("why")
		var g Gate
		for _, c := range []struct {
			name string
			ctx  context.Context
			op   Op
			want error
		}{
			{"context", later(t, 10*time.Millisecond), MultishotRecv(a, buffers, 0), context.Canceled},
			{"a bad descriptor", t.Context(), MultishotRecv(-1, buffers, 0), syscall.EBADF},
			{"not a socket", t.Context(), MultishotAccept(0, 0), syscall.ENOTSOCK},
			{"not a multishot", t.Context(), Nop(), syscall.EINVAL},
			{"gate", t.Context(), MultishotRecv(a, buffers, 0).Through(&g), why},
			{"a shut gate", t.Context(), MultishotRecv(a, buffers, 0).Through(&g), why},
		} {
			if c.name == "gate" {
				time.AfterFunc(10*time.Millisecond, func() { g.Shut(why) })
			}
			n := 0
			within(t, 5*time.Second, c.name, func() {
				for _, err := range p.Multishot(c.ctx, c.op) {
					if n++; !errors.Is(err, c.want) {
						t.Errorf("%s: %v", c.name, err)
					}
				}
			})
			if n != 1 {
				t.Errorf("%s: %d results", c.name, n)
			}
		}
		if _, err := p.Do(t.Context(), MultishotAccept(0, 0)); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Do of a multishot: %v", err)
		}
		for _, c := range []struct{ count, size int }{{0, 1}, {3, 1}, {1 << 16, 1}, {1, 0}, {1, -1}, {1 << 15, 1 << 20}} {
			if _, err := p.NewBuffers(c.count, c.size); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%d buffers of %d bytes: %v", c.count, c.size, err)
			}
		}
	})
}

// A deadline ends Next and not the stream: what arrives afterwards is not lost.
func TestStreamDeadlines(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		a, b := pair(t)
		buffers, err := p.NewBuffers(4, 100)
		if err != nil {
			t.Fatal(err)
		}
		var g Gate
		s := p.OpenStream(MultishotRecv(a, buffers, 0).Through(&g))
		defer s.Close()
		const total = 1000
		go func() {
			for i := range total {
				unix.Write(b, []byte{placed(int64(i))})
				time.Sleep(10 * time.Microsecond)
			}
		}()
		deadlines := 0
		for off := int64(0); off < total; {
			g.SetDeadline(time.Now().Add(time.Duration(off%7) * 20 * time.Microsecond))
			c, err := s.Next(t.Context())
			if err == os.ErrDeadlineExceeded {
				if deadlines++; off%7 == 0 {
					g.SetDeadline(time.Time{})
					c, err = s.Next(t.Context())
				} else {
					continue
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := checkPlace(c.Data, off); err != nil {
				t.Fatal(err)
			}
			off += int64(c.N)
		}
		if deadlines == 0 {
			t.Error("no deadline has passed")
		}
	})
}

// A slow reader does not make the queue grow without end, and misses nothing.
func TestStreamBackPressure(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		p := open(t, config)
		a, b := pair(t)
		buffers, err := p.NewBuffers(4096, 16)
		if err != nil {
			t.Fatal(err)
		}
		s := p.OpenStream(MultishotRecv(a, buffers, 0))
		defer s.Close()
		const total = 30 * queueLimit
		go func() {
			for i := range total {
				if _, err := p.Do(context.Background(), Send(b, []byte{placed(int64(i))}, 0)); err != nil {
					t.Error(err)
				}
			}
		}()
		for off := int64(0); off < total; {
			c, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := checkPlace(c.Data, off); err != nil {
				t.Fatal(err)
			}
			if off += int64(c.N); off%(3*queueLimit) < 3 {
				time.Sleep(20 * time.Millisecond)
			}
		}
		// It was stopped because of that, and begun again. How many results wait at
		// most depends also on how many come between two looks at the ring.
		if p.Stats().Cancels == 0 {
			t.Error("the request was never stopped")
		}
	})
}

// Data outlives the Proactor: it is ordinary memory.
func TestDataAfterClose(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		p := open(t, config)
		a, b := pair(t)
		buffers, err := p.NewBuffers(1, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 1<<15)
		place(want, 0)
		unix.Write(b, want)
		s := p.OpenStream(MultishotRecv(a, buffers, 0))
		c, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := checkPlace(c.Data, 0); err != nil {
			t.Error(err)
		}
		if _, err := s.Next(t.Context()); err != ErrClosed {
			t.Errorf("Next after Close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
