package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A client of package net gets back what it sends, and the program ends when it is
// told to, connections or not.
func TestEcho(t *testing.T) {
	for _, c := range []struct {
		name, network, address string
		run                    func(context.Context, string, string, func(net.Addr)) error
	}{
		{"tcp", "tcp", "127.0.0.1:0", run},
		{"unix", "unix", filepath.Join(t.TempDir(), "s"), run},
		{"tcp on a loop", "tcp", "127.0.0.1:0", runLoop},
		{"unix on a loop", "unix", filepath.Join(t.TempDir(), "l"), runLoop},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			where := make(chan net.Addr, 1)
			ended := make(chan error, 1)
			go func() { ended <- c.run(ctx, c.network, c.address, func(a net.Addr) { where <- a }) }()
			var address net.Addr
			select {
			case address = <-where:
			case err := <-ended:
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				}
				t.Fatal(err)
			}
			var clients sync.WaitGroup
			for i := range 10 {
				clients.Go(func() {
					conn, err := net.Dial(address.Network(), address.String())
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					sent := bytes.Repeat([]byte{byte(i), 1, 2, 3, 4, 5, 6}, 30_000)
					go conn.Write(sent)
					got := make([]byte, len(sent))
					if n, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
						t.Errorf("%d bytes of %d, %v", n, len(sent), err)
					}
				})
			}
			clients.Wait()
			idle, err := net.Dial(address.Network(), address.String())
			if err != nil {
				t.Fatal(err)
			}
			defer idle.Close()
			idle.Write([]byte("x"))
			idle.Read(make([]byte, 1))
			stop()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("it does not end")
			}
		})
	}
}
