//go:build linux

package sys_test

// Expected entries written down as bytes: offset, size and value of each field,
// with the numbers of the kernel's ABI instead of this package's constants. It
// needs no C, so it also says something about machines with 32-bit words or the
// other byte order.

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// A field of struct io_uring_sqe: where it is and what it must hold.
type field struct {
	off, size int
	val       uint64
}

func opcode(v uint64) field      { return field{0, 1, v} }
func flagBits(v uint64) field    { return field{1, 1, v} }
func ioprio(v uint64) field      { return field{2, 2, v} }
func fd(v int32) field           { return field{4, 4, uint64(uint32(v))} }
func off(v uint64) field         { return field{8, 8, v} }
func cmdOp(v uint64) field       { return field{8, 4, v} }
func address(v uint64) field     { return field{16, 8, v} }
func level(v uint64) field       { return field{16, 4, v} }
func optname(v uint64) field     { return field{20, 4, v} }
func length(v uint64) field      { return field{24, 4, v} }
func opFlags(v uint64) field     { return field{28, 4, v} }
func pollEvents(v uint64) field  { return field{28, 2, v} } // the lower half, on any machine
func pollEvents2(v uint64) field { return field{30, 2, v} } // the upper half
func bufIndex(v uint64) field    { return field{40, 2, v} }
func fileIndex(v uint64) field   { return field{44, 4, v} }
func addrLen(v uint64) field     { return field{44, 2, v} }
func addr3(v uint64) field       { return field{48, 8, v} }

// image returns the memory of an entry that holds the fields and otherwise
// zeros.
func image(t *testing.T, fields []field) string {
	t.Helper()
	var b [64]byte
	for _, f := range fields {
		switch to := b[f.off:]; f.size {
		case 1:
			to[0] = byte(f.val)
		case 2:
			binary.NativeEndian.PutUint16(to, uint16(f.val))
		case 4:
			binary.NativeEndian.PutUint32(to, uint32(f.val))
		case 8:
			binary.NativeEndian.PutUint64(to, f.val)
		}
	}
	return dump(b[:])
}

// dump writes eight bytes to a line, so that a difference shows its offset.
func dump(b []byte) string {
	var s strings.Builder
	for i := 0; i < len(b); i += 8 {
		fmt.Fprintf(&s, "%2d: % x\n", i, b[i:i+8])
	}
	return s.String()
}

// at returns the address in p, which is on the heap because reflect makes it
// escape.
func at[T any](p *T) uint64 { return uint64(reflect.ValueOf(p).Pointer()) }

