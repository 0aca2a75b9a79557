package main

// The same work through the standard library: a goroutine waits for each pair.

import (
	"log"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// connections returns both ends of a socket pair.
func connections(kind int) (ends [2]net.Conn) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	check1(err)
	for i, fd := range pair {
		f := os.NewFile(uintptr(fd), "socket")
		ends[i], err = net.FileConn(f)
		check1(err)
		check1(f.Close())
	}
	return ends
}

// osPingpong echoes 64 bytes on each of depth socket pairs, with two goroutines a
// pair.
func osPingpong(depth int, d time.Duration) result {
	var pairs [][2]net.Conn
	for range depth {
		p := connections(syscall.SOCK_STREAM)
		pairs = append(pairs, p)
		go func() {
			buf := make([]byte, message)
			for {
				if _, err := p[1].Read(buf); err != nil {
					return
				}
				if _, err := p[1].Write(buf); err != nil {
					return
				}
			}
		}()
	}
	loop := func(d time.Duration) int {
		var total atomic.Int64
		var wg sync.WaitGroup
		end := time.Now().Add(d)
		for _, p := range pairs {
			wg.Go(func() {
				buf := make([]byte, message)
				n := 0
				for ; n%64 != 0 || time.Now().Before(end); n++ {
					if _, err := p[0].Write(buf); err != nil {
						log.Fatal(err)
					}
					if got, err := p[0].Read(buf); got != message || err != nil {
						log.Fatalf("message: %d, %v", got, err)
					}
				}
				total.Add(int64(n))
			})
		}
		wg.Wait()
		return int(total.Load())
	}
	loop(d / 10)
	return measure(func() int { return loop(d) })
}

// osMessages sends depth messages through a socket pair, and then receives them.
func osMessages(depth int, d time.Duration) result {
	p := connections(syscall.SOCK_SEQPACKET)
	in, out := make([]byte, message), make([]byte, message)
	loop := func(d time.Duration) (n int) {
		for end := time.Now().Add(d); n%check != 0 || time.Now().Before(end); n += depth {
			for range depth {
				if _, err := p[0].Write(out); err != nil {
					log.Fatal(err)
				}
			}
			for range depth {
				if got, err := p[1].Read(in); got != message || err != nil {
					log.Fatalf("message: %d, %v", got, err)
				}
			}
		}
		return n
	}
	loop(d / 10)
	return measure(func() int { return loop(d) })
}
