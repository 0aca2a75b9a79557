// Echo sends back what it receives, with a goroutine for each connection, or with -loop
// without any.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"

	"github.com/uring-go/uring/ringnet"
)

func main() {
	log.SetFlags(0)
	network := flag.String("network", "tcp", "tcp, tcp4, tcp6 or unix")
	address := flag.String("address", "127.0.0.1:7007", "where to listen")
	loop := flag.Bool("loop", false, "handlers on one thread in place of goroutines")
	flag.Parse()
	serve := run
	if *loop {
		serve = runLoop
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *network, *address, func(a net.Addr) { fmt.Println("listening on", a) }); err != nil {
		log.Fatal("echo: ", err)
	}
}

// run serves until ctx ends, and tells when it listens.
func run(ctx context.Context, network, address string, listening func(net.Addr)) error {
	var n ringnet.Net
	defer n.Close() // ends what still runs
	l, err := n.Listen(network, address)
	if err != nil {
		return err
	}
	defer l.Close()
	listening(l.Addr())
	var connections sync.WaitGroup
	defer connections.Wait()
	for c, err := range l.Conns(ctx) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		connections.Go(func() {
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			if err := echo(c); err != nil && !errors.Is(err, net.ErrClosed) {
				log.Print("echo: ", err)
			}
		})
	}
	return nil
}

// echo sends back what comes until the end.
func echo(c net.Conn) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := c.Read(buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return err
		}
	}
}
