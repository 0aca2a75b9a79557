package ringnet

// Connections whose reads were broken off keep every promise.

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// breakOff has a connection change its ways.
func breakOff(t *testing.T, c *Conn) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); ended <- err }()
	for c.d.read.watch.Load() == nil {
		time.Sleep(time.Millisecond)
		c.SetReadDeadline(time.Unix(1, 0))
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Time{})
		// It may have been too early, and then it was not in flight.
		if c.d.read.watch.Load() == nil {
			go func() { _, err := c.Read(make([]byte, 1)); ended <- err }()
		}
	}
}

func TestBrokenOff(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		fresh := func() (a, b *Conn) {
			a, b = pair(t, n, "tcp")
			breakOff(t, a)
			return a, b
		}
		p := make([]byte, 100)
		read := func(c *Conn, room int, want string) {
			t.Helper()
			m, err := c.Read(p[:room])
			if err != nil || string(p[:m]) != want {
				t.Errorf("%q, %v; not %q", p[:m], err, want)
			}
		}
		a, b := fresh()
		// In parts, across arrivals, and a byte at a time.
		b.Write([]byte("one"))
		read(a, 2, "on")
		b.Write([]byte("two"))
		time.Sleep(5 * time.Millisecond)
		read(a, 100, "etwo")
		time.AfterFunc(5*time.Millisecond, func(c *Conn) func() { return func() { c.Write([]byte("three")) } }(b))
		for _, c := range "three" {
			read(a, 1, string(c))
		}
		// Broken off many times, with data in between.
		for i := range 50 {
			ended := make(chan error, 1)
			go func() { _, err := a.Read(make([]byte, 1)); ended <- err }()
			if i%2 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
			a.SetReadDeadline(time.Unix(1, 0))
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			a.SetReadDeadline(time.Time{})
			b.Write([]byte("x"))
			read(a, 100, "x")
		}
		// A context, and a deadline beside it.
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Millisecond, cancel)
		if _, err := a.ReadContext(ctx, p); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		a.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		ctx, cancel = context.WithCancel(t.Context())
		_, err := a.ReadContext(ctx, p)
		isOp(t, err, "read", "tcp", os.ErrDeadlineExceeded)
		cancel()
		a.SetReadDeadline(time.Time{})
		// Calls of the caller's own, which hear deadlines too.
		raw, _ := a.SyscallConn()
		b.Write([]byte("raw"))
		tries := 0
		if err := raw.Read(func(fd uintptr) bool {
			tries++
			m, err := syscall.Read(int(fd), p)
			return err == nil && string(p[:m]) == "raw"
		}); err != nil || tries > 2 {
			t.Errorf("%d tries, %v", tries, err)
		}
		a.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if err := raw.Read(func(uintptr) bool { return false }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		a.SetReadDeadline(time.Time{})
		b.Write([]byte("again"))
		read(a, 100, "again")
		// A large write to one that is slow, and back: what does not fit at once.
		const size = 8 << 20
		large := make([]byte, size)
		place(large, 0)
		go func(a *Conn) { a.Write(large); a.CloseWrite() }(a)
		got, err := io.ReadAll(struct{ io.Reader }{b})
		if err != nil || len(got) != size {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if err := checkPlace(got, 0); err != nil {
			t.Error(err)
		}
		// The end comes with the last bytes, and stays.
		b.Write([]byte("last"))
		b.Close()
		read(a, 100, "last")
		for range 3 {
			if _, err := a.Read(p); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
		}
		// A reset.
		a, b = fresh()
		b.SetLinger(0)
		time.AfterFunc(5*time.Millisecond, func(c *Conn) func() { return func() { c.Close() } }(b))
		_, err = a.Read(p)
		isOp(t, err, "read", "tcp", syscall.ECONNRESET)
		// Close ends it.
		a, _ = fresh()
		time.AfterFunc(5*time.Millisecond, func(c *Conn) func() { return func() { c.Close() } }(a))
		_, err = a.Read(p)
		isOp(t, err, "read", "tcp", net.ErrClosed)
		// To another connection, within the kernel.
		a, b = fresh()
		c, d := pair(t, n, "unix")
		go func(b *Conn) { b.Write(large); b.Close() }(b)
		copied := make(chan error, 1)
		go func() {
			m, err := io.Copy(c, a)
			if err == nil && m != size {
				err = io.ErrShortWrite
			}
			c.Close()
			copied <- err
		}()
		got, err = io.ReadAll(struct{ io.Reader }{d})
		if err != nil || len(got) != size {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if err := checkPlace(got, 0); err != nil {
			t.Error(err)
		}
		if err := <-copied; err != nil {
			t.Error(err)
		}
	})
}