func TestPrepGolden(t *testing.T) {
	const (
		last  = 1<<64 - 1 // -1
		atCwd = -100
	)
	var (
		path    = &[]byte("old\x00")[0]
		path2   = &[]byte("new\x00")[0]
		buf     = make([]byte, 1000)
		iov     = make([]unix.Iovec, 3)
		fds     = make([]int32, 5)
		pipe    = new([2]int32)
		addr    = new(unix.RawSockaddrAny)
		addrlen = new(uint32)
		msg     = new(unix.Msghdr)
		ts      = new(unix.KernelTimespec)
		how     = new(unix.OpenHow)
		stat    = new(unix.Statx_t)
		event   = make([]unix.EpollEvent, 7)
		futex   = new(uint32)
		futexes = make([]sys.FutexWaitv, 2)
		info    = new(unix.Siginfo)
	)
	for _, tt := range []struct {
		name string
		prep func(s *sys.SQE)
		want []field
	}{
		{"Nop", func(s *sys.SQE) { s.PrepNop() }, []field{opcode(0), fd(-1)}},
		{"Nop128", func(s *sys.SQE) { s.PrepNop128() }, []field{opcode(63), fd(-1)}},
		{"RW", func(s *sys.SQE) { s.PrepRW(200, 3, sys.PointerTo(path), 4, 5) },
			[]field{opcode(200), fd(3), address(at(path)), length(4), off(5)}},
		{"RW/nil", func(s *sys.SQE) { s.PrepRW(sys.IORING_OP_RECV_ZC, 3, nil, 4, 5) },
			[]field{opcode(58), fd(3), length(4), off(5)}},
		{"Read", func(s *sys.SQE) { s.PrepRead(3, buf, 1<<40) },
			[]field{opcode(22), fd(3), address(at(&buf[0])), length(1000), off(1 << 40)}},
		{"Read/part", func(s *sys.SQE) { s.PrepRead(3, buf[10:20:30], last) },
			[]field{opcode(22), fd(3), address(at(&buf[10])), length(10), off(last)}},
		{"Read/empty", func(s *sys.SQE) { s.PrepRead(3, buf[10:10], 1) }, []field{opcode(22), fd(3), off(1)}},
		{"Read/nil", func(s *sys.SQE) { s.PrepRead(3, nil, 1) }, []field{opcode(22), fd(3), off(1)}},
		{"Readv2", func(s *sys.SQE) { s.PrepReadv2(3, iov, 4, 8) },
			[]field{opcode(1), fd(3), address(at(&iov[0])), length(3), off(4), opFlags(8)}},
		{"ReadFixed", func(s *sys.SQE) { s.PrepReadFixed(3, buf, 4, 65535) },
			[]field{opcode(4), fd(3), address(at(&buf[0])), length(1000), off(4), bufIndex(65535)}},
		{"WritevFixed", func(s *sys.SQE) { s.PrepWritevFixed(3, iov[1:], 4, -1, 6) },
			[]field{opcode(61), fd(3), address(at(&iov[1])), length(2), off(4), opFlags(1<<32 - 1), bufIndex(6)}},
		{"ReadMultishot", func(s *sys.SQE) { s.PrepReadMultishot(3, 4, last, 7) },
			[]field{opcode(49), fd(3), length(4), off(last), bufIndex(7), flagBits(1 << 5)}},
		{"Fsync", func(s *sys.SQE) { s.PrepFsync(3, sys.IORING_FSYNC_DATASYNC) }, []field{opcode(3), fd(3), opFlags(1)}},
		{"Fallocate", func(s *sys.SQE) { s.PrepFallocate(3, 2, 1<<33, 1<<34) },
			[]field{opcode(17), fd(3), length(2), off(1 << 33), address(1 << 34)}},
		{"Ftruncate", func(s *sys.SQE) { s.PrepFtruncate(3, 1<<33) }, []field{opcode(55), fd(3), off(1 << 33)}},
		{"Fadvise64", func(s *sys.SQE) { s.PrepFadvise64(3, 1<<33, 1<<34, 4) },
			[]field{opcode(24), fd(3), off(1 << 33), address(1 << 34), opFlags(4)}},
		{"Madvise64", func(s *sys.SQE) { s.PrepMadvise64(buf, 4) },
			[]field{opcode(25), fd(-1), address(at(&buf[0])), off(1000), opFlags(4)}},
		{"Splice", func(s *sys.SQE) { s.PrepSplice(3, -1, 4, 1<<33, 5, 1<<31) },
			[]field{opcode(30), fd(4), address(last), off(1 << 33), length(5), fileIndex(3), opFlags(1 << 31)}},
		{"Tee", func(s *sys.SQE) { s.PrepTee(3, 4, 5, 6) },
			[]field{opcode(33), fd(4), length(5), fileIndex(3), opFlags(6)}},
		{"PipeDirect", func(s *sys.SQE) { s.PrepPipeDirect(pipe, 3, 4) },
			[]field{opcode(62), address(at(pipe)), opFlags(3), fileIndex(5)}},
		{"Open", func(s *sys.SQE) { s.PrepOpen(path, 0x80000, 0o644) },
			[]field{opcode(18), fd(atCwd), address(at(path)), length(0o644), opFlags(0x80000)}},
		{"OpenatDirect/alloc", func(s *sys.SQE) { s.PrepOpenatDirect(3, path, 4, 5, sys.IORING_FILE_INDEX_ALLOC) },
			[]field{opcode(18), fd(3), address(at(path)), length(5), opFlags(4), fileIndex(1<<32 - 1)}},
		{"Openat2Direct", func(s *sys.SQE) { s.PrepOpenat2Direct(3, path, how, 0) },
			[]field{opcode(28), fd(3), address(at(path)), off(at(how)), length(24), fileIndex(1)}},
		{"Close", func(s *sys.SQE) { s.PrepClose(3) }, []field{opcode(19), fd(3)}},
		{"CloseDirect", func(s *sys.SQE) { s.PrepCloseDirect(3) }, []field{opcode(19), fileIndex(4)}},
		{"Statx", func(s *sys.SQE) { s.PrepStatx(3, path, 4, 5, stat) },
			[]field{opcode(21), fd(3), address(at(path)), off(at(stat)), length(5), opFlags(4)}},
		{"Rename", func(s *sys.SQE) { s.PrepRename(path, path2) },
			[]field{opcode(35), fd(atCwd), address(at(path)), length(1<<32 - 100), off(at(path2))}},
		{"Symlinkat", func(s *sys.SQE) { s.PrepSymlinkat(path, 3, path2) },
			[]field{opcode(38), fd(3), address(at(path)), off(at(path2))}},
		{"Setxattr", func(s *sys.SQE) { s.PrepSetxattr(path, buf, path2, 3) },
			[]field{opcode(42), address(at(path)), off(at(&buf[0])), length(1000), addr3(at(path2)), opFlags(3)}},
		{"Fgetxattr", func(s *sys.SQE) { s.PrepFgetxattr(3, path, nil) }, []field{opcode(43), fd(3), address(at(path))}},
		{"FilesUpdate/alloc", func(s *sys.SQE) { s.PrepFilesUpdate(fds, -1) },
			[]field{opcode(20), fd(-1), address(at(&fds[0])), length(5), off(last)}},
		{"FixedFdInstall", func(s *sys.SQE) { s.PrepFixedFdInstall(3, 1) },
			[]field{opcode(54), fd(3), flagBits(1), opFlags(1)}},
		{"ProvideBuffers", func(s *sys.SQE) { s.PrepProvideBuffers(buf, 100, 10, 3, 4) },
			[]field{opcode(31), fd(10), address(at(&buf[0])), length(100), off(4), bufIndex(3)}},
		{"RemoveBuffers", func(s *sys.SQE) { s.PrepRemoveBuffers(10, 3) }, []field{opcode(32), fd(10), bufIndex(3)}},
		{"MsgRingCqeFlags", func(s *sys.SQE) { s.PrepMsgRingCqeFlags(3, 4, 5, 0, 7) },
			[]field{opcode(40), fd(3), length(4), off(5), opFlags(2), fileIndex(7)}},
		{"MsgRingFd", func(s *sys.SQE) { s.PrepMsgRingFd(3, 4, 5, 6, 1) },
			[]field{opcode(40), fd(3), address(1), off(6), addr3(4), fileIndex(6), opFlags(1)}},
		{"MsgRingFdAlloc", func(s *sys.SQE) { s.PrepMsgRingFdAlloc(3, 4, 6, 0) },
			[]field{opcode(40), fd(3), address(1), off(6), addr3(4), fileIndex(1<<32 - 1)}},

		{"Socket", func(s *sys.SQE) { s.PrepSocket(2, 1, 6, 0) }, []field{opcode(45), fd(2), off(1), length(6)}},
		{"SocketDirectAlloc", func(s *sys.SQE) { s.PrepSocketDirectAlloc(2, 1, 6, 0) },
			[]field{opcode(45), fd(2), off(1), length(6), fileIndex(1<<32 - 1)}},
		{"Connect", func(s *sys.SQE) { s.PrepConnect(3, addr, 16) },
			[]field{opcode(16), fd(3), address(at(addr)), off(16)}},
		{"Listen", func(s *sys.SQE) { s.PrepListen(3, 128) }, []field{opcode(57), fd(3), length(128)}},
		{"Accept", func(s *sys.SQE) { s.PrepAccept(3, addr, addrlen, 4) },
			[]field{opcode(13), fd(3), address(at(addr)), off(at(addrlen)), opFlags(4)}},
		{"MultishotAcceptDirect", func(s *sys.SQE) { s.PrepMultishotAcceptDirect(3, nil, nil, 0) },
			[]field{opcode(13), fd(3), ioprio(1), fileIndex(1<<32 - 1)}},
		{"Send", func(s *sys.SQE) { s.PrepSend(3, buf, 0x4000) },
			[]field{opcode(26), fd(3), address(at(&buf[0])), length(1000), opFlags(0x4000)}},
		{"SendBundle", func(s *sys.SQE) { s.PrepSendBundle(3, 0, 0) }, []field{opcode(26), fd(3), ioprio(1 << 4)}},
		{"SendBundle/-1", func(s *sys.SQE) { s.PrepSendBundle(3, -1, 0) }, []field{opcode(26), fd(3), ioprio(1 << 4)}},
		{"Sendto", func(s *sys.SQE) { s.PrepSendto(3, buf, 0, addr, 28) },
			[]field{opcode(26), fd(3), address(at(&buf[0])), length(1000), off(at(addr)), addrLen(28)}},
		{"SendZCFixed", func(s *sys.SQE) { s.PrepSendZCFixed(3, buf, 4, 1, 5) },
			[]field{opcode(47), fd(3), address(at(&buf[0])), length(1000), opFlags(4), ioprio(5), bufIndex(5)}},
		{"SendmsgZC", func(s *sys.SQE) { s.PrepSendmsgZC(3, msg, 4) },
			[]field{opcode(48), fd(3), address(at(msg)), length(1), opFlags(4)}},
		{"RecvMultishot", func(s *sys.SQE) { s.PrepRecvMultishot(3, nil, 4) },
			[]field{opcode(27), fd(3), opFlags(4), ioprio(2)}},
		{"RecvmsgMultishot", func(s *sys.SQE) { s.PrepRecvmsgMultishot(3, msg, 4) },
			[]field{opcode(10), fd(3), address(at(msg)), length(1), opFlags(4), ioprio(2)}},
		{"RecvZC", func(s *sys.SQE) {
			// Without a twin, this is its only test.
			*s = sys.SQE{Ioprio: sys.IORING_RECVSEND_POLL_FIRST, Off: 1, Addr: 2, OpFlags: 3, FileIndex: 4}
			s.PrepRecvZC(3, 4096, 0x40, 5)
		}, []field{opcode(58), fd(3), length(4096), opFlags(0x40), ioprio(3), fileIndex(5)}},
		{"CmdSock", func(s *sys.SQE) { s.PrepCmdSock(2, 3, 1, 7, buf[:4]) },
			[]field{opcode(46), fd(3), cmdOp(2), level(1), optname(7), fileIndex(4), addr3(at(&buf[0]))}},
		{"CmdGetsockname", func(s *sys.SQE) { s.PrepCmdGetsockname(3, addr, addrlen, 1) },
			[]field{opcode(46), fd(3), cmdOp(5), address(at(addr)), addr3(at(addrlen)), fileIndex(1)}},
		{"UringCmd128", func(s *sys.SQE) { s.PrepUringCmd128(-2, 3) },
			[]field{opcode(64), fd(3), cmdOp(1<<32 - 2)}},

		{"PollAdd", func(s *sys.SQE) { s.PrepPollAdd(3, 0x8000_0001) },
			[]field{opcode(6), fd(3), pollEvents(1), pollEvents2(0x8000)}},
		{"PollMultishot", func(s *sys.SQE) { s.PrepPollMultishot(3, 4) },
			[]field{opcode(6), fd(3), pollEvents(4), length(1)}},
		{"PollUpdate", func(s *sys.SQE) { s.PrepPollUpdate(1<<40, 1<<41, 4, 3) },
			[]field{opcode(7), fd(-1), address(1 << 40), off(1 << 41), pollEvents(4), length(3)}},
		{"EpollCtl", func(s *sys.SQE) { s.PrepEpollCtl(3, -1, 1, &event[0]) },
			[]field{opcode(29), fd(3), address(at(&event[0])), length(1), off(1<<32 - 1)}},
		{"EpollWait", func(s *sys.SQE) { s.PrepEpollWait(3, event, 0) },
			[]field{opcode(59), fd(3), address(at(&event[0])), length(7)}},
		{"Timeout", func(s *sys.SQE) { s.PrepTimeout(ts, 3, 1<<6) },
			[]field{opcode(11), fd(-1), address(at(ts)), length(1), off(3), opFlags(1 << 6)}},
		{"TimeoutUpdate", func(s *sys.SQE) { s.PrepTimeoutUpdate(ts, 1<<40, 1) },
			[]field{opcode(12), fd(-1), address(1 << 40), off(at(ts)), opFlags(3)}},
		{"LinkTimeout", func(s *sys.SQE) { s.PrepLinkTimeout(ts, 0) },
			[]field{opcode(15), fd(-1), address(at(ts)), length(1)}},
		{"Cancel64", func(s *sys.SQE) { s.PrepCancel64(1<<63, 1) },
			[]field{opcode(14), fd(-1), address(1 << 63), opFlags(1)}},
		{"CancelFd", func(s *sys.SQE) { s.PrepCancelFd(3, 1) }, []field{opcode(14), fd(3), opFlags(3)}},
		{"FutexWait", func(s *sys.SQE) { s.PrepFutexWait(futex, 3, 1<<32-1, 2, 0) },
			[]field{opcode(51), fd(2), address(at(futex)), off(3), addr3(1<<32 - 1)}},
		{"FutexWaitv", func(s *sys.SQE) { s.PrepFutexWaitv(futexes, 0) },
			[]field{opcode(53), address(at(&futexes[0])), length(2)}},
		{"Waitid", func(s *sys.SQE) { s.PrepWaitid(1, 4242, info, 4, 0) },
			[]field{opcode(50), fd(4242), length(1), off(at(info)), fileIndex(4)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(sys.SQE)
			tt.prep(s)
			got, err := binary.Append(nil, binary.NativeEndian, s)
			if err != nil || len(got) != 64 {
				t.Fatalf("an SQE of %d bytes, %v", len(got), err)
			}
			if want := image(t, tt.want); dump(got) != want {
				t.Errorf("got\n%swant\n%s", dump(got), want)
			}
		})
	}
}

