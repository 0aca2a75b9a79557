package ringnet_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/uring-go/uring/ringnet"
)

// A server and a client of package net/http.
func ExampleNet() {
	var n ringnet.Net
	defer n.Close()
	l, err := n.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", r.URL.Path[1:])
	})}
	go server.Serve(l)
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://" + l.Addr().String() + "/gopher")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	fmt.Println(string(text), err)
	// Output: hello, gopher <nil>
}

// An echo server that stops when its context ends.
func ExampleListener_Conns() {
	var n ringnet.Net
	defer n.Close()
	l, err := n.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		c, err := n.Dial("tcp", l.Addr().String())
		if err != nil {
			return
		}
		fmt.Fprint(c, "echo")
		c.CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
	}()

	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	for c, err := range l.Conns(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		copied, err := io.Copy(c, c)
		fmt.Println(copied, err)
		c.Close()
		break
	}
	// Output: 4 <nil>
}
