//go:build linux && kernels

// The runner from end to end, with real kernels. It takes the network (once) and
// a few seconds per case, so it must be asked for:
//
//	go test -tags kernels -run EndToEnd ./internal/vm -kernels 6.1,6.12/uml,6.12/arm64

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uring-go/uring/internal/vm/kernel"
)

var kernelsFlag = flag.String("kernels", "6.1,6.12/uml", "kernels to test with")

func TestEndToEnd(t *testing.T) {
	dir := t.TempDir()
	vm := compile(t, dir, "vm", runtime.GOARCH, ".")
	for name := range strings.SplitSeq(*kernelsFlag, ",") {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			spec, err := kernel.ParseSpec(name)
			if err != nil {
				t.Fatal(err)
			}
			g := &guestTest{vm: vm, spec: spec, dir: t.TempDir(), tmp: t.TempDir()}
			g.smoke = compile(t, g.dir, "smoke", spec.GOARCH, "./testdata/smoke")
			t.Run("NOP", g.nop)
			t.Run("Status", g.status)
			t.Run("Output", g.output)
			t.Run("Files", g.files)
			t.Run("Limits", g.limits)
			t.Run("Signals", g.signals)
			t.Run("FrozenKernel", g.frozenKernel)
			t.Run("Scratch", g.scratch)
			if spec.GOARCH == runtime.GOARCH {
				t.Run("Cgo", g.cgo)
			}
			t.Run("GoTest", g.goTest)
		})
	}
}

func compile(t *testing.T, dir, name, goarch, pkg string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", name, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+goarch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return name
}

// A guestTest runs the smoke program under one kernel.
type guestTest struct {
	vm, smoke, dir string
	tmp            string // for the runner's temporary files
	spec           kernel.Spec
}

// A result is what a command came to.
type result struct {
	status         int
	stdout, stderr string
}

func (g *guestTest) command(flags string, args ...string) *exec.Cmd {
	all := append([]string{"run", "-kernel", g.spec.String()}, strings.Fields(flags)...)
	cmd := exec.Command(g.vm, append(append(all, g.smoke), args...)...)
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+g.tmp)
	return cmd
}

// run runs the smoke program with flags of the runner's and its own arguments.
func (g *guestTest) run(t *testing.T, flags string, args ...string) result {
	t.Helper()
	return finish(t, g.command(flags, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// want checks a status and a piece of stderr.
func (r result) want(t *testing.T, status int, stderr string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.stderr, stderr) {
		t.Errorf("status %d, want %d; stderr, want %q:\n%s", r.status, status, stderr, r.stderr)
	}
}

// nop also tells the kernel that ran it from the host's.
func (g *guestTest) nop(t *testing.T) {
	r := g.run(t, "-v", "nop")
	r.want(t, 0, "("+g.spec.Series+".")
	if !strings.HasPrefix(r.stdout, "nop 0x1234, ") {
		t.Errorf("stdout %q", r.stdout)
	}
	if bits := strings.Contains(r.stdout, "32-bit"); bits != (g.spec.GOARCH == "386" || g.spec.GOARCH == "arm") {
		t.Errorf("stdout %q of a program for %s", r.stdout, g.spec.GOARCH)
	}
	if strings.HasSuffix(g.spec.Flavour, "-16k") && !strings.Contains(r.stdout, "page size 16384") {
		t.Errorf("stdout %q of a kernel with pages of 16 KiB", r.stdout)
	}
}

func (g *guestTest) status(t *testing.T) {
	for _, n := range []int{0, 1, 42, 124, 255} {
		g.run(t, "", "exit", fmt.Sprint(n)).want(t, n, "")
	}
	g.run(t, "", "panic").want(t, 2, "panic: as asked")
	g.run(t, "", "kill").want(t, 137, "")
}

func (g *guestTest) output(t *testing.T) {
	r := g.run(t, "", "bytes", "300001")
	r.want(t, 0, "")
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(r.stdout))); len(r.stdout) != 300001 || sum != r.stderr {
		t.Errorf("%d bytes with sum %s, want 300001 with %s", len(r.stdout), sum, r.stderr)
	}
	// A child that lives on does not keep the guest.
	start := time.Now()
	g.run(t, "-timeout 60s", "orphan").want(t, 0, "")
	if d := time.Since(start); d > 40*time.Second {
		t.Errorf("a program with a child left behind took %v", d)
	}
}

