package proactor

// Where io_uring is refused, or lacks something, the same calls work without it. That
// they do is tested by running all other tests that way; here is the rest.

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

const denyVariable = "PROACTOR_TEST_DENY"

func TestMain(m *testing.M) {
	if os.Getenv(denyVariable) != "" {
		if err := backendtest.DenyRings(); err != nil {
			panic(err)
		}
		denied = true
	}
	os.Exit(m.Run())
}

// All tests again, in a process whose seccomp filter answers the io_uring system calls
// with EPERM, as that of a container does. With -short it is those that have no
// variant with FallbackAlways of their own, and a few.
func TestUnderSeccomp(t *testing.T) {
	if denied {
		var log bytes.Buffer
		p, err := New(&Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		do(t, p, Nop())
		if s := p.Stats(); s.Rings != 0 || s.Operations != 0 || s.Fallback != 1 {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(log.String(), "operation not permitted") {
			t.Errorf("the log says %q", log.String())
		}
		if _, err := New(&Config{Fallback: FallbackNever}); !errors.Is(err, syscall.EPERM) {
			t.Errorf("with FallbackNever: %v", err)
		}
		return
	}
	args := []string{"-test.timeout=5m"}
	if testing.Short() {
		args = append(args, "-test.short", "-test.run=^Test(UnderSeccomp|Config|Sockets|ReadWrite|Batch|Link|Gate|MultishotAccept)$")
	}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), denyVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// A kernel that lacks single operations: here the proactor is made to believe so.
func TestMissingOperations(t *testing.T) {
	eachRing(t, func(t *testing.T, config Config) {
		config.Fallback = FallbackAuto
		p := open(t, config)
		for _, op := range []sys.Op{sys.IORING_OP_SOCKET, sys.IORING_OP_BIND, sys.IORING_OP_LISTEN, sys.IORING_OP_SEND_ZC, sys.IORING_OP_MKDIRAT, sys.IORING_OP_POLL_ADD} {
			p.lacks[op] = true
		}
		fd := do(t, p, Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		do(t, p, Close(fd))
		a, b := pair(t)
		do(t, p, SendZC(a, []byte("hello"), 0))
		buf := make([]byte, 10)
		results := make([]Result, 3)
		if err := p.Batch(t.Context(), []Op{Poll(a, unix.POLLOUT), Recv(b, buf, 0), Mkdirat(unix.AT_FDCWD, t.TempDir()+"/x", 0o700)}, results); err != nil || results[1].N != 5 {
			t.Errorf("%v, %v", err, results)
		}
		if err := p.Link(t.Context(), []Op{Send(a, buf[:1], 0), Poll(b, unix.POLLIN), Recv(b, buf, 0)}, results); err != nil {
			t.Error(err)
		}
		n := 0
		do(t, p, Send(a, buf[:1], 0))
		for _, err := range p.Multishot(t.Context(), MultishotPoll(b, unix.POLLIN)) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 3 {
				break
			}
		}
		if s := p.Stats(); s.Fallback < 7 || s.Operations < 4 {
			t.Errorf("%+v", s)
		}
		p.config.Fallback = FallbackNever
		if _, err := p.Do(t.Context(), Poll(b, unix.POLLIN)); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("with FallbackNever: %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Rings: -1}, "Config.Rings is -1"},
		{Config{Entries: 40000}, "Config.Entries is 40000"},
		{Config{InFlight: 1 << 20}, "Config.InFlight is 1048576"},
		{Config{Setup: sys.IORING_SETUP_IOPOLL}, "IORING_SETUP_IOPOLL"},
		{Config{Fallback: 7}, "Config.Fallback is 7"},
	} {
		if _, err := New(&c.config); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
	nope := errors.New("nope")
	if _, err := New(&Config{Fallback: FallbackNever, Backend: func(uint32, *sys.Params) (uring.Backend, error) { return nil, nope }}); !errors.Is(err, nope) {
		t.Errorf("a backend that fails: %v", err)
	}
	each(t, func(t *testing.T, config Config) {
		config.InFlight, config.Entries, config.Rings = 1, 1, 1
		p := open(t, config)
		done := make(chan error)
		for range 10 {
			go func() {
				_, err := p.Do(t.Context(), Timeout(time.Millisecond))
				done <- err
			}()
		}
		for range 10 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
