package sys

// Prep methods for sockets: making and connecting them, sending, receiving,
// zero copy, socket commands. prep_linux.go says what holds for all of them;
// sockaddr_linux.go makes the socket addresses and recvmsgout_linux.go reads
// what a multishot recvmsg leaves in a buffer.
//
// Flags of the ring for these operations (IORING_RECVSEND_POLL_FIRST and
// others) go into the field Ioprio, after the method that assigns it, or with
// |= after one that sets a bit there.

import "golang.org/x/sys/unix"

// PrepSocket prepares a socket(2): domain is an AF_ constant, typ a SOCK_ one,
// with SOCK_CLOEXEC unless a child is to inherit it. flags must be 0. The
// result is the descriptor.
//
// liburing: io_uring_prep_socket   kernel: 5.19
func (s *SQE) PrepSocket(domain, typ, protocol int, flags uint32) {
	s.prep(IORING_OP_SOCKET, domain, 0, uint32(protocol), uint64(int32(typ)))
	s.OpFlags = flags
}

// PrepSocketDirect is PrepSocket that makes a direct descriptor: in slot
// fileIndex, whose previous file is closed, or with IORING_FILE_INDEX_ALLOC in
// a free one. SOCK_CLOEXEC is refused. The result is 0, or with ALLOC the slot,
// -ENFILE if none is free.
//
// liburing: io_uring_prep_socket_direct   kernel: 5.19
func (s *SQE) PrepSocketDirect(domain, typ, protocol int, fileIndex, flags uint32) {
	s.PrepSocket(domain, typ, protocol, flags)
	s.FileIndex = directSlot(fileIndex)
}

// PrepSocketDirectAlloc is PrepSocketDirect with a slot that the kernel
// chooses. The result is the slot.
//
// liburing: io_uring_prep_socket_direct_alloc   kernel: 5.19
func (s *SQE) PrepSocketDirectAlloc(domain, typ, protocol int, flags uint32) {
	s.PrepSocket(domain, typ, protocol, flags)
	s.FileIndex = IORING_FILE_INDEX_ALLOC
}

// PrepBind prepares a bind(2) to addr, of which addrLen bytes count. addr must
// stay reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_bind   kernel: 6.11
func (s *SQE) PrepBind(fd int, addr *unix.RawSockaddrAny, addrLen uint32) {
	s.prep(IORING_OP_BIND, fd, addrOf(addr), 0, uint64(addrLen))
}

// PrepListen prepares a listen(2) with room for backlog connections that wait
// to be accepted. The result is 0.
//
// liburing: io_uring_prep_listen   kernel: 6.11
func (s *SQE) PrepListen(fd, backlog int) {
	s.prep(IORING_OP_LISTEN, fd, 0, uint32(backlog), 0)
}

// PrepConnect prepares a connect(2) to addr, of which addrLen bytes count. addr
// must stay reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_connect   kernel: 5.5
func (s *SQE) PrepConnect(fd int, addr *unix.RawSockaddrAny, addrLen uint32) {
	s.prep(IORING_OP_CONNECT, fd, addrOf(addr), 0, uint64(addrLen))
}

// PrepAccept accepts a connection on the listening socket fd; flags has
// SOCK_CLOEXEC and SOCK_NONBLOCK. The kernel writes the peer's address to addr
// and its length to addrLen, which holds the space in addr before; both may be
// nil. They must stay reachable until the CQE. The result is the descriptor.
// CQE.SockNonempty tells that another connection is waiting.
//
// liburing: io_uring_prep_accept   kernel: 5.5
func (s *SQE) PrepAccept(fd int, addr *unix.RawSockaddrAny, addrLen *uint32, flags int) {
	s.prep(IORING_OP_ACCEPT, fd, addrOf(addr), 0, addrOf(addrLen))
	s.OpFlags = uint32(flags)
}

// PrepAcceptDirect is PrepAccept that makes a direct descriptor: in slot
// fileIndex, whose previous file is closed, or with IORING_FILE_INDEX_ALLOC
// (Linux 5.19) in a free one. SOCK_CLOEXEC is refused. addr and addrLen must
// stay reachable until the CQE. The result is 0, or with ALLOC the slot,
// -ENFILE if none is free.
//
// liburing: io_uring_prep_accept_direct   kernel: 5.15
func (s *SQE) PrepAcceptDirect(fd int, addr *unix.RawSockaddrAny, addrLen *uint32, flags int, fileIndex uint32) {
	s.PrepAccept(fd, addr, addrLen, flags)
	s.FileIndex = directSlot(fileIndex)
}

