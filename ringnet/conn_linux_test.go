package ringnet

// What a connection promises, call by call.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadWrite(t *testing.T) {
	eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
		const size = 3 << 20
		sent := make(chan error, 1)
		go func() {
			p := make([]byte, size)
			place(p, 0)
			m, err := a.Write(p)
			if err == nil && m != size {
				err = io.ErrShortWrite
			}
			if err == nil {
				err = a.CloseWrite()
			}
			sent <- err
		}()
		got, err := io.ReadAll(struct{ io.Reader }{b})
		if err != nil || len(got) != size {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if err := checkPlace(got, 0); err != nil {
			t.Error(err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		if n, err := b.Read(nil); n != 0 || err != nil {
			t.Errorf("Read without room: %d, %v", n, err)
		}
		if _, err := b.Read(got); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
		// The other half is still open.
		if _, err := b.Write([]byte("back")); err != nil {
			t.Error(err)
		}
		if n, err := a.Read(got); string(got[:n]) != "back" || err != nil {
			t.Errorf("%q, %v", got[:n], err)
		}
		_, err = a.Write([]byte("x"))
		isOp(t, err, "write", a.LocalAddr().Network(), syscall.EPIPE)
	})
}

func TestCloseRead(t *testing.T) {
	eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
		ended := make(chan error, 1)
		go func() {
			_, err := a.Read(make([]byte, 1))
			ended <- err
		}()
		time.Sleep(5 * time.Millisecond)
		if err := a.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != io.EOF {
			t.Error(err)
		}
	})
}

func TestWriteBuffers(t *testing.T) {
	eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
		var v net.Buffers
		total := 0
		for i := range 3000 { // more than one operation takes
			p := make([]byte, i%17)
			place(p, int64(total))
			total += len(p)
			v = append(v, p)
		}
		sent := make(chan error, 1)
		go func() {
			n, err := a.WriteBuffers(&v)
			if err == nil && (n != int64(total) || len(v) != 0) {
				err = io.ErrShortWrite
			}
			a.CloseWrite()
			sent <- err
		}()
		got, err := io.ReadAll(struct{ io.Reader }{b})
		if err != nil || len(got) != total {
			t.Fatalf("%d bytes of %d, %v", len(got), total, err)
		}
		if err := checkPlace(got, 0); err != nil {
			t.Error(err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
		network := a.LocalAddr().Network()
		full := make([]byte, 16<<20)
		for _, c := range []struct {
			op   string
			set  func(time.Time) error
			call func() error
		}{
			{"read", a.SetReadDeadline, func() error { _, err := a.Read(make([]byte, 1)); return err }},
			{"write", a.SetWriteDeadline, func() error { _, err := a.Write(full); return err }},
		} {
			expect := func(when string) {
				t.Helper()
				err := c.call()
				isOp(t, err, c.op, network, os.ErrDeadlineExceeded)
				var e net.Error
				if !errors.As(err, &e) || !e.Timeout() {
					t.Errorf("%s: %v is no timeout", when, err)
				}
			}
			c.set(time.Now().Add(-time.Hour))
			expect("past")
			c.set(time.Now().Add(10 * time.Millisecond))
			expect("to come")
			c.set(time.Time{})
			time.AfterFunc(10*time.Millisecond, func() { c.set(time.Unix(1, 0)) })
			expect("set while it waits")
			// Put off while it waits.
			start := time.Now()
			c.set(start.Add(30 * time.Millisecond))
			inTime := make(chan bool, 1)
			time.AfterFunc(time.Millisecond, func() {
				c.set(start.Add(60 * time.Millisecond))
				inTime <- time.Since(start) < 30*time.Millisecond // this machine may be busy
			})
			expect("put off")
			if d := time.Since(start); <-inTime && d < 60*time.Millisecond {
				t.Errorf("%s: put off to 60 ms, it came after %v", c.op, d)
			}
		}
		// Without a deadline it works again.
		a.SetDeadline(time.Time{})
		b.Write([]byte{7})
		p := make([]byte, 1)
		if n, err := a.Read(p); n != 1 || err != nil || p[0] != 7 {
			t.Errorf("%d, %v, %d", n, err, p[0])
		}
	})
}

