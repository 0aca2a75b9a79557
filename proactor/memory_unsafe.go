//go:build linux

package proactor

// Addresses of slot memory as entries hold them, as integers. The slot keeps the
// memory reachable, and as a part of the heap it does not move.

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func address[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// nameOf returns a socket address as a msghdr holds it.
func nameOf(a *unix.RawSockaddrAny) *byte { return (*byte)(unsafe.Pointer(a)) }