// BLKDISCARD and the discard command share the number space 0x12, whose other
// bits _IO makes and which differ between architectures.
func TestPrepBlockCommands(t *testing.T) {
	const io12 = unix.BLKRRPART - 95 // _IO(0x12, 0)
	var s sys.SQE
	s.PrepCmdDiscard(3, 1<<33, 1<<34)
	got, _ := binary.Append(nil, binary.NativeEndian, &s)
	if want := image(t, []field{opcode(46), fd(3), cmdOp(io12), address(1 << 33), addr3(1 << 34)}); dump(got) != want {
		t.Errorf("PrepCmdDiscard: got\n%swant\n%s", dump(got), want)
	}
	s = sys.SQE{}
	s.PrepCmdZoneResetAll(3)
	got, _ = binary.Append(nil, binary.NativeEndian, &s)
	if want := image(t, []field{opcode(46), fd(3), cmdOp(io12 + 1)}); dump(got) != want {
		t.Errorf("PrepCmdZoneResetAll: got\n%swant\n%s", dump(got), want)
	}
}

// What the caller may have set before must survive.
func TestPrepKeepsOtherFields(t *testing.T) {
	s := sys.SQE{UserData: 42, Flags: sys.IOSQE_IO_LINK, Ioprio: sys.IORING_RECVSEND_POLL_FIRST, Personality: 7, BufIndex: 8}
	s.PrepRecvMultishot(3, nil, 0)
	want := sys.SQE{
		Opcode: sys.IORING_OP_RECV, Fd: 3, UserData: 42, Flags: sys.IOSQE_IO_LINK, Personality: 7, BufIndex: 8,
		Ioprio: sys.IORING_RECVSEND_POLL_FIRST | sys.IORING_RECV_MULTISHOT,
	}
	if s != want {
		t.Errorf("got %+v\nwant %+v", s, want)
	}
}

