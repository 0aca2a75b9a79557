package ringnet

// What goes wrong in production, all at once: a collector that never rests,
// connections that are reset or closed in the middle of every kind of call, contexts
// and deadlines at random, one processor and sixteen. Every byte carries its place, and
// -soak says how long.

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// hostile runs a test with a collector that never rests, on one processor and on
// sixteen, for a moment or for -soak. more says whether to go on.
func hostile(t *testing.T, test func(t *testing.T, n *Net, more func() bool)) {
	for _, procs := range []int{1, 16} {
		t.Run(map[int]string{1: "1 processor", 16: "16 processors"}[procs], func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			defer debug.SetGCPercent(debug.SetGCPercent(1))
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
						runtime.GC()
					}
				}
			}()
			defer func() { close(stop); <-stopped }()
			each(t, func(t *testing.T, n *Net) {
				limit := 150 * time.Millisecond
				if testing.Short() {
					limit = 50 * time.Millisecond
				}
				end := time.Now().Add(limit + *soak)
				test(t, n, func() bool { return !t.Failed() && time.Now().Before(end) })
			})
		})
	}
}

// deep has the stack grow and shrink while a call is in flight beneath it.
func deep(depth int, f func()) byte {
	var room [512]byte
	if depth == 0 {
		f()
		return room[0]
	}
	room[depth] = byte(depth)
	return deep(depth-1, f) + room[depth]
}

// expected reports whether an error is one of those that these tests provoke.
func expected(err error) bool {
	for _, e := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, context.Canceled, context.DeadlineExceeded,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ENOTCONN, syscall.ECONNABORTED,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Streams in both directions, whose ends are broken off, cancelled, reset and closed
// at random; what arrives before is exactly what was sent, in order.
func TestHostileStreams(t *testing.T) {
	hostile(t, func(t *testing.T, n *Net, more func() bool) {
		var crowd sync.WaitGroup
		var moved atomic.Int64
		for worker := range 8 {
			crowd.Go(func() {
				for more() || moved.Load() == 0 && !t.Failed() {
					network := []string{"tcp", "unix"}[worker%2]
					a, b := pairOf(t, n, network)
					if a == nil {
						return
					}
					var both sync.WaitGroup
					for _, way := range [][2]*Conn{{a, b}, {b, a}} {
						both.Go(func() { sendPlaced(t, way[0]) })
						both.Go(func() { moved.Add(receivePlaced(t, way[1])) })
					}
					// The villain.
					time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond)
					switch rand.IntN(4) {
					case 0:
						a.SetLinger(0)
						a.Close()
						b.Close()
					case 1:
						a.Close()
						time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
						b.Close()
					case 2:
						both.Go(func() { a.Close() })
						both.Go(func() { a.Close() })
						b.Close()
					case 3:
						a.CloseWrite()
						b.CloseRead()
						b.Close()
						a.Close()
					}
					both.Wait()
					a.Close()
					b.Close()
				}
			})
		}
		crowd.Wait()
	})
}

// pairOf is pair for goroutines that are not the test's own.
func pairOf(t *testing.T, n *Net, network string) (a, b *Conn) {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = "" // the kernel chooses an abstract name
	}
	l, err := n.Listen(network, address)
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	defer l.Close()
	accepted := make(chan *Conn, 1)
	go func() {
		c, err := l.AcceptContext(context.Background())
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	defer call("Dial " + network)()
	if a, err = n.Dial(network, l.Addr().String()); err != nil {
		t.Error(err)
		l.Close()
	}
	if b = <-accepted; a == nil || b == nil {
		return nil, nil
	}
	return a, b
}

// sendPlaced sends bytes that carry their place, in every way there is, until an
// error.
func sendPlaced(t *testing.T, c *Conn) {
	buf := make([]byte, 20_000)
	for at := int64(0); ; {
		p := buf[:1+rand.IntN(len(buf)-1)]
		place(p, at)
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		var m int
		var err error
		switch rand.IntN(4) {
		case 0:
			over := call("Write")
			deep(rand.IntN(64), func() { m, err = c.Write(p) })
			over()
		case 1:
			ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
			over := call("WriteContext")
			m, err = c.WriteContext(ctx, p)
			over()
		case 2:
			half := len(p) / 2
			v := net.Buffers{p[:half], nil, p[half:]}
			over := call("WriteBuffers")
			k, e := c.WriteBuffers(&v)
			over()
			m, err = int(k), e
		case 3:
			c.SetWriteDeadline(time.Now().Add(time.Duration(rand.IntN(2000)-200) * time.Microsecond))
			over := call("Write with a deadline")
			m, err = c.Write(p)
			over()
			c.SetWriteDeadline(time.Time{})
		}
		cancel()
		// Nobody may look at the buffer any more: the next round overwrites it.
		at += int64(m)
		switch {
		case err == nil && m != len(p):
			t.Errorf("%d bytes of %d were written without an error", m, len(p))
			return
		case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			if !expected(err) {
				t.Errorf("writing: %v", err)
			}
			return
		}
	}
}