// PrepMultishotAccept is PrepAccept that goes on: a completion, with CQE.More,
// for every connection, until one without. Each connection overwrites addr and
// addrLen, so they are best nil; otherwise they must stay reachable until the
// last CQE.
//
// liburing: io_uring_prep_multishot_accept   kernel: 5.19
func (s *SQE) PrepMultishotAccept(fd int, addr *unix.RawSockaddrAny, addrLen *uint32, flags int) {
	s.PrepAccept(fd, addr, addrLen, flags)
	s.Ioprio |= IORING_ACCEPT_MULTISHOT
}

// PrepMultishotAcceptDirect is PrepMultishotAccept with direct descriptors in
// slots that the kernel chooses: each result is a slot, and -ENFILE ends the
// request when none is free. addr and addrLen as there.
//
// liburing: io_uring_prep_multishot_accept_direct   kernel: 5.19
func (s *SQE) PrepMultishotAcceptDirect(fd int, addr *unix.RawSockaddrAny, addrLen *uint32, flags int) {
	s.PrepMultishotAccept(fd, addr, addrLen, flags)
	s.FileIndex = IORING_FILE_INDEX_ALLOC
}

// PrepShutdown prepares a shutdown(2): how is SHUT_RD, SHUT_WR or SHUT_RDWR.
// The result is 0.
//
// liburing: io_uring_prep_shutdown   kernel: 5.11
func (s *SQE) PrepShutdown(fd, how int) {
	s.prep(IORING_OP_SHUTDOWN, fd, 0, uint32(how), 0)
}

// PrepSend prepares a send(2) of buf; flags has MSG_ flags. With MSG_WAITALL a
// short send is continued, which a linked request needs, for a short send does
// not break a link. buf must stay reachable, and unchanged, until the CQE. The
// result is the number of bytes.
//
// liburing: io_uring_prep_send   kernel: 5.6
func (s *SQE) PrepSend(sockfd int, buf []byte, flags int) {
	addr, n := addrSlice(buf)
	s.prep(IORING_OP_SEND, sockfd, addr, n, 0)
	s.OpFlags = uint32(flags)
}

// PrepSendBundle sends the buffers of a provided group, one after another,
// until the group is empty. The caller sets IOSQE_BUFFER_SELECT in Flags and
// the group in BufIndex. length limits the bytes; 0 or less means no limit, and
// some kernels refuse anything else. The buffers must stay reachable, and
// unchanged, until the CQE. The result is the number of bytes; CQE.Buffer is
// the first buffer sent, and the others follow it in the group's order.
//
// liburing: io_uring_prep_send_bundle   kernel: 6.10
func (s *SQE) PrepSendBundle(sockfd, length, flags int) {
	s.prep(IORING_OP_SEND, sockfd, 0, uint32(max(0, min(length, maxLen))), 0)
	s.OpFlags = uint32(flags)
	s.Ioprio |= IORING_RECVSEND_BUNDLE
}

// PrepSendto is PrepSend to the address addr, of which addrLen bytes count (the
// field has 16 bits). buf and addr must stay reachable, and unchanged, until
// the CQE.
//
// liburing: io_uring_prep_sendto   kernel: 6.1
func (s *SQE) PrepSendto(sockfd int, buf []byte, flags int, addr *unix.RawSockaddrAny, addrLen uint32) {
	s.PrepSend(sockfd, buf, flags)
	s.PrepSendSetAddr(addr, uint16(addrLen))
}

// PrepSendSetAddr gives a send a destination. It prepares nothing by itself:
// call it after PrepSend (Linux 6.1), PrepSendZC or PrepSendZCFixed. addr, of
// which addrLen bytes count, must stay reachable as long as the send's buffer.
//
// liburing: io_uring_prep_send_set_addr   kernel: 6.0
func (s *SQE) PrepSendSetAddr(addr *unix.RawSockaddrAny, addrLen uint16) {
	s.Off = addrOf(addr)
	setFirst16(&s.FileIndex, addrLen)
}