func TestPrepSendSetAddrKeepsUpperHalf(t *testing.T) {
	s := sys.SQE{FileIndex: 0xaaaa_aaaa}
	s.PrepSendSetAddr(nil, 0x1234)
	var want [4]byte
	binary.NativeEndian.PutUint16(want[:], 0x1234)
	binary.NativeEndian.PutUint16(want[2:], 0xaaaa)
	if got := binary.NativeEndian.AppendUint32(nil, s.FileIndex); string(got) != string(want[:]) {
		t.Errorf("the field holds % x, want % x", got, want)
	}
}

func TestPrepLongSlices(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("an int has 32 bits: there are no such slices")
	}
	size := int64(math.MaxUint32) + 2
	large, err := unix.Mmap(-1, 0, int(size), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(large)
	for _, tt := range []struct {
		n    int64
		want uint32
	}{
		{math.MaxUint32 - 1, math.MaxUint32 - 1},
		{math.MaxUint32, math.MaxUint32},
		{math.MaxUint32 + 1, math.MaxUint32},
		{math.MaxUint32 + 2, math.MaxUint32},
	} {
		var s sys.SQE
		s.PrepSend(0, large[:tt.n], 0)
		if s.Len != tt.want || s.Addr != at(&large[0]) {
			t.Errorf("a slice of %d bytes gives length %d at %#x, want %d at %#x", tt.n, s.Len, s.Addr, tt.want, at(&large[0]))
		}
		n := int(tt.n)
		s.PrepSendBundle(0, n, 0)
		if s.Len != tt.want {
			t.Errorf("PrepSendBundle of %d gives %d, want %d", n, s.Len, tt.want)
		}
	}
}

