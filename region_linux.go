package uring

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// mapMemory maps anonymous memory for sharing with the kernel: page aligned, not
// the garbage collector's, and there until it is unmapped. size is rounded up to
// pages.
func mapMemory(size int) ([]byte, error) {
	return mapped(-1, 0, size, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
}

// mapRing maps memory of the kernel's that a ring's descriptor stands for.
func mapRing(fd int, offset int64, size int) ([]byte, error) {
	return mapped(fd, offset, size, unix.MAP_SHARED|unix.MAP_POPULATE)
}

func mapped(fd int, offset int64, size, flags int) ([]byte, error) {
	mem, err := unix.Mmap(fd, offset, pages(size), unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return mem, nil
}

func unmapMemory(mem []byte) error { return os.NewSyscallError("munmap", unix.Munmap(mem)) }

// pages rounds a size up to whole pages.
func pages(size int) int {
	page := os.Getpagesize()
	return (size + page - 1) &^ (page - 1)
}

// errTimerExpired is the errno of a timeout in the kernel.
const errTimerExpired = syscall.ETIME
