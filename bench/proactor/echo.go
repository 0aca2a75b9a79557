package main

// The echo server in its variants, and a client that keeps one message of 64
// bytes on the way on each connection.

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/liburing"
	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/purego"
	"github.com/uring-go/uring/ringloop"
	"github.com/uring-go/uring/sys"
)

const messageSize = 64

// echoRun runs one server and one client.
func echoRun(variant string, n int) sample {
	server, in, out := child(*serverCPU, "echo-server", variant)
	port := line(out)[0]
	client, _, results := child(*clientCPU, "echo-client", port, strconv.Itoa(n))
	line(results) // connected and warm
	before := cpuTimeOf(server.Process.Pid)
	result := line(results)
	cpu := float64(cpuTimeOf(server.Process.Pid) - before)
	client.Wait()
	in.Close()
	server.Wait()
	messages := float(result[0])
	return sample{cpu: cpu / messages, rate: messages / float(result[1]), p99: float(result[2])}
}

func echoServer(variant string) {
	if variant == "ringnet" {
		echoRingnet(variant)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	serve := func(c *net.TCPConn) { serveConn(c) }
	switch variant {
	case "net":
	case "loop":
		go serveLoop(l)
		os.Stdin.Read(make([]byte, 1))
		return
	case "floor", "floor-first", "floor-multi":
		go serveFloor(l.(*net.TCPListener), variant)
		os.Stdin.Read(make([]byte, 1))
		return
	default:
		v, direct := strings.CutSuffix(variant, "+s")
		p := newProactor(v)
		serve = func(c *net.TCPConn) { serveProactor(p, c, direct) }
	}
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(c.(*net.TCPConn))
	}
}

func serveConn(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

func serveProactor(p *proactor.Proactor, c *net.TCPConn, direct bool) {
	f, err := c.File() // a blocking descriptor of its own
	if err != nil {
		log.Fatal(err)
	}
	c.Close()
	fd := int(f.Fd())
	defer f.Close()
	ctx := context.Background()
	buf := make([]byte, 4096)
	for {
		n, err := p.Do(ctx, proactor.Recv(fd, buf, 0))
		if n == 0 || err != nil {
			return
		}
		if direct {
			write(fd, buf[:n])
			continue
		}
		if _, err := p.Do(ctx, proactor.Send(fd, buf[:n], unix.MSG_WAITALL|unix.MSG_NOSIGNAL)); err != nil {
			return
		}
	}
}

func serveLoop(listener net.Listener) {
	var config ringloop.Config
	config.Backend = opener()
	config.Fallback = ringloop.FallbackNever
	l, err := ringloop.New(&config)
	if err != nil {
		log.Fatal(err)
	}
	l.Serve(listener, &ringloop.Handler{Data: func(c *ringloop.Conn, b []byte) { c.Send(b) }})
	log.Fatal(l.Run(context.Background()))
}

// opener returns what -backend says.
func opener() func(uint32, *sys.Params) (uring.Backend, error) {
	switch *backend {
	case "":
		return nil
	case "purego":
		return func(n uint32, p *sys.Params) (uring.Backend, error) { return purego.New(n, p) }
	case "liburing":
		return func(n uint32, p *sys.Params) (uring.Backend, error) { return liburing.New(n, p) }
	}
	log.Fatalf("backend %q", *backend)
	return nil
}

func newProactor(variant string) *proactor.Proactor {
	var config proactor.Config
	switch variant {
	case "auto", "batch":
	case "never":
		config.Crowd = proactor.CrowdNever
	case "crowd":
		config.Crowd = proactor.CrowdAlways
	default:
		log.Fatalf("variant %q", variant)
	}
	config.Backend = opener()
	p, err := proactor.New(&config)
	if err != nil {
		log.Fatal(err)
	}
	return p
}

// echoClient is one thread over epoll, the same for every server.
func echoClient(port string, n int) {
	p := number(port)
	ep, err := unix.EpollCreate1(0)
	if err != nil {
		log.Fatal(err)
	}
	sent := make([]time.Time, n)
	fds := make([]int, n)
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			log.Fatal(err)
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: p, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			log.Fatal(err)
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			log.Fatal(err)
		}
		fds[i] = fd
	}
	message, buf := make([]byte, messageSize), make([]byte, messageSize)
	for i := range message {
		message[i] = byte(i)
	}
	send := func(i int) {
		if i&15 == 0 {
			sent[i] = time.Now()
		}
		if m, err := write(fds[i], message); m != len(message) {
			log.Fatalf("write: %d, %v", m, err)
		}
	}
	for i := range fds {
		send(i)
	}
	got := make([]int, n)
	var took []time.Duration
	events := make([]unix.EpollEvent, 512)
	turn := func(d time.Duration) (messages int) {
		start := time.Now()
		for turns := 0; turns&15 != 0 || time.Since(start) < d; turns++ {
			k, err := unix.EpollWait(ep, events, 20_000)
			if err == unix.EINTR {
				continue
			}
			if err != nil || k == 0 {
				log.Fatalf("epoll_wait: %d, %v: the server does not answer", k, err)
			}
			for _, e := range events[:k] {
				i := int(e.Fd)
				m, err := read(fds[i], buf[got[i]:])
				if err != 0 || m == 0 {
					log.Fatalf("read: %d, %v", m, err)
				}
				if got[i] += m; got[i] < messageSize {
					continue
				}
				if !bytes.Equal(buf, message) {
					log.Fatalf("a wrong echo: %x", buf)
				}
				got[i] = 0
				messages++
				if i&15 == 0 {
					took = append(took, time.Since(sent[i]))
				}
				send(i)
			}
		}
		return messages
	}
	turn(time.Duration(*ms) * time.Millisecond / 3)
	took = took[:0]
	fmt.Println("warm")
	start := time.Now()
	messages := turn(time.Duration(*ms) * time.Millisecond)
	elapsed := time.Since(start)
	slices.Sort(took)
	fmt.Println(messages, elapsed.Seconds(), float64(took[len(took)*99/100])/1e3)
}
