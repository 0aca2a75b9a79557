//go:build linux

package sys_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func sockaddrImage(t *testing.T, a *unix.RawSockaddrAny) []byte {
	t.Helper()
	b, err := binary.Append(nil, binary.NativeEndian, a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sockaddrOf returns a socket address that begins with the bytes.
func sockaddrOf(t *testing.T, b []byte) *unix.RawSockaddrAny {
	t.Helper()
	image := make([]byte, unix.SizeofSockaddrAny)
	copy(image, b)
	a := new(unix.RawSockaddrAny)
	if _, err := binary.Decode(image, binary.NativeEndian, a); err != nil {
		t.Fatal(err)
	}
	return a
}

// fill puts bytes into a that must not survive.
func fill(a *unix.RawSockaddrAny) {
	a.Addr.Family = 0x5555
	for i := range a.Addr.Data {
		a.Addr.Data[i] = 0x55
	}
	for i := range a.Pad {
		a.Pad[i] = 0x55
	}
}

func TestSockaddrInet(t *testing.T) {
	for _, tt := range []struct {
		in     string
		family uint16
		rest   []byte // behind the family; the scope is appended in the machine's order
		scope  uint32
		n      uint32
		back   string // if it differs from in
	}{
		{in: "1.2.3.4:258", family: unix.AF_INET, rest: []byte{1, 2, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0}, n: 16},
		{in: "0.0.0.0:0", family: unix.AF_INET, rest: make([]byte, 14), n: 16},
		{in: "[2001:db8::7]:65535", family: unix.AF_INET6, n: 28,
			rest: []byte{255, 255, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}},
		{in: "[::ffff:1.2.3.4]:1", family: unix.AF_INET6, n: 28,
			rest: []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4}},
		{in: "[fe80::1%4294967295]:1", family: unix.AF_INET6, n: 28, scope: 4294967295,
			rest: []byte{0, 1, 0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
		{in: "[fe80::1%0]:1", family: unix.AF_INET6, n: 28, back: "[fe80::1]:1",
			rest: []byte{0, 1, 0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
	} {
		want := binary.NativeEndian.AppendUint16(nil, tt.family)
		want = append(want, tt.rest...)
		if tt.family == unix.AF_INET6 {
			want = binary.NativeEndian.AppendUint32(want, tt.scope)
		}
		var a unix.RawSockaddrAny
		fill(&a)
		n, err := sys.SockaddrInet(netip.MustParseAddrPort(tt.in), &a)
		if err != nil || n != tt.n {
			t.Errorf("%s: %d bytes, %v, want %d", tt.in, n, err, tt.n)
			continue
		}
		if got := sockaddrImage(t, &a)[:n]; string(got) != string(want) {
			t.Errorf("%s: % x\nwant % x", tt.in, got, want)
		}
		back := tt.back
		if back == "" {
			back = tt.in
		}
		if got, err := sys.ParseSockaddrInet(&a, n); got.String() != back || err != nil {
			t.Errorf("%s comes back as %v, %v", tt.in, got, err)
		}
	}
}

func TestSockaddrInetErrors(t *testing.T) {
	var a unix.RawSockaddrAny
	fill(&a)
	before := a
	for _, ap := range []netip.AddrPort{
		{},
		netip.MustParseAddrPort("[fe80::1%eth0]:1"),
		netip.MustParseAddrPort("[fe80::1%4294967296]:1"),
		netip.MustParseAddrPort("[fe80::1%-1]:1"),
	} {
		if n, err := sys.SockaddrInet(ap, &a); n != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("%v: %d, %v, want EINVAL", ap, n, err)
		}
	}
	if a != before {
		t.Error("an error left something in the socket address")
	}

	n, err := sys.SockaddrInet(netip.MustParseAddrPort("[2001:db8::7]:1"), &a)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := sys.ParseSockaddrInet(&a, i); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d bytes of an IPv6 address: %v, want EINVAL", i, err)
		}
	}
	a.Addr.Family = unix.AF_INET
	if _, err := sys.ParseSockaddrInet(&a, 15); !errors.Is(err, unix.EINVAL) {
		t.Errorf("15 bytes of an IPv4 address: %v, want EINVAL", err)
	}
	a.Addr.Family = unix.AF_UNIX
	if _, err := sys.ParseSockaddrInet(&a, n); !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("a unix socket address: %v, want EAFNOSUPPORT", err)
	}
	// A length beyond the struct must not be followed.
	a.Addr.Family = unix.AF_INET6
	if _, err := sys.ParseSockaddrInet(&a, 1<<32-1); err != nil {
		t.Errorf("a length of 1<<32-1: %v", err)
	}
}

func TestSockaddrUnix(t *testing.T) {
	long := strings.Repeat("p", 107)
	for _, tt := range []struct {
		path string
		want string // behind the family
	}{
		{"", ""},
		{"/run/x", "/run/x\x00"},
		{"./@x", "./@x\x00"},
		{long, long + "\x00"},
		{"@", "\x00"},
		{"@x", "\x00x"},
		{"@x\x00y", "\x00x\x00y"},
		{"@" + long, "\x00" + long},
	} {
		var a unix.RawSockaddrAny
		fill(&a)
		n, err := sys.SockaddrUnix(tt.path, &a)
		want := string(binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)) + tt.want
		if err != nil || int(n) != len(want) {
			t.Errorf("%q: %d bytes, %v, want %d", tt.path, n, err, len(want))
			continue
		}
		if got := string(sockaddrImage(t, &a)[:n]); got != want {
			t.Errorf("%q: % x\nwant % x", tt.path, got, want)
		}
		if got, err := sys.ParseSockaddrUnix(&a, n); got != tt.path || err != nil {
			t.Errorf("%q comes back as %q, %v", tt.path, got, err)
		}
	}
}

