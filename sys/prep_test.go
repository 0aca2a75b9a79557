//go:build linux && cgo && !uringgo

package sys_test

// The byte oracle: every Prep method against its twin in C.
//
// For each function, thousands of random arguments go to both sides, on entries
// that hold the same bytes before: zeros, a pattern and random bytes, so that a
// field which only one side writes shows, and what liburing's own get_sqe
// leaves. All 128 bytes must be equal afterwards.
//
// The set of functions is not taken on trust either: it is read from the header
// that the C compiler finds, and from the comments of the methods.

import (
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/cref"
	"github.com/uring-go/uring/sys"
)

var (
	prepSeed   = flag.Uint64("prep.seed", 0x75_72_69_6e_67, "seed of the random arguments in the comparison of Prep methods with C")
	prepTuples = flag.Int("prep.tuples", 10_000, "sets of arguments for each function in that comparison")
)

// A prepCall is one function of liburing and how to call its twin.
type prepCall struct {
	name  string // without io_uring_prep_
	since int    // minor version of liburing 2 that brought it; 3 is the oldest supported
	call  func(s *sys.SQE, d *draw)
}

// The calls take their arguments from d, which records them in C's order on the
// way: Go evaluates arguments from left to right, and the methods have C's
// order, a slice standing for address and length. Where C has the length
// elsewhere, the call ends with d.length().
var prepCalls = []prepCall{
	{"rw", 3, func(s *sys.SQE, d *draw) { s.PrepRW(d.op(), d.int(), d.pointer(), d.u32(), d.u64()) }},
	{"nop", 3, func(s *sys.SQE, d *draw) { s.PrepNop() }},
	{"nop128", 13, func(s *sys.SQE, d *draw) { s.PrepNop128() }},
	{"uring_cmd", 13, func(s *sys.SQE, d *draw) { s.PrepUringCmd(d.int(), d.int()) }},
	{"uring_cmd128", 13, func(s *sys.SQE, d *draw) { s.PrepUringCmd128(d.int(), d.int()) }},
	{"provide_buffers", 3, provideBuffers},
	{"remove_buffers", 3, func(s *sys.SQE, d *draw) { s.PrepRemoveBuffers(d.int(), d.int()) }},
	{"files_update", 3, func(s *sys.SQE, d *draw) { s.PrepFilesUpdate(sliceOf(d, fdTable[:]), d.int()) }},
	{"fixed_fd_install", 6, func(s *sys.SQE, d *draw) { s.PrepFixedFdInstall(d.int(), d.u32()) }},
	{"msg_ring", 3, func(s *sys.SQE, d *draw) { s.PrepMsgRing(d.int(), d.u32(), d.u64(), d.u32()) }},
	{"msg_ring_cqe_flags", 4, func(s *sys.SQE, d *draw) { s.PrepMsgRingCqeFlags(d.int(), d.u32(), d.u64(), d.u32(), d.u32()) }},
	{"msg_ring_fd", 4, func(s *sys.SQE, d *draw) { s.PrepMsgRingFd(d.int(), d.int(), d.int(), d.u64(), d.u32()) }},
	{"msg_ring_fd_alloc", 4, func(s *sys.SQE, d *draw) { s.PrepMsgRingFdAlloc(d.int(), d.int(), d.u64(), d.u32()) }},

	{"read", 3, func(s *sys.SQE, d *draw) { s.PrepRead(d.int(), d.bytes(), d.u64()) }},
	{"readv", 3, func(s *sys.SQE, d *draw) { s.PrepReadv(d.int(), sliceOf(d, iovecs[:]), d.u64()) }},
	{"readv2", 3, func(s *sys.SQE, d *draw) { s.PrepReadv2(d.int(), sliceOf(d, iovecs[:]), d.u64(), d.int()) }},
	{"read_fixed", 3, func(s *sys.SQE, d *draw) { s.PrepReadFixed(d.int(), d.bytes(), d.u64(), d.int()) }},
	{"readv_fixed", 10, func(s *sys.SQE, d *draw) {
		s.PrepReadvFixed(d.int(), sliceOf(d, iovecs[:]), d.u64(), d.int(), d.int())
	}},
	{"read_multishot", 6, func(s *sys.SQE, d *draw) { s.PrepReadMultishot(d.int(), d.u32(), d.u64(), d.int()) }},
	{"write", 3, func(s *sys.SQE, d *draw) { s.PrepWrite(d.int(), d.bytes(), d.u64()) }},
	{"writev", 3, func(s *sys.SQE, d *draw) { s.PrepWritev(d.int(), sliceOf(d, iovecs[:]), d.u64()) }},
	{"writev2", 3, func(s *sys.SQE, d *draw) { s.PrepWritev2(d.int(), sliceOf(d, iovecs[:]), d.u64(), d.int()) }},
	{"write_fixed", 3, func(s *sys.SQE, d *draw) { s.PrepWriteFixed(d.int(), d.bytes(), d.u64(), d.int()) }},
	{"writev_fixed", 10, func(s *sys.SQE, d *draw) {
		s.PrepWritevFixed(d.int(), sliceOf(d, iovecs[:]), d.u64(), d.int(), d.int())
	}},
	{"fsync", 3, func(s *sys.SQE, d *draw) { s.PrepFsync(d.int(), d.u32()) }},
	{"sync_file_range", 3, func(s *sys.SQE, d *draw) { s.PrepSyncFileRange(d.int(), d.u32(), d.u64(), d.int()) }},
	{"fallocate", 3, func(s *sys.SQE, d *draw) { s.PrepFallocate(d.int(), d.int(), d.u64(), d.u64()) }},
	{"ftruncate", 6, func(s *sys.SQE, d *draw) { s.PrepFtruncate(d.int(), d.i64()) }},
	{"fadvise", 3, func(s *sys.SQE, d *draw) { s.PrepFadvise(d.int(), d.u64(), d.u32(), d.int()) }},
	{"fadvise64", 7, func(s *sys.SQE, d *draw) { s.PrepFadvise64(d.int(), d.u64(), d.i64(), d.int()) }},
	{"madvise", 3, func(s *sys.SQE, d *draw) { s.PrepMadvise(d.bytes(), d.int()) }},
	{"madvise64", 7, func(s *sys.SQE, d *draw) { s.PrepMadvise64(d.bytes64(), d.int()) }},
	{"splice", 3, func(s *sys.SQE, d *draw) { s.PrepSplice(d.int(), d.i64(), d.int(), d.i64(), d.u32(), d.u32()) }},
	{"tee", 3, func(s *sys.SQE, d *draw) { s.PrepTee(d.int(), d.int(), d.u32(), d.u32()) }},
	{"pipe", 12, func(s *sys.SQE, d *draw) { s.PrepPipe(oneOf(d, pipes[:]), d.int()) }},
	{"pipe_direct", 12, func(s *sys.SQE, d *draw) { s.PrepPipeDirect(oneOf(d, pipes[:]), d.int(), d.u32()) }},
	{"open", 8, func(s *sys.SQE, d *draw) { s.PrepOpen(d.path(), d.int(), d.u32()) }},
	{"open_direct", 8, func(s *sys.SQE, d *draw) { s.PrepOpenDirect(d.path(), d.int(), d.u32(), d.u32()) }},
	{"openat", 3, func(s *sys.SQE, d *draw) { s.PrepOpenat(d.int(), d.path(), d.int(), d.u32()) }},
	{"openat_direct", 3, func(s *sys.SQE, d *draw) { s.PrepOpenatDirect(d.int(), d.path(), d.int(), d.u32(), d.u32()) }},
	{"openat2", 3, func(s *sys.SQE, d *draw) { s.PrepOpenat2(d.int(), d.path(), oneOf(d, openHows[:])) }},
	{"openat2_direct", 3, func(s *sys.SQE, d *draw) {
		s.PrepOpenat2Direct(d.int(), d.path(), oneOf(d, openHows[:]), d.u32())
	}},
	{"close", 3, func(s *sys.SQE, d *draw) { s.PrepClose(d.int()) }},
	{"close_direct", 3, func(s *sys.SQE, d *draw) { s.PrepCloseDirect(d.u32()) }},
	{"statx", 3, func(s *sys.SQE, d *draw) {
		s.PrepStatx(d.int(), d.path(), d.int(), d.u32(), oneOf(d, statxs[:]))
	}},
	{"unlink", 3, func(s *sys.SQE, d *draw) { s.PrepUnlink(d.path(), d.int()) }},
	{"unlinkat", 3, func(s *sys.SQE, d *draw) { s.PrepUnlinkat(d.int(), d.path(), d.int()) }},
	{"rename", 3, func(s *sys.SQE, d *draw) { s.PrepRename(d.path(), d.path()) }},
	{"renameat", 3, func(s *sys.SQE, d *draw) { s.PrepRenameat(d.int(), d.path(), d.int(), d.path(), d.u32()) }},
	{"mkdir", 3, func(s *sys.SQE, d *draw) { s.PrepMkdir(d.path(), d.u32()) }},
	{"mkdirat", 3, func(s *sys.SQE, d *draw) { s.PrepMkdirat(d.int(), d.path(), d.u32()) }},
	{"symlink", 3, func(s *sys.SQE, d *draw) { s.PrepSymlink(d.path(), d.path()) }},
	{"symlinkat", 3, func(s *sys.SQE, d *draw) { s.PrepSymlinkat(d.path(), d.int(), d.path()) }},
	{"link", 3, func(s *sys.SQE, d *draw) { s.PrepLink(d.path(), d.path(), d.int()) }},
	{"linkat", 3, func(s *sys.SQE, d *draw) { s.PrepLinkat(d.int(), d.path(), d.int(), d.path(), d.int()) }},
	{"getxattr", 3, func(s *sys.SQE, d *draw) { s.PrepGetxattr(d.path(), d.address(), d.path()); d.length() }},
	{"setxattr", 3, func(s *sys.SQE, d *draw) { s.PrepSetxattr(d.path(), d.address(), d.path(), d.int()); d.length() }},
	{"fgetxattr", 3, func(s *sys.SQE, d *draw) { s.PrepFgetxattr(d.int(), d.path(), d.bytes()) }},
	{"fsetxattr", 3, func(s *sys.SQE, d *draw) { s.PrepFsetxattr(d.int(), d.path(), d.address(), d.int()); d.length() }},
	{"cmd_discard", 8, func(s *sys.SQE, d *draw) { s.PrepCmdDiscard(d.int(), d.u64(), d.u64()) }},
	{"cmd_zone_reset_all", 16, func(s *sys.SQE, d *draw) { s.PrepCmdZoneResetAll(d.int()) }},

	{"socket", 3, func(s *sys.SQE, d *draw) { s.PrepSocket(d.int(), d.int(), d.int(), d.u32()) }},
	{"socket_direct", 3, func(s *sys.SQE, d *draw) { s.PrepSocketDirect(d.int(), d.int(), d.int(), d.u32(), d.u32()) }},
	{"socket_direct_alloc", 3, func(s *sys.SQE, d *draw) { s.PrepSocketDirectAlloc(d.int(), d.int(), d.int(), d.u32()) }},
	{"bind", 7, func(s *sys.SQE, d *draw) { s.PrepBind(d.int(), oneOf(d, sockaddrs[:]), d.u32()) }},
	{"listen", 7, func(s *sys.SQE, d *draw) { s.PrepListen(d.int(), d.int()) }},
	{"connect", 3, func(s *sys.SQE, d *draw) { s.PrepConnect(d.int(), oneOf(d, sockaddrs[:]), d.u32()) }},
	{"accept", 3, func(s *sys.SQE, d *draw) {
		s.PrepAccept(d.int(), oneOf(d, sockaddrs[:]), oneOf(d, words[:]), d.int())
	}},
	{"accept_direct", 3, func(s *sys.SQE, d *draw) {
		s.PrepAcceptDirect(d.int(), oneOf(d, sockaddrs[:]), oneOf(d, words[:]), d.int(), d.u32())
	}},
	{"multishot_accept", 3, func(s *sys.SQE, d *draw) {
		s.PrepMultishotAccept(d.int(), oneOf(d, sockaddrs[:]), oneOf(d, words[:]), d.int())
	}},
	{"multishot_accept_direct", 3, func(s *sys.SQE, d *draw) {
		s.PrepMultishotAcceptDirect(d.int(), oneOf(d, sockaddrs[:]), oneOf(d, words[:]), d.int())
	}},
	{"shutdown", 3, func(s *sys.SQE, d *draw) { s.PrepShutdown(d.int(), d.int()) }},
	{"send", 3, func(s *sys.SQE, d *draw) { s.PrepSend(d.int(), d.bytes(), d.int()) }},
	{"send_bundle", 7, func(s *sys.SQE, d *draw) { s.PrepSendBundle(d.int(), d.size(), d.int()) }},
	{"sendto", 4, func(s *sys.SQE, d *draw) {
		s.PrepSendto(d.int(), d.bytes(), d.int(), oneOf(d, sockaddrs[:]), d.u32())
	}},
	{"send_set_addr", 3, func(s *sys.SQE, d *draw) { s.PrepSendSetAddr(oneOf(d, sockaddrs[:]), d.u16()) }},
	{"send_zc", 3, func(s *sys.SQE, d *draw) { s.PrepSendZC(d.int(), d.bytes(), d.int(), d.u32()) }},
	{"send_zc_fixed", 3, func(s *sys.SQE, d *draw) { s.PrepSendZCFixed(d.int(), d.bytes(), d.int(), d.u32(), d.u32()) }},
	{"sendmsg", 3, func(s *sys.SQE, d *draw) { s.PrepSendmsg(d.int(), oneOf(d, msghdrs[:]), d.u32()) }},
	{"sendmsg_zc", 3, func(s *sys.SQE, d *draw) { s.PrepSendmsgZC(d.int(), oneOf(d, msghdrs[:]), d.u32()) }},
	{"sendmsg_zc_fixed", 10, func(s *sys.SQE, d *draw) {
		s.PrepSendmsgZCFixed(d.int(), oneOf(d, msghdrs[:]), d.u32(), d.u32())
	}},
	{"recv", 3, func(s *sys.SQE, d *draw) { s.PrepRecv(d.int(), d.bytes(), d.int()) }},
	{"recv_multishot", 3, func(s *sys.SQE, d *draw) { s.PrepRecvMultishot(d.int(), d.bytes(), d.int()) }},
	{"recvmsg", 3, func(s *sys.SQE, d *draw) { s.PrepRecvmsg(d.int(), oneOf(d, msghdrs[:]), d.u32()) }},
	{"recvmsg_multishot", 3, func(s *sys.SQE, d *draw) { s.PrepRecvmsgMultishot(d.int(), oneOf(d, msghdrs[:]), d.u32()) }},
	{"cmd_sock", 5, func(s *sys.SQE, d *draw) { s.PrepCmdSock(d.int(), d.int(), d.int(), d.int(), d.bytes()) }},
	{"cmd_getsockname", 13, func(s *sys.SQE, d *draw) {
		s.PrepCmdGetsockname(d.int(), oneOf(d, sockaddrs[:]), oneOf(d, words[:]), d.int())
	}},

	{"poll_add", 3, func(s *sys.SQE, d *draw) { s.PrepPollAdd(d.int(), d.u32()) }},
	{"poll_multishot", 3, func(s *sys.SQE, d *draw) { s.PrepPollMultishot(d.int(), d.u32()) }},
	{"poll_remove", 3, func(s *sys.SQE, d *draw) { s.PrepPollRemove(d.u64()) }},
	{"poll_update", 3, func(s *sys.SQE, d *draw) { s.PrepPollUpdate(d.u64(), d.u64(), d.u32(), d.u32()) }},
	{"epoll_ctl", 3, func(s *sys.SQE, d *draw) { s.PrepEpollCtl(d.int(), d.int(), d.int(), oneOf(d, epollEvents[:])) }},
	{"epoll_wait", 10, func(s *sys.SQE, d *draw) { s.PrepEpollWait(d.int(), sliceOf(d, epollEvents[:]), d.u32()) }},
	{"timeout", 3, func(s *sys.SQE, d *draw) { s.PrepTimeout(oneOf(d, timespecs[:]), d.u32(), d.u32()) }},
	{"timeout_remove", 3, func(s *sys.SQE, d *draw) { s.PrepTimeoutRemove(d.u64(), d.u32()) }},
	{"timeout_update", 3, func(s *sys.SQE, d *draw) { s.PrepTimeoutUpdate(oneOf(d, timespecs[:]), d.u64(), d.u32()) }},
	{"link_timeout", 3, func(s *sys.SQE, d *draw) { s.PrepLinkTimeout(oneOf(d, timespecs[:]), d.u32()) }},
	{"cancel", 3, func(s *sys.SQE, d *draw) { s.PrepCancel(uintptr(d.u64()), d.int()) }},
	{"cancel64", 3, func(s *sys.SQE, d *draw) { s.PrepCancel64(d.u64(), d.int()) }},
	{"cancel_fd", 3, func(s *sys.SQE, d *draw) { s.PrepCancelFd(d.int(), d.u32()) }},
	{"futex_wait", 6, func(s *sys.SQE, d *draw) { s.PrepFutexWait(oneOf(d, words[:]), d.u64(), d.u64(), d.u32(), d.u32()) }},
	{"futex_wake", 6, func(s *sys.SQE, d *draw) { s.PrepFutexWake(oneOf(d, words[:]), d.u64(), d.u64(), d.u32(), d.u32()) }},
	{"futex_waitv", 6, func(s *sys.SQE, d *draw) { s.PrepFutexWaitv(sliceOf(d, futexes[:]), d.u32()) }},
	{"waitid", 6, func(s *sys.SQE, d *draw) { s.PrepWaitid(d.int(), d.u32(), oneOf(d, siginfos[:]), d.int(), d.u32()) }},
}

