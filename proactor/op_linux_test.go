package proactor

// Every constructor once, against what the ordinary system calls see.

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func TestReadWrite(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		f := tempFile(t, 10000)
		fd := int(f.Fd())
		b := make([]byte, 4096)
		if n := do(t, p, Read(fd, b, 1234)); n != len(b) {
			t.Errorf("read %d bytes", n)
		}
		if err := checkPlace(b, 1234); err != nil {
			t.Error(err)
		}
		if n := do(t, p, Read(fd, b, 9000)); n != 1000 {
			t.Errorf("read %d bytes at the end, not 1000", n)
		}
		if n := do(t, p, Read(fd, b, 10000)); n != 0 {
			t.Errorf("read %d bytes behind the end", n)
		}
		place(b, 10000)
		if n := do(t, p, Write(fd, b, 10000)); n != len(b) {
			t.Errorf("wrote %d bytes", n)
		}
		// At the file position.
		if _, err := f.Seek(5, 0); err != nil {
			t.Fatal(err)
		}
		for _, off := range []int64{5, 105} {
			if n := do(t, p, Read(fd, b[:100], -1)); n != 100 {
				t.Errorf("read %d bytes", n)
			}
			if err := checkPlace(b[:100], off); err != nil {
				t.Error(err)
			}
		}
		all, err := os.ReadFile(f.Name())
		if err != nil || len(all) != 14096 {
			t.Fatalf("%d bytes, %v", len(all), err)
		}
		if err := checkPlace(all, 0); err != nil {
			t.Error(err)
		}
	})
}

func TestVectors(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		f := tempFile(t, 0)
		fd := int(f.Fd())
		sizes := []int{1, 0, 4096, 7, 0, 100_000}
		var bufs [][]byte
		off := int64(0)
		for _, n := range sizes {
			b := make([]byte, n)
			place(b, off)
			off += int64(n)
			bufs = append(bufs, b)
		}
		if n := do(t, p, Writev(fd, bufs, 0)); int64(n) != off {
			t.Errorf("wrote %d bytes of %d", n, off)
		}
		for _, b := range bufs {
			clear(b)
		}
		if n := do(t, p, Readv(fd, bufs, 0)); int64(n) != off {
			t.Errorf("read %d bytes of %d", n, off)
		}
		if err := checkPlace(bytes.Join(bufs, nil), 0); err != nil {
			t.Error(err)
		}
		if n := do(t, p, Readv(fd, nil, 0)); n != 0 {
			t.Errorf("read %d bytes into nothing", n)
		}
	})
}

