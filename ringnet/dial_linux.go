package ringnet

// Sockets, and how they are connected.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// Dial is DialContext without a context, and with the Conn's own type.
func (n *Net) Dial(network, address string) (*Conn, error) {
	return n.dial(context.Background(), network, address)
}

// DialContext connects to an address on a network: tcp, tcp4, tcp6, udp, udp4, udp6,
// unix or unixgram. Once it is connected ctx has no effect any more. The connection is
// a *Conn; the type is what net/http and others want of such a function.
func (n *Net) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n *Net) dial(ctx context.Context, name, address string) (*Conn, error) {
	if n.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, n.Timeout)
		defer cancel()
	}
	fail := func(err error) (*Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: name, Source: n.LocalAddr, Err: reason("connect", err)}
	}
	k, err := network(name)
	if err != nil {
		return fail(err)
	}
	p, err := n.proactor()
	if err != nil {
		return fail(err)
	}
	if k.family == unix.AF_UNIX {
		return n.dialUnix(ctx, p, k, address)
	}
	list, err := n.resolve(ctx, k, address)
	if err != nil {
		return fail(err)
	}
	if !list[0].Addr().IsValid() { // this machine
		here := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if k.family == unix.AF_INET6 {
			here = netip.IPv6Loopback()
		}
		list[0] = netip.AddrPortFrom(here, list[0].Port())
	}
	if local := ipOf(n.LocalAddr).Addr(); local.IsValid() && !local.IsUnspecified() {
		// The other family cannot be reached from there.
		var same []netip.AddrPort
		for _, a := range list {
			if a.Addr().Is4() == local.Is4() {
				same = append(same, a)
			}
		}
		if list = same; len(list) == 0 {
			return fail(&net.AddrError{Err: "no suitable address found", Addr: address})
		}
	}
	return n.race(ctx, p, k, list)
}

// race connects to the first address that answers: first those of the first one's
// family, then, if they take long, the others beside them.
func (n *Net) race(ctx context.Context, p *proactor.Proactor, k kind, list []netip.AddrPort) (*Conn, error) {
	var first, second []netip.AddrPort
	for _, a := range list {
		if k.tcp() && n.FallbackDelay >= 0 && a.Addr().Is4() != list[0].Addr().Is4() {
			second = append(second, a)
		} else {
			first = append(first, a)
		}
	}
	if len(second) == 0 {
		return n.dialEach(ctx, p, k, first)
	}
	delay := n.FallbackDelay
	if delay == 0 {
		delay = 300 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		c     *Conn
		err   error
		first bool
	}
	results := make(chan result)
	over := make(chan struct{})
	defer close(over)
	start := func(list []netip.AddrPort, isFirst bool) {
		go func() {
			c, err := n.dialEach(ctx, p, k, list)
			select {
			case results <- result{c, err, isFirst}:
			case <-over:
				if c != nil {
					c.Close()
				}
			}
		}()
	}
	start(first, true)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	late, running := timer.C, 1
	var why error
	for {
		select {
		case <-late:
			late = nil
			running++
			start(second, false)
		case r := <-results:
			if r.err == nil {
				return r.c, nil
			}
			if running--; r.first || why == nil {
				why = r.err
			}
			if late != nil {
				late = nil
				running++
				start(second, false)
			}
			if running == 0 {
				return nil, why
			}
		}
	}
}