func (g *guestTest) files(t *testing.T) {
	write := func(name, text string) {
		name = filepath.Join(g.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("testdata/golden", "golden")
	write("elsewhere/named", "named")
	for flags, name := range map[string]string{"": "testdata/golden", "-file elsewhere/named": "elsewhere/named"} {
		r := g.run(t, flags, "cat", name)
		if r.want(t, 0, ""); r.stdout != filepath.Base(name) {
			t.Errorf("%s: stdout %q", name, r.stdout)
		}
	}
	g.run(t, "", "cat", "elsewhere/named").want(t, 1, "no such file")
	g.run(t, "-file nowhere", "exit", "0").want(t, 125, "nowhere")

	g.run(t, "-collect out/file", "write", "out/file").want(t, 0, "")
	if text, err := os.ReadFile(filepath.Join(g.dir, "out/file")); err != nil || string(text) != strings.Repeat("collected\n", 10_000) {
		t.Errorf("collected %d bytes, %v", len(text), err)
	}
	r := g.run(t, "-uid 1234", "id")
	if r.want(t, 0, ""); r.stdout != "1234 "+g.dir+"\n" {
		t.Errorf("id says %q", r.stdout)
	}
	cmd := g.command("-env SMOKE=1", "env", "GOSMOKE")
	cmd.Env = append(cmd.Env, "GOSMOKE=passed on")
	if r := finish(t, cmd); r.stdout != "passed on\n" {
		t.Errorf("GOSMOKE is %q in the guest", r.stdout)
	}
	if r := g.run(t, "-env SMOKE=x=y", "env", "SMOKE"); r.stdout != "x=y\n" {
		t.Errorf("SMOKE is %q in the guest", r.stdout)
	}
	r = g.run(t, "-sysctl vm.max_map_count=65432", "cat", "/proc/sys/vm/max_map_count")
	if r.want(t, 0, ""); r.stdout != "65432\n" {
		t.Errorf("vm.max_map_count is %q", r.stdout)
	}
	g.run(t, "-sysctl no.such=1", "exit", "0").want(t, 125, "sysctl no.such: this kernel does not have it")
	r = g.run(t, "-append smoke.parameter=1", "cat", "/proc/cmdline")
	if r.want(t, 0, ""); !strings.Contains(r.stdout, " smoke.parameter=1") {
		t.Errorf("the kernel's parameters are %q", r.stdout)
	}
}

func (g *guestTest) limits(t *testing.T) {
	r := g.run(t, "-timeout 2s", "hang")
	r.want(t, 124, "the program was ended after 2s")
	r.want(t, 124, "(smoke): system call")   // the kernel's view
	r.want(t, 124, "SIGQUIT: quit")          // the Go runtime's
	g.run(t, "", "crash").want(t, 125, "| ") // quoted, from the console
	g.run(t, "", "crash").want(t, 125, "sysrq triggered crash")
}

// signals checks that nothing stays when the runner is ended.
func (g *guestTest) signals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		cmd, _, group := g.startHanging(t, "-timeout 60s")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); sig != syscall.SIGKILL && got != 128+int(sig) {
			t.Errorf("exit status %d after %v", got, sig)
		}
		for deadline := time.Now().Add(5 * time.Second); alive(group); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the guest, process group %d, lives 5 s after %v", group, sig)
			}
		}
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			left, err := os.ReadDir(g.tmp)
			if err == nil && len(left) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("5 s after %v, temporary files are left: %v, %v", sig, left, err)
			}
		}
	}
}