func TestContexts(t *testing.T) {
	eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
		network := a.LocalAddr().Network()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := a.ReadContext(ctx, make([]byte, 1))
		isOp(t, err, "read", network, context.Canceled)
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		go func() {
			b.Read(make([]byte, 1)) // it has begun
			cancel()
		}()
		m, err := a.WriteContext(ctx, make([]byte, 16<<20))
		isOp(t, err, "write", network, context.Canceled)
		if m == 0 {
			t.Error("what was written before is not told")
		}
	})
}

// Close from another goroutine ends every kind of call, and nothing can be done after.
func TestClose(t *testing.T) {
	full := make([]byte, 16<<20)
	var many net.Buffers
	for range 100 {
		many = append(many, full[:1<<18])
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		call func(c *Conn) error
	}{
		{"Read", func(c *Conn) error { _, err := c.Read(make([]byte, 1)); return err }},
		{"two Reads", func(c *Conn) error {
			go c.Read(make([]byte, 1))
			_, err := c.Read(make([]byte, 1))
			return err
		}},
		{"Write", func(c *Conn) error { _, err := c.Write(full); return err }},
		{"WriteBuffers", func(c *Conn) error { v := append(net.Buffers(nil), many...); _, err := c.WriteBuffers(&v); return err }},
		{"ReadFrom a file", func(c *Conn) error { _, err := c.ReadFrom(file); return err }},
		{"ReadFrom a reader", func(c *Conn) error {
			_, err := c.ReadFrom(io.LimitReader(bytes.NewReader(full), int64(len(full))))
			return err
		}},
		{"WriteTo", func(c *Conn) error { _, err := c.WriteTo(io.Discard); return err }},
		{"raw Read", func(c *Conn) error {
			r, _ := c.SyscallConn()
			return r.Read(func(uintptr) bool { return false })
		}},
		{"raw Write", func(c *Conn) error {
			c.Write(full[:0])
			r, _ := c.SyscallConn()
			return r.Write(func(fd uintptr) bool {
				for {
					if _, err := unix.Write(int(fd), full); err != nil {
						return false
					}
				}
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
				file.Seek(0, io.SeekStart)
				defer call(c.name)()
				ended := make(chan error, 1)
				go func() { ended <- c.call(a) }()
				time.Sleep(5 * time.Millisecond)
				if err := a.Close(); err != nil {
					t.Error(err)
				}
				if err := <-ended; !errors.Is(err, net.ErrClosed) {
					t.Errorf("in flight: %v", err)
				}
				if err := c.call(a); !errors.Is(err, net.ErrClosed) {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
	eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
		a.Close()
		for name, err := range map[string]error{
			"Close": a.Close(), "CloseRead": a.CloseRead(), "CloseWrite": a.CloseWrite(), "SetDeadline": a.SetDeadline(time.Time{}),
			"SetReadDeadline": a.SetReadDeadline(time.Time{}), "SetWriteDeadline": a.SetWriteDeadline(time.Time{}),
			"SetNoDelay": a.SetNoDelay(true), "SetKeepAlive": a.SetKeepAlive(true), "SetLinger": a.SetLinger(0),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := a.File(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("File: %v", err)
		}
		if a.LocalAddr() == nil || a.RemoteAddr() == nil {
			t.Error("the addresses are gone")
		}
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer's Read: %v", err)
		}
	})
}

// A connection that is reset in the middle of everything.
func TestReset(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		a, b := pair(t, n, "tcp")
		ended := make(chan error, 2)
		go func() { _, err := a.Read(make([]byte, 1)); ended <- err }()
		go func() { _, err := a.Write(make([]byte, 16<<20)); ended <- err }()
		time.Sleep(5 * time.Millisecond)
		if err := b.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		b.Close()
		for range 2 {
			if err := <-ended; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && err != io.EOF {
				t.Error(err)
			}
		}
	})
}

// The proactor is closed under the connections.
func TestProactorCloses(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		a, b := pair(t, n, "unix")
		l := listen(t, n, "tcp")
		u, err := n.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		ended := make(chan error, 4)
		go func() { _, err := a.Read(make([]byte, 1)); ended <- err }()
		go func() { _, err := a.Write(make([]byte, 16<<20)); ended <- err }()
		go func() { _, err := l.Accept(); ended <- err }()
		go func() { _, _, err := u.ReadFrom(make([]byte, 1)); ended <- err }()
		time.Sleep(5 * time.Millisecond)
		if err := n.Proactor.Close(); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if err := <-ended; !errors.Is(err, net.ErrClosed) || !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
		}
		for _, c := range []io.Closer{a, b, l, u} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOptions(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		a, b := pair(t, n, "tcp")
		value := func(c *Conn, level, option int) (v int) {
			t.Helper()
			r, _ := c.SyscallConn()
			var err error
			if e := r.Control(func(fd uintptr) { v, err = unix.GetsockoptInt(int(fd), level, option) }); e != nil || err != nil {
				t.Fatal(e, err)
			}
			return v
		}
		for name, c := range map[string]*Conn{"dialled": a, "accepted": b} {
			for _, o := range []struct{ level, option, want int }{
				{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
				{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
				{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
				{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
				{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
			} {
				if v := value(c, o.level, o.option); v != o.want {
					t.Errorf("%s: option %d of %d is %d, not %d", name, o.option, o.level, v, o.want)
				}
			}
		}
		for _, err := range []error{
			a.SetNoDelay(false), a.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 42 * time.Second, Interval: -1, Count: 3}),
			a.SetReadBuffer(1 << 16), a.SetWriteBuffer(1 << 16), b.SetKeepAlive(false), b.SetKeepAlivePeriod(7 * time.Second), a.SetLinger(3),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		for _, o := range []struct {
			c                   *Conn
			level, option, want int
		}{
			{a, unix.IPPROTO_TCP, unix.TCP_NODELAY, 0},
			{a, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 42},
			{a, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
			{a, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
			{b, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 7},
			{b, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{a, unix.SOL_SOCKET, unix.SO_RCVBUF, 1 << 17},
		} {
			if v := value(o.c, o.level, o.option); v != o.want {
				t.Errorf("option %d is %d, not %d", o.option, v, o.want)
			}
		}
		a.SetLinger(-1)
		// The duplicate lives on.
		f, err := a.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		a.Close()
		if _, err := f.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		p := make([]byte, 1)
		if _, err := b.Read(p); err != nil || p[0] != 'x' {
			t.Errorf("%q, %v", p, err)
		}
	})
}

// io.Copy in all directions, with the bytes in their places and the limits kept.
func TestCopy(t *testing.T) {
	const size = 1<<20 + 12345
	data := make([]byte, size)
	place(data, 0)
	name := t.TempDir() + "/file"
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	// tcpPair returns two connected ends of package net.
	tcpPair := func(t *testing.T) (a, b net.Conn) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		a, err = net.Dial("tcp", l.Addr().String())
		if err == nil {
			b, err = l.Accept()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close(); b.Close() })
		return a, b
	}
	const limit = 777777
	for _, c := range []struct {
		name string
		// source returns a reader of the data from 0 to size.
		source func(t *testing.T, n *Net) io.Reader
		whole  bool // within the kernel
	}{
		{"file", func(t *testing.T, n *Net) io.Reader {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		}, true},
		{"ringnet tcp", func(t *testing.T, n *Net) io.Reader {
			a, b := pair(t, n, "tcp")
			go func() { a.Write(data); a.CloseWrite() }()
			return b
		}, true},
		{"ringnet unix", func(t *testing.T, n *Net) io.Reader {
			a, b := pair(t, n, "unix")
			go func() { a.Write(data); a.CloseWrite() }()
			return b
		}, true},
		{"net tcp", func(t *testing.T, n *Net) io.Reader {
			a, b := tcpPair(t)
			go func() { a.Write(data); a.(*net.TCPConn).CloseWrite() }()
			return b
		}, true},
		{"pipe", func(t *testing.T, n *Net) io.Reader {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close() })
			go func() { w.Write(data); w.Close() }()
			return r
		}, true},
		{"memory", func(t *testing.T, n *Net) io.Reader { return struct{ io.Reader }{bytes.NewReader(data)} }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
				for _, limited := range []bool{false, true} {
					source, want := c.source(t, n), size
					if limited {
						source, want = io.LimitReader(source, limit), limit
					}
					copied := make(chan error, 1)
					go func() {
						var m int64
						done, err := true, error(nil)
						if c.whole {
							m, done, err = a.readFrom(source)
						} else {
							m, err = a.ReadFrom(source)
						}
						if err == nil && (m != int64(want) || !done) {
							t.Errorf("it copied %d bytes of %d, all in the kernel: %v", m, want, done)
						}
						copied <- err
					}()
					got := make([]byte, want)
					if n, err := io.ReadFull(b, got); err != nil {
						t.Fatalf("%d bytes, %v", n, err)
					}
					if err := checkPlace(got, 0); err != nil {
						t.Error(err)
					}
					if err := <-copied; err != nil {
						t.Error(err)
					}
					if l, ok := source.(*io.LimitedReader); ok && l.N != 0 {
						t.Errorf("%d bytes are left of the limit", l.N)
					}
				}
			})
		})
	}
	t.Run("WriteTo", func(t *testing.T) {
		each(t, func(t *testing.T, n *Net) {
			for _, other := range []struct {
				name  string
				whole bool
				ends  func() (io.Writer, io.Reader)
			}{
				{"ringnet", true, func() (io.Writer, io.Reader) { x, y := pair(t, n, "unix"); return x, y }},
				{"net", true, func() (io.Writer, io.Reader) { x, y := tcpPair(t); return x, y }},
				{"memory", false, func() (io.Writer, io.Reader) { r, w := io.Pipe(); return w, r }},
			} {
				a, b := pair(t, n, "tcp")
				w, r := other.ends()
				go func() { a.Write(data); a.Close() }()
				copied := make(chan error, 1)
				go func() {
					if !other.whole {
						_, err := b.WriteTo(w)
						copied <- err
						return
					}
					m, done, err := b.writeTo(w)
					if err == nil && (m != size || !done) {
						t.Errorf("%s: %d bytes of %d, all in the kernel: %v", other.name, m, size, done)
					}
					copied <- err
				}()
				got := make([]byte, size)
				if n, err := io.ReadFull(r, got); err != nil {
					t.Fatalf("%d bytes, %v", n, err)
				}
				if err := checkPlace(got, 0); err != nil {
					t.Error(err)
				}
				if err := <-copied; err != nil {
					t.Error(other.name, err)
				}
			}
		})
	})
}