func TestPaths(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		const cwd = unix.AT_FDCWD
		fd := do(t, p, Openat(cwd, at("a"), unix.O_CREAT|unix.O_RDWR|unix.O_EXCL, 0o640))
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("the descriptor's flags are %#x, %v", flags, err)
		}
		do(t, p, Write(fd, []byte("hello"), 0))
		do(t, p, Fsync(fd, 0))
		do(t, p, Fsync(fd, sys.IORING_FSYNC_DATASYNC))
		do(t, p, Close(fd))
		if _, err := p.Do(t.Context(), Close(fd)); err != syscall.EBADF {
			t.Errorf("closing it again: %v", err)
		}
		if _, err := p.Do(t.Context(), Openat(cwd, at("a"), unix.O_CREAT|unix.O_EXCL, 0)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("making it again: %v", err)
		}
		var st unix.Statx_t
		do(t, p, Statx(cwd, at("a"), 0, unix.STATX_BASIC_STATS, &st))
		if st.Size != 5 || st.Mode&0o777 != 0o640 {
			t.Errorf("size %d, mode %o", st.Size, st.Mode)
		}
		do(t, p, Renameat(cwd, at("a"), cwd, at("b"), unix.RENAME_NOREPLACE))
		do(t, p, Linkat(cwd, at("b"), cwd, at("c"), 0))
		do(t, p, Symlinkat("b", cwd, at("d")))
		do(t, p, Mkdirat(cwd, at("e"), 0o700))
		how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
		if _, err := p.Do(t.Context(), Openat2(cwd, at("d"), &how)); err != syscall.ELOOP {
			t.Errorf("a symbolic link with RESOLVE_NO_SYMLINKS: %v", err)
		}
		dfd := do(t, p, Openat2(cwd, dir, &how))
		fd = do(t, p, Openat(dfd, "d", unix.O_RDONLY, 0))
		b := make([]byte, 10)
		if n := do(t, p, Read(fd, b, 0)); string(b[:n]) != "hello" {
			t.Errorf("read %q", b[:n])
		}
		do(t, p, Close(fd))
		do(t, p, Statx(dfd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st))
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			t.Errorf("mode %o of a directory", st.Mode)
		}
		do(t, p, Unlinkat(dfd, "c", 0))
		do(t, p, Unlinkat(dfd, "e", unix.AT_REMOVEDIR))
		do(t, p, Close(dfd))
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 2 || left[0].Name() != "b" || left[1].Name() != "d" {
			t.Errorf("left are %v, %v", left, err)
		}
		for _, name := range []string{"a\x00b", "\x00"} {
			if _, err := p.Do(t.Context(), Unlinkat(cwd, name, 0)); err != syscall.EINVAL {
				t.Errorf("the name %q: %v", name, err)
			}
		}
		long := make([]byte, 5000)
		for i := range long {
			long[i] = 'x'
		}
		if _, err := p.Do(t.Context(), Unlinkat(cwd, string(long), 0)); err != syscall.ENAMETOOLONG {
			t.Errorf("a name of %d bytes: %v", len(long), err)
		}
	})
}

func TestSizes(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		f := tempFile(t, 100)
		fd := int(f.Fd())
		size := func() int64 {
			st, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			return st.Size()
		}
		do(t, p, Fallocate(fd, 0, 0, 1<<20))
		if n := size(); n != 1<<20 {
			t.Errorf("%d bytes after fallocate", n)
		}
		do(t, p, Ftruncate(fd, 50))
		if n := size(); n != 50 {
			t.Errorf("%d bytes after ftruncate", n)
		}
		do(t, p, Fadvise(fd, 0, 0, unix.FADV_WILLNEED))
		do(t, p, SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE))
	})
}

func TestXattrs(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		f := tempFile(t, 1)
		fd, path := int(f.Fd()), f.Name()
		const name, other = "user.proactor", "user.other"
		if _, err := p.Do(t.Context(), Fsetxattr(fd, name, []byte("one"), unix.XATTR_CREATE)); err == syscall.EOPNOTSUPP {
			t.Skip("this file system has no extended attributes")
		} else if err != nil {
			t.Fatal(err)
		}
		do(t, p, Setxattr(path, other, []byte("three"), 0))
		b := make([]byte, 10)
		if n := do(t, p, Getxattr(path, name, b)); string(b[:n]) != "one" {
			t.Errorf("%s is %q", name, b[:n])
		}
		if n := do(t, p, Fgetxattr(fd, other, b)); string(b[:n]) != "three" {
			t.Errorf("%s is %q", other, b[:n])
		}
		if n := do(t, p, Fgetxattr(fd, other, nil)); n != 5 {
			t.Errorf("%s has %d bytes", other, n)
		}
		if _, err := p.Do(t.Context(), Getxattr(path, "user.none", b)); err != syscall.ENODATA {
			t.Errorf("an attribute that is not there: %v", err)
		}
	})
}

