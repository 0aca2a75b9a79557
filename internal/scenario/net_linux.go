package scenario

// Sockets.

import (
	"fmt"

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
			g.ReapIndependent(2)
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
	}}
}

// needRecvMultishot needs receives that complete more than once. One of them on
// something that is no socket fails with ENOTSOCK or, before buffers are looked
// at, with EBADF.
var needRecvMultishot = needRequest("multishot receive", 0, func(s *sys.SQE) {
	s.PrepRecvMultishot(-1, nil, 0)
	bufSelect(s, 0)
}, unix.EINVAL)
