//go:build !linux

// Crosscheck compares the backends of package uring on Linux; elsewhere there is
// nothing to compare.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "crosscheck: io_uring exists on Linux only")
	os.Exit(1)
}
