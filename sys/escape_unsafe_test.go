//go:build linux

package sys_test

// Do addresses stay valid? A goroutine's stack moves when it grows; what a Prep
// method was given must not be on it.

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// growStack makes the calling goroutine's stack at least 1 MiB.
//
//go:noinline
func growStack(depth int) byte {
	var frame [1024]byte
	frame[depth%len(frame)] = byte(depth)
	if depth == 0 {
		return frame[0]
	}
	return growStack(depth-1) + frame[depth%len(frame)]
}

// onNewStack runs f in a new goroutine, whose stack is small.
func onNewStack(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// TestLocalsStayInPlace compares the address in the entry with the local's
// address after the stack has moved. The second address is an integer made with
// unsafe, so that taking it is no reason to put the local on the heap.
func TestLocalsStayInPlace(t *testing.T) {
	// The control: without the methods the local does move, so the test below can
	// fail.
	var before, after uint64
	onNewStack(func() {
		var local [64]byte
		before = uint64(uintptr(unsafe.Pointer(&local)))
		growStack(1024)
		after = uint64(uintptr(unsafe.Pointer(&local)))
	})
	if before == after {
		t.Fatal("the control did not move: growStack does not do what it is for")
	}

	for _, tt := range []struct {
		name string
		f    func() (before, after uint64)
	}{
		{"slice", func() (uint64, uint64) {
			var s sys.SQE
			var local [64]byte
			s.PrepRead(0, local[:], 0)
			growStack(1024)
			return s.Addr, uint64(uintptr(unsafe.Pointer(&local)))
		}},
		{"pointer", func() (uint64, uint64) {
			var s sys.SQE
			ts := unix.KernelTimespec{Sec: 1}
			s.PrepTimeout(&ts, 0, 0)
			growStack(1024)
			return s.Addr, uint64(uintptr(unsafe.Pointer(&ts)))
		}},
		{"second pointer", func() (uint64, uint64) {
			var s sys.SQE
			var local uint32
			s.PrepAccept(0, nil, &local, 0)
			growStack(1024)
			return s.Off, uint64(uintptr(unsafe.Pointer(&local)))
		}},
		{"untyped pointer", func() (uint64, uint64) {
			var s sys.SQE
			var local [64]byte
			s.PrepRW(sys.IORING_OP_READ, 0, unsafe.Pointer(&local), 64, 0)
			growStack(1024)
			return s.Addr, uint64(uintptr(unsafe.Pointer(&local)))
		}},
		{"FutexWaitv", func() (uint64, uint64) {
			var w sys.FutexWaitv
			var local uint32
			w.Set(&local, 0, 0)
			growStack(1024)
			return w.Uaddr, uint64(uintptr(unsafe.Pointer(&local)))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onNewStack(func() { before, after = tt.f() })
			if before != after {
				t.Errorf("the entry has the address %#x, the local is at %#x", before, after)
			}
		})
	}
}

// heapCalls gives a local's address to every parameter that takes one, each in
// a call of its own: the compiler may put several locals into one allocation.
var heapCalls = []struct {
	method string
	call   func(s *sys.SQE)
}{
	{"PrepRW", func(s *sys.SQE) { var a uint64; s.PrepRW(0, 0, unsafe.Pointer(&a), 0, 0) }},
	{"PrepProvideBuffers", func(s *sys.SQE) { var a [64]byte; s.PrepProvideBuffers(a[:], 1, 1, 0, 0) }},
	{"PrepFilesUpdate", func(s *sys.SQE) { var a [2]int32; s.PrepFilesUpdate(a[:], 0) }},
	{"PrepRead", func(s *sys.SQE) { var a [64]byte; s.PrepRead(0, a[:], 0) }},
	{"PrepReadv", func(s *sys.SQE) { var a [2]unix.Iovec; s.PrepReadv(0, a[:], 0) }},
	{"PrepReadv2", func(s *sys.SQE) { var a [2]unix.Iovec; s.PrepReadv2(0, a[:], 0, 0) }},
	{"PrepReadFixed", func(s *sys.SQE) { var a [64]byte; s.PrepReadFixed(0, a[:], 0, 0) }},
	{"PrepReadvFixed", func(s *sys.SQE) { var a [2]unix.Iovec; s.PrepReadvFixed(0, a[:], 0, 0, 0) }},
	{"PrepWrite", func(s *sys.SQE) { var a [64]byte; s.PrepWrite(0, a[:], 0) }},
	{"PrepWritev", func(s *sys.SQE) { var a [2]unix.Iovec; s.PrepWritev(0, a[:], 0) }},
	{"PrepWritev2", func(s *sys.SQE) { var a [2]unix.Iovec; s.PrepWritev2(0, a[:], 0, 0) }},
	{"PrepWriteFixed", func(s *sys.SQE) { var a [64]byte; s.PrepWriteFixed(0, a[:], 0, 0) }},
	{"PrepWritevFixed", func(s *sys.SQE) { var a [2]unix.Iovec; s.PrepWritevFixed(0, a[:], 0, 0, 0) }},
	{"PrepMadvise", func(s *sys.SQE) { var a [64]byte; s.PrepMadvise(a[:], 0) }},
	{"PrepMadvise64", func(s *sys.SQE) { var a [64]byte; s.PrepMadvise64(a[:], 0) }},
	{"PrepPipe", func(s *sys.SQE) { var a [2]int32; s.PrepPipe(&a, 0) }},
	{"PrepPipeDirect", func(s *sys.SQE) { var a [2]int32; s.PrepPipeDirect(&a, 0, 0) }},
	{"PrepOpen", func(s *sys.SQE) { var a [8]byte; s.PrepOpen(&a[0], 0, 0) }},
	{"PrepOpenDirect", func(s *sys.SQE) { var a [8]byte; s.PrepOpenDirect(&a[0], 0, 0, 0) }},
	{"PrepOpenat", func(s *sys.SQE) { var a [8]byte; s.PrepOpenat(0, &a[0], 0, 0) }},
	{"PrepOpenatDirect", func(s *sys.SQE) { var a [8]byte; s.PrepOpenatDirect(0, &a[0], 0, 0, 0) }},
	{"PrepOpenat2", func(s *sys.SQE) { var a [8]byte; s.PrepOpenat2(0, &a[0], nil) }},
	{"PrepOpenat2", func(s *sys.SQE) { var a unix.OpenHow; s.PrepOpenat2(0, nil, &a) }},
	{"PrepOpenat2Direct", func(s *sys.SQE) { var a [8]byte; s.PrepOpenat2Direct(0, &a[0], nil, 0) }},
	{"PrepOpenat2Direct", func(s *sys.SQE) { var a unix.OpenHow; s.PrepOpenat2Direct(0, nil, &a, 0) }},
	{"PrepStatx", func(s *sys.SQE) { var a [8]byte; s.PrepStatx(0, &a[0], 0, 0, nil) }},
	{"PrepStatx", func(s *sys.SQE) { var a unix.Statx_t; s.PrepStatx(0, nil, 0, 0, &a) }},
	{"PrepUnlink", func(s *sys.SQE) { var a [8]byte; s.PrepUnlink(&a[0], 0) }},
	{"PrepUnlinkat", func(s *sys.SQE) { var a [8]byte; s.PrepUnlinkat(0, &a[0], 0) }},
	{"PrepRename", func(s *sys.SQE) { var a [8]byte; s.PrepRename(&a[0], nil) }},
	{"PrepRename", func(s *sys.SQE) { var a [8]byte; s.PrepRename(nil, &a[0]) }},
	{"PrepRenameat", func(s *sys.SQE) { var a [8]byte; s.PrepRenameat(0, &a[0], 0, nil, 0) }},
	{"PrepRenameat", func(s *sys.SQE) { var a [8]byte; s.PrepRenameat(0, nil, 0, &a[0], 0) }},
	{"PrepMkdir", func(s *sys.SQE) { var a [8]byte; s.PrepMkdir(&a[0], 0) }},
	{"PrepMkdirat", func(s *sys.SQE) { var a [8]byte; s.PrepMkdirat(0, &a[0], 0) }},
	{"PrepSymlink", func(s *sys.SQE) { var a [8]byte; s.PrepSymlink(&a[0], nil) }},
	{"PrepSymlink", func(s *sys.SQE) { var a [8]byte; s.PrepSymlink(nil, &a[0]) }},
	{"PrepSymlinkat", func(s *sys.SQE) { var a [8]byte; s.PrepSymlinkat(&a[0], 0, nil) }},
	{"PrepSymlinkat", func(s *sys.SQE) { var a [8]byte; s.PrepSymlinkat(nil, 0, &a[0]) }},
	{"PrepLink", func(s *sys.SQE) { var a [8]byte; s.PrepLink(&a[0], nil, 0) }},
	{"PrepLink", func(s *sys.SQE) { var a [8]byte; s.PrepLink(nil, &a[0], 0) }},
	{"PrepLinkat", func(s *sys.SQE) { var a [8]byte; s.PrepLinkat(0, &a[0], 0, nil, 0) }},
	{"PrepLinkat", func(s *sys.SQE) { var a [8]byte; s.PrepLinkat(0, nil, 0, &a[0], 0) }},
	{"PrepGetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepGetxattr(&a[0], nil, nil) }},
	{"PrepGetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepGetxattr(nil, a[:], nil) }},
	{"PrepGetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepGetxattr(nil, nil, &a[0]) }},
	{"PrepSetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepSetxattr(&a[0], nil, nil, 0) }},
	{"PrepSetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepSetxattr(nil, a[:], nil, 0) }},
	{"PrepSetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepSetxattr(nil, nil, &a[0], 0) }},
	{"PrepFgetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepFgetxattr(0, &a[0], nil) }},
	{"PrepFgetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepFgetxattr(0, nil, a[:]) }},
	{"PrepFsetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepFsetxattr(0, &a[0], nil, 0) }},
	{"PrepFsetxattr", func(s *sys.SQE) { var a [8]byte; s.PrepFsetxattr(0, nil, a[:], 0) }},
	{"PrepBind", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepBind(0, &a, 0) }},
	{"PrepConnect", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepConnect(0, &a, 0) }},
	{"PrepAccept", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepAccept(0, &a, nil, 0) }},
	{"PrepAccept", func(s *sys.SQE) { var a uint32; s.PrepAccept(0, nil, &a, 0) }},
	{"PrepAcceptDirect", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepAcceptDirect(0, &a, nil, 0, 0) }},
	{"PrepAcceptDirect", func(s *sys.SQE) { var a uint32; s.PrepAcceptDirect(0, nil, &a, 0, 0) }},
	{"PrepMultishotAccept", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepMultishotAccept(0, &a, nil, 0) }},
	{"PrepMultishotAccept", func(s *sys.SQE) { var a uint32; s.PrepMultishotAccept(0, nil, &a, 0) }},
	{"PrepMultishotAcceptDirect", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepMultishotAcceptDirect(0, &a, nil, 0) }},
	{"PrepMultishotAcceptDirect", func(s *sys.SQE) { var a uint32; s.PrepMultishotAcceptDirect(0, nil, &a, 0) }},
	{"PrepCmdGetsockname", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepCmdGetsockname(0, &a, nil, 0) }},
	{"PrepCmdGetsockname", func(s *sys.SQE) { var a uint32; s.PrepCmdGetsockname(0, nil, &a, 0) }},
	{"PrepSend", func(s *sys.SQE) { var a [64]byte; s.PrepSend(0, a[:], 0) }},
	{"PrepSendto", func(s *sys.SQE) { var a [64]byte; s.PrepSendto(0, a[:], 0, nil, 0) }},
	{"PrepSendto", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepSendto(0, nil, 0, &a, 0) }},
	{"PrepSendSetAddr", func(s *sys.SQE) { var a unix.RawSockaddrAny; s.PrepSendSetAddr(&a, 0) }},
	{"PrepSendZC", func(s *sys.SQE) { var a [64]byte; s.PrepSendZC(0, a[:], 0, 0) }},
	{"PrepSendZCFixed", func(s *sys.SQE) { var a [64]byte; s.PrepSendZCFixed(0, a[:], 0, 0, 0) }},
	{"PrepSendmsg", func(s *sys.SQE) { var a unix.Msghdr; s.PrepSendmsg(0, &a, 0) }},
	{"PrepSendmsgZC", func(s *sys.SQE) { var a unix.Msghdr; s.PrepSendmsgZC(0, &a, 0) }},
	{"PrepSendmsgZCFixed", func(s *sys.SQE) { var a unix.Msghdr; s.PrepSendmsgZCFixed(0, &a, 0, 0) }},
	{"PrepRecv", func(s *sys.SQE) { var a [64]byte; s.PrepRecv(0, a[:], 0) }},
	{"PrepRecvMultishot", func(s *sys.SQE) { var a [64]byte; s.PrepRecvMultishot(0, a[:], 0) }},
	{"PrepRecvmsg", func(s *sys.SQE) { var a unix.Msghdr; s.PrepRecvmsg(0, &a, 0) }},
	{"PrepRecvmsgMultishot", func(s *sys.SQE) { var a unix.Msghdr; s.PrepRecvmsgMultishot(0, &a, 0) }},
	{"PrepCmdSock", func(s *sys.SQE) { var a [64]byte; s.PrepCmdSock(0, 0, 0, 0, a[:]) }},
	{"PrepEpollCtl", func(s *sys.SQE) { var a unix.EpollEvent; s.PrepEpollCtl(0, 0, 0, &a) }},
	{"PrepEpollWait", func(s *sys.SQE) { var a [2]unix.EpollEvent; s.PrepEpollWait(0, a[:], 0) }},
	{"PrepTimeout", func(s *sys.SQE) { var a unix.KernelTimespec; s.PrepTimeout(&a, 0, 0) }},
	{"PrepTimeoutUpdate", func(s *sys.SQE) { var a unix.KernelTimespec; s.PrepTimeoutUpdate(&a, 0, 0) }},
	{"PrepLinkTimeout", func(s *sys.SQE) { var a unix.KernelTimespec; s.PrepLinkTimeout(&a, 0) }},
	{"PrepFutexWait", func(s *sys.SQE) { var a uint32; s.PrepFutexWait(&a, 0, 0, 0, 0) }},
	{"PrepFutexWake", func(s *sys.SQE) { var a uint32; s.PrepFutexWake(&a, 0, 0, 0, 0) }},
	{"PrepFutexWaitv", func(s *sys.SQE) { var a [2]sys.FutexWaitv; s.PrepFutexWaitv(a[:], 0) }},
	{"PrepWaitid", func(s *sys.SQE) { var a unix.Siginfo; s.PrepWaitid(0, 0, &a, 0, 0) }},
}

// TestPrepMovesLocalsToHeap counts allocations: the local must be one. A method
// that gets no address makes none.
func TestPrepMovesLocalsToHeap(t *testing.T) {
	calls := make(map[string]int)
	s := new(sys.SQE)
	for _, tt := range heapCalls {
		calls[tt.method]++
		if got := testing.AllocsPerRun(100, func() { tt.call(s) }); got != 1 {
			t.Errorf("call %d of %s with a local allocates %v times, want 1", calls[tt.method], tt.method, got)
		}
	}
	if got := testing.AllocsPerRun(100, func() { s.PrepRead(0, nil, 0); s.PrepAccept(0, nil, nil, 0); s.PrepNop() }); got != 0 {
		t.Errorf("methods that get no address allocate %v times", got)
	}

	typ := reflect.TypeFor[*sys.SQE]()
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		if !strings.HasPrefix(m.Name, "Prep") {
			continue
		}
		addresses := 0
		for j := 1; j < m.Type.NumIn(); j++ { // 0 is the receiver
			switch m.Type.In(j).Kind() {
			case reflect.Pointer, reflect.Slice, reflect.UnsafePointer, reflect.Interface, reflect.String, reflect.Map:
				addresses++
			}
		}
		if calls[m.Name] != addresses {
			t.Errorf("%s takes %d addresses and is called with %d here", m.Name, addresses, calls[m.Name])
		}
	}
}
