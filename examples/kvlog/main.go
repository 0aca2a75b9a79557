//go:build linux

// Kvlog is a key-value store in one file that only grows. A change that was acknowledged
// survives whatever ends the process or the machine.
//
//	kvlog FILE put KEY VALUE
//	kvlog FILE get KEY
//	kvlog FILE del KEY
//	kvlog FILE list
//	kvlog FILE bench [GOROUTINES]
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/ringfs"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kvlog:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: kvlog FILE put KEY VALUE | get KEY | del KEY | list | bench [GOROUTINES]")

func run(out io.Writer, args []string) (err error) {
	if len(args) < 2 {
		return errUsage
	}
	p, err := proactor.New(nil)
	if err != nil {
		return err
	}
	defer p.Close()
	s, err := Open(context.Background(), ringfs.New(p), args[0])
	if errBusy(err) {
		return fmt.Errorf("another process has %s open", args[0])
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	switch what, args := args[1], args[2:]; {
	case what == "put" && len(args) == 2:
		return s.Put(args[0], []byte(args[1]))
	case what == "del" && len(args) == 1:
		return s.Delete(args[0])
	case what == "get" && len(args) == 1:
		value, ok, err := s.Get(args[0])
		if err == nil && !ok {
			err = fmt.Errorf("there is no %q", args[0])
		}
		if err == nil {
			fmt.Fprintf(out, "%s\n", value)
		}
		return err
	case what == "list" && len(args) == 0:
		for _, key := range slices.Sorted(s.Keys()) {
			fmt.Fprintln(out, key)
		}
		return nil
	case what == "bench" && len(args) <= 1:
		n := 64
		if len(args) == 1 {
			if n, err = strconv.Atoi(args[0]); err != nil || n < 1 {
				return errUsage
			}
		}
		return bench(out, s, n)
	}
	return errUsage
}

// bench has goroutines put values for three seconds.
func bench(out io.Writer, s *Store, goroutines int) error {
	var wg sync.WaitGroup
	var count atomic.Int64
	var failed atomic.Pointer[error]
	start := time.Now()
	for g := range goroutines {
		wg.Go(func() {
			value := make([]byte, 100)
			for i := 0; time.Since(start) < 3*time.Second; i++ {
				if err := s.Put(fmt.Sprintf("bench-%d-%d", g, i%1000), value); err != nil {
					failed.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	fmt.Fprintf(out, "%.0f puts a second from %d goroutines, each on the disk when it was acknowledged\n", float64(count.Load())/time.Since(start).Seconds(), goroutines)
	return nil
}
