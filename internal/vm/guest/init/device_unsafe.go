//go:build linux

// Calls that the standard library has no function for: the serial line's mode
// and the loopback interface.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

func ioctl(fd, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}

// openChannel opens the serial line that carries the frames and makes it
// transparent for every byte.
func openChannel(name string) (*os.File, error) {
	if name == "" {
		var err error
		if name, err = pciSerial(); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	// All input, output and local modes off: no byte is changed or echoed.
	// Emulated lines ignore the speed.
	mode := syscall.Termios{Cflag: syscall.CS8 | syscall.CREAD | syscall.CLOCAL | syscall.B115200}
	if err := ioctl(f.Fd(), syscall.TCSETS, unsafe.Pointer(&mode)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// pciSerial returns the serial line on a PCI card. Its number depends on how
// many lines the machine has of itself.
func pciSerial() (string, error) {
	links, _ := filepath.Glob("/sys/class/tty/ttyS*/device")
	for _, link := range links {
		target, err := filepath.EvalSymlinks(link)
		if err != nil {
			return "", err
		}
		if strings.Contains(target, "/pci") {
			return "/dev/" + filepath.Base(filepath.Dir(link)), nil
		}
	}
	return "", fmt.Errorf("no PCI serial line among %d lines: %w", len(links), fs.ErrNotExist)
}

// drain waits until everything written to the line has left the machine.
func drain(f *os.File) {
	// The argument of tcdrain(3): wait, but send no break.
	const sbrk, wait = 0x5409, 1 // TCSBRK
	for {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), sbrk, wait)
		if !errors.Is(errno, syscall.EINTR) {
			return
		}
	}
}

// loopbackUp does what "ip link set lo up" does.
func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer syscall.Close(fd)
	// struct ifreq: a name and a union of 24 bytes at most.
	var req struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(req.name[:], "lo")
	if err := ioctl(uintptr(fd), syscall.SIOCGIFFLAGS, unsafe.Pointer(&req)); err != nil {
		return err
	}
	req.flags |= syscall.IFF_UP | syscall.IFF_RUNNING
	return ioctl(uintptr(fd), syscall.SIOCSIFFLAGS, unsafe.Pointer(&req))
}
