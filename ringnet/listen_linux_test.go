package ringnet

// Listeners, dialling, and packets.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/backendtest"
)

// Connections come faster than they are accepted, and none is lost.
func TestAcceptStorm(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		for _, network := range []string{"tcp", "unix"} {
			l := listen(t, n, network)
			const clients, each = 20, 20
			var crowd sync.WaitGroup
			for c := range clients {
				crowd.Go(func() {
					for i := range each {
						defer call("Dial")()
						conn, err := n.Dial(network, l.Addr().String())
						if err != nil {
							t.Error(err)
							return
						}
						fmt.Fprintf(conn, "%4d", c*each+i)
						if _, err := conn.Read(make([]byte, 1)); err != nil {
							t.Error(err)
						}
						conn.Close()
					}
				})
			}
			seen := make(map[string]bool)
			for range clients * each {
				conn, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				p := make([]byte, 4)
				if _, err := io.ReadFull(conn, p); err != nil {
					t.Error(err)
				}
				seen[string(p)] = true
				if network == "tcp" && conn.RemoteAddr().(*net.TCPAddr).Port == 0 {
					t.Error("no address of the peer")
				}
				conn.Write(p[:1])
				conn.Close()
			}
			if len(seen) != clients*each {
				t.Errorf("%d of %d connections were seen", len(seen), clients*each)
			}
			crowd.Wait()
			l.Close()
		}
	})
}

// When the process has no more descriptors Accept says so, and goes on when it has.
func TestAcceptEMFILE(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		l := listen(t, n, "tcp")
		a, b := dialAccept(t, n, l) // all that is made once has been made
		a.Close()
		b.Close()
		// The kernel takes the limit that there is when accepting begins.
		l = listen(t, n, "tcp")
		var clients []int
		defer func() {
			for _, fd := range clients {
				unix.Close(fd)
			}
		}()
		port := l.Addr().(*net.TCPAddr).Port
		for range 3 {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, fd)
		}
		var was unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
		full := was
		full.Cur = 3 // fewer than there are
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &full); err != nil {
			t.Fatal(err)
		}
		for _, fd := range clients {
			if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Error(err)
			}
		}
		l.SetDeadline(time.Now().Add(5 * time.Second))
		_, err := l.Accept()
		if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); e != nil {
			t.Fatal(e)
		}
		isOp(t, err, "accept", "tcp", syscall.EMFILE)
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			t.Errorf("net/http would give up after %v", err)
		}
		l.SetDeadline(time.Time{})
		// The kernel may have dropped the one that it could not give a descriptor.
		for range len(clients) - 1 {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	})
}

// A peer that has reset the connection before it is accepted has left no address, but
// what asks for one gets no nil.
func TestAcceptReset(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		l := listen(t, n, "tcp")
		c, err := n.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetLinger(0)
		c.Close()
		time.Sleep(time.Millisecond)
		l.SetDeadline(time.Now().Add(100 * time.Millisecond))
		gone, err := l.AcceptContext(t.Context())
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return // the kernel had dropped it
		}
		if err != nil {
			t.Fatal(err)
		}
		defer gone.Close()
		if a, ok := gone.RemoteAddr().(*net.TCPAddr); !ok || a == nil {
			t.Errorf("the peer is %#v", gone.RemoteAddr())
		}
		if gone.LocalAddr().String() != l.Addr().String() {
			t.Errorf("it is at %v", gone.LocalAddr())
		}
		if _, err := gone.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Read: %v", err)
		}
	})
}

func TestListenerEnds(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		for _, network := range []string{"tcp", "unix"} {
			l := listen(t, n, network)
			l.SetDeadline(time.Now().Add(10 * time.Millisecond))
			_, err := l.Accept()
			isOp(t, err, "accept", network, os.ErrDeadlineExceeded)
			l.SetDeadline(time.Time{})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Millisecond, cancel)
			_, err = l.AcceptContext(ctx)
			isOp(t, err, "accept", network, context.Canceled)
			// It still accepts.
			a, b := dialAccept(t, n, l)
			a.Close()
			b.Close()
			// One that nobody accepts is closed with the listener.
			waiting, err := n.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 3)
			for range cap(ended) {
				go func() {
					for {
						c, err := l.Accept()
						if err != nil {
							ended <- err
							return
						}
						c.Close()
					}
				}()
			}
			time.Sleep(5 * time.Millisecond)
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			for range cap(ended) {
				isOp(t, <-ended, "accept", network, net.ErrClosed)
			}
			_, err = l.Accept()
			isOp(t, err, "accept", network, net.ErrClosed)
			isOp(t, l.Close(), "close", network, net.ErrClosed)
			if _, err := waiting.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("a connection in the queue: %v", err)
			}
			waiting.Close()
			// The address is free at once.
			again, err := n.Listen(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			again.Close()
			if network == "unix" {
				if _, err := os.Lstat(l.Addr().String()); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket's file: %v", err)
				}
			}
		}
	})
}

