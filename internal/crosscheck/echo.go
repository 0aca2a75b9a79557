//go:build linux

package main

// An echo server on a ring (ACCEPT, RECV, SEND, CLOSE), and package net at the
// other end of the connection.

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
	"golang.org/x/sys/unix"
)

// echoLimit is how long the whole echo may take.
const echoLimit = time.Minute

// echo sends n random bytes to a server on a ring of the backend and compares
// what comes back.
func echo(ctx context.Context, b backend, n int64) error {
	ring, err := b.ring(8)
	if err != nil {
		return err
	}
	if err := needs(ring, sys.IORING_OP_ACCEPT, sys.IORING_OP_RECV, sys.IORING_OP_SEND, sys.IORING_OP_CLOSE); err != nil {
		return errors.Join(err, ring.Close())
	}
	listener, port, err := listen()
	if err != nil {
		return errors.Join(err, ring.Close())
	}
	served := make(chan error, 1)
	go func() { served <- errors.Join(serve(ring, listener), ring.Close()) }()

	err = send(ctx, port, n)
	if err != nil {
		// The server may still wait for a connection; this wakes it.
		_ = unix.Shutdown(listener, unix.SHUT_RDWR)
	}
	return errors.Join(err, <-served, unix.Close(listener))
}

// listen returns a listening socket on a port of the loopback address. It is a
// blocking one: on a non-blocking socket the kernel answers EAGAIN instead of
// waiting.
func listen() (fd, port int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, fmt.Errorf("socket: %w", err)
	}
	fail := func(call string, err error) (int, int, error) {
		return -1, 0, errors.Join(fmt.Errorf("%s: %w", call, err), unix.Close(fd))
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fail("bind", err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		return fail("listen", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return fail("getsockname", err)
	}
	return fd, name.(*unix.SockaddrInet4).Port, nil
}

// serve accepts one connection and sends back what comes, until its end.
func serve(ring *uring.Ring, listener int) (err error) {
	// do runs one request.
	do := func(call string, prep func(*uring.SQE)) (int, error) {
		prep(ring.GetSQE())
		if _, err := ring.SubmitWait(uring.Wait{N: 1}); err != nil {
			return 0, err
		}
		var c [1]uring.CQE
		if ring.Peek(c[:]) != 1 {
			return 0, fmt.Errorf("%s: no completion after waiting for one", call)
		}
		n, err := c[0].Result()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", call, err)
		}
		return n, nil
	}
	conn, err := do("accept", func(s *uring.SQE) { s.PrepAccept(listener, nil, nil, unix.SOCK_CLOEXEC) })
	if err != nil {
		return err
	}
	defer func() {
		_, e := do("close", func(s *uring.SQE) { s.PrepClose(conn) })
		err = errors.Join(err, e)
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := do("recv", func(s *uring.SQE) { s.PrepRecv(conn, buf, 0) })
		if n == 0 || err != nil {
			return err
		}
		for out := buf[:n]; len(out) > 0; out = out[n:] {
			n, err = do("send", func(s *uring.SQE) { s.PrepSend(conn, out, unix.MSG_NOSIGNAL) })
			if err != nil {
				return err
			}
		}
	}
}

// send connects with package net, sends n random bytes, and compares what comes
// back.
func send(ctx context.Context, port int, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, echoLimit)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	sent, received := sha256.New(), sha256.New()
	wrote := make(chan error, 1)
	go func() {
		random := io.LimitReader(rand.NewChaCha8([32]byte{'e', 'c', 'h', 'o'}), n)
		_, err := io.Copy(conn, io.TeeReader(random, sent))
		wrote <- errors.Join(err, conn.(*net.TCPConn).CloseWrite())
	}()
	got, err := io.Copy(received, conn)
	if err != nil {
		conn.Close() // or the writer would wait for a reader
	}
	if err := errors.Join(err, <-wrote); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	}
	if got != n {
		return fmt.Errorf("%d bytes came back of %d", got, n)
	}
	if s, r := [32]byte(sent.Sum(nil)), [32]byte(received.Sum(nil)); s != r {
		return fmt.Errorf("other bytes came back than were sent: SHA-256 %x instead of %x", r, s)
	}
	return nil
}