// dialEach tries one address after another. Each has its share of the time that is
// left, but 2 s if there is as much.
func (n *Net) dialEach(ctx context.Context, p *proactor.Proactor, k kind, list []netip.AddrPort) (c *Conn, err error) {
	for i, a := range list {
		one, cancel := ctx, context.CancelFunc(func() {})
		if until, ok := ctx.Deadline(); ok && i+1 < len(list) {
			left := time.Until(until)
			one, cancel = context.WithTimeout(ctx, max(left/time.Duration(len(list)-i), min(left, 2*time.Second)))
		}
		var failed error
		c, failed = n.dialIP(one, p, k, a)
		cancel()
		if failed == nil {
			return c, nil
		}
		if err == nil {
			err = failed
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// dialIP connects to one IP address.
func (n *Net) dialIP(ctx context.Context, p *proactor.Proactor, k kind, to netip.AddrPort) (*Conn, error) {
	family := unix.AF_INET6
	if to.Addr().Is4() {
		family = unix.AF_INET
	}
	k.family = family
	var peer proactor.Sockaddr
	fail := func(err error) (*Conn, error) {
		var remote net.Addr = net.TCPAddrFromAddrPort(to)
		if !k.stream() {
			remote = net.UDPAddrFromAddrPort(to)
		}
		return nil, &net.OpError{Op: "dial", Net: k.name, Source: n.LocalAddr, Addr: remote, Err: err}
	}
	if err := setIP(&peer, to, family); err != nil {
		return fail(err)
	}
	var from unix.Sockaddr
	if n.LocalAddr != nil {
		var err error
		if from, err = bindable(ipOf(n.LocalAddr), family); err != nil {
			return fail(err)
		}
	}
	for tries := 0; ; tries++ {
		c, err := n.connect(ctx, p, k, from, &peer, to.String())
		if err != nil {
			return fail(err)
		}
		// A port of this machine to which nobody listens may be the one that the
		// kernel has just chosen for us: then we are connected to ourselves.
		if k.stream() && from == nil && tries < 3 && ipOf(c.local) == to {
			c.Close()
			continue
		}
		return c, nil
	}
}

// dialUnix connects to a unix socket.
func (n *Net) dialUnix(ctx context.Context, p *proactor.Proactor, k kind, path string) (*Conn, error) {
	var peer proactor.Sockaddr
	var from unix.Sockaddr
	err := peer.SetUnix(path)
	if a, _ := n.LocalAddr.(*net.UnixAddr); a != nil {
		from = &unix.SockaddrUnix{Name: a.Name}
	}
	var c *Conn
	if err == nil {
		c, err = n.connect(ctx, p, k, from, &peer, path)
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: k.name, Source: n.LocalAddr, Addr: &net.UnixAddr{Name: path, Net: k.name}, Err: err}
	}
	return c, nil
}

// socket makes a socket with the options that package net gives it.
func (n *Net) socket(k kind, address string) (fd int, err error) {
	fd, err = unix.Socket(k.family, k.typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if !k.stream() && k.family != unix.AF_UNIX {
		err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
	}
	if err == nil && n.Control != nil {
		name := k.name
		switch {
		case name == "tcp" || name == "udp":
			name += map[int]string{unix.AF_INET: "4", unix.AF_INET6: "6"}[k.family]
		}
		err = n.Control(name, address, bare(fd))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bare is a socket that nobody else knows yet, as a syscall.RawConn for Control.
type bare int

func (fd bare) Control(f func(uintptr)) error { f(uintptr(fd)); return nil }

func (bare) Read(func(uintptr) bool) error { return errors.ErrUnsupported }

func (bare) Write(func(uintptr) bool) error { return errors.ErrUnsupported }

// tune gives a TCP socket the options that package net gives it. A listening socket
// passes them on to those that it accepts.
func (n *Net) tune(fd int) {
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	k := n.KeepAlive
	k.Enable = k.Enable || k.Idle >= 0
	setKeepAlive(fd, k)
}

// setKeepAlive does what net.KeepAliveConfig says.
func setKeepAlive(fd int, k net.KeepAliveConfig) error {
	on := 0
	if k.Enable {
		on = 1
	}
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on)
	if err != nil || !k.Enable {
		return os.NewSyscallError("setsockopt", err)
	}
	seconds := func(d time.Duration) int {
		if d == 0 {
			d = 15 * time.Second
		}
		return int((d + time.Second - 1) / time.Second)
	}
	count := k.Count
	if count == 0 {
		count = 9
	}
	for _, o := range []struct{ option, value int }{
		{unix.TCP_KEEPIDLE, seconds(k.Idle)},
		{unix.TCP_KEEPINTVL, seconds(k.Interval)},
		{unix.TCP_KEEPCNT, count},
	} {
		if o.value <= 0 {
			continue // as it is
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, o.option, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// connect makes a socket and connects it.
func (n *Net) connect(ctx context.Context, p *proactor.Proactor, k kind, from unix.Sockaddr, to *proactor.Sockaddr, address string) (*Conn, error) {
	fd, err := n.socket(k, address)
	if err != nil {
		return nil, err
	}
	if from != nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, from))
	}
	if err == nil {
		err = reason("connect", connectFD(ctx, p, fd, to))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	if k.tcp() {
		n.tune(fd)
	}
	return n.newConn(p, k, fd, k.local(fd), k.addr(to)), nil
}

// connectFD connects a socket with O_NONBLOCK.
func connectFD(ctx context.Context, p *proactor.Proactor, fd int, to *proactor.Sockaddr) error {
	for {
		_, err := p.Do(ctx, proactor.Connect(fd, to))
		switch err {
		case unix.EAGAIN:
			// A unix socket whose queue is full. Nobody tells when it is not.
			if _, err := p.Do(ctx, proactor.Timeout(time.Millisecond)); err != nil {
				return err
			}
			continue
		case unix.EINPROGRESS, unix.EALREADY:
			// A kernel that takes O_NONBLOCK to mean the request.
			if _, err := p.Do(ctx, proactor.Poll(fd, unix.POLLOUT)); err != nil {
				return err
			}
			errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err != nil || errno == 0 {
				return err
			}
			return unix.Errno(errno)
		}
		return err
	}
}
