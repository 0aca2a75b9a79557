package purego

// Setup that fails, and setup as older kernels have it.

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

func TestWord(t *testing.T) {
	mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	for _, c := range []struct {
		size int
		off  uint32
		ok   bool
	}{
		{4096, 0, true}, {4096, 4, true}, {4096, 4092, true},
		{4096, 4093, false}, {4096, 4096, false}, {4096, 1, false}, {4096, 2, false},
		{4096, 1<<32 - 1, false}, {4096, 1<<32 - 4, false}, {4096, 1 << 31, false},
		{0, 0, false}, {3, 0, false}, {4, 0, true}, {4, 4, false},
	} {
		w, err := word(mem[:c.size], c.off)
		if (err == nil) != c.ok || (w != nil) != c.ok {
			t.Errorf("word at %d of %d bytes = %p, %v; ok: %v", c.off, c.size, w, err, c.ok)
		}
		if err != nil && !(strings.Contains(err.Error(), strconv.Itoa(c.size)) && strings.Contains(err.Error(), strconv.FormatUint(uint64(c.off), 10))) {
			t.Errorf("%q does not name the offset and the size", err)
		}
		if w != nil {
			w.Store(0x01020304)
			if mem[c.off] == 0 {
				t.Errorf("the word at %d is elsewhere", c.off)
			}
			w.Store(0)
		}
	}
	for _, c := range []struct {
		size    int
		off, n  uint32
		sqe, ok bool
	}{
		{4096, 0, 64, true, true}, {4096, 0, 65, true, false}, {4096, 0, 0, true, false}, {4096, 0, 1 << 31, true, false}, {0, 0, 1, true, false},
		{4096, 64, 252, false, true}, {4096, 64, 253, false, false}, {4096, 0, 0, false, false}, {4096, 4, 1, false, false},
		{4096, 4096, 1, false, false}, {4096, 1<<32 - 8, 1, false, false}, {4096, 8, 1<<32 - 1, false, false},
	} {
		var n int
		var err error
		if c.sqe {
			var s []sys.SQE
			s, err = sqeSlots(mem[:c.size], c.n)
			n = len(s)
		} else {
			var s []sys.CQE
			s, err = cqeSlots(mem[:c.size], c.off, c.n)
			n = len(s)
		}
		if (err == nil) != c.ok || c.ok && n != int(c.n) {
			t.Errorf("%+v: %d slots, %v", c, n, err)
		}
	}
}

// open1 opens a ring exactly as the parameters say: no flag is added.
func open1(t *testing.T, entries uint32, p sys.Params) *Ring {
	t.Helper()
	r, err := try(entries, &p, nil)
	if errors.Is(err, syscall.EINVAL) && p.Flags != 0 {
		t.Skipf("this kernel has no ring with %v", p.Flags)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func pass(t *testing.T, r *Ring, first uint64, n int, w sys.Wait) {
	t.Helper()
	for i := range n {
		q := r.Queue()
		q[0].PrepNop()
		q[0].UserData = first + uint64(i)
		r.Advance(1 << r.sq.shift)
	}
	if got, err := r.Submit(w); got != n || err != nil {
		t.Fatalf("Submit = %d, %v; want %d", got, err, n)
	}
	cqes := make([]sys.CQE, n)
	if got := r.Peek(cqes); got != n {
		t.Fatalf("Peek = %d, want %d", got, n)
	}
	for i, c := range cqes {
		if c.UserData != first+uint64(i) || c.Res != 0 {
			t.Fatalf("completion %d: %+v", i, c)
		}
	}
}

// Before Linux 6.6 there is an index array between the tail and the entries.
func TestRingWithIndexArray(t *testing.T) {
	for _, flags := range []sys.SetupFlags{0, sys.IORING_SETUP_SQE128, sys.IORING_SETUP_CQE32} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			for _, entries := range []uint32{1, 8, 4096} {
				r := open1(t, entries, sys.Params{Flags: flags})
				if r.Params().Flags&sys.IORING_SETUP_NO_SQARRAY != 0 {
					t.Fatal("the ring has no array")
				}
				for i := range uint64(3 * 8) {
					pass(t, r, 10*i, min(int(entries), 5), sys.Wait{})
				}
				if s := r.Status(); s.SQDropped != 0 || s.SQReady != 0 {
					t.Errorf("%d entries: %+v", entries, s)
				}
			}
		})
	}
	lent, err := unix.Mmap(-1, 0, 64<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(lent)
	r, err := try(8, &sys.Params{Flags: sys.IORING_SETUP_NO_MMAP}, lent)
	if errors.Is(err, syscall.EINVAL) {
		t.Skip("this kernel takes no memory of the caller's")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range uint64(5) {
		pass(t, r, 10*i, 8, sys.Wait{})
	}
}

// Before Linux 5.11 a wait takes a signal mask and no timeout.
func TestWaitWithoutExtArg(t *testing.T) {
	r := open1(t, 8, sys.Params{})
	r.params.Features &^= sys.IORING_FEAT_EXT_ARG | sys.IORING_FEAT_MIN_TIMEOUT | sys.IORING_FEAT_NO_IOWAIT
	none := ^sys.Sigset(0)
	pass(t, r, 1, 3, sys.Wait{N: 3, Sigmask: &none})
	if err := r.Wait(sys.Wait{N: 0, Sigmask: &none}); err != nil {
		t.Error(err)
	}
	for _, w := range []sys.Wait{
		{N: 1, Timeout: 1}, {Timeout: time.Second}, {N: 1, MinTimeout: 1}, {N: 1, Flags: sys.IORING_ENTER_NO_IOWAIT},
		{N: 1, Timeout: time.Second, Sigmask: &none},
	} {
		if n, err := r.Submit(w); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Submit(%+v) = %d, %v; want errors.ErrUnsupported", w, n, err)
		}
		if err := r.Wait(w); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Wait(%+v) = %v; want errors.ErrUnsupported", w, err)
		}
	}
	// A signal that the mask lets through ends the wait.
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	buf := make([]byte, 1)
	r.Queue()[0].PrepRead(p[0], buf, 0)
	r.Advance(1)
	go func() { time.Sleep(20 * time.Millisecond); unix.Write(p[1], buf) }()
	if n, err := r.Submit(sys.Wait{N: 1, Sigmask: &none}); n != 1 || err != nil || r.Ready() != 1 {
		t.Errorf("Submit = %d, %v with %d ready", n, err, r.Ready())
	}
}

