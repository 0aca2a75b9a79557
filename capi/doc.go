// Capi is liburing's C interface over package purego: a shared library that
// programs linked with liburing.so.2 run on unchanged, and a static one.
//
//	scripts/capi-build DIR     builds both
//	scripts/capi-check PROGRAM runs a program on C's liburing and on this one
//
// All functions that liburing 2.15 exports are here, under its symbol versions,
// over its struct io_uring: what liburing.h defines inline works on the same
// memory. The functions are in capi.go and register.go; shim.c gives them their C
// names; liburing.map gives those their versions. What is different from
// liburing, and what a Go runtime inside a C program means for signals, threads
// and fork, is in docs/capi.md.
package main

// A program is not what this directory is for, but the go command wants one, and
// builds it in ./...
func main() {
	println("capi is a C library: scripts/capi-build builds it")
}
