//go:build linux

// Command vm runs a program, such as a Go test binary, under another Linux
// kernel. It is a test tool of this module and no part of the library.
//
//	go build -o vm ./internal/vm
//	./vm run -kernel 6.1 ./pkg.test -test.v
//	go test -exec "$PWD/vm run -kernel 7.2" ./...
//	go test -exec "$PWD/vm run -kernel 5.10/uml" ./...
//	GOARCH=arm64 go test -exec "$PWD/vm run -kernel 6.12/arm64" ./...
//	./vm matrix 5.10 6.1/uml 7.2 -- ./purego
//	./vm list
//
// ("go run ./internal/vm run ..." works too, but go run turns every exit status
// into 1.)
//
// scripts/kernels builds it and runs "vm matrix". A kernel is named by its series
// and, after a slash, "uml", an architecture or one of Debian's flavours: 6.12,
// 6.12/uml, 6.12/386, 6.12/arm64-16k. "vm list" shows those that are known to work.
//
// # What the program sees
//
// Its own path, arguments, working directory, the directory's plain files up to
// 1 MiB, testdata, the environment variables whose names begin with GO, and what
// -file and -env add. Everything else is a Linux without any other program: /proc,
// /sys, /dev, a loopback interface, a root file system in memory. It runs as
// root unless -uid says otherwise, with /dev/null as stdin. A dynamic program brings
// its libraries. What -test.coverprofile and its like ask for is brought back.
//
// The exit status is the program's. It is 124 when the program or the kernel hung,
// with a report of what each thread was doing in the kernel, and 125 when the
// kernel crashed, with its last messages, or when there was no run at all. A signal
// ends the guest too.
//
// # How it works
//
// The kernels are Debian's packages (package kernel). They are fetched once, into
// uring-kernels below the user's cache directory; a kernel whose directory there is
// removed is fetched anew.
//
// QEMU emulates the machine without hardware virtualisation, so any host will do. A
// run takes three seconds, of which two are the boot; programs then compute at a
// tenth of the host's speed. User-mode Linux takes one second and computes at nearly
// full speed, and it needs no QEMU. But it has one CPU, no 32-bit programs and no
// NVMe disk.
//
// The root file system is an archive that is written for each run (package cpio).
// It holds a first process of our own (package guest/init), which runs the program.
// So there is no shared folder, no network and no kernel module involved: none of
// them is to be had in every kernel from 5.10 on.
//
// There are two channels, both serial lines. One carries the kernel's messages, and
// is shown when something goes wrong. The other carries frames (package guest):
// stdout, stderr, collected files and, last, the exit status with the number of
// bytes that must have arrived. When the last frame is there, the host ends the
// guest at once instead of waiting for it to shut down.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/uring-go/uring/internal/vm/machine"
)

// Exit statuses of vm itself, as timeout(1) and env(1) have them.
const (
	exitHang  = 124
	exitError = 125
)

const usage = `usage: vm run [flags] PROGRAM [ARGUMENT...]
       vm matrix [flags] [KERNEL...] [-- PACKAGE...]
       vm needs [flags] [KERNEL...]
       vm list
"vm run -h" and "vm matrix -h" list the flags.
`

// A signalError is the cause of a cancelled context.
type signalError struct{ syscall.Signal }

func (e signalError) Error() string { return "ended by signal: " + e.Signal.String() }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		s := <-signals
		signal.Stop(signals) // a second one ends this process at once
		cancel(signalError{s.(syscall.Signal)})
	}()
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return exitError
	}
	var status int
	var err error
	switch cmd, rest := args[0], args[1:]; cmd {
	case "run":
		status, err = runCommand(ctx, rest)
	case "matrix":
		status, err = matrixCommand(ctx, rest)
	case "needs":
		err = needsCommand(rest)
	case "list":
		err = listCommand(rest)
	default:
		err = fmt.Errorf("unknown command %q\n%s", cmd, usage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		return errorStatus(err)
	}
	return status
}

// errorStatus returns the exit status that stands for an error.
func errorStatus(err error) int {
	if s, ok := errors.AsType[signalError](err); ok {
		return 128 + int(s.Signal)
	}
	if _, ok := errors.AsType[*machine.HangError](err); ok {
		return exitHang
	}
	return exitError
}
