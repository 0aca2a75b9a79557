//go:build linux

package sys_test

// Socket addresses against the kernel: it binds to what this package wrote, and
// this package reads what the kernel says.

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// bind binds a new socket to a and returns what getsockname then says.
func bind(t *testing.T, domain int, a *unix.RawSockaddrAny, n uint32) (*unix.RawSockaddrAny, uint32) {
	t.Helper()
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(a)), uintptr(n)); errno != 0 {
		t.Fatalf("bind: %v", errno)
	}
	name, nameLen := new(unix.RawSockaddrAny), uint32(unix.SizeofSockaddrAny)
	if _, _, errno := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&nameLen))); errno != 0 {
		t.Fatalf("getsockname: %v", errno)
	}
	return name, nameLen
}

func TestSockaddrInetKernel(t *testing.T) {
	for _, tt := range []struct {
		domain int
		addr   string
	}{
		{unix.AF_INET, "127.0.0.1"},
		{unix.AF_INET6, "::1"},
		{unix.AF_INET6, "::ffff:127.0.0.1"},
	} {
		t.Run(tt.addr, func(t *testing.T) {
			if tt.domain == unix.AF_INET6 {
				fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					t.Skipf("no IPv6 here: %v", err)
				}
				unix.Close(fd)
			}
			want := netip.MustParseAddr(tt.addr)
			a := new(unix.RawSockaddrAny)
			n, err := sys.SockaddrInet(netip.AddrPortFrom(want, 0), a)
			if err != nil {
				t.Fatal(err)
			}
			name, nameLen := bind(t, tt.domain, a, n)
			got, err := sys.ParseSockaddrInet(name, nameLen)
			if err != nil || got.Addr() != want || got.Port() == 0 || nameLen != n {
				t.Fatalf("the kernel says %v in %d bytes (%v), want %v and a port in %d", got, nameLen, err, want, n)
			}
		})
	}
}

func TestSockaddrUnixKernel(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, path := range []string{
		filepath.Join(dir, "socket"),
		strings.Repeat("p", 107),
		"@uring test " + filepath.Base(filepath.Dir(dir)),
		"", // the kernel chooses an abstract name
	} {
		if len(path) > 107 {
			t.Logf("%q is too long here", path)
			continue
		}
		a := new(unix.RawSockaddrAny)
		n, err := sys.SockaddrUnix(path, a)
		if err != nil {
			t.Fatal(err)
		}
		name, nameLen := bind(t, unix.AF_UNIX, a, n)
		got, err := sys.ParseSockaddrUnix(name, nameLen)
		if path == "" {
			if err != nil || len(got) != 6 || got[0] != '@' {
				t.Errorf("the kernel chose %q, %v, want @ and five characters", got, err)
			}
			continue
		}
		if err != nil || got != path || nameLen != n {
			t.Errorf("the kernel says %q in %d bytes (%v), want %q in %d", got, nameLen, err, path, n)
		}
	}
}
