//go:build linux && cgo && !uringgo

package mixed

// What fork(2) does to a ring, on both backends. Children are made in C, for a Go
// program does not survive a fork: the child has one thread of many.

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	bt "github.com/uring-go/uring/internal/backendtest"

	"github.com/uring-go/uring/sys"
)

func exited(t *testing.T, what string, st unix.WaitStatus, err error, code int) {
	t.Helper()
	if err != nil || !st.Exited() || st.ExitStatus() != code {
		t.Errorf("%s: exit status %d, signal %v, %v; want exit status %d", what, st.ExitStatus(), st.Signal(), err, code)
	}
}

func died(t *testing.T, what string, st unix.WaitStatus, err error) {
	t.Helper()
	if err != nil || !st.Signaled() || st.Signal() != syscall.SIGSEGV {
		t.Errorf("%s: exit status %d, signal %v, %v; want SIGSEGV", what, st.ExitStatus(), st.Signal(), err)
	}
}

// works passes entries through the ring.
func works(t *testing.T, r *uring.Ring) {
	t.Helper()
	goNops(t, r, 70, 3)
	if n, err := r.SubmitWait(uring.Wait{N: 3}); n != 3 || err != nil {
		t.Fatalf("in the parent: %d, %v", n, err)
	}
	same(t, "in the parent", goReap(r, 9), count(70, 3))
}

// A child that touches a ring with DontFork dies, also after Resize; one without
// it touches the parent's memory. Both backends, and memory of the caller's.
func TestDontFork(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		forked := func(t *testing.T, r *uring.Ring, dies bool) {
			t.Helper()
			window := r.Backend().Queue()
			for what, at := range map[string]uintptr{"entries": ringMemory(t, r, sys.IORING_OFF_SQES), "queues": ringMemory(t, r, sys.IORING_OFF_SQ_RING)} {
				st, err := ForkAt(at)
				if dies {
					died(t, "a child that touches the "+what, st, err)
				} else {
					exited(t, "a child that touches the "+what, st, err, 7)
				}
			}
			if k.Name == bt.Purego.Name {
				// The window is the ring's own memory.
				st, err := ForkAt(Address(&window[0]))
				if dies {
					died(t, "a child that touches Queue", st, err)
				} else {
					exited(t, "a child that touches Queue", st, err, 7)
				}
			}
		}
		for _, flags := range []sys.SetupFlags{0, sys.IORING_SETUP_SQE128, sys.IORING_SETUP_CQE32} {
			r := k.Ring(t, 64, &sys.Params{Flags: flags})
			forked(t, r, false)
			if err := r.DontFork(); err != nil {
				t.Fatal(err)
			}
			forked(t, r, true)
			works(t, r)
			r.Close() // or the next ring's memory is taken for this one's
		}
		t.Run("resized", func(t *testing.T) {
			r := k.Ring(t, 8, &sys.Params{Flags: sys.IORING_SETUP_SINGLE_ISSUER | sys.IORING_SETUP_DEFER_TASKRUN})
			if err := r.DontFork(); err != nil {
				t.Fatal(err)
			}
			if err := r.Resize(64, 128); err != nil {
				t.Skip(err)
			}
			forked(t, r, true)
			works(t, r)
		})
	})
}

// With memory of the caller's, the part in use is kept out.
func TestDontForkOfLentMemory(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		bt.NeedKernel(t, sys.IORING_SETUP_NO_MMAP)
		mem, err := unix.Mmap(-1, 0, 64<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(mem)
		b, used, err := k.NewMem(8, nil, mem)
		if err != nil {
			t.Skip(err)
		}
		r := uring.NewRing(b)
		defer r.Close()
		if err := r.DontFork(); err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, used - 1} {
			st, err := ForkAt(Byte(&mem[at]))
			died(t, fmt.Sprintf("a child that touches byte %d of the ring's %d", at, used), st, err)
		}
		st, err := ForkAt(Byte(&mem[used]))
		exited(t, "a child that touches what is not the ring's", st, err, 7)
		works(t, r)
	})
}

