// Package purego is the io_uring backend that makes its own system calls: no C,
// no assembly. It is what package uring opens in builds without cgo, and what
// the cgo backend, package liburing, is checked against.
//
// A Ring here is the raw material: it hands out free entries, tells the kernel
// about them, and copies completions out. Package uring puts the API on top.
// The library semantics it reproduces are liburing's; where the two could
// differ, the comment at the place says which one was followed and why.
//
// How the files divide: setup (parameters, mappings), sq and cq (the two queues
// over ring memory, without system calls), ring (submit, wait, peek), register,
// and syscall_unsafe.go, memory_unsafe.go, which hold every use of unsafe.
package purego