// frozenKernel stops the whole guest, which then cannot end its program.
func (g *guestTest) frozenKernel(t *testing.T) {
	cmd, stderr, group := g.startHanging(t, "-timeout 1s")
	if err := syscall.Kill(-group, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	result{cmd.ProcessState.ExitCode(), "", stderr.String()}.want(t, 124, "hangs: no sign of life")
	if alive(group) {
		t.Errorf("the guest, process group %d, lives", group)
	}
}

// startHanging starts a program that hangs and waits until it does. It returns
// the runner and the guest's process group.
func (g *guestTest) startHanging(t *testing.T, flags string) (runner *exec.Cmd, stderr *bytes.Buffer, group int) {
	t.Helper()
	cmd, stderr := g.command(flags, "hang"), new(bytes.Buffer)
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "hanging\n" {
		cmd.Wait()
		t.Fatalf("the program printed %q, %v; stderr %s", line, err, stderr)
	}
	if group = guestOf(cmd.Process.Pid); group == 0 {
		t.Fatal("the runner has no guest")
	}
	return cmd, stderr, group
}

// guestOf returns the process of the guest that a runner has started, or 0.
func guestOf(runner int) int {
	children, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range children {
		var pid, parent int
		var state string
		text, _ := os.ReadFile(stat)
		_, after, _ := strings.Cut(string(text), ") ")
		fmt.Sscan(string(text), &pid)
		fmt.Sscan(after, &state, &parent)
		if cmdline, _ := os.ReadFile(filepath.Dir(stat) + "/cmdline"); parent == runner && bytes.Contains(cmdline, []byte("initramfs")) {
			return pid
		}
	}
	return 0
}

// alive reports whether a process of the group runs; one that only waits to be
// collected by its parent does not.
func alive(group int) bool {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		var state string
		var parent, g int
		text, _ := os.ReadFile(stat)
		_, after, _ := strings.Cut(string(text), ") ")
		fmt.Sscan(after, &state, &parent, &g)
		if g == group && state != "Z" && state != "X" {
			return true
		}
	}
	return false
}

func (g *guestTest) scratch(t *testing.T) {
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip(err)
	}
	if !g.spec.UML && !strings.HasPrefix(g.spec.Flavour, "cloud-") {
		// Only the kernels for virtual machines have the driver built in.
		g.run(t, "-scratch 64M", "exit", "0").want(t, 125, "its driver may be a module in this kernel")
		return
	}
	r := g.run(t, "-scratch 64M", "direct", "/scratch/file")
	if r.want(t, 0, ""); r.stdout != "direct\n" {
		t.Errorf("stdout %q", r.stdout)
	}
	device := "/dev/nvme0n1"
	if g.spec.UML {
		device = "/dev/ubda"
	}
	r = g.run(t, "-scratch 64M -env TMPDIR=/scratch", "env", "TMPDIR")
	if r.want(t, 0, ""); r.stdout != "/scratch\n" {
		t.Errorf("TMPDIR is %q in the guest", r.stdout)
	}
	r = g.run(t, "-scratch 64M:raw", "direct", device)
	if r.want(t, 0, ""); r.stdout != "direct\n" {
		t.Errorf("stdout %q", r.stdout)
	}
}

// cgo runs a dynamically linked program.
func (g *guestTest) cgo(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip(err)
	}
	name := filepath.Join(g.dir, "cgo")
	cmd := exec.Command("go", "build", "-o", name, "./testdata/cgo")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	static := g.smoke
	defer func() { g.smoke = static }()
	g.smoke = name
	r := g.run(t, "")
	if r.want(t, 0, ""); r.stdout != "C says: Success\n" {
		t.Errorf("stdout %q", r.stdout)
	}
}

// goTest uses the runner as go test does, with a profile to bring back.
func (g *guestTest) goTest(t *testing.T) {
	profile := filepath.Join(g.dir, "cover.out")
	run := func(args ...string) result {
		cmd := exec.Command("go", append([]string{"test", "-count=1", "-exec", g.vm + " run -kernel " + g.spec.String()}, args...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+g.spec.GOARCH)
		return finish(t, cmd)
	}
	r := run("-coverprofile="+profile, "./testdata/gotest")
	if r.want(t, 0, ""); !strings.Contains(r.stdout, "coverage: 75.0% of statements") {
		t.Errorf("stdout %s", r.stdout)
	}
	if text, err := os.ReadFile(profile); err != nil || !strings.Contains(string(text), "gotest.go:") {
		t.Errorf("the profile is %q, %v", text, err)
	}
	r = run("-tags=failing", "./testdata/gotest")
	if r.want(t, 1, ""); !strings.Contains(r.stdout, "--- FAIL: TestFailing") {
		t.Errorf("stdout %s", r.stdout)
	}
}
