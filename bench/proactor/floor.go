package main

// The least that an echo over a ring costs: one thread, no goroutines, nothing
// kept safe.

import (
	"log"
	"net"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

func serveFloor(l *net.TCPListener, kind string) {
	runtime.LockOSThread()
	r, err := uring.New(&uring.Config{Entries: 1024, CQEntries: 4096, Setup: sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN})
	if err != nil {
		log.Fatal(err)
	}
	if err := r.RegisterRingFd(); err != nil {
		log.Fatal(err)
	}
	f, err := l.File()
	if err != nil {
		log.Fatal(err)
	}
	const sending = 1 << 32
	const accepting = 1 << 33
	bufs := make([][]byte, 1<<16)
	var br *uring.BufRing
	if kind == "floor-multi" {
		if br, err = r.NewBufRing(1, 1024, 4096); err != nil {
			log.Fatal(err)
		}
	}
	held := make([]uint16, 1<<16)
	accept := func() {
		e := r.GetSQE()
		e.PrepAccept(int(f.Fd()), nil, nil, 0)
		e.UserData = accepting
	}
	recv := func(fd int) {
		e := r.GetSQE()
		switch kind {
		case "floor-multi":
			e.PrepRecvMultishot(fd, nil, 0)
			e.Flags |= sys.IOSQE_BUFFER_SELECT
			e.BufIndex = 1
		case "floor-first":
			e.PrepRecv(fd, bufs[fd], 0)
			e.Ioprio |= sys.IORING_RECVSEND_POLL_FIRST
		default:
			e.PrepRecv(fd, bufs[fd], 0)
		}
		e.UserData = uint64(fd)
	}
	accept()
	for {
		if _, err := r.SubmitWait(uring.Wait{N: 1}); err != nil {
			log.Fatal(err)
		}
		for c := range r.Completions() {
			fd := int(int32(c.UserData))
			switch {
			case c.UserData == accepting:
				if c.Res < 0 {
					log.Fatal(unix.Errno(-c.Res))
				}
				bufs[c.Res] = make([]byte, 4096)
				recv(int(c.Res))
				accept()
			case c.Res <= 0:
				unix.Close(fd)
			case c.UserData&sending != 0:
				if kind == "floor-multi" {
					br.Put(held[fd])
				} else {
					recv(fd)
				}
			case kind == "floor-multi":
				held[fd], _ = c.Buffer()
				e := r.GetSQE()
				if !c.More() {
					log.Fatal("no more")
				}
				b := br.Bytes(c)
				e.PrepSend(fd, b, unix.MSG_NOSIGNAL)
				e.UserData = uint64(fd) | sending
			default:
				e := r.GetSQE()
				e.PrepSend(fd, bufs[fd][:c.Res], unix.MSG_NOSIGNAL)
				e.UserData = uint64(fd) | sending
			}
		}
	}
}