// What a child may do and may not, with C's struct.
func TestForkedChild(t *testing.T) {
	for _, d := range directions[:2] {
		t.Run(d.name, func(t *testing.T) {
			bt.Liburing.Need(t)
			r, c := d.open(t, 8, 0)
			child := func(what string, do, code int) {
				t.Helper()
				st, err := c.Fork(do)
				exited(t, what, st, err, code)
			}
			// Without DontFork the child has the ring too: what its parent flushed and
			// did not submit, it submits, and the completions are the parent's.
			goNops(t, r, 1, 2)
			if err := r.Flush(); err != nil {
				t.Fatal(err)
			}
			child("a child that submits", Submit, 2)
			if err := r.Wait(uring.Wait{N: 2}); err != nil {
				t.Fatal(err)
			}
			same(t, "what the child submitted", goReap(r, 9), count(1, 2))
			// Worse, an entry of its own moves the kernel's head past the parent's tail:
			// the parent's next submission would be of 4294967295 entries.
			goNops(t, r, 3, 2)
			if err := r.Flush(); err != nil {
				t.Fatal(err)
			}
			child("a child that adds an entry and submits", Add, 3)
			if err := r.Wait(uring.Wait{N: 3}); err != nil {
				t.Fatal(err)
			}
			same(t, "what the child submitted", goReap(r, 9), []uint64{3, 4, 99})
			if got := r.Status().SQReady; got <= 8 {
				t.Errorf("the parent counts %d entries in its queue, as if no child had submitted", got)
			}
		})
		t.Run(d.name+"/dontfork", func(t *testing.T) {
			r, c := d.open(t, 8, 0)
			if err := r.DontFork(); err != nil {
				t.Fatal(err)
			}
			goNops(t, r, 1, 2)
			if err := r.Flush(); err != nil {
				t.Fatal(err)
			}
			for what, do := range map[string]int{"entries": TouchSQE, "queue": TouchRing, "both, by io_uring_submit": Submit} {
				st, err := c.Fork(do)
				died(t, "a child that touches "+what, st, err)
			}
			for what, do := range map[string]int{"does nothing": Nothing, "closes the descriptor": CloseFd, "makes a ring of its own": OwnRing} {
				st, err := c.Fork(do)
				exited(t, "a child that "+what, st, err, 7)
			}
			if n, err := r.SubmitWait(uring.Wait{N: 2}); n != 2 || err != nil {
				t.Fatalf("in the parent, after its children: %d, %v", n, err)
			}
			same(t, "in the parent", goReap(r, 9), count(1, 2))
			works(t, r)
		})
	}
}

// Package os/exec starts programs with new memory, and without the descriptor.
func TestExec(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		for _, dontFork := range []bool{false, true} {
			r := k.Ring(t, 8, nil)
			if dontFork {
				if err := r.DontFork(); err != nil {
					t.Fatal(err)
				}
			}
			goNops(t, r, 1, 2) // prepared, and not submitted
			out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
			if err != nil || strings.Contains(string(out), "io_uring") {
				t.Errorf("a program that os/exec started: %v\n%s", err, out)
			}
			if n, err := r.SubmitWait(uring.Wait{N: 2}); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			same(t, "in the parent", goReap(r, 9), count(1, 2))
			r.Close()
		}
	})
}

// ringMemory returns where a ring's memory of that offset is mapped. The kernel
// lists mappings by file and offset, and only one ring is open.
func ringMemory(t *testing.T, r *uring.Ring, offset int64) uintptr {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var from, to, off uintptr
		var perms string
		if _, err := fmt.Sscanf(line, "%x-%x %s %x", &from, &to, &perms, &off); err == nil && strings.Contains(line, "[io_uring]") && int64(off) == offset {
			return from
		}
	}
	t.Fatalf("no ring is mapped at offset %#x:\n%s", offset, maps)
	return 0
}