// internals are functions of the header that look like those above and need no
// method.
var internals = map[string]string{
	"__io_uring_prep_poll_mask": "orders the halves of a poll mask, returns a number; pollMask is ours",
	"__io_uring_prep_uring_cmd": "what uring_cmd and uring_cmd128 have in common; liburing does not export it",
}

// provideBuffers keeps to buffers that fit, for the method refuses others.
func provideBuffers(s *sys.SQE, d *draw) {
	buf := d.address()
	length := d.raw()
	nr := d.raw()
	if n := int32(nr); n > 0 {
		length = uint64(int32(min(uint64(uint32(length)), uint64(len(buf))/uint64(n))))
	}
	d.push(length)
	d.push(nr)
	s.PrepProvideBuffers(buf, int(length), int(nr), d.int(), d.int())
}

// What pointers and slices point to: only the addresses matter, nothing reads
// or writes there.
var (
	fdTable     [40]int32
	words       [40]uint32
	pipes       [40][2]int32
	iovecs      [1100]unix.Iovec
	openHows    [40]unix.OpenHow
	statxs      [4]unix.Statx_t
	sockaddrs   [40]unix.RawSockaddrAny
	msghdrs     [40]unix.Msghdr
	epollEvents [40]unix.EpollEvent
	timespecs   [40]unix.KernelTimespec
	futexes     [130]sys.FutexWaitv
	siginfos    [40]unix.Siginfo
	text        [4096]byte
)