// PrepSendZC is PrepSend without copying buf: the kernel sends from its pages.
// The method assigns Ioprio: zcFlags has IORING_RECVSEND_ and IORING_SEND_ZC_
// flags, 16 bits. buf must stay reachable, and unchanged, until the
// notification. The result is in the first CQE; if it has CQE.More, the
// notification follows, a CQE with CQE.Notif whose Res says under
// IORING_SEND_ZC_REPORT_USAGE (Linux 6.2) whether the data was copied after
// all (IORING_NOTIF_USAGE_ZC_COPIED).
//
// liburing: io_uring_prep_send_zc   kernel: 6.0
func (s *SQE) PrepSendZC(sockfd int, buf []byte, flags int, zcFlags uint32) {
	addr, n := addrSlice(buf)
	s.prep(IORING_OP_SEND_ZC, sockfd, addr, n, 0)
	s.OpFlags = uint32(flags)
	s.Ioprio = uint16(zcFlags)
}

// PrepSendZCFixed is PrepSendZC from buf, a part of the registered buffer
// bufIndex (0 to 65535), which saves pinning the pages for each send. buf must
// stay reachable, and unchanged, until the notification.
//
// liburing: io_uring_prep_send_zc_fixed   kernel: 6.0
func (s *SQE) PrepSendZCFixed(sockfd int, buf []byte, flags int, zcFlags, bufIndex uint32) {
	s.PrepSendZC(sockfd, buf, flags, zcFlags)
	s.Ioprio |= IORING_RECVSEND_FIXED_BUF
	s.BufIndex = uint16(bufIndex)
}

// PrepSendmsg prepares a sendmsg(2): msg names buffers, destination and control
// messages. msg and all that it points to must stay reachable, and unchanged,
// until the CQE. The result is the number of bytes.
//
// liburing: io_uring_prep_sendmsg   kernel: 5.3
func (s *SQE) PrepSendmsg(fd int, msg *unix.Msghdr, flags uint32) {
	s.prep(IORING_OP_SENDMSG, fd, addrOf(msg), 1, 0)
	s.OpFlags = flags
}

// PrepSendmsgZC is PrepSendmsg without copying the buffers. msg and all that it
// points to must stay reachable, and unchanged, until the notification, which
// comes as for PrepSendZC.
//
// liburing: io_uring_prep_sendmsg_zc   kernel: 6.1
func (s *SQE) PrepSendmsgZC(fd int, msg *unix.Msghdr, flags uint32) {
	s.prep(IORING_OP_SENDMSG_ZC, fd, addrOf(msg), 1, 0)
	s.OpFlags = flags
}

// PrepSendmsgZCFixed is PrepSendmsgZC with buffers that are parts of the
// registered buffer bufIndex (0 to 65535). msg and all that it points to must
// stay reachable, and unchanged, until the notification.
//
// liburing: io_uring_prep_sendmsg_zc_fixed   kernel: 6.15
func (s *SQE) PrepSendmsgZCFixed(fd int, msg *unix.Msghdr, flags, bufIndex uint32) {
	s.PrepSendmsgZC(fd, msg, flags)
	s.Ioprio |= IORING_RECVSEND_FIXED_BUF
	s.BufIndex = uint16(bufIndex)
}

// PrepRecv prepares a recv(2) into buf; flags has MSG_ flags. buf must stay
// reachable until the CQE. The result is the number of bytes, 0 when the peer
// has shut down. CQE.SockNonempty tells that more is waiting.
//
// liburing: io_uring_prep_recv   kernel: 5.6
func (s *SQE) PrepRecv(sockfd int, buf []byte, flags int) {
	addr, n := addrSlice(buf)
	s.prep(IORING_OP_RECV, sockfd, addr, n, 0)
	s.OpFlags = uint32(flags)
}

// PrepRecvMultishot receives again and again, each time into a buffer of a
// provided group: pass an empty buf, and set IOSQE_BUFFER_SELECT in Flags and
// the group in BufIndex. Each completion has a buffer id (CQE.Buffer) and a
// number of bytes; while CQE.More is set, more will come. The group's buffers
// must stay reachable until the last CQE. MSG_WAITALL in flags is refused. When
// the group is empty the request ends with -ENOBUFS.
//
// liburing: io_uring_prep_recv_multishot   kernel: 6.0
func (s *SQE) PrepRecvMultishot(sockfd int, buf []byte, flags int) {
	s.PrepRecv(sockfd, buf, flags)
	s.Ioprio |= IORING_RECV_MULTISHOT
}

