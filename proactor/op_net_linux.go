package proactor

// Operations on sockets.

import "golang.org/x/sys/unix"

// Socket prepares a socket(2): domain is an AF_ constant, typ a SOCK_ one, to
// which SOCK_CLOEXEC is added. The result is the descriptor.
func Socket(domain, typ, protocol int) (o Op) {
	o.sqe.PrepSocket(domain, typ|unix.SOCK_CLOEXEC, protocol, 0)
	return
}

// Bind prepares a bind(2). The result is 0.
func Bind(fd int, addr *Sockaddr) (o Op) {
	o.sqe.PrepBind(fd, nil, 0)
	o.needs, o.ref = needsAddr, addr
	return
}

// Listen prepares a listen(2). The result is 0.
func Listen(fd, backlog int) (o Op) {
	o.sqe.PrepListen(fd, backlog)
	return
}

// Connect prepares a connect(2), which completes when the connection is made or
// refused. The result is 0.
func Connect(fd int, addr *Sockaddr) (o Op) {
	o.sqe.PrepConnect(fd, nil, 0)
	o.needs, o.ref = needsAddr, addr
	return
}

// Accept accepts a connection on the listening socket fd; flags may have
// SOCK_NONBLOCK, and SOCK_CLOEXEC is added. The peer's address is written to
// peer, which may be nil. The result is the descriptor.
func Accept(fd int, peer *Sockaddr, flags int) (o Op) {
	o.sqe.PrepAccept(fd, nil, nil, flags|unix.SOCK_CLOEXEC)
	if peer != nil {
		o.needs, o.ref = needsPeer, peer
	}
	return
}

// Shutdown prepares a shutdown(2): how is SHUT_RD, SHUT_WR or SHUT_RDWR. The
// result is 0.
func Shutdown(fd, how int) (o Op) {
	o.sqe.PrepShutdown(fd, how)
	return
}

// Send sends p on the socket fd; flags has MSG_ flags. The result is the number
// of bytes and may be less than len(p), unless MSG_WAITALL is among them.
func Send(fd int, p []byte, flags int) (o Op) {
	o.sqe.PrepSend(fd, p, flags)
	o.buf = p
	return
}

// Sendto is Send to an address.
func Sendto(fd int, p []byte, flags int, to *Sockaddr) (o Op) {
	o.sqe.PrepSend(fd, p, flags)
	o.buf, o.needs, o.ref = p, needsDest, to
	return
}

// SendZC is Send without copying p (Linux 6.0): the kernel sends from its pages.
// The call returns when the kernel has let go of them, which for TCP is when the
// peer has acknowledged the data. It pays for large sends only. Where the kernel
// lacks it, it is Send.
func SendZC(fd int, p []byte, flags int) (o Op) {
	o.sqe.PrepSendZC(fd, p, flags, 0)
	o.buf = p
	return
}

// Recv receives into p from the socket fd; flags has MSG_ flags. The result is
// the number of bytes, 0 when the peer has shut down.
func Recv(fd int, p []byte, flags int) (o Op) {
	o.sqe.PrepRecv(fd, p, flags)
	o.buf = p
	return
}

// Sendmsg prepares a sendmsg(2). The result is the number of bytes.
func Sendmsg(fd int, msg *Message, flags int) (o Op) {
	o.sqe.PrepSendmsg(fd, nil, uint32(flags))
	o.needs, o.ref = needsMessage, msg
	return
}

// Recvmsg prepares a recvmsg(2), which fills in msg. The result is the number of
// bytes.
func Recvmsg(fd int, msg *Message, flags int) (o Op) {
	o.sqe.PrepRecvmsg(fd, nil, uint32(flags))
	o.needs, o.ref = needsMessage, msg
	return
}

// MultishotAccept is Accept again and again, for Multishot. Each result is a
// descriptor.
func MultishotAccept(fd, flags int) (o Op) {
	o.sqe.PrepMultishotAccept(fd, nil, nil, flags|unix.SOCK_CLOEXEC)
	o.multi = rearm
	return
}

// MultishotRecv is Recv again and again, for Multishot: each result is a number of
// bytes, which are in Completion.Data. The sequence ends when the peer has shut
// down.
func MultishotRecv(fd int, into *Buffers, flags int) (o Op) {
	o.sqe.PrepRecvMultishot(fd, nil, flags)
	o.multi, o.needs, o.ref = rearmStream, needsRef, into
	return
}