// largeMemory returns more memory than a 32-bit length can count, where the
// address space has that much. None of it is ever backed by pages.
var largeMemory = sync.OnceValues(func() ([]byte, error) {
	size := 1 << 28
	if math.MaxInt > math.MaxInt32 {
		size <<= 5 // 8 GiB
	}
	return unix.Mmap(-1, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
})

// A draw makes arguments from random numbers and records them for C.
type draw struct {
	next  func() uint64
	large []byte
	args  [cref.MaxArgs]uint64
	n     int
	held  uint64 // length of the slice that address returned
}

// extremes are values at which a wrong width or sign shows.
var extremes = [...]uint64{
	0, 1, 2, 3, 1<<64 - 1, 1<<64 - 2, 1<<64 - 100, // -1, -2, AT_FDCWD
	1<<31 - 1, 1 << 31, 1<<32 - 2, 1<<32 - 1, 1 << 32, 1<<32 + 1, // IORING_FILE_INDEX_ALLOC
	1<<15 - 1, 1 << 15, 1<<16 - 1, 1 << 16, 1<<16 + 1,
	1<<63 - 1, 1 << 63, 0xffff_ffff_8000_0000, 0xffff_ffff_0000_0000, 0x0123_4567_89ab_cdef,
}

// raw returns a number that is not recorded.
func (d *draw) raw() uint64 {
	r := d.next()
	switch r >> 61 {
	case 0, 1:
		return extremes[r%uint64(len(extremes))]
	case 2:
		return r & 0xff
	case 3:
		return 1 << (r % 64)
	}
	return d.next()
}

func (d *draw) push(v uint64) {
	d.args[d.n] = v
	d.n++
}

func (d *draw) u64() uint64 { v := d.raw(); d.push(v); return v }
func (d *draw) i64() int64  { return int64(d.u64()) }
func (d *draw) int() int    { v := int(d.raw()); d.push(uint64(v)); return v }
func (d *draw) u32() uint32 { v := uint32(d.raw()); d.push(uint64(v)); return v }
func (d *draw) u16() uint16 { v := uint16(d.raw()); d.push(uint64(v)); return v }
func (d *draw) op() sys.Op  { v := sys.Op(d.raw()); d.push(uint64(v)); return v }

// size is a length without an address, for which the method has no room above
// 32 bits or below 0.
func (d *draw) size() int {
	v := int(d.raw())
	d.push(min(uint64(max(v, 0)), math.MaxUint32))
	return v
}

func addressOf[T any](p *T) uint64 { return uint64(reflect.ValueOf(p).Pointer()) }

// oneOf returns a pointer into pool, or nil.
func oneOf[T any](d *draw, pool []T) *T {
	i := d.next() % uint64(len(pool)+1)
	if i == uint64(len(pool)) {
		d.push(0)
		return nil
	}
	d.push(addressOf(&pool[i]))
	return &pool[i]
}

// sliceOf returns a part of pool, sometimes an empty or nil slice.
func sliceOf[T any](d *draw, pool []T) []T {
	s := part(d, pool)
	if len(s) == 0 {
		d.push(0)
	} else {
		d.push(addressOf(&s[0]))
	}
	d.push(min(uint64(len(s)), math.MaxUint32))
	return s
}

func part[T any](d *draw, pool []T) []T {
	i := d.next() % uint64(len(pool)+1)
	switch r := d.next(); r % 8 {
	case 0:
		return nil
	case 1:
		return pool[i:i]
	case 2:
		return pool[i:]
	default:
		return pool[i : i+r/8%(uint64(len(pool))-i+1)]
	}
}

func (d *draw) memory() []byte {
	if d.next()%2 == 0 {
		return d.large
	}
	return text[:]
}

func (d *draw) path() *byte          { return oneOf(d, d.memory()) }
func (d *draw) pointer() sys.Pointer { return sys.PointerTo(oneOf(d, d.memory())) }
func (d *draw) bytes() []byte        { return sliceOf(d, d.memory()) }

// bytes64 is bytes for a 64-bit length field.
func (d *draw) bytes64() []byte {
	s := d.bytes()
	d.args[d.n-1] = uint64(len(s))
	return s
}

// address is bytes without its length, which length records later.
func (d *draw) address() []byte {
	s := d.bytes()
	d.n--
	d.held = d.args[d.n]
	return s
}

func (d *draw) length() { d.push(d.held) }

// reset begins another set of arguments.
func (d *draw) reset() { d.n, d.args = 0, [cref.MaxArgs]uint64{} }

// entry returns an SQE with the eight words in its fields.
func entry(w func() uint64) sys.SQE {
	a, b, c, d, e := w(), w(), w(), w(), w()
	return sys.SQE{
		Opcode: sys.Op(a), Flags: sys.SQEFlags(a >> 8), Ioprio: uint16(a >> 16), Fd: int32(a >> 32),
		Off: b, Addr: c, Len: uint32(d), OpFlags: uint32(d >> 32), UserData: e,
		BufIndex: uint16(e), Personality: uint16(e >> 16), FileIndex: uint32(e >> 32),
		Addr3: w(), Pad2: w(),
	}
}

// background is what an entry holds before the call.
type background struct {
	name       string
	initialize bool // C clears it as get_sqe does, Go gets zeros
	fill       func(pcg *rand.PCG) sys.SQE128
}

func backgrounds() []background {
	zero := func(*rand.PCG) sys.SQE128 { return sys.SQE128{} }
	pattern := entry(func() uint64 { return 0xeeee_eeee_eeee_eeee })
	all := []background{{"zeros", false, zero}}
	if cref.HasInitialize() {
		// Older functions clear the whole entry themselves, which get_sqe does since:
		// from zeros both are the same.
		all = append(all,
			background{"0xEE", false, func(*rand.PCG) sys.SQE128 { return sys.SQE128{pattern, pattern} }},
			background{"random", false, func(pcg *rand.PCG) sys.SQE128 { return sys.SQE128{entry(pcg.Uint64), entry(pcg.Uint64)} }},
			background{"get_sqe", true, func(pcg *rand.PCG) sys.SQE128 { return sys.SQE128{entry(pcg.Uint64), entry(pcg.Uint64)} }})
	}
	return all
}

// A quirk is what old headers are known to do differently from 2.15. fix turns
// an entry that C made, with args, into what it would be today, and reports
// whether it had to; g is what Go made.
type quirk struct {
	function    string
	first, last int // minor versions of liburing 2
	what        string
	fix         func(args []uint64, c, g *sys.SQE) bool
}

// allocQuirk: the function encoded IORING_FILE_INDEX_ALLOC like any other slot,
// as slot + 1, which is 0 and means an ordinary descriptor.
func allocQuirk(function string, arg int) quirk {
	return quirk{function, 0, 3, "writes IORING_FILE_INDEX_ALLOC as 0", func(args []uint64, c, g *sys.SQE) bool {
		if args[arg] != sys.IORING_FILE_INDEX_ALLOC || c.FileIndex != 0 {
			return false
		}
		c.FileIndex = sys.IORING_FILE_INDEX_ALLOC
		return true
	}}
}

var quirks = []quirk{
	allocQuirk("accept_direct", 4),
	allocQuirk("openat_direct", 4),
	allocQuirk("openat2_direct", 3),
	allocQuirk("socket_direct", 3),
	{"cmd_sock", 5, 5, "leaves out level, optname, optval and optlen", func(args []uint64, c, g *sys.SQE) bool {
		if c.Addr != 0 || c.FileIndex != 0 || c.Addr3 != 0 {
			return false
		}
		c.Addr, c.FileIndex, c.Addr3 = g.Addr, g.FileIndex, g.Addr3
		return true
	}},
	{"read_multishot", 6, 6, "does not set IOSQE_BUFFER_SELECT", func(args []uint64, c, g *sys.SQE) bool {
		c.Flags = sys.IOSQE_BUFFER_SELECT
		return true
	}},
}

// quirkOf returns the quirk of the function in the header in use, nil if it has
// none.
func quirkOf(function string) *quirk {
	major, minor := cref.Version()
	for i, q := range quirks {
		if q.function == function && major == 2 && q.first <= minor && minor <= q.last {
			return &quirks[i]
		}
	}
	return nil
}

// compare runs tuples sets of arguments through the function on both sides and
// returns how many entries were compared, in how many of them a quirk was
// corrected, and a description of the first difference.
func compare(h prepCall, number int, bg background, seed uint64, tuples int, large []byte) (compared, corrected int, diff string) {
	const batch = 512
	quirk := quirkOf(h.name)
	var (
		pcg  rand.PCG
		d    = draw{next: pcg.Uint64, large: large}
		c    = make([]sys.SQE128, 0, batch)
		g    = make([]sys.SQE128, 0, batch)
		args = make([][cref.MaxArgs]uint64, 0, batch)
	)
	for first := 0; first < tuples; first += batch {
		c, g, args = c[:0], g[:0], args[:0]
		for i := first; i < min(first+batch, tuples); i++ {
			// The same arguments for every background.
			pcg.Seed(seed, uint64(i))
			d.reset()
			before := bg.fill(rand.NewPCG(seed, ^uint64(i)))
			after := before
			if bg.initialize {
				after[0] = sys.SQE{UserData: before[0].UserData}
			}
			h.call(&after[0], &d)
			c, g, args = append(c, before), append(g, after), append(args, d.args)
		}
		cref.Prep(number, bg.initialize, c, args)
		for i := range c {
			if quirk != nil && quirk.fix(args[i][:], &c[i][0], &g[i][0]) {
				corrected++
			}
			if bg.initialize && h.name == "send_set_addr" {
				// Alone it prepares nothing: opcode, fd, addr and len are of the call before
				// it.
				g[i][0].Opcode, g[i][0].Fd, g[i][0].Addr, g[i][0].Len = c[i][0].Opcode, c[i][0].Fd, c[i][0].Addr, c[i][0].Len
			}
			if c[i] != g[i] && diff == "" {
				diff = fmt.Sprintf("arguments %#x (seed %#x, set %d, on %s), -C +Go:\n%s", args[i], seed, first+i, bg.name, cmp.Diff(c[i], g[i]))
			}
			compared++
		}
	}
	return compared, corrected, diff
}

func TestPrepAgainstC(t *testing.T) {
	large, err := largeMemory()
	if err != nil {
		t.Fatalf("no address space for slices longer than a 32-bit length: %v", err)
	}
	major, minor := cref.Version()
	number := make(map[string]int)
	for i, name := range cref.PrepNames() {
		number[strings.TrimPrefix(name, "io_uring_prep_")] = i
	}
	t.Logf("liburing %d.%d, seed %#x (-prep.seed)", major, minor, *prepSeed)
	var covered, entries, differences int
	var missing []string
	for i, h := range prepCalls {
		n, ok := number[h.name]
		if !ok {
			missing = append(missing, h.name)
			continue
		}
		covered++
		inAll := 0
		for _, bg := range backgrounds() {
			compared, corrected, diff := compare(h, n, bg, *prepSeed+uint64(i), *prepTuples, large)
			entries += compared
			inAll += corrected
			if diff != "" {
				differences++
				t.Errorf("io_uring_prep_%s differs: %s", h.name, diff)
				break
			}
		}
		if q := quirkOf(h.name); q != nil {
			t.Logf("this liburing's io_uring_prep_%s %s: corrected in %d entries", h.name, q.what, inAll)
			if inAll == 0 {
				t.Errorf("that did not happen: it is not known to this test when it does")
			}
		}
	}
	t.Logf("%d functions, %d sets of arguments each, %d entries compared, %d functions differ", covered, *prepTuples, entries, differences)
	if len(missing) > 0 {
		t.Logf("missing in this liburing: %d: %s", len(missing), strings.Join(missing, " "))
	}
}

// prepFunctions returns the functions with io_uring_prep_ in their names that
// the liburing.h in use defines, and that header's version. The compiler says
// which header that is: it is asked as the go command asks it for this package.
func prepFunctions(t *testing.T) (names map[string]bool, major, minor int) {
	t.Helper()
	env, err := exec.Command("go", "env", "CC", "CGO_CPPFLAGS", "CGO_CFLAGS").Output()
	if err != nil {
		t.Skipf("without the go command the header that was compiled in cannot be found: %v", err)
	}
	lines := strings.SplitN(string(env), "\n", 4)
	cc := strings.Fields(lines[0])
	argv := slices.Concat(cc, strings.Fields(lines[1]), strings.Fields(lines[2]), []string{"-D_GNU_SOURCE", "-E", "-"})
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader("#include <liburing.h>\nheader_version IO_URING_VERSION_MAJOR IO_URING_VERSION_MINOR\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(argv, " "), err)
	}
	// Lines of the header itself follow a marker: # 12 "/usr/include/liburing.h" 2
	marker := regexp.MustCompile(`^# \d+ "([^"]*)"`)
	function := regexp.MustCompile(`\b(_*io_uring_prep_[a-z0-9_]+) ?\(`)
	names = make(map[string]bool)
	var path string
	inHeader := false
	for line := range strings.Lines(string(out)) {
		if m := marker.FindStringSubmatch(line); m != nil {
			if inHeader = strings.HasSuffix(m[1], "/liburing.h"); inHeader {
				path = m[1]
			}
			continue
		}
		if version, ok := strings.CutPrefix(line, "header_version "); ok {
			if n, _ := fmt.Sscan(version, &major, &minor); n != 2 {
				major, minor = 2, 3 // the last one without version numbers
			}
		}
		if inHeader {
			for _, m := range function.FindAllStringSubmatch(line, -1) {
				names[m[1]] = true
			}
		}
	}
	t.Logf("%s, version %d.%d: %d functions with io_uring_prep_ in their names", path, major, minor, len(names))
	if len(names) == 0 {
		t.Fatal("none found: the pattern is wrong")
	}
	return names, major, minor
}

// TestPrepCoverage fails if the header has a function without method, if a method
// names a function that a liburing of this version should have and has not, or if
// one that exists is not compared.
func TestPrepCoverage(t *testing.T) {
	inHeader, major, minor := prepFunctions(t)
	if cmaj, cmin := cref.Version(); cmaj != major || cmin != minor {
		t.Fatalf("the compiler now finds liburing %d.%d; this test was compiled with %d.%d", major, minor, cmaj, cmin)
	}
	documented := make(map[string]bool)
	for _, name := range twins(t) {
		if name != "" {
			documented[name] = true
		}
	}
	inTable := make(map[string]bool)
	expected := make(map[string]bool) // in a header of this version
	for _, h := range prepCalls {
		name := "io_uring_prep_" + h.name
		if inTable[name] {
			t.Errorf("%s is compared twice", name)
		}
		inTable[name] = true
		if major > 2 || minor >= h.since {
			expected[name] = true
		}
	}
	for name, reason := range internals {
		if inTable[name] {
			t.Errorf("%s is compared, and an exception because it %s", name, reason)
		}
		delete(inHeader, name)
	}
	inC := make(map[string]bool)
	for _, name := range cref.PrepNames() {
		inC[name] = true
	}
	equalSets(t, "functions named in comments", documented, "functions compared", inTable)
	equalSets(t, "functions in the header", inHeader, "functions expected in this version", expected)
	equalSets(t, "functions in the header", inHeader, "functions that internal/cref calls", inC)
}

func equalSets(t *testing.T, aName string, a map[string]bool, bName string, b map[string]bool) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if !b[name] {
			t.Errorf("%s is among the %s, not among the %s", name, aName, bName)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if !a[name] {
			t.Errorf("%s is among the %s, not among the %s", name, bName, aName)
		}
	}
}

