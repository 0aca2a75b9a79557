//go:build linux

// Package guest is what the host and the first process of a guest agree on: the
// job that the guest finds in its root file system, and the frames that it sends
// back over one serial line. The first process itself is in guest/init; build.go
// compiles it for the guest's architecture.
package guest

import "time"

// JobFile is the path of the job, in JSON, in the guest's root file system.
const JobFile = "/.vm/job.json"

// A Job says what the guest is to do.
type Job struct {
	Channel string // terminal that carries the frames; "" for the one on a PCI card

	Argv []string // the program's path in the guest, and its arguments
	Dir  string   // its working directory
	Env  []string
	UID  int // user and group that it runs as

	Timeout time.Duration // after which it is asked for its stacks and killed
	Sysctls []string      // NAME=VALUE
	Scratch *Scratch
	Collect []string // files and directories to send back at the end, if they are there
}

// Scratch says what to do with the additional disk.
type Scratch struct {
	Device string // such as /dev/nvme0n1
	FS     string // type of the file system on it; "" for none
	Mount  string // where to mount it
}

// Boot is the first frame's contents.
type Boot struct {
	Release string        // of the kernel, as uname tells
	Uptime  time.Duration // since the kernel started
}

// Exit is the last frame's contents.
type Exit struct {
	Failure  string // why the job was not carried out; the rest is meaningless then
	TimedOut bool

	// Status is what a shell would report: the program's exit status, or 128
	// and the number of the signal that ended it.
	Status         int
	Run            time.Duration
	Stdout, Stderr int64 // bytes sent
}

// A Kind is the type of a frame.
type Kind byte

// The kinds, in the order of their first occurrence.
const (
	KindBoot   Kind = 'b' // Boot, in JSON
	KindStdout Kind = 'o'
	KindStderr Kind = 'e'
	KindNote   Kind = 'n' // a text for the person who runs this
	KindFile   Kind = 'f' // a collected file: its path
	KindData   Kind = 'd' // contents of that file
	KindExit   Kind = 'x' // Exit, in JSON
)

// How a program that exceeds the job's Timeout is ended: QuitGrace after SIGQUIT
// it gets SIGKILL, and KillGrace after that the guest gives up.
const (
	QuitGrace = 5 * time.Second
	KillGrace = 5 * time.Second
	// ForceGrace is how long the host waits beyond the job's Timeout: for both,
	// and for slow machines.
	ForceGrace = 2 * (QuitGrace + KillGrace)
)
