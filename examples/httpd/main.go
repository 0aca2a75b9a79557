// Httpd serves the files of a directory over HTTP, or HTTPS with HTTP/2.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/uring-go/uring/ringnet"
)

// options are the command's flags.
type options struct {
	address, dir string
	cert, key    string // files; empty for HTTP
	plain        bool
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.address, "address", "127.0.0.1:8080", "where to listen")
	flag.StringVar(&o.dir, "dir", ".", "what to serve")
	flag.StringVar(&o.cert, "cert", "", "file with the certificate, for HTTPS")
	flag.StringVar(&o.key, "key", "", "file with its key")
	flag.BoolVar(&o.plain, "net", false, "listen with package net, to compare")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, func(a net.Addr) { fmt.Println("listening on", a) }); err != nil {
		log.Fatal("httpd: ", err)
	}
}

// run serves until ctx ends, and tells when it listens.
func run(ctx context.Context, o options, listening func(net.Addr)) error {
	var n ringnet.Net
	defer n.Close()
	var l net.Listener
	var err error
	if o.plain {
		l, err = net.Listen("tcp", o.address)
	} else {
		l, err = n.Listen("tcp", o.address)
	}
	if err != nil {
		return err
	}
	listening(l.Addr())
	server := &http.Server{Handler: http.FileServer(http.Dir(o.dir)), ReadHeaderTimeout: 10 * time.Second}
	// Requests on their way may end before the connections are closed.
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := server.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		ended <- err
	}()
	if o.cert != "" {
		err = server.ServeTLS(l, o.cert, o.key)
	} else {
		err = server.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		l.Close()
		return err
	}
	return <-ended
}
