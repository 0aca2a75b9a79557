//go:build !linux

package uring

import (
	"errors"
	"syscall"
)

// There is no ring on this system, so nothing is ever mapped for one.

func mapMemory(size int) ([]byte, error) { return nil, errors.ErrUnsupported }

func mapRing(fd int, offset int64, size int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapMemory(mem []byte) error { return errors.ErrUnsupported }

func pages(size int) int { return size }

func maxCPUs() int { return 1 << 16 }

const errTimerExpired = syscall.Errno(62) // Linux's ETIME
