//go:build linux

package uring_test

// What is opened is closed, also when opening fails: descriptors, mappings, memory
// and the kernel's threads.

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uring-go/uring"
	bt "github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

// footprint is what a ring could leave behind.
type footprint struct {
	fds      []string
	mappings int // of io_uring, and shared anonymous ones
}

func measure(t *testing.T) footprint {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return footprint{bt.Descriptors(t), strings.Count(string(maps), "[io_uring]") + strings.Count(string(maps), "/dev/zero")}
}

// sameAs fails the test if something was left behind since.
func (before footprint) sameAs(t *testing.T) {
	t.Helper()
	after := measure(t)
	if !slices.Equal(before.fds, after.fds) {
		t.Errorf("descriptors before: %v, after: %v", before.fds, after.fds)
	}
	if before.mappings != after.mappings {
		t.Errorf("mappings before: %d, after: %d", before.mappings, after.mappings)
	}
}

// addressSpace returns the size of the process's data in bytes (VmData).
func addressSpace(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmData:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

func rings(t *testing.T) int {
	if testing.Short() {
		return 50
	}
	return 1000
}

func TestRingsLeaveNothingBehind(t *testing.T) {
	bt.EachMode(t, func(t *testing.T, k bt.Backend, m bt.Mode) {
		bt.NeedKernel(t, m.Flags)
		bt.LockThread(t)
		if r, err := k.New(8, m.Params()); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		} else if err == nil {
			r.Close()
		}
		n := rings(t)
		if m.Has(sys.IORING_SETUP_SQPOLL) {
			n /= 10 // each waits for its thread to end
		}
		before := measure(t)
		for i := range n {
			r, err := k.New(2<<(i%7), m.Params())
			if err != nil {
				t.Fatalf("ring number %d: %v", i, err)
			}
			switch i % 4 {
			case 0:
				handOver(t, r, 0, 1) // and not submitted
			case 1:
				handOver(t, r, 0, 1) // and not reaped
				if _, err := r.Submit(sys.Wait{}); err != nil {
					t.Fatal(err)
				}
			case 2:
				if err := r.RegisterRingFd(); err != nil && !errors.Is(err, syscall.EINVAL) { // before Linux 5.18
					t.Fatal(err)
				}
			}
			if err := r.Close(); err != nil {
				t.Fatalf("ring number %d: Close: %v", i, err)
			}
		}
		before.sameAs(t)
	})
}

// The memory beside the ring: what a backend allocates for itself.
func TestLargeRingsLeaveNoMemoryBehind(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		bt.NeedKernel(t, sys.IORING_SETUP_SQE128)
		before := addressSpace(t)
		for range 60 {
			r, err := k.New(sys.MaxEntries, &sys.Params{Flags: sys.IORING_SETUP_SQE128})
			if err != nil {
				t.Fatal(err)
			}
			r.Queue()
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		// 60 × 32768 entries of 128 bytes are 240 MiB.
		if grown := addressSpace(t) - before; grown > 100<<20 {
			t.Errorf("60 rings left %d MiB behind", grown>>20)
		}
	})
}

// The kernel's submission threads end with their rings.
func TestSQPollThreadsEnd(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		threads := func() (n int) {
			tasks, err := os.ReadDir("/proc/self/task")
			if err != nil {
				t.Fatal(err)
			}
			for _, task := range tasks {
				if name, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm"); strings.HasPrefix(string(name), "iou-sqp") {
					n++
				}
			}
			return n
		}
		before := threads()
		for range 10 {
			r := k.Ring(t, 4, &sys.Params{Flags: sys.IORING_SETUP_SQPOLL})
			if r.Params().Features&sys.IORING_FEAT_NATIVE_WORKERS == 0 {
				t.Skip("this kernel's threads are not the process's")
			}
			nop(t, r, 1)
			if _, err := r.SubmitWait(uring.Wait{N: 1}); err != nil {
				t.Fatal(err)
			}
			if threads() <= before {
				t.Fatal("there is no thread to look for")
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for start := time.Now(); threads() > before; time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > 10*time.Second {
				t.Fatalf("%d threads before, %d after", before, threads())
			}
		}
	})
}

// A setup that fails releases what the steps before made.
func TestFailedSetupsLeaveNothingBehind(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries uint32
		p       sys.Params
		is      error
	}{
		{"refused beforehand", 0, sys.Params{}, syscall.EINVAL},
		{"refused by the kernel", 8, sys.Params{Flags: sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_SQ_AFF, SQThreadCPU: 1 << 20}, syscall.EINVAL},
		{"nothing to attach to", 8, sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: 1 << 20}, bt.KernelSetup(8, sys.Params{Flags: sys.IORING_SETUP_ATTACH_WQ, WQFd: 1 << 20})},
		{"no memory of this size", sys.MaxEntries, sys.Params{Flags: sys.IORING_SETUP_NO_MMAP | sys.IORING_SETUP_SQE128}, syscall.ENOMEM},
		{"no memory, no descriptor", sys.MaxEntries, sys.Params{Flags: sys.IORING_SETUP_NO_MMAP | sys.IORING_SETUP_REGISTERED_FD_ONLY | sys.IORING_SETUP_SQE128}, syscall.ENOMEM},
	} {
		t.Run(c.name, func(t *testing.T) {
			bt.Each(t, func(t *testing.T, k bt.Backend) {
				if c.p.Flags&sys.IORING_SETUP_NO_MMAP != 0 {
					bt.NeedKernel(t, c.p.Flags)
				}
				bt.LockThread(t)
				before := measure(t)
				for i := range rings(t) {
					p := c.p
					r, err := k.New(c.entries, &p)
					if errors.Is(err, errors.ErrUnsupported) {
						t.Skip(err)
					}
					if r != nil || !errors.Is(err, c.is) {
						t.Fatalf("setup number %d: %v, %v; want %v", i, r, err, c.is)
					}
				}
				before.sameAs(t)
			})
		})
	}
}

// No descriptor is left: setup fails without taking any, and works again after.
func TestNoDescriptorLeft(t *testing.T) {
	bt.Each(t, func(t *testing.T, k bt.Backend) {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		var highest int
		for _, fd := range bt.Descriptors(t) {
			number, _, _ := strings.Cut(fd, " ")
			if n, err := strconv.Atoi(number); err == nil {
				highest = max(highest, n)
			}
		}
		tight := limit
		tight.Cur = uint64(highest + 1)
		// Fill the holes below, so that the limit bites.
		var fill []*os.File
		defer func() {
			for _, f := range fill {
				f.Close()
			}
		}()
		for {
			f, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			fill = append(fill, f)
			if int(f.Fd()) > highest {
				break
			}
		}
		before := measure(t)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &tight); err != nil {
			t.Fatal(err)
		}
		var errs []error
		for range 20 {
			r, err := k.New(8, nil)
			if r != nil {
				r.Close()
			}
			errs = append(errs, err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		for _, err := range errs {
			if !errors.Is(err, syscall.EMFILE) {
				t.Fatalf("New without descriptors: %v; want EMFILE", err)
			}
		}
		before.sameAs(t)
		k.Open(t, 8, nil)
	})
}
