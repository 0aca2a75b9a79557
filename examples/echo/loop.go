package main

// The same server without goroutines: handlers that a loop calls.

import (
	"context"
	"log"
	"net"

	"github.com/uring-go/uring/ringloop"
)

// runLoop is run on package ringloop.
func runLoop(ctx context.Context, network, address string, listening func(net.Addr)) error {
	l, err := ringloop.New(nil)
	if err != nil {
		return err
	}
	defer l.Close() // in case it does not come to run
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	err = l.Serve(listener, &ringloop.Handler{
		Data: func(c *ringloop.Conn, b []byte) { c.Send(b) },
		Close: func(c *ringloop.Conn, err error) {
			if err != nil && ctx.Err() == nil {
				log.Print("echo: ", err)
			}
		},
	})
	if err != nil {
		listener.Close()
		return err
	}
	listening(listener.Addr())
	if err := l.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}