// The child of TestMappingFailsMidway: it may map some bytes more and not all.
const childEnv = "URING_TEST_ADDRESS_SPACE"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// child sets rings up under a falling limit of address space until the first of
// the mappings fails and then the second one, and prints what became of each.
func child() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &limit); err != nil {
		os.Stderr.WriteString(err.Error())
		return 1
	}
	size := func() uint64 {
		status, _ := os.ReadFile("/proc/self/status")
		_, rest, _ := strings.Cut(string(status), "VmSize:")
		kib, _ := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
		return kib << 10
	}
	left := func() int { // what a ring may leave behind
		dir, _ := os.ReadDir("/proc/self/fd")
		maps, _ := os.ReadFile("/proc/self/maps")
		n := bytes.Count(maps, []byte("[io_uring]"))
		for _, e := range dir {
			if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "io_uring") {
				n++
			}
		}
		return n
	}
	// 32768 entries: 1 MiB of queues and index array, then 2 MiB of entries.
	var out []string
	for _, more := range []uint64{1 << 30, 1536 << 10, 256 << 10} {
		tight := limit
		tight.Cur = size() + more
		if err := unix.Setrlimit(unix.RLIMIT_AS, &tight); err != nil {
			os.Stderr.WriteString(err.Error())
			return 1
		}
		r, err := New(sys.MaxEntries, nil)
		if e := unix.Setrlimit(unix.RLIMIT_AS, &limit); e != nil {
			os.Stderr.WriteString(e.Error())
			return 1
		}
		if r != nil {
			r.Close()
		}
		what := "ok"
		switch {
		case err != nil && r != nil:
			what = "both a ring and an error"
		case errors.Is(err, syscall.ENOMEM) && strings.HasPrefix(err.Error(), "mmap"):
			what = "mmap: ENOMEM"
		case err != nil:
			what = err.Error()
		}
		out = append(out, what+" "+strconv.Itoa(left()))
	}
	os.Stdout.WriteString(strings.Join(out, "\n"))
	return 0
}

func TestMappingFailsMidway(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"=1", "GOMAXPROCS=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := strings.Split(string(out), "\n")
	want := []string{"ok 0", "mmap: ENOMEM 0", "mmap: ENOMEM 0"}
	if !slices.Equal(got, want) {
		t.Errorf("with room for all, for the first mapping and for none: %q, want %q", got, want)
	}
}

// What the kernel answered must agree with what lies in the ring's memory.
func TestAttachChecksTheAnswer(t *testing.T) {
	for name, spoil := range map[string]func(p *sys.Params){
		"head":               func(p *sys.Params) { p.SQOff.Head = 1 << 30 },
		"tail":               func(p *sys.Params) { p.SQOff.Tail = 2 },
		"flags":              func(p *sys.Params) { p.SQOff.Flags = 1<<32 - 1 },
		"completions":        func(p *sys.Params) { p.CQOff.CQEs = 1 << 30 },
		"unaligned":          func(p *sys.Params) { p.CQOff.CQEs = 68 },
		"completion tail":    func(p *sys.Params) { p.CQOff.Tail = 1 << 31 },
		"overflow":           func(p *sys.Params) { p.CQOff.Overflow = 1 << 31 },
		"completion flags":   func(p *sys.Params) { p.CQOff.Flags = 1 << 31 },
		"mask":               func(p *sys.Params) { p.SQOff.RingMask = p.SQOff.RingEntries },
		"mask, out of range": func(p *sys.Params) { p.CQOff.RingMask = 1 << 31 },
		"size":               func(p *sys.Params) { p.CQEntries *= 2 },
		"more entries":       func(p *sys.Params) { p.SQEntries *= 1 << 12 },
		"array":              func(p *sys.Params) { p.SQOff.Array = 1 << 31 },
	} {
		t.Run(name, func(t *testing.T) {
			r := open1(t, 8, sys.Params{})
			good := r.params
			spoil(&r.params)
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("attach panics: %v", p)
					}
				}()
				return r.attach()
			}()
			if err == nil {
				t.Error("attach took it")
			}
			r.params = good
			if err := r.attach(); err != nil {
				t.Errorf("with the kernel's own answer: %v", err)
			}
		})
	}
}