func TestPipes(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		pipe := func() (r, w int) {
			var fds [2]int
			if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
			return fds[0], fds[1]
		}
		r1, w1 := pipe()
		r2, w2 := pipe()
		f := tempFile(t, 5000)
		if n := do(t, p, Splice(int(f.Fd()), 1000, w1, -1, 3000, 0)); n != 3000 {
			t.Errorf("spliced %d bytes", n)
		}
		if n := do(t, p, Tee(r1, w2, 3000, 0)); n != 3000 {
			t.Errorf("teed %d bytes", n)
		}
		for _, fd := range []int{r1, r2} {
			b := make([]byte, 4000)
			n := do(t, p, Read(fd, b, -1))
			if n != 3000 {
				t.Errorf("read %d bytes", n)
			}
			if err := checkPlace(b[:n], 1000); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestSockets(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		lfd := do(t, p, Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		any := InetSockaddr(netip.MustParseAddrPort("127.0.0.1:0"))
		do(t, p, Bind(lfd, &any))
		do(t, p, Listen(lfd, 10))
		addr := boundTo(t, lfd)
		done := make(chan int)
		var peer Sockaddr
		go func() { done <- do(t, p, Accept(lfd, &peer, 0)) }()
		cfd := do(t, p, Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		do(t, p, Connect(cfd, &addr))
		sfd := <-done
		local := boundTo(t, cfd)
		want, _ := local.Inet()
		if got, err := peer.Inet(); err != nil || got != want {
			t.Errorf("the peer is %v, %v, and not %v", got, err, want)
		}
		msg := make([]byte, 1000)
		place(msg, 0)
		if n := do(t, p, Send(cfd, msg, unix.MSG_WAITALL)); n != len(msg) {
			t.Errorf("sent %d bytes", n)
		}
		b := make([]byte, 2000)
		if n := do(t, p, Recv(sfd, b[:1000], unix.MSG_WAITALL)); n != 1000 {
			t.Errorf("received %d bytes", n)
		}
		if err := checkPlace(b[:1000], 0); err != nil {
			t.Error(err)
		}
		if n := do(t, p, SendZC(sfd, msg, unix.MSG_WAITALL)); n != len(msg) {
			t.Errorf("sent %d bytes", n)
		}
		m := Message{Buffers: [][]byte{b[:300], b[300:1000]}}
		if n := do(t, p, Recvmsg(cfd, &m, unix.MSG_WAITALL)); n != 1000 {
			t.Errorf("received %d bytes", n)
		}
		if err := checkPlace(b[:1000], 0); err != nil {
			t.Error(err)
		}
		do(t, p, Shutdown(cfd, unix.SHUT_WR))
		if n := do(t, p, Recv(sfd, b, 0)); n != 0 {
			t.Errorf("received %d bytes after a shutdown", n)
		}
		if mask := do(t, p, Poll(sfd, unix.POLLIN|unix.POLLOUT)); mask&unix.POLLIN == 0 || mask&unix.POLLOUT == 0 {
			t.Errorf("poll gives %#x", mask)
		}
		for _, fd := range []int{lfd, cfd, sfd} {
			do(t, p, Close(fd))
		}
		// Nobody listens any more.
		fd := do(t, p, Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		if _, err := p.Do(t.Context(), Connect(fd, &addr)); err != syscall.ECONNREFUSED {
			t.Errorf("connecting to nobody: %v", err)
		}
		do(t, p, Close(fd))
	})
}

func TestDatagrams(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		var fds [2]int
		var addrs [2]Sockaddr
		for i := range fds {
			fds[i] = do(t, p, Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
			any := InetSockaddr(netip.MustParseAddrPort("127.0.0.1:0"))
			do(t, p, Bind(fds[i], &any))
			addrs[i] = boundTo(t, fds[i])
		}
		do(t, p, Sendto(fds[0], []byte("one"), 0, &addrs[1]))
		out := Message{Buffers: [][]byte{[]byte("t"), []byte("wo")}, Addr: addrs[1]}
		do(t, p, Sendmsg(fds[0], &out, 0))
		for _, want := range []string{"one", "two"} {
			in := Message{Buffers: [][]byte{make([]byte, 2), make([]byte, 10)}, Control: make([]byte, 64)}
			n := do(t, p, Recvmsg(fds[1], &in, 0))
			if got := string(bytes.Join(in.Buffers, nil)[:n]); got != want {
				t.Errorf("received %q, not %q", got, want)
			}
			from, err := in.Addr.Inet()
			if sender, _ := addrs[0].Inet(); err != nil || from != sender {
				t.Errorf("from %v, %v, not %v", from, err, sender)
			}
			if in.ControlLen != 0 || in.Flags != 0 {
				t.Errorf("%d bytes of control messages, flags %#x", in.ControlLen, in.Flags)
			}
		}
		for _, fd := range fds {
			do(t, p, Close(fd))
		}
	})
}

// A descriptor that is sent comes back in the control messages.
func TestControlMessages(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		a, b := pair(t)
		f := tempFile(t, 10)
		out := Message{Buffers: [][]byte{[]byte("x")}, Control: unix.UnixRights(int(f.Fd()))}
		do(t, p, Sendmsg(a, &out, 0))
		in := Message{Buffers: [][]byte{make([]byte, 1)}, Control: make([]byte, 100)}
		do(t, p, Recvmsg(b, &in, unix.MSG_CMSG_CLOEXEC))
		msgs, err := unix.ParseSocketControlMessage(in.Control[:in.ControlLen])
		if err != nil || len(msgs) != 1 {
			t.Fatalf("%d messages, %v", len(msgs), err)
		}
		fds, err := unix.ParseUnixRights(&msgs[0])
		if err != nil || len(fds) != 1 {
			t.Fatalf("%d descriptors, %v", len(fds), err)
		}
		defer unix.Close(fds[0])
		buf := make([]byte, 10)
		do(t, p, Read(fds[0], buf, 0))
		if err := checkPlace(buf, 0); err != nil {
			t.Error(err)
		}
	})
}