func TestPrepProvideBuffersPanics(t *testing.T) {
	buf := make([]byte, 1000)
	for _, tt := range []struct {
		length, nr int
		ok         bool
	}{
		{100, 10, true},
		{1000, 1, true},
		{0, 1000, true},
		{100, 0, true},
		{100, -1, true}, // the kernel refuses it
		{100, 11, false},
		{1001, 1, false},
		{-1, 1, false}, // 1<<32 - 1 bytes, for the kernel
		{math.MaxInt32, math.MaxInt32, false},
		{math.MinInt32, 2, false},
	} {
		panicked := func() (p any) {
			defer func() { p = recover() }()
			var s sys.SQE
			s.PrepProvideBuffers(buf, tt.length, tt.nr, 0, 0)
			return nil
		}()
		if (panicked == nil) != tt.ok {
			t.Errorf("%d buffers of %d bytes in 1000: panic %v", tt.nr, tt.length, panicked)
		}
		if msg, _ := panicked.(string); !tt.ok && !strings.Contains(msg, "do not fit into 1000 bytes") {
			t.Errorf("the panic says %q", panicked)
		}
	}
}

func TestFutexWaitvSet(t *testing.T) {
	futex := new(uint32)
	var w sys.FutexWaitv
	w.Set(futex, 1<<40, 2)
	if want := (sys.FutexWaitv{Val: 1 << 40, Uaddr: at(futex), Flags: 2}); w != want {
		t.Errorf("got %+v, want %+v", w, want)
	}
}