// Reads and writes of several goroutines on one connection: no write is torn.
func TestConcurrentWrites(t *testing.T) {
	eachPair(t, func(t *testing.T, n *Net, a, b *Conn) {
		const writers, size = 8, 300_000
		for w := range writers {
			go a.Write(bytes.Repeat([]byte{byte(w)}, size))
		}
		seen := make(map[byte]bool)
		got := make([]byte, size)
		for range writers {
			if _, err := io.ReadFull(b, got); err != nil {
				t.Fatal(err)
			}
			if bytes.Count(got, got[:1]) != size || seen[got[0]] {
				t.Fatalf("a write is torn: %d of %d bytes are %d", bytes.Count(got, got[:1]), size, got[0])
			}
			seen[got[0]] = true
		}
	})
}

func TestZeroCopy(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		n.ZeroCopy = 100_000
		a, b := pair(t, n, "tcp")
		const size = 4 << 20
		go func() {
			p := make([]byte, size)
			place(p, 0)
			a.Write(p)
			clear(p) // nobody may send from it any more
			a.Write(p[:1])
		}()
		got := make([]byte, size+1)
		if _, err := io.ReadFull(b, got); err != nil {
			t.Fatal(err)
		}
		if err := checkPlace(got[:size], 0); err != nil {
			t.Error(err)
		}
		// A peer that does not read holds the memory; Close does not wait for it.
		ended := make(chan error, 1)
		go func() {
			_, err := a.Write(make([]byte, 16<<20))
			ended <- err
		}()
		time.Sleep(10 * time.Millisecond)
		a.Close()
		if err := <-ended; err == nil {
			t.Error("it was written")
		}
	})
}
