//go:build linux && cgo

// Command cgo is a dynamically linked program for the end-to-end test.
package main

// #include <string.h>
import "C"

import "fmt"

func main() { fmt.Println("C says:", C.GoString(C.strerror(0))) }
