//go:build linux

package ringnet_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/uring-go/uring/ringnet"
)

// The suite with which the authors of Go's network packages judge a net.Conn.
func TestConn(t *testing.T) {
	each(t, func(t *testing.T, n *ringnet.Net) {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(network, func(t *testing.T) {
				nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
					l := listen(t, n, network)
					a, b, err = pipe(n, l)
					if err != nil {
						return nil, nil, nil, err
					}
					return a, b, func() {
						a.Close()
						b.Close()
						l.Close()
					}, nil
				})
			})
		}
	})
}