func TestConns(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		l := listen(t, n, "tcp")
		go func() {
			for range 3 {
				if c, err := n.Dial("tcp", l.Addr().String()); err == nil {
					defer c.Close()
				}
			}
		}()
		count := 0
		for c, err := range l.Conns(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if count++; count == 3 {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range l.Conns(ctx) {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
}

func TestDialErrors(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		free := listen(t, n, "tcp").Addr().String()
		l := listen(t, n, "tcp")
		nobody := l.Addr().String()
		l.Close()
		_, err := n.Dial("tcp", nobody)
		isOp(t, err, "dial", "tcp", syscall.ECONNREFUSED)
		_, err = n.Dial("unix", socketName(t))
		isOp(t, err, "dial", "unix", syscall.ENOENT)
		_, err = n.Dial("unix", string(bytes.Repeat([]byte("x"), 200)))
		isOp(t, err, "dial", "unix", syscall.EINVAL)
		_, err = n.Dial("sctp", free)
		var unknown net.UnknownNetworkError
		if !errors.As(err, &unknown) {
			t.Error(err)
		}
		for _, address := range []string{"127.0.0.1", "127.0.0.1:nosuchport", "[::1:80", "127.0.0.1:66000"} {
			if c, err := n.Dial("tcp", address); err == nil {
				c.Close()
				t.Errorf("%q was dialled", address)
			}
		}
		if _, err := n.Dial("tcp6", "127.0.0.1:80"); err == nil {
			t.Error("tcp6 to 127.0.0.1")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = n.DialContext(ctx, "tcp", free)
		isOp(t, err, "dial", "tcp", context.Canceled)
		if _, err := n.Listen("tcp", free); !errors.Is(err, syscall.EADDRINUSE) {
			t.Error(err)
		}
		if _, err := n.Listen("udp", free); !errors.As(err, &unknown) {
			t.Error(err)
		}
		if _, err := n.ListenPacket("tcp", free); !errors.As(err, &unknown) {
			t.Error(err)
		}
	})
}

// A listener whose queue is full does not answer; what ends the call are the context
// and the timeout.
func TestDialWaits(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		for _, network := range []string{"tcp", "unix"} {
			// Of package unix, for ours would accept.
			family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
			address := ""
			if network == "unix" {
				address = socketName(t)
				family, sa = unix.AF_UNIX, &unix.SockaddrUnix{Name: address}
			}
			fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				err = unix.Bind(fd, sa)
			}
			if err == nil {
				err = unix.Listen(fd, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			if network == "tcp" {
				address = kind{name: "tcp", typ: unix.SOCK_STREAM}.local(fd).String()
			}
			var filled []*Conn
			for {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				c, err := n.DialContext(ctx, network, address)
				cancel()
				if err != nil {
					isOp(t, err, "dial", network, context.DeadlineExceeded)
					var e net.Error
					if !errors.As(err, &e) || !e.Timeout() {
						t.Errorf("%v is no timeout", err)
					}
					break
				}
				filled = append(filled, c.(*Conn))
			}
			if len(filled) == 0 {
				t.Error("not even the first was connected")
			}
			for _, c := range filled {
				c.Close()
			}
			unix.Close(fd)
		}
	})
}

// Of several addresses one that does not answer does not hold up the others.
func TestHappyEyeballs(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		l := listen(t, n, "tcp")
		good := netip.MustParseAddrPort(l.Addr().String())
		six, err := n.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Skip("no IPv6 here: ", err)
		}
		six.Close()
		bad := netip.AddrPortFrom(netip.IPv6Loopback(), good.Port()) // refuses
		k, _ := network("tcp")
		n.FallbackDelay = 5 * time.Second
		start := time.Now()
		c, err := n.race(t.Context(), n.Proactor, k, []netip.AddrPort{bad, good})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if d := time.Since(start); d > 4*time.Second {
			t.Errorf("it took %v although the first refused at once", d)
		}
		// One that does not answer: its queue is full.
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()})
		}
		if err == nil {
			err = unix.Listen(fd, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		mute := netip.MustParseAddrPort(kind{name: "tcp", typ: unix.SOCK_STREAM}.local(fd).String())
		n.FallbackDelay = 10 * time.Millisecond
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			c, err := n.race(ctx, n.Proactor, k, []netip.AddrPort{mute})
			cancel()
			if err != nil {
				break
			}
			defer c.Close()
		}
		c, err = n.race(t.Context(), n.Proactor, k, []netip.AddrPort{mute, good})
		if err != nil {
			t.Fatal(err)
		}
		if c.RemoteAddr().String() != good.String() {
			t.Errorf("connected to %v", c.RemoteAddr())
		}
		c.Close()
		// If all fail, the error is the first family's.
		l.Close()
		_, err = n.race(t.Context(), n.Proactor, k, []netip.AddrPort{bad, good})
		var o *net.OpError
		if !errors.As(err, &o) || o.Addr.String() != bad.String() || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
	})
}

