//go:build !linux || !cgo || uringgo

// Go-main is a Go program with a library in C; this build has no C.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "go-main: it has a part in C, and needs Linux and CGO_ENABLED=1")
	os.Exit(1)
}
