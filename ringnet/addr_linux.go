package ringnet

// Addresses: from names to what the kernel takes, and back to what package net has.

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
)

// A kind is what a network's name says.
type kind struct {
	name   string
	family int // AF_INET, AF_INET6 or AF_UNIX; 0 is either IP family
	typ    int // SOCK_STREAM or SOCK_DGRAM
}

// network returns the kind that a name says.
func network(name string) (kind, error) {
	k := kind{name: name}
	switch name {
	case "tcp", "tcp4", "tcp6", "unix":
		k.typ = unix.SOCK_STREAM
	case "udp", "udp4", "udp6", "unixgram":
		k.typ = unix.SOCK_DGRAM
	default:
		return k, net.UnknownNetworkError(name)
	}
	switch {
	case strings.HasPrefix(name, "unix"):
		k.family = unix.AF_UNIX
	case strings.HasSuffix(name, "4"):
		k.family = unix.AF_INET
	case strings.HasSuffix(name, "6"):
		k.family = unix.AF_INET6
	}
	return k, nil
}

func (k kind) stream() bool { return k.typ == unix.SOCK_STREAM }

func (k kind) tcp() bool { return k.stream() && k.family != unix.AF_UNIX }

// resolve returns the addresses that a host and port name, those to be tried first
// before the others. Without a host it is the zero Addr.
func (n *Net) resolve(ctx context.Context, k kind, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	r := n.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	port, err := r.LookupPort(ctx, k.name, service)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, uint16(port))}, nil
	}
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else {
		family := "ip"
		switch k.family {
		case unix.AF_INET:
			family = "ip4"
		case unix.AF_INET6:
			family = "ip6"
		}
		if addrs, err = r.LookupNetIP(ctx, family, host); err != nil {
			return nil, err
		}
	}
	var list []netip.AddrPort
	for _, a := range addrs {
		a = a.Unmap()
		if k.family == unix.AF_INET && !a.Is4() || k.family == unix.AF_INET6 && a.Is4() {
			continue
		}
		list = append(list, netip.AddrPortFrom(a, uint16(port)))
	}
	if len(list) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return list, nil
}

// ipOf returns the address in one of package net's, invalid if there is none.
func ipOf(a net.Addr) (ap netip.AddrPort) {
	switch a := a.(type) {
	case *net.TCPAddr:
		if a != nil {
			ap = a.AddrPort()
		}
	case *net.UDPAddr:
		if a != nil {
			ap = a.AddrPort()
		}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// fit returns an address as a socket of a family takes it, with a zone in digits.
func fit(ap netip.AddrPort, family int) (netip.AddrPort, error) {
	a := ap.Addr()
	switch {
	case !a.IsValid() && family == unix.AF_INET:
		a = netip.IPv4Unspecified()
	case !a.IsValid():
		a = netip.IPv6Unspecified()
	case a.Is4() && family == unix.AF_INET6:
		a = netip.AddrFrom16(a.As16())
		if a.Unmap().IsUnspecified() {
			a = netip.IPv6Unspecified()
		}
	case a.Is4In6() && family == unix.AF_INET:
		a = a.Unmap()
	}
	if zone := a.Zone(); zone != "" {
		if _, err := strconv.Atoi(zone); err != nil {
			i, err := net.InterfaceByName(zone)
			if err != nil {
				return ap, err
			}
			a = a.WithZone(strconv.Itoa(i.Index))
		}
	}
	return netip.AddrPortFrom(a, ap.Port()), nil
}

// setIP makes to the kernel's form of an IP address for a socket of a family.
func setIP(to *proactor.Sockaddr, ap netip.AddrPort, family int) error {
	ap, err := fit(ap, family)
	if err != nil {
		return err
	}
	return to.SetInet(ap)
}

// bindable returns an IP address in the form for bind(2).
func bindable(ap netip.AddrPort, family int) (unix.Sockaddr, error) {
	ap, err := fit(ap, family)
	if err != nil {
		return nil, err
	}
	if family == unix.AF_INET {
		if !ap.Addr().Is4() {
			return nil, &net.AddrError{Err: "not an IPv4 address", Addr: ap.Addr().String()}
		}
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}, nil
	}
	zone, _ := strconv.Atoi(ap.Addr().Zone())
	return &unix.SockaddrInet6{Port: int(ap.Port()), ZoneId: uint32(zone), Addr: ap.Addr().As16()}, nil
}

// endpoint returns the IP address in a kernel's form; one of IPv4 within IPv6 as IPv4,
// and a zone by the name of its interface.
func endpoint(a *proactor.Sockaddr) netip.AddrPort {
	ap, err := a.Inet()
	if err != nil {
		return netip.AddrPort{}
	}
	ip := ap.Addr().Unmap()
	if zone := ip.Zone(); zone != "" {
		if index, err := strconv.Atoi(zone); err == nil {
			if i, err := net.InterfaceByIndex(index); err == nil {
				ip = ip.WithZone(i.Name)
			}
		}
	}
	return netip.AddrPortFrom(ip, ap.Port())
}

// addr returns an address as package net has it.
func (k kind) addr(a *proactor.Sockaddr) net.Addr {
	switch {
	case k.family == unix.AF_UNIX:
		path, _ := a.Unix()
		return &net.UnixAddr{Name: path, Net: k.name}
	case k.typ == unix.SOCK_DGRAM:
		return net.UDPAddrFromAddrPort(endpoint(a))
	}
	return net.TCPAddrFromAddrPort(endpoint(a))
}

// local returns the socket's own address.
func (k kind) local(fd int) net.Addr {
	a, _ := unix.Getsockname(fd)
	return k.from(a)
}

// remote returns the address of the socket's peer.
func (k kind) remote(fd int) net.Addr {
	a, _ := unix.Getpeername(fd)
	return k.from(a)
}

// from returns an address as package net has it. One that the kernel did not tell is
// empty but not nil.
func (k kind) from(a unix.Sockaddr) net.Addr {
	var ip []byte
	var port int
	var zone string
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		ip, port = a.Addr[:], a.Port
	case *unix.SockaddrInet6:
		ip, port = a.Addr[:], a.Port
		if a.ZoneId != 0 {
			zone = strconv.FormatUint(uint64(a.ZoneId), 10)
			if i, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				zone = i.Name
			}
		}
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: k.name}
	}
	switch {
	case k.family == unix.AF_UNIX:
		return &net.UnixAddr{Net: k.name}
	case k.typ == unix.SOCK_DGRAM:
		return &net.UDPAddr{IP: ip, Port: port, Zone: zone}
	}
	return &net.TCPAddr{IP: ip, Port: port, Zone: zone}
}
