//go:build linux

package uring_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

func TestIOWQMaxWorkers(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		backendtest.LockThread(t) // the limits before are the thread's
		r := open(t, b, 0)
		s := r.sqe(1)
		s.PrepNop()
		s.Flags = sys.IOSQE_ASYNC // so that there are workers
		r.submit(1)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_IOWQ_MAX_WORKERS, 2)
		_, _, err := r.IOWQMaxWorkers(3, 5)
		expectErr(t, "set", err, nil)
		for _, c := range []struct{ set, want [2]uint32 }{
			{[2]uint32{0, 0}, [2]uint32{3, 5}},
			{[2]uint32{4, 0}, [2]uint32{3, 5}},
			{[2]uint32{0, 7}, [2]uint32{4, 5}},
			{[2]uint32{0, 0}, [2]uint32{4, 7}},
		} {
			bounded, unbounded, err := r.IOWQMaxWorkers(c.set[0], c.set[1])
			expectErr(t, "set", err, nil)
			expect(t, "limits before", [2]uint32{bounded, unbounded}, c.want)
		}
	})
}

func TestIOWQAffinity(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_IOWQ_AFF, 1)
		// A worker's CPUs are set when it starts, and each thread has workers of
		// its own: so one thread for each question.
		worker := func(prepare func() error) (set unix.CPUSet) {
			t.Helper()
			p, w := backendtest.Pipe(t)
			var err error
			var found, stale bool
			carry := func() {
				// The goroutine may be on a thread that others have used before.
				if stale = workerOf(unix.Gettid()) != 0; stale {
					return
				}
				// A thread has workers to confine once it has submitted something.
				r.GetSQE().PrepNop()
				if _, err = r.SubmitWait(uring.Wait{N: 1}); err != nil {
					return
				}
				for range r.Completions() {
				}
				if err = prepare(); err != nil {
					return
				}
				// A request that a worker carries out, and that lasts.
				s := r.GetSQE()
				s.PrepRead(p, make([]byte, 1), 0)
				s.Flags = sys.IOSQE_ASYNC
				if _, err = r.Submit(); err != nil {
					return
				}
				for range 1000 {
					if tid := workerOf(unix.Gettid()); tid != 0 {
						found, err = true, unix.SchedGetaffinity(tid, &set)
						break
					}
					time.Sleep(time.Millisecond)
				}
				unix.Write(w, []byte("x"))
				if e := r.Wait(uring.Wait{N: 1}); err == nil {
					err = e
				}
			}
			for range 50 {
				if backendtest.OnNewThread(carry); !stale {
					break
				}
			}
			if stale {
				t.Skip("no fresh thread was to be had")
			}
			if err != nil {
				t.Fatal(err)
			}
			r.reap(1)
			if !found {
				t.Skip("no worker thread is to be seen in /proc/self/task")
			}
			return set
		}
		set := worker(func() error { return r.SetIOWQAffinity(cpu) })
		expect(t, "CPUs of a worker", set.Count(), 1)
		expect(t, "its CPU", set.IsSet(cpu), true)
		set = worker(func() error {
			if err := r.SetIOWQAffinity(cpu); err != nil {
				return err
			}
			return r.ClearIOWQAffinity()
		})
		expect(t, "CPUs of a worker after clearing", set.Count(), allowed.Count())
		backendtest.LockThread(t)
		r.sqe(1).PrepNop()
		r.submit(1)
		last := -1
		for cpu := range 1 << 16 {
			if err := r.SetIOWQAffinity(cpu); err != nil {
				expectErr(t, "a CPU that there is not", err, syscall.EINVAL)
				break
			}
			last = cpu
		}
		if last < cpu || last >= 1<<16-1 {
			t.Errorf("CPUs 0 to %d are taken, and %d is the process's first", last, cpu)
		}
	})
}

// workerOf returns the id of a worker thread of a thread's, 0 if it has none.
func workerOf(owner int) int {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		name, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm")
		if strings.TrimSpace(string(name)) == "iou-wrk-"+strconv.Itoa(owner) {
			if tid, err := strconv.Atoi(task.Name()); err == nil {
				return tid
			}
		}
	}
	return 0
}
