package features

// The trials behind behaviours.go. Each makes the least that shows the
// behaviour, and tells a kernel that refuses it, or that ignores the flag and
// does the ordinary thing, from one where something else stood in the way.

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

var behaviourTrials = [len(behaviours)]func(*trial) error{
	acceptMultishot:  tryAcceptMultishot,
	bufRing:          func(t *trial) error { return tryBufRing(t, 0) },
	bufRingIncr:      func(t *trial) error { return tryBufRing(t, sys.IOU_PBUF_RING_MMAP|sys.IOU_PBUF_RING_INC) },
	bufRingMmap:      func(t *trial) error { return tryBufRing(t, sys.IOU_PBUF_RING_MMAP) },
	cancelAny:        func(t *trial) error { return tryCancel(t, sys.IORING_ASYNC_CANCEL_ALL|sys.IORING_ASYNC_CANCEL_ANY) },
	cancelOp:         func(t *trial) error { return tryCancel(t, sys.IORING_ASYNC_CANCEL_OP) },
	directAlloc:      tryDirectAlloc,
	filesSparse:      tryFilesSparse,
	getsockname:      tryGetsockname,
	msgRingFlags:     tryMsgRingFlags,
	nopResult:        tryNopResult,
	pollMultishot:    tryPollMultishot,
	recvMultishot:    tryRecvMultishot,
	sendVectorized:   trySendVectorized,
	sendZC:           trySendZC,
	socketOption:     trySocketOption,
	timeoutImmediate: tryTimeoutImmediate,
	timeoutMultishot: tryTimeoutMultishot,
}

func askBehaviour(i int) error {
	switch i {
	case bundle:
		return askFeature(sys.IORING_FEAT_RECVSEND_BUNDLE)
	case minTimeout:
		return askFeature(sys.IORING_FEAT_MIN_TIMEOUT)
	}
	return withRing(0, behaviourTrials[i])
}

// multishot is the verdict on a first completion that is no error.
func multishot(c sys.CQE) error {
	if c.More() {
		return nil
	}
	return no // it was taken for an ordinary request
}

func tryAcceptMultishot(t *trial) error {
	ln, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(ln)
	// Without a name the kernel finds one that is free.
	if err := unix.Bind(ln, &unix.SockaddrUnix{}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if err := unix.Listen(ln, 1); err != nil {
		return os.NewSyscallError("listen", err)
	}
	name, err := unix.Getsockname(ln)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	peer, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(peer)
	if err := unix.Connect(peer, name); err != nil {
		return os.NewSyscallError("connect", err)
	}
	c, err := t.result(func(s *sys.SQE) { s.PrepMultishotAccept(ln, nil, nil, unix.SOCK_CLOEXEC) })
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL); err != nil {
		return err
	}
	unix.Close(int(c.Res))
	return multishot(c)
}

func tryBufRing(t *trial, flags uint16) error {
	const group = 1
	reg := &sys.BufReg{RingEntries: 1, Bgid: group, Flags: flags}
	if flags&sys.IOU_PBUF_RING_MMAP == 0 {
		mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
		if err != nil {
			return os.NewSyscallError("mmap", err)
		}
		defer unix.Munmap(mem)
		reg.RingAddr = address(mem)
	}
	_, err := t.Register(sys.IORING_REGISTER_PBUF_RING, sys.PointerTo(reg), 1)
	if errors.Is(err, syscall.EINVAL) {
		return no
	}
	if err != nil {
		return err
	}
	_, err = t.Register(sys.IORING_UNREGISTER_PBUF_RING, sys.PointerTo(&sys.BufReg{Bgid: group}), 1)
	return err
}

// tryCancel cancels a poll that never ends, by something else than its user_data.
func tryCancel(t *trial, flags int) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	defer unix.Close(fd)
	poll, err := t.send(func(s *sys.SQE) { s.PrepPollAdd(fd, unix.POLLIN) })
	if err != nil {
		return err
	}
	c, err := t.result(func(s *sys.SQE) {
		s.PrepCancel64(0, flags)
		if flags&sys.IORING_ASYNC_CANCEL_OP != 0 {
			s.Len = uint32(sys.IORING_OP_POLL_ADD)
		}
	})
	if err != nil {
		return err
	}
	// ENOENT: it looked for the user_data 0.
	if err := lacks(c, syscall.EINVAL, syscall.ENOENT); err != nil {
		return err
	}
	c, err = t.next(poll)
	if err != nil {
		return err
	}
	if c.Res != -int32(syscall.ECANCELED) {
		return lacks(c)
	}
	return nil
}

func tryDirectAlloc(t *trial) error {
	table := &[1]int32{-1}
	if _, err := t.Register(sys.IORING_REGISTER_FILES, sys.PointerTo(table), 1); err != nil {
		return err
	}
	path := &[2]byte{'/'}
	t.keep = append(t.keep, path)
	c, err := t.result(func(s *sys.SQE) {
		s.PrepOpenatDirect(unix.AT_FDCWD, &path[0], unix.O_RDONLY|unix.O_DIRECTORY, 0, sys.IORING_FILE_INDEX_ALLOC)
	})
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL); err != nil {
		return err
	}
	// It is slot 0, unless the kernel ignored the field and opened an ordinary
	// descriptor. Reading a directory fails, but not as an empty slot does.
	buf := new([1]byte)
	t.keep = append(t.keep, buf)
	slot, err := t.result(func(s *sys.SQE) { s.PrepRead(0, buf[:], 0); s.Flags = sys.IOSQE_FIXED_FILE })
	if err != nil {
		return err
	}
	if c.Res == 0 && slot.Res != -int32(syscall.EBADF) {
		return nil
	}
	unix.Close(int(c.Res))
	return no
}