// FuzzPrep compares one call at a time, with arguments that the fuzzer chooses.
func FuzzPrep(f *testing.F) {
	large, err := largeMemory()
	if err != nil {
		f.Fatal(err)
	}
	number := make(map[string]int)
	for i, name := range cref.PrepNames() {
		number[strings.TrimPrefix(name, "io_uring_prep_")] = i
	}
	for i := range prepCalls {
		f.Add(uint8(i), uint8(0xee), []byte(strconv.Itoa(i)))
	}
	f.Fuzz(func(t *testing.T, which, fill uint8, data []byte) {
		h := prepCalls[int(which)%len(prepCalls)]
		n, ok := number[h.name]
		if !ok {
			return
		}
		if !cref.HasInitialize() {
			fill = 0
		}
		before := entry(func() uint64 { return uint64(fill) * 0x0101_0101_0101_0101 })
		// Numbers come from data while it lasts, then from a generator.
		rest := rand.NewPCG(uint64(which), uint64(len(data)))
		d := draw{large: large, next: func() uint64 {
			if len(data) < 8 {
				return rest.Uint64()
			}
			v := binary.LittleEndian.Uint64(data)
			data = data[8:]
			return v
		}}
		c, g := []sys.SQE128{{before, before}}, sys.SQE128{before, before}
		h.call(&g[0], &d)
		cref.Prep(n, false, c, [][cref.MaxArgs]uint64{d.args})
		if q := quirkOf(h.name); q != nil {
			q.fix(d.args[:], &c[0][0], &g[0])
		}
		if c[0] != g {
			t.Errorf("io_uring_prep_%s(%#x) on bytes %#x, -C +Go:\n%s", h.name, d.args, fill, cmp.Diff(c[0], g))
		}
	})
}
