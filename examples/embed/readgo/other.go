//go:build !linux || !cgo || uringgo

// Readgo is the Go half of a C or C++ program; this build has no C.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "readgo: it is linked into C programs, and needs Linux and CGO_ENABLED=1")
	os.Exit(1)
}
