//go:build linux

// QEMU: which program, and its arguments for each architecture.

package machine

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/uring-go/uring/internal/vm/kernel"
)

// qemuMachine describes how QEMU emulates one architecture.
type qemuMachine struct {
	command string
	debian  string // packages that have it
	args    []string
	console string // the kernel's name of the line for its messages
	channel string // the guest's device for the frames; "" for the PCI card's
}

// The x86 machine is "pc" and not "microvm", which boots a second faster but has
// one serial line only. Its second line carries the frames. The others have one
// line of their own, and get a PCI card: its driver is built into every Debian
// kernel, while that for virtio is a module in some.
//
// The x86 CPU is without CMPXCHG16B: QEMU 7.2 leaves rubbish in the flags after
// it. Kernels from 6.12 on use it at every turn, and on a busy host one boot in
// four crashed when an interrupt came just then.
//
// On arm64 the CPU is not "max", whose pointer authentication takes most of the
// time to emulate, nor cortex-a72, which has no 16 KiB pages.
var qemuMachines = map[string]qemuMachine{
	"amd64": {
		command: "qemu-system-x86_64", debian: "qemu-system-x86",
		args:    []string{"-machine", "pc", "-cpu", "max,-cx16", "-serial", "chardev:console", "-serial", "chardev:frames"},
		console: "ttyS0", channel: "/dev/ttyS1",
	},
	"arm64": {
		command: "qemu-system-aarch64", debian: "qemu-system-arm",
		args:    []string{"-machine", "virt", "-cpu", "neoverse-n1", "-serial", "chardev:console", "-device", "pci-serial,chardev=frames"},
		console: "ttyAMA0",
	},
	"riscv64": {
		command: "qemu-system-riscv64", debian: "qemu-system-misc opensbi",
		args:    []string{"-machine", "virt", "-serial", "chardev:console", "-device", "pci-serial,chardev=frames"},
		console: "ttyS0",
	},
}

// qemuCommand returns the command that boots the kernel. The frames come out of
// its standard output.
func qemuCommand(c *Config, dir, initramfs, scratch string) (*exec.Cmd, error) {
	m := qemuMachines[c.Kernel.Spec.Arch()]
	path, err := exec.LookPath(m.command)
	if err != nil {
		return nil, fmt.Errorf("%s is not installed; its Debian packages are: %s", m.command, m.debian)
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none",
		"-no-reboot", // a panic restarts the machine: end instead
		"-accel", c.Accel,
		"-smp", strconv.Itoa(c.CPUs), "-m", strconv.Itoa(c.Memory),
		"-chardev", "file,id=console,path=" + qemuQuote(consoleFile(dir)),
		"-chardev", "stdio,id=frames,signal=off",
		"-kernel", c.Kernel.Path(), "-initrd", initramfs,
		"-append", kernelParameters(c, "console="+m.console),
	}
	args = append(args, m.args...)
	if c.Accel != "tcg" {
		args = append(args, "-cpu", "host") // the last one counts
	}
	if scratch != "" {
		// NVMe: the one disk whose driver every kernel here has built in, and
		// one that can be polled (IORING_SETUP_IOPOLL).
		args = append(args,
			"-drive", "if=none,id=scratch,format=raw,cache=unsafe,file="+qemuQuote(scratch),
			"-device", "nvme,drive=scratch,serial=scratch")
	}
	return exec.Command(path, args...), nil
}

const qemuScratchDevice = "/dev/nvme0n1"

// kernelParameters are common to both ways to run a kernel.
func kernelParameters(c *Config, more ...string) string {
	p := append(more,
		"rdinit=/init",
		"oops=panic",          // do not limp on
		"panic=-1",            // end at once after a panic
		"no_timer_check",      // x86: a busy host delivers too few ticks to pass, and the kernel panics
		"cryptomgr.notests",   // takes a third of a second under emulation
		"random.trust_cpu=on", // no wait for randomness
	)
	if c.Console == nil {
		p = append(p, "quiet") // the emulated console is slow
	}
	if c.Append != "" {
		p = append(p, c.Append)
	}
	return strings.Join(p, " ")
}

// qemuQuote escapes a value inside of QEMU's comma-separated options.
func qemuQuote(s string) string { return strings.ReplaceAll(s, ",", ",,") }

func consoleFile(dir string) string { return filepath.Join(dir, "console") }

// Missing returns the Debian packages that this machine needs, and does not
// have, to run the kernel.
func Missing(spec kernel.Spec) []string {
	m := qemuMachines[spec.Arch()]
	if _, err := exec.LookPath(m.command); spec.UML || err == nil {
		return nil
	}
	return strings.Fields(m.debian)
}
