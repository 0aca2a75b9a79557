//go:build linux

package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// The system calls' numbers are the same on every architecture since 424.
const (
	sysSetup = 425
	sysEnter = 426
)

// nop sends one NOP through a ring, without any library, and returns the user
// data of its completion.
func nop(userData uint64) (uint64, error) {
	var p struct {
		sqEntries, cqEntries, flags, cpu, idle, features, wq uint32
		_                                                    [3]uint32
		sq                                                   struct{ head, tail, mask, entries, flags, dropped, array, _, _, _ uint32 }
		cq                                                   struct{ head, tail, mask, entries, overflow, cqes, flags, _, _, _ uint32 }
	}
	fd, _, errno := syscall.Syscall(sysSetup, 4, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("io_uring_setup", errno)
	}
	defer syscall.Close(int(fd))
	const offRings, offEntries = 0, 0x10000000
	const prot, flags = syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_SHARED | syscall.MAP_POPULATE
	size := max(p.sq.array+4*p.sqEntries, p.cq.cqes+16*p.cqEntries)
	ring, err := syscall.Mmap(int(fd), offRings, int(size), prot, flags)
	if err != nil {
		return 0, err
	}
	defer syscall.Munmap(ring)
	entries, err := syscall.Mmap(int(fd), offEntries, 64*int(p.sqEntries), prot, flags)
	if err != nil {
		return 0, err
	}
	defer syscall.Munmap(entries)
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&ring[off])) }

	// The mapping is fresh: entry 0 is all zero, which is a NOP, and so is
	// element 0 of the index array.
	*(*uint64)(unsafe.Pointer(&entries[32])) = userData
	atomic.AddUint32(word(p.sq.tail), 1)
	const getEvents = 1
	if _, _, errno := syscall.Syscall6(sysEnter, fd, 1, 1, getEvents, 0, 0); errno != 0 {
		return 0, os.NewSyscallError("io_uring_enter", errno)
	}
	if got := atomic.LoadUint32(word(p.cq.tail)); got != 1 {
		return 0, fmt.Errorf("%d completions, want 1", got)
	}
	if res := int32(*word(p.cq.cqes + 8)); res != 0 {
		return 0, fmt.Errorf("result %d, want 0", res)
	}
	return *(*uint64)(unsafe.Pointer(&ring[p.cq.cqes])), nil
}
