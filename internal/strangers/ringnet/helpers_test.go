//go:build linux

// Package ringnet_test is what others wrote to judge network connections, pointed at
// package ringnet: with each backend, and without io_uring.
package ringnet_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/ringnet"
)

// each runs a test with every way that connections can work.
func each(t *testing.T, test func(t *testing.T, n *ringnet.Net)) {
	for _, v := range []struct {
		name   string
		config proactor.Config
	}{
		{"purego", proactor.Config{Backend: backendtest.Purego.New, Fallback: proactor.FallbackNever}},
		{"liburing", proactor.Config{Backend: backendtest.Liburing.New, Fallback: proactor.FallbackNever}},
		{"fallback", proactor.Config{Fallback: proactor.FallbackAlways}},
	} {
		t.Run(v.name, func(t *testing.T) {
			p, err := proactor.New(&v.config)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, &ringnet.Net{Proactor: p})
		})
	}
}

// listen listens on a fresh address.
func listen(t testing.TB, n *ringnet.Net, network string) *ringnet.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "ringnet")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	l, err := n.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// pipe connects two ends.
func pipe(n *ringnet.Net, l *ringnet.Listener) (a, b net.Conn, err error) {
	accepted := make(chan error, 1)
	go func() {
		var err error
		b, err = l.Accept()
		accepted <- err
	}()
	a, err = n.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		l.Close()
		<-accepted
		return nil, nil, err
	}
	if err := <-accepted; err != nil {
		return nil, nil, err
	}
	return a, b, nil
}