func tryFilesSparse(t *trial) error {
	reg := &sys.RsrcRegister{Nr: 1, Flags: sys.IORING_RSRC_REGISTER_SPARSE}
	_, err := t.Register(sys.IORING_REGISTER_FILES2, sys.PointerTo(reg), 32)
	if errors.Is(err, syscall.EINVAL) {
		return no
	}
	return err
}

func tryMsgRingFlags(t *trial) error {
	const flags = sys.IORING_CQE_F_MORE
	c, err := t.result(func(s *sys.SQE) { s.PrepMsgRingCqeFlags(t.Fd(), 0, 1<<32, 0, uint32(flags)) })
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL); err != nil {
		return err
	}
	c, err = t.next(1 << 32)
	if err == nil && c.Flags&flags == 0 {
		return no
	}
	return err
}

func tryNopResult(t *trial) error {
	const result = 42
	c, err := t.result(func(s *sys.SQE) {
		s.PrepNop()
		s.OpFlags, s.Len = sys.IORING_NOP_INJECT_RESULT, result
	})
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL); err != nil {
		return err
	}
	if c.Res != result {
		return no
	}
	return nil
}

func tryPollMultishot(t *trial) error {
	fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	defer unix.Close(fd)
	c, err := t.result(func(s *sys.SQE) { s.PrepPollMultishot(fd, unix.POLLIN) })
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL); err != nil {
		return err
	}
	return multishot(c)
}

func tryRecvMultishot(t *trial) error {
	const group = 1
	a, b, release, err := sockets()
	if err != nil {
		return err
	}
	defer release()
	buf := new([8]byte)
	t.keep = append(t.keep, buf)
	c, err := t.result(func(s *sys.SQE) { s.PrepProvideBuffers(buf[:], len(buf), 1, group, 0) })
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL); err != nil {
		return err
	}
	if _, err := unix.Write(b, []byte{1}); err != nil {
		return os.NewSyscallError("write", err)
	}
	c, err = t.result(func(s *sys.SQE) {
		s.PrepRecvMultishot(a, nil, 0)
		s.Flags, s.BufIndex = sys.IOSQE_BUFFER_SELECT, group
	})
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL); err != nil {
		return err
	}
	return multishot(c)
}

func trySendVectorized(t *trial) error {
	a, _, release, err := sockets()
	if err != nil {
		return err
	}
	defer release()
	data := new([3]byte)
	vec := make([]unix.Iovec, 1)
	vec[0].Base = &data[0]
	vec[0].SetLen(len(data))
	t.keep = append(t.keep, data, vec)
	c, err := t.result(func(s *sys.SQE) {
		s.PrepWritev(a, vec, 0)
		s.Opcode, s.Ioprio = sys.IORING_OP_SEND, sys.IORING_SEND_VECTORIZED
	})
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL); err != nil {
		return err
	}
	if int(c.Res) != len(data) {
		return no // it sent the table as if it were data
	}
	return nil
}

func trySendZC(t *trial) error {
	fd, err := datagramSocket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	own, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	if err := unix.Connect(fd, own); err != nil {
		return os.NewSyscallError("connect", err)
	}
	data := new([8]byte)
	t.keep = append(t.keep, data)
	c, err := t.result(func(s *sys.SQE) { s.PrepSendZC(fd, data[:], 0, 0) })
	if err != nil {
		return err
	}
	if err := lacks(c, syscall.EINVAL, syscall.EOPNOTSUPP); err != nil {
		return err
	}
	if !c.More() {
		return no
	}
	c, err = t.next(c.UserData)
	if err == nil && !c.Notif() {
		return no
	}
	return err
}

// datagramSocket makes a socket for commands: an internet one, because for those
// of AF_UNIX some kernels (6.17) know no command at all.
func datagramSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

func trySocketOption(t *trial) error {
	fd, err := datagramSocket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := new([4]byte)
	t.keep = append(t.keep, value)
	c, err := t.result(func(s *sys.SQE) {
		s.PrepCmdSock(sys.SOCKET_URING_OP_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_TYPE, value[:])
	})
	if err != nil {
		return err
	}
	// EINVAL: no such operation. EOPNOTSUPP: no such command.
	return lacks(c, syscall.EINVAL, syscall.EOPNOTSUPP)
}

func tryGetsockname(t *trial) error {
	fd, err := datagramSocket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	name, size := new(unix.RawSockaddrAny), new(uint32)
	*size = unix.SizeofSockaddrAny
	t.keep = append(t.keep, name, size)
	c, err := t.result(func(s *sys.SQE) { s.PrepCmdGetsockname(fd, name, size, 0) })
	if err != nil {
		return err
	}
	return lacks(c, syscall.EINVAL, syscall.EOPNOTSUPP)
}

func tryTimeoutImmediate(t *trial) error {
	c, err := t.result(func(s *sys.SQE) {
		s.PrepTimeout(nil, 0, sys.IORING_TIMEOUT_IMMEDIATE_ARG)
		s.Addr = 1000 // ns
	})
	if err != nil {
		return err
	}
	if c.Res == -int32(syscall.ETIME) {
		return nil
	}
	// EFAULT: it took the time for an address.
	return lacks(c, syscall.EINVAL, syscall.EFAULT)
}

func tryTimeoutMultishot(t *trial) error {
	ts := &unix.KernelTimespec{Nsec: 1000}
	t.keep = append(t.keep, ts)
	c, err := t.result(func(s *sys.SQE) { s.PrepTimeout(ts, 2, sys.IORING_TIMEOUT_MULTISHOT) })
	if err != nil {
		return err
	}
	if c.Res == -int32(syscall.ETIME) {
		return multishot(c)
	}
	return lacks(c, syscall.EINVAL)
}