func TestUnixAddresses(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		path := filepath.Join(t.TempDir(), "s")
		lfd := do(t, p, Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
		addr := UnixSockaddr(path)
		do(t, p, Bind(lfd, &addr))
		do(t, p, Listen(lfd, 1))
		cfd := do(t, p, Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
		do(t, p, Connect(cfd, &addr))
		var peer Sockaddr
		sfd := do(t, p, Accept(lfd, &peer, 0))
		if got, err := peer.Unix(); err != nil || got != "" {
			t.Errorf("the peer is %q, %v", got, err)
		}
		var none Sockaddr
		if _, err := p.Do(t.Context(), Bind(lfd, &none)); err != syscall.EINVAL {
			t.Errorf("binding to no address: %v", err)
		}
		for _, fd := range []int{lfd, cfd, sfd} {
			do(t, p, Close(fd))
		}
	})
}

func TestTimeout(t *testing.T) {
	eachOpen(t, func(t *testing.T, p *Proactor) {
		start := time.Now()
		if n := do(t, p, Timeout(30*time.Millisecond)); n != 0 {
			t.Errorf("the result is %d", n)
		}
		if took := time.Since(start); took < 30*time.Millisecond || took > 3*time.Second {
			t.Errorf("30 ms took %v", took)
		}
		do(t, p, Nop())
	})
}

func TestRaw(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		p := open(t, config)
		f := tempFile(t, 100)
		b := make([]byte, 100)
		var e sys.SQE
		e.PrepRead(int(f.Fd()), b, 0)
		if n := do(t, p, Raw(e, b)); n != 100 {
			t.Errorf("read %d bytes", n)
		}
		for _, flag := range []sys.SQEFlags{sys.IOSQE_CQE_SKIP_SUCCESS, sys.IOSQE_IO_LINK, sys.IOSQE_IO_DRAIN, sys.IOSQE_IO_HARDLINK} {
			e.Flags = flag
			if _, err := p.Do(t.Context(), Raw(e, b)); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("with %v: %v", flag, err)
			}
		}
	})
}