// receivePlaced receives them, in every way there is, until an error, and returns how
// many they were.
func receivePlaced(t *testing.T, c *Conn) (at int64) {
	buf := make([]byte, 10_000)
	for {
		p := buf[:1+rand.IntN(len(buf)-1)]
		var m int
		var err error
		switch rand.IntN(4) {
		case 0, 1:
			over := call("Read")
			deep(rand.IntN(64), func() { m, err = c.Read(p) })
			over()
		case 2:
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(2000))*time.Microsecond)
			over := call("ReadContext")
			m, err = c.ReadContext(ctx, p)
			over()
			cancel()
		case 3:
			c.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(2000)-200) * time.Microsecond))
			over := call("Read with a deadline")
			m, err = c.Read(p)
			over()
			c.SetReadDeadline(time.Time{})
		}
		if e := checkPlace(p[:m], at); e != nil {
			t.Error(e)
			return at
		}
		at += int64(m)
		switch {
		case err == nil && m == 0:
			t.Error("Read returned nothing, and no error")
			return at
		case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			if !expected(err) {
				t.Errorf("reading: %v", err)
			}
			return at
		}
	}
}

// Descriptors that are closed and become others at once: no call on the old one ever
// touches the new.
func TestHostileDescriptors(t *testing.T) {
	hostile(t, func(t *testing.T, n *Net, more func() bool) {
		var crowd sync.WaitGroup
		for worker := range 4 {
			crowd.Go(func() {
				for more() {
					a, b := pairOf(t, n, []string{"tcp", "unix"}[worker%2])
					if a == nil {
						return
					}
					// Calls on a, which is closed under them, while its number is
					// given to others again and again.
					var old sync.WaitGroup
					wrong := make([]byte, 100)
					for i := range wrong {
						wrong[i] = 0xbb
					}
					for range 3 {
						old.Go(func() {
							for {
								over := call("Write on a closed one")
								_, err := a.Write(wrong)
								over()
								if err != nil {
									return
								}
							}
						})
						old.Go(func() {
							p := make([]byte, 10)
							for {
								over := call("Read on a closed one")
								m, err := a.Read(p)
								over()
								if err != nil {
									return
								}
								for _, x := range p[:m] {
									if x != 0xaa {
										t.Errorf("a closed connection read %#x", x)
									}
								}
							}
						})
					}
					old.Go(func() { io.Copy(io.Discard, b) })
					b.Write([]byte{0xaa, 0xaa, 0xaa})
					a.Close()
					c, d := pairOf(t, n, []string{"tcp", "unix"}[worker%2])
					if c == nil {
						return
					}
					for at := int64(0); at < 4000; at += 1000 {
						p, q := make([]byte, 1000), make([]byte, 1000)
						place(p, at)
						go c.Write(p)
						if _, err := io.ReadFull(d, q); err != nil {
							t.Error(err)
						} else if err := checkPlace(q, at); err != nil {
							t.Errorf("the new connection: %v", err)
						}
					}
					b.Close()
					old.Wait()
					c.Close()
					d.Close()
				}
			})
		}
		crowd.Wait()
	})
}

// Listeners that are closed while connections come, clients that give up, and
// accepted connections that are gone already.
func TestHostileAccept(t *testing.T) {
	hostile(t, func(t *testing.T, n *Net, more func() bool) {
		for more() {
			l, err := n.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			var crowd sync.WaitGroup
			for range 4 {
				crowd.Go(func() {
					for {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(3000))*time.Microsecond)
						over := call("DialContext")
						c, err := n.DialContext(ctx, "tcp", l.Addr().String())
						over()
						cancel()
						if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
							return
						}
						if err != nil {
							if !expected(err) {
								t.Errorf("dialling: %v", err)
								return
							}
							continue
						}
						if rand.IntN(2) == 0 {
							c.(*Conn).SetLinger(0)
						}
						c.Close()
					}
				})
				crowd.Go(func() {
					for {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(3000))*time.Microsecond)
						over := call("AcceptContext")
						c, err := l.AcceptContext(ctx)
						over()
						cancel()
						switch {
						case err == nil:
							c.Read(make([]byte, 1))
							c.Close()
						case errors.Is(err, net.ErrClosed):
							return
						case !expected(err):
							t.Errorf("accepting: %v", err)
							return
						}
					}
				})
			}
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			over := call("Listener.Close")
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			over()
			crowd.Wait()
		}
	})
}

// Packets to and from sockets that are closed meanwhile.
func TestHostilePackets(t *testing.T) {
	hostile(t, func(t *testing.T, n *Net, more func() bool) {
		for more() {
			a, err := n.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			b, err := n.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			var crowd sync.WaitGroup
			for range 3 {
				crowd.Go(func() {
					p := make([]byte, 300)
					for {
						size := 8 + rand.IntN(len(p)-8)
						place(p[:size], int64(size)<<10)
						over := call("WriteTo")
						_, err := a.WriteTo(p[:size], b.LocalAddr())
						over()
						if err != nil {
							if !errors.Is(err, net.ErrClosed) {
								t.Errorf("sending: %v", err)
							}
							return
						}
					}
				})
				crowd.Go(func() {
					p := make([]byte, 300)
					for {
						b.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(2000)) * time.Microsecond))
						over := call("ReadFrom")
						m, from, err := b.ReadFrom(p)
						over()
						switch {
						case err == nil:
							if e := checkPlace(p[:m], int64(m)<<10); e != nil || from.String() != a.LocalAddr().String() {
								t.Errorf("%v, from %v", e, from)
								return
							}
						case errors.Is(err, net.ErrClosed):
							return
						case !errors.Is(err, os.ErrDeadlineExceeded):
							t.Errorf("receiving: %v", err)
							return
						}
					}
				})
			}
			time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
			a.Close()
			b.Close()
			crowd.Wait()
		}
	})
}