// Names go through the resolver, and wildcards, families and local addresses are as in
// package net.
func TestAddresses(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		for _, c := range []struct {
			network, listen, dial string // %d is the port
		}{
			{"tcp", ":0", "127.0.0.1:%d"}, {"tcp", ":0", "[::1]:%d"}, {"tcp", ":0", ":%d"}, {"tcp", ":0", "localhost:%d"},
			{"tcp4", ":0", "127.0.0.1:%d"}, {"tcp6", ":0", "[::1]:%d"}, {"tcp6", ":0", ":%d"},
			{"tcp", "localhost:0", "localhost:%d"}, {"tcp", "[::1]:0", "[::1]:%d"}, {"tcp", "0.0.0.0:0", "127.0.0.1:%d"},
		} {
			l, err := n.Listen(c.network, c.listen)
			if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
				t.Logf("no IPv6 here: %v", err)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			a, err := n.Dial(c.network, fmt.Sprintf(c.dial, l.Addr().(*net.TCPAddr).Port))
			if err != nil {
				t.Errorf("%s %s: %v", c.network, c.dial, err)
				l.Close()
				continue
			}
			b, err := l.AcceptContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if a.LocalAddr().String() != b.RemoteAddr().String() || a.RemoteAddr().String() != b.LocalAddr().String() {
				t.Errorf("%v: %v → %v, accepted as %v → %v", c, a.LocalAddr(), a.RemoteAddr(), b.RemoteAddr(), b.LocalAddr())
			}
			if host := a.RemoteAddr().(*net.TCPAddr).IP; host == nil || host.IsUnspecified() {
				t.Errorf("%v: the peer is %v", c, host)
			}
			a.Close()
			b.Close()
			l.Close()
		}
		l := listen(t, n, "tcp")
		var controlled []string
		bound := Net{Proactor: n.Proactor, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Control: func(network, address string, c syscall.RawConn) error {
			controlled = append(controlled, network+" "+address)
			return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, 0) })
		}}
		c, err := bound.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if !c.LocalAddr().(*net.TCPAddr).IP.Equal(net.IPv4(127, 0, 0, 2)) {
			t.Errorf("bound to %v", c.LocalAddr())
		}
		c.Close()
		if want := "tcp4 " + l.Addr().String(); len(controlled) != 1 || controlled[0] != want {
			t.Errorf("Control was called for %q, not %q", controlled, want)
		}
	})
}

