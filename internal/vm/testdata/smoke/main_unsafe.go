//go:build linux

// Command smoke does what the end-to-end test of the runner asks for.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
}

func run(command string, args []string) error {
	switch command {
	case "nop":
		userData, err := nop(0x1234)
		fmt.Printf("nop %#x, %d-bit, page size %d\n", userData, 8*unsafe.Sizeof(uintptr(0)), os.Getpagesize())
		return err
	case "exit":
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		os.Exit(n)
	case "panic":
		panic("as asked")
	case "kill":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "hang":
		fmt.Println("hanging")
		time.Sleep(time.Hour)
	case "crash":
		return os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	case "bytes":
		return random(args[0])
	case "cat":
		text, err := os.ReadFile(args[0])
		fmt.Print(string(text))
		return err
	case "write":
		return os.WriteFile(args[0], []byte(strings.Repeat("collected\n", 10_000)), 0o644)
	case "env":
		fmt.Println(os.Getenv(args[0]))
	case "id":
		dir, err := os.Getwd()
		fmt.Println(os.Getuid(), dir)
		return err
	case "orphan": // a child that keeps stdout open
		child := exec.Command(os.Args[0], "hang")
		child.Stdout = os.Stdout
		return child.Start()
	case "direct":
		return direct(args[0])
	default:
		return fmt.Errorf("unknown command %q", command)
	}
	return nil
}

// random prints n bytes of every value, and their checksum on stderr.
func random(n string) error {
	size, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return err
	}
	sum := sha256.New()
	source := io.LimitReader(rand.NewChaCha8([32]byte{}), size)
	if _, err := io.Copy(io.MultiWriter(os.Stdout, sum), source); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%x", sum.Sum(nil))
	return nil
}

// direct writes a block past the page cache and reads it back.
func direct(name string) error {
	fd, err := syscall.Open(name, syscall.O_RDWR|syscall.O_CREAT|syscall.O_DIRECT, 0o600)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	const size = 4096
	mem, err := syscall.Mmap(-1, 0, 2*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer syscall.Munmap(mem)
	out, in := mem[:size], mem[size:]
	copy(out, "direct")
	if _, err := syscall.Pwrite(fd, out, 0); err != nil {
		return err
	}
	if _, err := syscall.Pread(fd, in, 0); err != nil {
		return err
	}
	fmt.Println(string(in[:6]))
	return nil
}
