//go:build linux

// Cat writes files to the standard output, one after another, through io_uring.
//
//	cat [FILE ...]
//
// Without files, and for the name -, it reads the standard input. An interrupt ends it
// also while it waits for input or for whoever reads its output.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/ringfs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p, err := proactor.New(nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cat:", err)
		os.Exit(1)
	}
	defer p.Close()
	out, err := ringfs.NewFile(p, 1, "standard output")
	if err == nil {
		err = cat(ctx, ringfs.New(p), out, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cat:", err)
		os.Exit(1)
	}
}

// cat copies what it can, and returns the errors of what it cannot.
func cat(ctx context.Context, files *ringfs.OS, out *ringfs.File, names []string) error {
	if len(names) == 0 {
		names = []string{"-"}
	}
	var errs []error
	for _, name := range names {
		if err := one(ctx, files, out, name); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func one(ctx context.Context, files *ringfs.OS, out *ringfs.File, name string) error {
	if name == "-" {
		name = "/dev/stdin"
	}
	f, err := files.Open(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteToContext(ctx, out)
	return err
}
