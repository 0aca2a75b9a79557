package scenario

// How a scenario is run and recorded. ring_linux.go has the calls on rings,
// resource_linux.go the files and sockets.

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// A Run is one execution of a scenario: what its program works with, and the
// recorder. Everything that it hands out is released when the program ends.
type Run struct {
	// Mode is the mode of the rings that Open makes.
	Mode Mode

	backend  Backend
	patience time.Duration
	parent   string // where the temporary directory is made
	dir      string

	rings    []*Ring
	cleanups []func()
	keep     []any // memory that requests name
	isFd     map[uint64]bool

	mu     sync.Mutex // against a watchdog that reads the events of a run that hangs
	events []Event
}

// A stop ends a program early; it is what methods of Run and Ring panic with.
type stop struct {
	why  string
	lack bool // the backend lacks something
}

// Record runs a scenario in one mode on one backend. It comes back with a trace
// whatever happens: a trace says itself why it has no good end.
func Record(ctx context.Context, s Scenario, m Mode, b Backend, o Options) Trace {
	t := Trace{Scenario: s.Name, Mode: m, Backend: b.Name, Version: b.Version,
		Kernel: kernelRelease(), Arch: runtime.GOARCH, FileSystem: fileSystem(o.dir())}
	for _, n := range slices.Concat(m.needs(), s.Needs) {
		switch ok, err := n.Met(); {
		case err != nil:
			t.Failed = fmt.Sprintf("cannot tell whether there is %s: %v", n.What, err)
			return t
		case !ok:
			t.Skipped = "this kernel has no " + n.What
			return t
		}
	}
	r := &Run{Mode: m, backend: b, patience: o.patience(), parent: o.dir(), isFd: map[uint64]bool{}}
	ended := make(chan stop, 1)
	go func() {
		// What the kernel does may depend on the thread that asks.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		ended <- r.execute(s)
	}()
	hang := time.NewTimer(4 * r.patience)
	defer hang.Stop()
	var end stop
	select {
	case end = <-ended:
	case <-hang.C:
		// The goroutine stays behind with all that it holds: the kernel may still
		// use it.
		end.why = fmt.Sprintf("hangs: no end after %v", 4*r.patience)
	case <-ctx.Done():
		end.why = "given up: " + context.Cause(ctx).Error()
	}
	if end.lack {
		t.Lacks = end.why
	} else {
		t.Failed = end.why
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Events = slices.Clone(r.events)
	return t
}

// execute runs the program and then releases what it used, also if it panics.
func (r *Run) execute(s Scenario) (end stop) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case stop:
			end = p
		default:
			end.why = fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
		}
		r.release(end.why != "")
	}()
	s.Run(r)
	return end
}

// release closes rings, then what their requests used. A program that ended well
// has reaped all its requests; one that did not may have left some, which are
// cancelled first.
func (r *Run) release(early bool) {
	for _, g := range slices.Backward(r.rings) {
		if early {
			arg := sys.SyncCancelReg{Flags: sys.IORING_ASYNC_CANCEL_ANY, Timeout: sys.Timespec{Sec: 1}}
			g.Ring.Backend().Register(sys.IORING_REGISTER_SYNC_CANCEL, sys.PointerTo(&arg), 1)
		}
		if err := g.Ring.Close(); err != nil && verdict(err) != "closed" {
			r.emit(Event{Ring: g.number, Call: "close", Ret: verdict(err)})
		}
	}
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
	if early {
		// Closing a ring does not wait for its requests.
		time.AfterFunc(time.Minute, func() { runtime.KeepAlive(r.keep) })
	}
}

func (r *Run) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Note records something that the program looked at; bytes are quoted.
func (r *Run) Note(what string, value any) {
	if b, ok := value.([]byte); ok {
		value = strconv.Quote(string(b))
	}
	r.emit(Event{Call: what, Ret: fmt.Sprint(value)})
}

// Must ends the run if a call that prepares the scenario fails: it says nothing
// about the backend.
func (r *Run) Must(what string, err error) {
	if err != nil {
		panic(stop{why: fmt.Sprintf("cannot be tried: %s: %v", what, err)})
	}
}

// Keep keeps memory that a request names reachable until the end, and on the
// heap.
func (r *Run) Keep(what ...any) { r.keep = append(r.keep, what...) }

// Bytes returns n zero bytes that requests may name.
func (r *Run) Bytes(n int) []byte {
	b := make([]byte, n)
	r.Keep(b)
	return b
}

// Text returns bytes that requests may name.
func (r *Run) Text(s string) []byte {
	b := []byte(s)
	r.Keep(b)
	return b
}

// Path returns a path as requests take it, with a zero byte at the end.
func (r *Run) Path(s string) *byte {
	b := append([]byte(s), 0)
	r.Keep(b)
	return &b[0]
}

// Time returns a duration as requests take it.
func (r *Run) Time(d time.Duration) *unix.KernelTimespec {
	ts := sys.KernelTimespec(d)
	r.Keep(&ts)
	return &ts
}

// Descriptors declares that the requests with these UserData give descriptors,
// whose numbers are chance. They are closed at the end.
func (r *Run) Descriptors(userData ...uint64) {
	for _, u := range userData {
		r.isFd[u] = true
	}
}

// Cleanup has f called at the end, after the rings are closed.
func (r *Run) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func errnoName(e syscall.Errno) string {
	if s := unix.ErrnoName(e); s != "" {
		return s
	}
	return strconv.Itoa(int(e))
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// fileSystem names the file system that a directory is on.
func fileSystem(dir string) string {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return ""
	}
	switch uint32(s.Type) {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	case unix.RAMFS_MAGIC:
		return "ramfs"
	case 0x6a656a63, unix.V9FS_MAGIC:
		return "9p"
	}
	return fmt.Sprintf("%#x", uint32(s.Type))
}

func (o *Options) patience() time.Duration {
	if o.Patience > 0 {
		return o.Patience
	}
	return 20 * time.Second
}