func TestPackets(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		for _, c := range []struct{ network, address string }{
			{"udp", "127.0.0.1:0"}, {"udp4", ":0"}, {"udp6", "[::1]:0"}, {"udp", ":0"}, {"unixgram", ""},
		} {
			address := func() string {
				if c.network == "unixgram" {
					return socketName(t)
				}
				return c.address
			}
			a, err := n.ListenPacket(c.network, address())
			if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
				t.Logf("no IPv6 here: %v", err)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := n.ListenPacket(c.network, address())
			if err != nil {
				t.Fatal(err)
			}
			to := b.LocalAddr()
			if u, ok := to.(*net.UDPAddr); ok && u.IP.IsUnspecified() {
				to = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: u.Port}
			}
			p := make([]byte, 100)
			for size := range 3 { // the empty packet too
				if m, err := a.WriteTo(p[:size], to); m != size || err != nil {
					t.Fatalf("%v: %d, %v", c, m, err)
				}
				m, from, err := b.ReadFrom(p)
				if m != size || err != nil {
					t.Fatalf("%v: %d, %v", c, m, err)
				}
				if size == 1 {
					if _, err := b.WriteTo([]byte("answer"), from); err != nil {
						t.Fatalf("%v to %v: %v", c, from, err)
					}
					if m, _, err := a.ReadFrom(p); string(p[:m]) != "answer" || err != nil {
						t.Errorf("%q, %v", p[:m], err)
					}
				}
			}
			// What does not fit is dropped.
			a.WriteTo([]byte("0123456789"), to)
			if m, _, err := b.ReadFrom(p[:4]); m != 4 || err != nil {
				t.Errorf("%d, %v", m, err)
			}
			b.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
			_, _, err = b.ReadFrom(p)
			isOp(t, err, "read", c.network, os.ErrDeadlineExceeded)
			b.SetReadDeadline(time.Time{})
			ended := make(chan error, 1)
			go func() { _, _, err := b.ReadFrom(p); ended <- err }()
			time.Sleep(5 * time.Millisecond)
			b.Close()
			isOp(t, <-ended, "read", c.network, net.ErrClosed)
			_, err = b.WriteTo(p, to)
			isOp(t, err, "write", c.network, net.ErrClosed)
			if _, err := a.WriteTo(p, &net.TCPAddr{}); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("to an address of another network: %v", err)
			}
			a.Close()
		}
	})
}

// A packet socket that is connected: each Read and Write is a packet.
func TestDialPackets(t *testing.T) {
	each(t, func(t *testing.T, n *Net) {
		s, err := n.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c, err := n.Dial("udp", s.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, text := range []string{"one", "", "three"} {
			if m, err := c.Write([]byte(text)); m != len(text) || err != nil {
				t.Fatal(m, err)
			}
		}
		p := make([]byte, 100)
		for _, text := range []string{"one", "", "three"} {
			m, from, err := s.ReadFromUDPAddrPort(p)
			if err != nil || string(p[:m]) != text || from.String() != c.LocalAddr().String() {
				t.Errorf("%q from %v, %v", p[:m], from, err)
			}
			s.WriteToUDPAddrPort(p[:m], from)
			if m, err := c.Read(p); string(p[:m]) != text || err != nil {
				t.Errorf("%q, %v", p[:m], err)
			}
		}
	})
}

// A Net without a Proactor makes one, and closes it.
func TestZeroNet(t *testing.T) {
	leaks := lookForLeaks(t)
	var n Net
	l, err := n.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := l.Accept(); ended <- err }()
	time.Sleep(time.Millisecond)
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	l.Close()
	_, err = n.Listen("tcp", "127.0.0.1:0")
	isOp(t, err, "listen", "tcp", net.ErrClosed)
	leaks()
}

func TestAllocations(t *testing.T) {
	if backendtest.Race {
		t.Skip("the race detector allocates")
	}
	each(t, func(t *testing.T, n *Net) {
		if denied || n.Proactor.Stats().Rings == 0 {
			t.Skip("without a ring waiting allocates")
		}
		for _, network := range []string{"tcp", "unix"} {
			a, b := pair(t, n, network)
			p := make([]byte, 64)
			count := func(what string, f func()) {
				t.Helper()
				if m := testing.AllocsPerRun(500, f); m != 0 {
					t.Errorf("%s %s: %v allocations", network, what, m)
				}
			}
			count("Write and Read", func() { a.Write(p); b.Read(p) })
			// The reader waits before there is something to read.
			next, done := make(chan bool), make(chan bool)
			go func() {
				for range next {
					b.Read(p)
					done <- true
				}
			}()
			q := make([]byte, 64)
			count("Read that waits", func() { next <- true; a.Write(q); <-done })
			close(next)
			if network != "tcp" {
				continue
			}
			// After a read was broken off.
			b.SetReadDeadline(time.Now().Add(time.Millisecond))
			b.Read(p)
			b.SetReadDeadline(time.Time{})
			if b.d.read.watch.Load() == nil {
				t.Error("it has not changed its ways")
			}
			count("Write and Read, watched", func() { a.Write(q); b.Read(p) })
		}
		s, err := n.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		to := s.LocalAddr().(*net.UDPAddr).AddrPort()
		p := make([]byte, 64)
		if m := testing.AllocsPerRun(500, func() {
			s.WriteToUDPAddrPort(p, to)
			s.ReadFromUDPAddrPort(p)
		}); m != 0 {
			t.Errorf("udp: %v allocations", m)
		}
	})
}
