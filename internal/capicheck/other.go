//go:build !linux

// Capicheck runs programs on two libraries of liburing; it needs Linux.
package main

import "os"

func main() {
	os.Stderr.WriteString("capicheck: io_uring is Linux's\n")
	os.Exit(1)
}
