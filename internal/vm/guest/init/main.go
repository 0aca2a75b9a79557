//go:build linux

// Command init is the first process of a guest. It prepares the file systems,
// runs the job's program, sends what the program prints and how it ends over a
// serial line, and then waits to be switched off.
//
// It uses nothing but the standard library and the kernel: the guest has no
// shell, no libraries and no other program, unless the job brought them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/uring-go/uring/internal/vm/guest"
)

func main() {
	// An error before the channel is open can only go to the console. Ending
	// then makes the kernel panic, which the host reports with the console's
	// last lines.
	job, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		os.Exit(1)
	}
	line, err := openChannel(job.Channel)
	if err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		os.Exit(1)
	}
	frames := guest.NewFrameWriter(line)
	exit, err := carryOut(job, frames)
	if err != nil {
		exit = guest.Exit{Failure: err.Error()}
	}
	if err := frames.WriteJSON(guest.KindExit, exit); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
	drain(line)
	// The host ends the guest when it has the last frame. If it does not, leave
	// the ordinary way.
	time.Sleep(2 * time.Second)
	syscall.Sync()
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

// prepare mounts the kernel's own file systems and reads the job.
func prepare() (*guest.Job, error) {
	if err := mountAll(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(guest.JobFile)
	if err != nil {
		return nil, err
	}
	job := new(guest.Job)
	return job, json.Unmarshal(text, job)
}

// carryOut does the job. An error means that the program was not run.
func carryOut(job *guest.Job, frames *guest.FrameWriter) (guest.Exit, error) {
	boot, err := describeBoot()
	if err != nil {
		return guest.Exit{}, err
	}
	if err := frames.WriteJSON(guest.KindBoot, boot); err != nil {
		return guest.Exit{}, err
	}
	if err := loopbackUp(); err != nil {
		return guest.Exit{}, fmt.Errorf("network interface lo: %w", err)
	}
	// The kernel was quiet while it started; from now on it may report.
	for _, s := range append([]string{"kernel.printk=7"}, job.Sysctls...) {
		if err := setSysctl(s); err != nil {
			return guest.Exit{}, err
		}
	}
	if err := setLimits(); err != nil {
		return guest.Exit{}, err
	}
	if job.Scratch != nil {
		if err := mountScratch(job.Scratch, job.UID); err != nil {
			return guest.Exit{}, err
		}
	}
	exit, err := runProgram(job, frames)
	if err != nil {
		return guest.Exit{}, err
	}
	return exit, collect(job.Collect, frames)
}

// describeBoot tells which kernel this is and how long it took to get here.
func describeBoot() (guest.Boot, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return guest.Boot{}, err
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return guest.Boot{}, err
	}
	seconds, _, _ := strings.Cut(string(uptime), " ")
	d, err := time.ParseDuration(seconds + "s")
	return guest.Boot{Release: strings.TrimSpace(string(release)), Uptime: d}, err
}