func TestParseSockaddrUnixLength(t *testing.T) {
	b := binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
	b = append(b, strings.Repeat("p", 108)...)
	a := sockaddrOf(t, b)
	// The kernel counts a zero byte behind a path that fills the struct.
	if got, err := sys.ParseSockaddrUnix(a, 111); len(got) != 108 || err != nil {
		t.Errorf("a path of 108 bytes comes back as %q, %v", got, err)
	}
	// Padding behind the zero byte is not part of the path.
	b[5] = 0
	if got, err := sys.ParseSockaddrUnix(sockaddrOf(t, b), 110); got != "ppp" || err != nil {
		t.Errorf("a path with padding comes back as %q, %v", got, err)
	}
}

func TestSockaddrUnixErrors(t *testing.T) {
	var a unix.RawSockaddrAny
	for _, path := range []string{strings.Repeat("p", 108), "@" + strings.Repeat("p", 108), "a\x00b", "\x00abstract"} {
		if n, err := sys.SockaddrUnix(path, &a); n != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("%q: %d, %v, want EINVAL", path, n, err)
		}
	}
	for n := range uint32(2) {
		if _, err := sys.ParseSockaddrUnix(&a, n); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d bytes: %v, want EINVAL", n, err)
		}
	}
	a.Addr.Family = unix.AF_INET
	if _, err := sys.ParseSockaddrUnix(&a, 16); !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("an IPv4 address: %v, want EAFNOSUPPORT", err)
	}
}

func TestSockaddrAllocates(t *testing.T) {
	var a unix.RawSockaddrAny
	ap := netip.MustParseAddrPort("[2001:db8::7]:1")
	if n := testing.AllocsPerRun(100, func() {
		n, err := sys.SockaddrInet(ap, &a)
		back, err2 := sys.ParseSockaddrInet(&a, n)
		if err != nil || err2 != nil || back != ap {
			t.Fatal(err, err2, back)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// FuzzParseSockaddr checks that no bytes make the parsers fail in another way
// than with an error, and that what they accept survives the way back.
func FuzzParseSockaddr(f *testing.F) {
	f.Add([]byte{unix.AF_INET, 0, 1, 2, 3, 4, 5, 6}, uint32(16))
	f.Add([]byte{unix.AF_INET6, 0, 1, 2}, uint32(28))
	f.Add([]byte{unix.AF_UNIX, 0, 'x', 0, 'y'}, uint32(1<<32-1))
	f.Add([]byte{unix.AF_UNIX, 0, 0, 'y'}, uint32(4))
	f.Fuzz(func(t *testing.T, data []byte, n uint32) {
		var b unix.RawSockaddrAny
		a := sockaddrOf(t, data)
		if ap, err := sys.ParseSockaddrInet(a, n); err == nil {
			m, err := sys.SockaddrInet(ap, &b)
			if err != nil {
				t.Fatalf("%v was parsed but cannot be written: %v", ap, err)
			}
			if back, err := sys.ParseSockaddrInet(&b, m); back != ap || err != nil {
				t.Fatalf("%v comes back as %v, %v", ap, back, err)
			}
		}
		if path, err := sys.ParseSockaddrUnix(a, n); err == nil && len(path) < 108 {
			m, err := sys.SockaddrUnix(path, &b)
			if err != nil {
				t.Fatalf("%q was parsed but cannot be written: %v", path, err)
			}
			if back, err := sys.ParseSockaddrUnix(&b, m); back != path || err != nil {
				t.Fatalf("%q comes back as %q, %v", path, back, err)
			}
		}
	})
}

func TestKernelTimespec(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want unix.KernelTimespec
	}{
		{0, unix.KernelTimespec{}},
		{1, unix.KernelTimespec{Nsec: 1}},
		{time.Second - 1, unix.KernelTimespec{Nsec: 999_999_999}},
		{90*time.Minute + 5, unix.KernelTimespec{Sec: 5400, Nsec: 5}},
		{-1, unix.KernelTimespec{Sec: -1, Nsec: 999_999_999}},
		{-time.Second, unix.KernelTimespec{Sec: -1}},
		{1<<63 - 1, unix.KernelTimespec{Sec: 9223372036, Nsec: 854775807}},
		{-1 << 63, unix.KernelTimespec{Sec: -9223372037, Nsec: 145224192}},
	} {
		if got := sys.KernelTimespec(tt.d); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.d, got, tt.want)
		}
	}
}
