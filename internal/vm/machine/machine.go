//go:build linux

// Package machine runs one program in one guest: it assembles the guest's root
// file system (rootfs.go), starts QEMU (qemu.go) or user-mode Linux (uml.go),
// and follows what the guest reports (run.go).
package machine

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/uring-go/uring/internal/vm/kernel"
)

// Config describes a run. Program and Kernel are required.
type Config struct {
	Kernel  kernel.Image
	Program string
	Args    []string

	Dir   string   // the program's working directory; its path is the same in the guest
	Files []string // more files and directories to take along
	// Collect has files, and CollectDirs directories, that are brought back to
	// the same path on the host if they exist at the end. What leads to them
	// exists in the guest from the beginning.
	Collect, CollectDirs []string

	Env     []string // NAME=VALUE; of two equal names the first counts
	Sysctls []string // NAME=VALUE
	Append  string   // more kernel parameters
	Scratch Scratch
	UID     int // user and group of the program

	CPUs   int // user-mode Linux has one, whatever this says
	Memory int // in MiB
	Accel  string
	// Timeout limits the program's run time, not that of the kernel's start.
	Timeout time.Duration

	Stdout, Stderr io.Writer
	Console        io.Writer // gets the kernel's messages as they come, if not nil
}

// Scratch describes an additional disk.
type Scratch struct {
	Size int64 // in bytes; 0 for no disk
	Ext4 bool  // with a file system, mounted at ScratchDir
}

// ScratchDir is where the scratch disk is mounted.
const ScratchDir = "/scratch"

// bootTimeout is how long a kernel may take to reach the program. It is seconds
// on an idle machine.
const bootTimeout = 3 * time.Minute

// A Result tells about a program that ran to its end.
type Result struct {
	Release string // of the kernel, as uname tells
	Status  int    // exit status, or 128 and the signal's number
	Boot    time.Duration
	Run     time.Duration
	Total   time.Duration
}

// A HangError reports a program or a kernel that was still busy at the time
// limit and was ended.
type HangError struct {
	What    string // hung, and for how long
	Console string // the kernel's last messages; "" if it was alive
}

func (e *HangError) Error() string { return e.What + quote(e.Console) }

// A CrashError reports a kernel that ended before the program.
type CrashError struct {
	What    string
	Console string // the kernel's last messages
}

func (e *CrashError) Error() string { return e.What + quote(e.Console) }

// quote sets off the console's text from the sentence before.
func quote(console string) string {
	if console = strings.TrimSpace(console); console == "" {
		return ""
	}
	return "; the kernel's last messages:\n  | " + strings.ReplaceAll(console, "\n", "\n  | ")
}

func (c *Config) check() error {
	switch {
	case c.Timeout <= 0:
		return fmt.Errorf("time limit %v: it must be positive", c.Timeout)
	case c.Memory < 64:
		return fmt.Errorf("memory %d MiB: at least 64 are needed", c.Memory)
	case c.CPUs < 1 || c.CPUs > 64:
		return fmt.Errorf("%d CPUs: 1 to 64 are possible", c.CPUs)
	case c.UID < 0:
		return fmt.Errorf("user %d: it must not be negative", c.UID)
	}
	return nil
}