// PrepRecvZC receives without copying, again and again: the network card has
// put the data into the area of the registered interface queue ifq (its id from
// registration). length limits the bytes in all; 0 means no limit. flags must be
// 0. It needs a ring with IORING_SETUP_DEFER_TASKRUN and 32-byte completions
// (IORING_SETUP_CQE32 or IORING_SETUP_CQE_MIXED): the second half of each
// is a ZCRXCQE that says where in the area the data is. The area is the
// registration's; each piece is the caller's until given back through the
// refill queue. While CQE.More is set, more will come.
//
// liburing: none   kernel: 6.15
func (s *SQE) PrepRecvZC(fd int, length uint32, flags int, ifq uint32) {
	s.prep(IORING_OP_RECV_ZC, fd, 0, length, 0)
	s.OpFlags = uint32(flags)
	s.Ioprio |= IORING_RECV_MULTISHOT
	s.FileIndex = ifq
}

// PrepRecvmsg prepares a recvmsg(2): msg names the buffers and the space for
// the sender's address and control messages, and receives their lengths and the
// MSG_ flags. msg and all that it points to must stay reachable until the CQE.
// The result is the number of bytes.
//
// liburing: io_uring_prep_recvmsg   kernel: 5.3
func (s *SQE) PrepRecvmsg(fd int, msg *unix.Msghdr, flags uint32) {
	s.prep(IORING_OP_RECVMSG, fd, addrOf(msg), 1, 0)
	s.OpFlags = flags
}

// PrepRecvmsgMultishot receives messages again and again, each into a buffer of
// a provided group: set IOSQE_BUFFER_SELECT in Flags and the group in BufIndex.
// Of msg only Namelen and Controllen count: they are the space set aside in
// each buffer, which ParseRecvmsgOut then takes apart. msg and the group's
// buffers must stay reachable until the last CQE. Each completion has a buffer
// id (CQE.Buffer) and the number of bytes used of that buffer; while CQE.More
// is set, more will come.
//
// liburing: io_uring_prep_recvmsg_multishot   kernel: 6.0
func (s *SQE) PrepRecvmsgMultishot(fd int, msg *unix.Msghdr, flags uint32) {
	s.PrepRecvmsg(fd, msg, flags)
	s.Ioprio |= IORING_RECV_MULTISHOT
}

// PrepCmdSock gives the socket fd the command cmdOp, a SOCKET_URING_OP_
// constant. GETSOCKOPT and SETSOCKOPT use level, optname and optval as
// getsockopt(2) does, and the result of GETSOCKOPT is the option's length in
// bytes; GETSOCKOPT knows only SOL_SOCKET. SIOCINQ and SIOCOUTQ ignore the
// last three arguments and their result is the number of bytes unread or unsent. TX_TIMESTAMP (Linux 6.17) posts a 32-byte completion
// for each time stamp of a sent packet until one without CQE.More. optval must
// stay reachable until the CQE.
//
// liburing: io_uring_prep_cmd_sock   kernel: 6.7
func (s *SQE) PrepCmdSock(cmdOp, fd, level, optname int, optval []byte) {
	s.prepCmd(IORING_OP_URING_CMD, uint32(cmdOp), fd)
	s.Addr = pair32(uint32(level), uint32(optname))
	s.Addr3, s.FileIndex = addrSlice(optval)
}

// PrepCmdGetsockname writes the address of the socket fd, or with peer 1 that
// of its peer, to addr and its length to addrLen, which holds the space in addr
// before. Both must stay reachable until the CQE. The result is 0.
//
// liburing: io_uring_prep_cmd_getsockname   kernel: 6.19
func (s *SQE) PrepCmdGetsockname(fd int, addr *unix.RawSockaddrAny, addrLen *uint32, peer int) {
	s.prepCmd(IORING_OP_URING_CMD, SOCKET_URING_OP_GETSOCKNAME, fd)
	s.Addr = addrOf(addr)
	s.Addr3 = addrOf(addrLen)
	s.FileIndex = uint32(peer)
}
