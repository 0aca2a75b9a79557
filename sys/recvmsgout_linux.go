package sys

// What a multishot recvmsg (PrepRecvmsgMultishot) leaves in a provided buffer:
// a RecvmsgOut, then as many bytes for the sender's address as the request's
// msghdr asked for, then as many for control messages, then the payload. The
// kernel fills each part from its beginning and RecvmsgOut says how far.

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

const recvmsgOutSize = 16 // of RecvmsgOut

// A RecvmsgView is one message in a provided buffer. Its slices are parts of
// the buffer: they are valid until the buffer is given back to the kernel.
type RecvmsgView struct {
	out     RecvmsgOut
	nameCap uint32 // space that was set aside for the name
	name    []byte
	control []byte
	payload []byte
}

// ParseRecvmsgOut takes apart a buffer that a multishot recvmsg has filled. buf
// is as much of the provided buffer as was used, which is CQE.Res bytes, and msg
// the request's msghdr, or one with the same Namelen and Controllen. It is an
// error if buf is too short for what msg sets aside; whatever the bytes are,
// the view stays within buf.
func ParseRecvmsgOut(buf []byte, msg *unix.Msghdr) (RecvmsgView, error) {
	nameCap, controlCap := uint64(msg.Namelen), uint64(msg.Controllen)
	// The sum of both may overflow: what remains is compared step by step.
	if rest := uint64(len(buf)); rest < recvmsgOutSize || rest-recvmsgOutSize < nameCap || rest-recvmsgOutSize-nameCap < controlCap {
		return RecvmsgView{}, fmt.Errorf("uring: a recvmsg buffer of %d bytes; header, name and control messages take %d+%d+%d: %w",
			len(buf), recvmsgOutSize, nameCap, controlCap, unix.EINVAL)
	}
	v := RecvmsgView{
		out: RecvmsgOut{
			Namelen:    binary.NativeEndian.Uint32(buf[0:]),
			Controllen: binary.NativeEndian.Uint32(buf[4:]),
			Payloadlen: binary.NativeEndian.Uint32(buf[8:]),
			Flags:      binary.NativeEndian.Uint32(buf[12:]),
		},
		nameCap: msg.Namelen,
	}
	name, rest := cut(buf[recvmsgOutSize:], nameCap)
	control, payload := cut(rest, controlCap)
	v.name, _ = cut(name, min(nameCap, uint64(v.out.Namelen)))
	v.control, _ = cut(control, min(controlCap, uint64(v.out.Controllen)))
	v.payload, _ = cut(payload, min(uint64(len(payload)), uint64(v.out.Payloadlen)))
	return v, nil
}

// cut returns the first n bytes of b, which has as many, and the others.
func cut(b []byte, n uint64) (first, others []byte) {
	return b[:n:n], b[n:]
}

// Name returns the sender's socket address, as much of it as fits into the
// space that was set aside. It is empty if the socket gives none.
func (v *RecvmsgView) Name() []byte { return v.name }

// NameTruncated reports whether the sender's address was longer than the space.
func (v *RecvmsgView) NameTruncated() bool { return v.out.Namelen > v.nameCap }

// AddrPort returns the sender's address, with the errors of ParseSockaddrInet.
func (v *RecvmsgView) AddrPort() (netip.AddrPort, error) {
	var a unix.RawSockaddrAny
	n := copy(sockaddrBytes(&a)[:], v.name)
	return ParseSockaddrInet(&a, uint32(n))
}

// Control returns the control messages as the kernel wrote them.
func (v *RecvmsgView) Control() []byte { return v.control }

// ControlTruncated reports whether control messages were cut or left out for
// want of space (MSG_CTRUNC).
func (v *RecvmsgView) ControlTruncated() bool { return v.out.Flags&unix.MSG_CTRUNC != 0 }

// ControlMessages ranges over the control messages: header and data. It ends
// before a message whose length does not fit into what is left.
func (v *RecvmsgView) ControlMessages() iter.Seq2[unix.Cmsghdr, []byte] {
	return func(yield func(unix.Cmsghdr, []byte) bool) {
		const align = unix.SizeofPtr // the kernel's unit: sizeof(long)
		for b := v.control; len(b) >= unix.SizeofCmsghdr; {
			n := cmsgLen(b)
			if n < unix.SizeofCmsghdr || n > uint64(len(b)) {
				return
			}
			h := unix.Cmsghdr{
				Level: int32(binary.NativeEndian.Uint32(b[cmsgLenSize:])),
				Type:  int32(binary.NativeEndian.Uint32(b[cmsgLenSize+4:])),
			}
			h.SetLen(int(n))
			if !yield(h, b[unix.SizeofCmsghdr:n:n]) {
				return
			}
			// The last one may lack the padding behind it.
			b = b[min((n+align-1)&^(align-1), uint64(len(b))):]
		}
	}
}

// cmsgLenSize is the size of a control message's length, a size_t; two ints
// follow it.
const cmsgLenSize = unix.SizeofCmsghdr - 8

func cmsgLen(b []byte) uint64 {
	if cmsgLenSize == 4 {
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}

// Payload returns the data of the message.
func (v *RecvmsgView) Payload() []byte { return v.payload }

// PayloadLen returns the length in bytes of the message as it was sent, if the
// request had MSG_TRUNC among its flags, and otherwise that of Payload.
func (v *RecvmsgView) PayloadLen() int { return int(v.out.Payloadlen) }

// PayloadTruncated reports whether the message was longer than the rest of the
// buffer (MSG_TRUNC).
func (v *RecvmsgView) PayloadTruncated() bool {
	return v.out.Flags&unix.MSG_TRUNC != 0 || uint64(v.out.Payloadlen) > uint64(len(v.payload))
}

// Flags returns the MSG_ flags that recvmsg(2) gives for the message.
func (v *RecvmsgView) Flags() int { return int(v.out.Flags) }
