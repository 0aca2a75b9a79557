package scenario

// Sockets.

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func netScenarios() []Scenario {
	return []Scenario{{
		Name:  "tcp",
		Doc:   "Accept, connect, send, receive, shut down; and what comes after the end.",
		Needs: []Need{needLoopback, needOp(sys.IORING_OP_SHUTDOWN)},
		Run: func(r *Run) {
			g := r.Open(8)
			l, addr := r.Listener()
			client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			r.Must("socket", err)
			r.CloseLater(client)
			peer, peerLen := new(unix.RawSockaddrAny), new(uint32)
			r.Keep(peer, peerLen)
			*peerLen = unix.SizeofSockaddrAny
			r.Descriptors(1)
			g.SQE(1).PrepAccept(l, peer, peerLen, unix.SOCK_CLOEXEC)
			g.Submit()
			sa, n := r.Sockaddr(addr)
			g.SQE(2).PrepConnect(client, sa, n)
			g.Submit()
			server := int(g.ReapAny(2)[0].Res)
			from, err := sys.ParseSockaddrInet(peer, *peerLen)
			r.Note("peer", fmt.Sprint(*peerLen, err, from == r.Addr(client)))
			buf := r.Bytes(16)
			g.SQE(3, link).PrepSend(client, r.Text("hello"), 0)
			g.SQE(4).PrepRecv(server, buf, 0)
			g.SubmitReap(2)
			r.Note("data", buf[:5])
			g.SQE(5).PrepRecv(server, buf, 0)
			g.Submit()
			g.Settle()
			g.SQE(6).PrepShutdown(client, unix.SHUT_WR)
			g.Submit()
			// A worker thread shuts down, so either may be first.
			g.ReapAny(2)
			g.SQE(7).PrepSend(client, r.Text("hello"), unix.MSG_NOSIGNAL)
			g.SubmitReap(1)
			g.SQE(8).PrepRecv(server, buf, unix.MSG_DONTWAIT)
			g.SubmitReap(1)
			g.SQE(9).PrepRecv(client, buf, unix.MSG_DONTWAIT)
			g.SubmitReap(1)
			rd, _ := r.Pipe()
			g.SQE(10).PrepRecv(rd, buf, 0)
			g.SubmitReap(1)
		},
	}, {
		Name:  "accept_direct",
		Doc:   "A multishot accept into slots until there is none, and an accept into a given slot.",
		Needs: []Need{needLoopback, needRegister(sys.IORING_REGISTER_FILES2)},
		Run: func(r *Run) {
			g := r.Open(8)
			l, addr := r.Listener()
			g.SparseFiles(2)
			g.SQE(1).PrepMultishotAcceptDirect(l, nil, nil, 0)
			g.Submit()
			for range 3 {
				r.Connect(addr)
				g.Reap(1)
			}
			g.SQE(2).PrepCloseDirect(1)
			g.SubmitReap(1)
			client := r.Connect(addr)
			g.SQE(3).PrepAcceptDirect(l, nil, nil, 0, 1)
			g.SubmitReap(1)
			r.Write(client, "abc")
			g.SQE(4, fixed).PrepRecv(1, r.Bytes(16), 0)
			g.SubmitReap(1)
			g.SQE(5).PrepAcceptDirect(l, nil, nil, unix.SOCK_CLOEXEC, 0)
			g.SubmitReap(1)
		},
	}, {
		Name:  "recv_multishot",
		Doc:   "A receive that goes on until the buffers are used up or the peer shuts down, and what it refuses.",
		Needs: []Need{needLoopback, needRecvMultishot},
		Run: func(r *Run) {
			g := r.Open(8)
			client, server := r.TCP()
			b := g.BufRing(4, 3, 0)
			bufs := b.Fill(4, 8, 0)
			recv := func(u uint64, flags int, selects bool) {
				s := g.SQE(u)
				s.PrepRecvMultishot(server, nil, flags)
				if selects {
					bufSelect(s, 3)
				}
				g.Submit()
			}
			recv(1, 0, true)
			g.Settle()
			for range 3 {
				r.Write(client, "five!")
				g.Reap(1)
			}
			r.Write(client, "ten bytes.")
			g.Reap(2)
			b.Add(bufs[0], 0)
			b.Add(bufs[1], 1)
			b.Publish()
			recv(2, 0, true)
			g.Reap(1)
			r.Must("shutdown", unix.Shutdown(client, unix.SHUT_WR))
			g.Reap(1)
			recv(3, 0, false)
			g.Reap(1)
			recv(4, unix.MSG_WAITALL, true)
			g.Reap(1)
		},
	}, {
		Name:  "recvmsg_multishot",
		Doc:   "Datagrams received one after another, each with its sender, one of them cut.",
		Needs: []Need{needLoopback, needRecvMultishot},
		Run: func(r *Run) {
			g := r.Open(8)
			to, addr := r.UDP()
			from, fromAddr := r.UDP()
			b := g.BufRing(4, 3, 0)
			bufs := b.Fill(4, 64, 0)
			msg := &unix.Msghdr{Namelen: unix.SizeofSockaddrInet4}
			s := g.SQE(1)
			s.PrepRecvmsgMultishot(to, msg, unix.MSG_TRUNC)
			bufSelect(s, 3)
			g.Submit()
			g.Settle()
			for _, text := range []string{"ping", "0123456789012345678901234567890123456789"} {
				r.Must("sendto", unix.Sendto(from, []byte(text), 0, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}))
				c := g.Reap(1)[0]
				id, ok := c.Buffer()
				if !ok || int(id) >= len(bufs) || c.Res < 0 || int(c.Res) > len(bufs[id]) {
					continue // what the record shows is enough
				}
				v, err := sys.ParseRecvmsgOut(bufs[id][:c.Res], msg)
				if err != nil {
					r.Note("message", verdict(err))
					continue
				}
				sender, err := v.AddrPort()
				r.Note("message", fmt.Sprintf("sender=%t %v payload=%q length=%d flags=%#x", sender == fromAddr, err, v.Payload(), v.PayloadLen(), v.Flags()))
			}
			g.SQE(2).PrepCancel64(1, 0)
			g.SubmitReap(2)
		},
	}, {
		Name:  "send_zc",
		Doc:   "Sending without a copy: the result, then the notification, also when it fails.",
		Needs: []Need{needLoopback, needOp(sys.IORING_OP_SEND_ZC, sys.IORING_OP_SENDMSG_ZC)},
		Run: func(r *Run) {
			g := r.Open(8)
			client, server := r.TCP()
			buf := r.Pages(4096)
			g.RegisterBuffers(buf)
			// reap takes the completion and, where it says so, the notification.
			reap := func() {
				if g.SubmitReap(1)[0].More() {
					g.Reap(1)
				}
				for r.Read(server, 4096) != "-EAGAIN" {
				}
			}
			g.SQE(1).PrepSendZC(client, buf[:1000], 0, 0)
			reap()
			g.SQE(2).PrepSendZC(client, buf[:1000], 0, sys.IORING_SEND_ZC_REPORT_USAGE)
			reap()
			g.SQE(3).PrepSendZCFixed(client, buf[:100], 0, 0, 0)
			reap()
			s := g.SQE(4)
			s.PrepSendZCFixed(client, buf[4000:], 0, 0, 0)
			s.Len = 200
			reap()
			iov := r.Iovecs(buf[:64])
			msg := &unix.Msghdr{Iov: &iov[0]}
			msg.SetIovlen(1)
			r.Keep(msg)
			g.SQE(5).PrepSendmsgZC(client, msg, 0)
			reap()
			g.SQE(6).PrepSendZC(client, buf[:64], 0, 1<<15)
			reap()
		},
	}, {
		Name:  "bundle",
		Doc:   "Several provided buffers sent, and several received, by one request each.",
		Needs: []Need{needLoopback, needFeature(sys.IORING_FEAT_RECVSEND_BUNDLE)},
		Run: func(r *Run) {
			g := r.Open(8)
			client, server := r.TCP()
			out, in := g.BufRing(4, 1, 0), g.BufRing(4, 2, 0)
			for i := range uint16(4) {
				buf := r.Bytes(8)
				for k := range buf {
					buf[k] = byte('A' + i)
				}
				out.Add(buf, i)
			}
			out.Publish()
			got := in.Fill(4, 8, 0)
			s := g.SQE(1)
			s.PrepSendBundle(client, 0, 0)
			bufSelect(s, 1)
			g.SubmitReap(1)
			for u := range uint64(2) {
				s = g.SQE(2 + u)
				s.PrepRecv(server, nil, 0)
				bufSelect(s, 2)
				s.Ioprio |= sys.IORING_RECVSEND_BUNDLE
				g.SubmitReap(1)
			}
			for _, buf := range got {
				r.Note("data", buf)
			}
		},
	}, {
		Name:  "sockets",
		Doc:   "A connection made by the ring alone: socket, bind, listen, accept, connect.",
		Needs: []Need{needLoopback, needOp(sys.IORING_OP_SOCKET), needOp(sys.IORING_OP_BIND), needOp(sys.IORING_OP_LISTEN)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			r.Descriptors(1, 2, 20)
			stream := unix.SOCK_STREAM | unix.SOCK_CLOEXEC
			l := int(do(func(s *sys.SQE) { s.PrepSocket(unix.AF_INET, stream, 0, 0) }).Res)
			c := int(do(func(s *sys.SQE) { s.PrepSocket(unix.AF_INET, stream, 0, 0) }).Res)
			any, n := r.Sockaddr(netip.AddrPortFrom(loopback, 0))
			do(func(s *sys.SQE) { s.PrepBind(l, any, n) })
			do(func(s *sys.SQE) { s.PrepBind(l, any, n) })
			do(func(s *sys.SQE) { s.PrepListen(l, 4) })
			addr, n := r.Sockaddr(r.Addr(l))
			do(func(s *sys.SQE) { s.PrepConnect(c, addr, n) })
			do(func(s *sys.SQE) { s.PrepConnect(c, addr, n) })
			g.SQE(20).PrepAccept(l, nil, nil, unix.SOCK_CLOEXEC)
			a := int(g.SubmitReap(1)[0].Res)
			do(func(s *sys.SQE) { s.PrepSend(c, r.Text("hello"), 0) })
			buf := r.Bytes(8)
			do(func(s *sys.SQE) { s.PrepRecv(a, buf, 0) })
			r.Note("data", buf)
			do(func(s *sys.SQE) { s.PrepListen(c, 4) })
			do(func(s *sys.SQE) { s.PrepBind(-1, any, n) })
			do(func(s *sys.SQE) { s.PrepListen(-1, 4) })
			do(func(s *sys.SQE) { s.PrepSocket(99, stream, 0, 0) })
			do(func(s *sys.SQE) { s.PrepSocket(unix.AF_INET, stream, 99, 0) })
			do(func(s *sys.SQE) { s.PrepSocket(unix.AF_INET, stream, 0, 1) })
		},
	}, {
		Name:  "sockets_direct",
		Doc:   "Sockets as direct descriptors, in slots given and chosen, until there is none.",
		Needs: []Need{needOp(sys.IORING_OP_SOCKET), needRegister(sys.IORING_REGISTER_FILES2)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			g.SparseFiles(2)
			dgram := unix.SOCK_DGRAM
			do(func(s *sys.SQE) { s.PrepSocketDirect(unix.AF_UNIX, dgram, 0, 1, 0) })
			do(func(s *sys.SQE) { s.PrepSocketDirectAlloc(unix.AF_UNIX, dgram, 0, 0) })
			do(func(s *sys.SQE) { s.PrepSocketDirectAlloc(unix.AF_UNIX, dgram, 0, 0) })
			do(func(s *sys.SQE) { s.PrepSocketDirect(unix.AF_UNIX, dgram, 0, 1, 0) })
			do(func(s *sys.SQE) { s.PrepSocketDirect(unix.AF_UNIX, dgram, 0, 2, 0) })
			do(func(s *sys.SQE) { s.PrepSocketDirect(unix.AF_UNIX, dgram|unix.SOCK_CLOEXEC, 0, 0, 0) })
			do(func(s *sys.SQE) { s.PrepCloseDirect(1) })
			do(func(s *sys.SQE) { s.PrepCloseDirect(9) })
		},
	}, {
		Name:  "unix_stream",
		Doc:   "Receives that peek, truncate, wait for all, wait for a poll first, or do not wait.",
		Needs: []Need{needOp(sys.IORING_OP_SHUTDOWN)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			a, b := r.Pair(unix.SOCK_STREAM)
			buf := r.Bytes(10)
			do(func(s *sys.SQE) { s.PrepRecv(b, buf, unix.MSG_DONTWAIT) })
			do(func(s *sys.SQE) { s.PrepSend(a, r.Text("01234"), 0) })
			do(func(s *sys.SQE) { s.PrepRecv(b, buf[:2], unix.MSG_PEEK) })
			do(func(s *sys.SQE) { s.PrepRecv(b, buf[:2], 0) })
			g.SQE(100).PrepRecv(b, buf, unix.MSG_WAITALL)
			g.Submit()
			g.Settle()
			r.Write(a, "56789ab")
			g.Reap(1)
			r.Note("data", buf)
			s := g.SQE(101)
			s.PrepRecv(b, buf, 0)
			s.Ioprio = sys.IORING_RECVSEND_POLL_FIRST
			g.Submit()
			g.Settle()
			r.Write(a, "polled")
			g.Reap(1)
			do(func(s *sys.SQE) { s.PrepShutdown(b, unix.SHUT_RDWR) })
			do(func(s *sys.SQE) { s.PrepRecv(a, buf, unix.MSG_WAITALL) })
			do(func(s *sys.SQE) { s.PrepSend(a, buf, unix.MSG_NOSIGNAL) })
			do(func(s *sys.SQE) { s.PrepShutdown(b, 99) })
			do(func(s *sys.SQE) {
				s.PrepRecv(b, buf, 0)
				s.Ioprio = 1 << 15
			})
		},
	}, {
		Name: "messages",
		Doc:  "sendmsg and recvmsg with several buffers, an address, a message that is cut, and a passed descriptor.",
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			a, b := r.Pair(unix.SOCK_DGRAM)
			msg := func(control []byte, bufs ...[]byte) *unix.Msghdr {
				m := new(unix.Msghdr)
				if len(bufs) > 0 {
					m.Iov = &r.Iovecs(bufs...)[0]
				}
				m.SetIovlen(len(bufs))
				if len(control) > 0 {
					m.Control = &control[0]
					m.SetControllen(len(control))
				}
				r.Keep(m, control)
				return m
			}
			do(func(s *sys.SQE) { s.PrepSendmsg(a, msg(nil, r.Text("one "), r.Text("two")), 0) })
			x, y := r.Bytes(3), r.Bytes(8)
			do(func(s *sys.SQE) { s.PrepRecvmsg(b, msg(nil, x, y), 0) })
			r.Note("data", x)
			r.Note("data", y)
			do(func(s *sys.SQE) { s.PrepSend(a, r.Text("0123456789"), 0) })
			cut := msg(nil, x)
			do(func(s *sys.SQE) { s.PrepRecvmsg(b, cut, 0) })
			r.Note("flags", cut.Flags)
			do(func(s *sys.SQE) { s.PrepSend(a, r.Text("0123456789"), 0) })
			do(func(s *sys.SQE) { s.PrepRecvmsg(b, msg(nil, x), unix.MSG_TRUNC) })
			rights := unix.UnixRights(r.Eventfd(0, 0))
			do(func(s *sys.SQE) { s.PrepSendmsg(a, msg(rights, r.Text("fd")), 0) })
			control := r.Bytes(unix.CmsgSpace(4))
			space := msg(control, x)
			if do(func(s *sys.SQE) { s.PrepRecvmsg(b, space, unix.MSG_CMSG_CLOEXEC) }).Res >= 0 {
				r.Note("control", space.Controllen)
				r.closePassed(control[:space.Controllen])
			}
			do(func(s *sys.SQE) { s.PrepSendmsg(a, msg(nil), 0) })
			do(func(s *sys.SQE) { s.PrepRecvmsg(b, msg(nil, x), 0) })
			do(func(s *sys.SQE) { s.PrepSendmsg(a, nil, 0) })
			do(func(s *sys.SQE) { s.PrepRecvmsg(-1, msg(nil, x), 0) })
			do(func(s *sys.SQE) { s.PrepRecvmsg(b, msg(nil, x), unix.MSG_DONTWAIT) })
		},
	}, {
		Name:  "datagrams",
		Doc:   "Datagrams with an address, to a connected socket, to nobody, and one that is too long.",
		Needs: []Need{needLoopback},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			a, _ := r.UDP()
			b, addr := r.UDP()
			sa, n := r.Sockaddr(addr)
			buf := r.Bytes(16)
			if do(func(s *sys.SQE) { s.PrepSendto(a, r.Text("ping"), 0, sa, n) }).Res >= 0 {
				do(func(s *sys.SQE) { s.PrepRecv(b, buf, 0) })
			}
			do(func(s *sys.SQE) { s.PrepSend(a, r.Text("ping"), 0) })
			do(func(s *sys.SQE) { s.PrepSend(a, r.Bytes(1<<17), 0) })
			do(func(s *sys.SQE) { s.PrepConnect(a, sa, n) })
			do(func(s *sys.SQE) { s.PrepSend(a, r.Bytes(1<<17), 0) })
			do(func(s *sys.SQE) { s.PrepSend(a, r.Text("connected"), 0) })
			do(func(s *sys.SQE) { s.PrepRecv(b, buf, 0) })
			do(func(s *sys.SQE) { s.PrepSend(a, nil, 0) })
			do(func(s *sys.SQE) { s.PrepRecv(b, buf, 0) })
			r.Note("data", buf)
			do(func(s *sys.SQE) { s.PrepRecv(b, buf, unix.MSG_DONTWAIT) })
		},
	}, {
		Name:  "connect_errors",
		Doc:   "Connecting to nobody, twice, with the wrong family, and too short an address.",
		Needs: []Need{needLoopback},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			socket := func() int {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				r.Must("socket", err)
				r.CloseLater(fd)
				return fd
			}
			// A bound port on which nobody listens.
			bound := socket()
			r.Must("bind", unix.Bind(bound, &unix.SockaddrInet4{Addr: loopback.As4()}))
			nobody, n := r.Sockaddr(r.Addr(bound))
			do(func(s *sys.SQE) { s.PrepConnect(socket(), nobody, n) })
			_, addr := r.Listener()
			sa, n := r.Sockaddr(addr)
			c := socket()
			do(func(s *sys.SQE) { s.PrepConnect(c, sa, n) })
			do(func(s *sys.SQE) { s.PrepConnect(c, sa, n) })
			do(func(s *sys.SQE) { s.PrepConnect(socket(), sa, 4) })
			wrong, n := r.Sockaddr(addr)
			wrong.Addr.Family = unix.AF_UNIX
			do(func(s *sys.SQE) { s.PrepConnect(socket(), wrong, n) })
			do(func(s *sys.SQE) { s.PrepConnect(-1, sa, n) })
			do(func(s *sys.SQE) { s.PrepConnect(socket(), nil, n) })
			rd, _ := r.Pipe()
			do(func(s *sys.SQE) { s.PrepConnect(rd, sa, n) })
			do(func(s *sys.SQE) { s.PrepAccept(c, nil, nil, 0) })
			do(func(s *sys.SQE) { s.PrepAccept(rd, nil, nil, 0) })
			do(func(s *sys.SQE) { s.PrepAccept(bound, nil, nil, 1<<30) })
			do(func(s *sys.SQE) { s.PrepShutdown(socket(), unix.SHUT_RDWR) })
		},
	}, {
		Name:  "accept_multishot",
		Doc:   "A multishot accept of ordinary descriptors, cancelled by its socket.",
		Needs: []Need{needLoopback, needCancel(sys.IORING_ASYNC_CANCEL_ANY)},
		Run: func(r *Run) {
			g := r.Open(8)
			l, addr := r.Listener()
			r.Descriptors(1)
			g.SQE(1).PrepMultishotAccept(l, nil, nil, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			g.Submit()
			g.Settle()
			for range 3 {
				r.Connect(addr)
				g.Reap(1)
			}
			g.SQE(2).PrepCancelFd(l, 0)
			g.Submit()
			g.ReapAny(2)
		},
	}, {
		Name:  "accept_flags",
		Doc:   "Accepts that do not wait, and that poll first.",
		Needs: []Need{needLoopback, needAcceptFlags},
		Run: func(r *Run) {
			g := r.Open(8)
			l, addr := r.Listener()
			r.Descriptors(1, 2, 3)
			accept := func(u uint64, flags uint16) {
				s := g.SQE(u)
				s.PrepAccept(l, nil, nil, unix.SOCK_CLOEXEC)
				s.Ioprio = flags
			}
			accept(1, sys.IORING_ACCEPT_DONTWAIT)
			g.SubmitReap(1)
			r.Connect(addr)
			accept(2, sys.IORING_ACCEPT_DONTWAIT)
			g.SubmitReap(1)
			accept(3, sys.IORING_ACCEPT_POLL_FIRST)
			g.Submit()
			g.Settle()
			r.Connect(addr)
			g.Reap(1)
			accept(4, 1<<15)
			g.SubmitReap(1)
		},
	}, {
		Name:  "socket_commands",
		Doc:   "What is queued at a socket, and its options, asked and set by command.",
		Needs: []Need{needLoopback, needOp(sys.IORING_OP_URING_CMD)},
		Run: func(r *Run) {
			g := r.Open(8)
			do := g.OneByOne()
			a, addrA := r.UDP()
			b, addr := r.UDP()
			sa, n := r.Sockaddr(addr)
			do(func(s *sys.SQE) { s.PrepConnect(a, sa, n) })
			do(func(s *sys.SQE) { s.PrepSend(a, r.Text("seven..")[:7], 0) })
			do(func(s *sys.SQE) { s.PrepPollAdd(b, pollIn) })
			do(func(s *sys.SQE) { s.PrepCmdSock(sys.SOCKET_URING_OP_SIOCINQ, b, 0, 0, nil) })
			do(func(s *sys.SQE) { s.PrepCmdSock(sys.SOCKET_URING_OP_SIOCOUTQ, a, 0, 0, nil) })
			opt := r.Bytes(4)
			do(func(s *sys.SQE) {
				s.PrepCmdSock(sys.SOCKET_URING_OP_GETSOCKOPT, a, unix.SOL_SOCKET, unix.SO_TYPE, opt)
			})
			r.Note("type", binary.NativeEndian.Uint32(opt) == unix.SOCK_DGRAM)
			binary.NativeEndian.PutUint32(opt, 1)
			do(func(s *sys.SQE) {
				s.PrepCmdSock(sys.SOCKET_URING_OP_SETSOCKOPT, a, unix.SOL_SOCKET, unix.SO_KEEPALIVE, opt)
			})
			on, err := unix.GetsockoptInt(a, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			r.Note("keepalive", fmt.Sprint(on, err))
			do(func(s *sys.SQE) {
				s.PrepCmdSock(sys.SOCKET_URING_OP_GETSOCKOPT, a, unix.IPPROTO_TCP, unix.TCP_NODELAY, opt)
			})
			do(func(s *sys.SQE) {
				s.PrepCmdSock(sys.SOCKET_URING_OP_GETSOCKOPT, a, unix.SOL_SOCKET, 9999, opt)
			})
			do(func(s *sys.SQE) { s.PrepCmdSock(9999, a, 0, 0, nil) })
			rd, _ := r.Pipe()
			do(func(s *sys.SQE) { s.PrepCmdSock(sys.SOCKET_URING_OP_SIOCINQ, rd, 0, 0, nil) })
			do(func(s *sys.SQE) {
				s.PrepUringCmd(0, a)
				s.OpFlags = 1 << 30
			})
			do(func(s *sys.SQE) { s.PrepCmdSock(sys.SOCKET_URING_OP_SIOCINQ, -1, 0, 0, nil) })
			// Where the kernel has it.
			name, length := new(unix.RawSockaddrAny), new(uint32)
			r.Keep(name, length)
			for peer, want := range []netip.AddrPort{addrA, addr} {
				*length = unix.SizeofSockaddrAny
				if do(func(s *sys.SQE) { s.PrepCmdGetsockname(a, name, length, peer) }).Res == 0 {
					got, err := sys.ParseSockaddrInet(name, *length)
					r.Note("name", fmt.Sprint(got == want, err))
				}
			}
		},
	}, {
		Name:  "send_zc_datagram",
		Doc:   "Zero-copy sends of datagrams, and on a socket that has none.",
		Needs: []Need{needLoopback, needOp(sys.IORING_OP_SEND_ZC)},
		Run: func(r *Run) {
			g := r.Open(8)
			a, _ := r.UDP()
			b, addr := r.UDP()
			sa, n := r.Sockaddr(addr)
			s := g.SQE(1)
			s.PrepSendZC(a, r.Text("zero copy"), 0, 0)
			s.PrepSendSetAddr(sa, uint16(n))
			g.SubmitReap(1)
			g.SQE(2).PrepRecv(b, r.Bytes(16), 0)
			g.Submit()
			// The notification of 1 comes when the datagram is gone.
			g.ReapAny(2)
			u, _ := r.Pair(unix.SOCK_STREAM)
			g.SQE(3).PrepSendZC(u, r.Text("no"), 0, 0)
			if g.SubmitReap(1)[0].More() {
				g.Reap(1)
			}
		},
	}, {
		Name:  "send_vectors",
		Doc:   "A send of several buffers without a message header.",
		Needs: []Need{needSendVectors},
		Run: func(r *Run) {
			g := r.Open(8)
			a, b := r.Pair(unix.SOCK_STREAM)
			v := r.Iovecs(r.Text("several "), r.Text("buffers"))
			s := g.SQE(1)
			s.PrepSend(a, nil, 0)
			s.Addr, s.Len = addressOf(r, &v[0]), uint32(len(v))
			s.Ioprio = sys.IORING_SEND_VECTORIZED
			g.SubmitReap(1)
			r.Note("data", r.Read(b, 64))
		},
	}, {
		Name:  "recv_datagrams_multishot",
		Doc:   "A multishot receive of datagrams, each in a buffer of its own, one too long for it.",
		Needs: []Need{needLoopback, needRecvMultishot},
		Run: func(r *Run) {
			g := r.Open(8)
			to, addr := r.UDP()
			from, _ := r.UDP()
			g.BufRing(4, 3, 0).Fill(4, 8, 0)
			s := g.SQE(1)
			s.PrepRecvMultishot(to, nil, 0)
			bufSelect(s, 3)
			g.Submit()
			g.Settle()
			for _, text := range []string{"a", "bb", "longer than eight", "cc"} {
				r.Must("sendto", unix.Sendto(from, []byte(text), 0, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}))
				g.Reap(1)
			}
			r.Must("sendto", unix.Sendto(from, []byte("none left"), 0, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}))
			g.Reap(1)
		},
	}, {
		Name:  "bundle_multishot",
		Doc:   "A multishot receive that takes as many buffers as the data needs.",
		Needs: []Need{needFeature(sys.IORING_FEAT_RECVSEND_BUNDLE)},
		Run: func(r *Run) {
			g := r.Open(8)
			a, b := r.Pair(unix.SOCK_STREAM)
			bufs := g.BufRing(8, 3, 0).Fill(8, 4, 0)
			s := g.SQE(1)
			s.PrepRecvMultishot(b, nil, 0)
			bufSelect(s, 3)
			s.Ioprio |= sys.IORING_RECVSEND_BUNDLE
			g.Submit()
			g.Settle()
			for _, text := range []string{"abc", "0123456789"} {
				r.Write(a, text)
				// In as many completions as the kernel likes.
				for left := len(text); left > 0; {
					c := g.Reap(1)[0]
					if !c.More() {
						return
					}
					left -= int(c.Res)
				}
			}
			r.Must("shutdown", unix.Shutdown(a, unix.SHUT_WR))
			g.Reap(1)
			for _, buf := range bufs {
				r.Note("data", buf)
			}
		},
	}, {
		Name:  "link_timeout_recv",
		Doc:   "A receive, an accept and a connection's end, each with a linked timeout.",
		Needs: []Need{needLoopback},
		Run: func(r *Run) {
			g := r.Open(8)
			a, b := r.Pair(unix.SOCK_STREAM)
			g.SQE(1, link).PrepRecv(b, r.Bytes(4), 0)
			g.SQE(2).PrepLinkTimeout(r.Time(soon), 0)
			g.Submit()
			g.ReapAny(2)
			l, _ := r.Listener()
			g.SQE(3, link).PrepAccept(l, nil, nil, 0)
			g.SQE(4).PrepLinkTimeout(r.Time(soon), 0)
			g.Submit()
			g.ReapAny(2)
			g.SQE(5, link).PrepRecv(b, r.Bytes(4), 0)
			g.SQE(6).PrepLinkTimeout(r.Time(far), 0)
			g.Submit()
			g.Settle()
			r.Write(a, "data")
			g.ReapAny(2)
		},
	}}
}

