package proactor

// From an operation and a slot to an entry of the submission queue. What the
// kernel reads besides the caller's byte slices is copied into the slot's memory
// here, and what it wrote there is copied out after the last completion.

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// memory is the part of a slot that few operations need. It is kept for the next
// life of the slot, so that nothing is allocated in the long run.
type memory struct {
	text    []byte // paths and names, each with a zero byte
	iovecs  []unix.Iovec
	msg     unix.Msghdr
	addr    unix.RawSockaddrAny
	addrLen uint32
	time    unix.KernelTimespec
	how     unix.OpenHow

	// Referred to by the above, or by the entry.
	bufs [][]byte
	ref  any
}

// keepText is how much memory for paths a slot keeps, and keepVectors how many
// vectors, from one operation to the next.
const (
	keepText    = 2 * unix.PathMax
	keepVectors = 64
)

// release lets go of what belongs to callers.
func (m *memory) release() {
	m.bufs, m.ref = nil, nil
	m.msg.Control = nil
	if cap(m.text) > keepText {
		m.text = nil
	}
	if cap(m.iovecs) > keepVectors {
		m.iovecs = nil
	}
	clear(m.iovecs)
}

// check returns why an operation cannot begin: the kernel would misread it, or its
// gate is shut.
func (o *Op) check() error {
	if o.gate != nil {
		if err := o.gate.Err(); err != nil {
			return err
		}
	}
	if o.needs == needsNothing && o.multi == single {
		return nil
	}
	return o.checkMore()
}

func (o *Op) checkMore() error {
	if strings.IndexByte(o.path, 0) >= 0 || strings.IndexByte(o.path2, 0) >= 0 {
		return syscall.EINVAL
	}
	if o.multi != single {
		return fmt.Errorf("proactor: a multishot %v is for Multishot or OpenStream: %w", o.sqe.Opcode, syscall.EINVAL)
	}
	const refused = sys.IOSQE_CQE_SKIP_SUCCESS | sys.IOSQE_IO_LINK | sys.IOSQE_IO_HARDLINK | sys.IOSQE_IO_DRAIN
	if o.raw && o.sqe.Flags&refused != 0 {
		return fmt.Errorf("proactor: Raw with the flags %v: %w", o.sqe.Flags&refused, syscall.EINVAL)
	}
	return nil
}

// fill makes the entry for an operation. The operation has passed check.
func (s *slot) fill(e *sys.SQE, o *Op) {
	*e = o.sqe
	e.UserData = s.userData()
	s.buf, s.code = o.buf, o.sqe.Opcode
	if s.table.traced {
		s.began = time.Now()
	}
	if o.needs != needsNothing {
		s.lend(e, o)
	}
}

// fillLimit makes the entry of the link timeout that follows an operation.
func (s *slot) fillLimit(d time.Duration) {
	if s.mem == nil {
		s.mem = new(memory)
	}
	s.companion = true
	s.mem.time = sys.KernelTimespec(d)
	s.sqe = sys.SQE{UserData: s.userData()}
	s.sqe.PrepLinkTimeout(&s.mem.time, 0)
}

// lend points the entry at memory of the slot.
func (s *slot) lend(e *sys.SQE, o *Op) {
	if s.mem == nil {
		s.mem = new(memory)
	}
	m := s.mem
	m.ref = o.ref
	switch o.needs {
	case needsRef:
		// Keeping it is all.
	case needsPath, needsPaths, needsXattr, needsHow:
		m.text = append(m.text[:0], o.path...)
		m.text = append(m.text, 0)
		second := len(m.text)
		m.text = append(m.text, o.path2...)
		m.text = append(m.text, 0)
		// Only now: append may have moved the beginning.
		path, path2 := address(&m.text[0]), address(&m.text[second])
		switch o.needs {
		case needsPath:
			e.Addr = path
		case needsPaths:
			e.Addr, e.Off = path, path2
		case needsXattr:
			e.Addr, e.Addr3 = path2, path
		case needsHow:
			m.how = *o.ref.(*unix.OpenHow)
			e.Addr, e.Off = path, address(&m.how)
		}
	case needsVector:
		m.vector(o.bufs)
		if len(m.iovecs) != 0 {
			e.Addr, e.Len = address(&m.iovecs[0]), uint32(len(m.iovecs))
		}
	case needsAddr:
		a := o.ref.(*Sockaddr)
		m.addr = a.raw
		e.Addr, e.Off = address(&m.addr), uint64(a.n)
	case needsDest:
		a := o.ref.(*Sockaddr)
		m.addr = a.raw
		e.PrepSendSetAddr(&m.addr, uint16(a.n))
	case needsPeer:
		m.addrLen = unix.SizeofSockaddrAny
		e.Addr, e.Off = address(&m.addr), address(&m.addrLen)
	case needsMessage:
		m.message(o.ref.(*Message), o.sqe.Opcode == sys.IORING_OP_RECVMSG)
		e.Addr = address(&m.msg)
	case needsTime:
		m.time = sys.KernelTimespec(time.Duration(o.sqe.Addr))
		e.Addr = address(&m.time)
	}
}

// vector makes the iovec table. Empty buffers are left out.
func (m *memory) vector(bufs [][]byte) {
	m.bufs = bufs
	m.iovecs = m.iovecs[:0]
	for _, b := range bufs {
		if len(b) != 0 {
			v := unix.Iovec{Base: &b[0]}
			v.SetLen(len(b))
			m.iovecs = append(m.iovecs, v)
		}
	}
}

func (m *memory) message(msg *Message, receive bool) {
	m.vector(msg.Buffers)
	m.msg = unix.Msghdr{}
	if len(m.iovecs) != 0 {
		m.msg.Iov = &m.iovecs[0]
		m.msg.SetIovlen(len(m.iovecs))
	}
	switch {
	case receive:
		m.msg.Name, m.msg.Namelen = nameOf(&m.addr), unix.SizeofSockaddrAny
	case msg.Addr.n != 0:
		m.addr = msg.Addr.raw
		m.msg.Name, m.msg.Namelen = nameOf(&m.addr), msg.Addr.n
	}
	if len(msg.Control) != 0 {
		m.msg.Control = &msg.Control[0]
		m.msg.SetControllen(len(msg.Control))
	}
}

// collect copies out what the kernel wrote to the slot's memory.
func (s *slot) collect(o *Op) {
	m := s.mem
	switch o.needs {
	case needsPeer:
		if a, _ := o.ref.(*Sockaddr); a != nil && s.res >= 0 {
			a.raw, a.n = m.addr, min(m.addrLen, unix.SizeofSockaddrAny)
		}
	case needsMessage:
		if msg := o.ref.(*Message); o.sqe.Opcode == sys.IORING_OP_RECVMSG && s.res >= 0 {
			msg.received(m)
		}
	}
}

// received notes what a recvmsg has written beside the data.
func (msg *Message) received(m *memory) {
	msg.Addr.raw, msg.Addr.n = m.addr, min(m.msg.Namelen, unix.SizeofSockaddrAny)
	msg.ControlLen = int(m.msg.Controllen)
	msg.Flags = int(m.msg.Flags)
}
