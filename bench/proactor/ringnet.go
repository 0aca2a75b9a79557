package main

// The echo server on package ringnet: what a program that was written for package net
// gets.

import (
	"fmt"
	"log"
	"net"
	"os"

	"github.com/uring-go/uring/ringnet"
)

func echoRingnet(variant string) {
	n := &ringnet.Net{Proactor: newProactor("auto")}
	l, err := n.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serveConn(c)
	}
}