// closePassed closes the descriptors that came with a message.
func (r *Run) closePassed(control []byte) {
	messages, err := unix.ParseSocketControlMessage(control)
	r.Must("control message", err)
	for _, cm := range messages {
		fds, err := unix.ParseUnixRights(&cm)
		r.Must("rights", err)
		for _, fd := range fds {
			r.CloseLater(fd)
		}
	}
}

// needRecvMultishot needs receives that complete more than once. Old kernels
// ignore the flag.
var needRecvMultishot = needTrial("multishot receive", func(t *tryRing) (bool, error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	t.fds = append(t.fds, p[:]...)
	if _, err := unix.Write(p[0], []byte("x")); err != nil {
		return false, err
	}
	buf := make([]byte, 16)
	if _, err := t.run(1, func(s *sys.SQE) { s.PrepProvideBuffers(buf, 8, 2, 0, 0) }); err != nil {
		return false, err
	}
	got, err := t.run(1, func(s *sys.SQE) {
		s.PrepRecvMultishot(p[1], nil, 0)
		bufSelect(s, 0)
		s.Len = 8
	})
	if err != nil || !got[0].More() {
		return false, err
	}
	_, err = t.run(2, func(s *sys.SQE) { s.PrepCancelFd(p[1], 0) })
	runtime.KeepAlive(buf)
	return true, err
})

// needSendVectors needs sends of several buffers. Old kernels ignore the flag, and
// send the first bytes of the table.
var needSendVectors = needTrial("IORING_SEND_VECTORIZED", func(t *tryRing) (bool, error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	t.fds = append(t.fds, p[:]...)
	var r Run // keeps the memory
	v := r.Iovecs(r.Bytes(8), r.Bytes(8))
	got, err := t.run(1, func(s *sys.SQE) {
		s.PrepSend(p[0], nil, 0)
		s.Addr, s.Len = addressOf(&r, &v[0]), uint32(len(v))
		s.Ioprio = sys.IORING_SEND_VECTORIZED
	})
	runtime.KeepAlive(&r)
	return err == nil && got[0].Res == 16, err
})

// needAcceptFlags needs accepts that take flags of the ring's own.
var needAcceptFlags = needRequest("IORING_ACCEPT_DONTWAIT", unix.EINVAL, func(s *sys.SQE) {
	s.PrepAccept(-1, nil, nil, 0)
	s.Ioprio = sys.IORING_ACCEPT_DONTWAIT
})
