package features

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/host"
	"github.com/uring-go/uring/sys"
)

// forget makes the next questions reach the kernel again.
func (m *memory) forget() {
	m.mu.Lock()
	m.answers = nil
	m.mu.Unlock()
	query.mu.Lock()
	query.asked = false
	query.mu.Unlock()
	probed.mu.Lock()
	probed.ok = false
	probed.mu.Unlock()
	plainRing.mu.Lock()
	plainRing.ok = false
	plainRing.mu.Unlock()
}

// needRing skips the test where no ring can be made.
func needRing(t *testing.T) {
	t.Helper()
	if _, err := askPlainRing(); err != nil {
		t.Skipf("no ring can be made here: %v", err)
	}
}

// TestReleases holds the answers against the table of releases. A kernel that is
// as new as a feature and says no contradicts the table, unless it was built
// without; the reverse is a kernel with a newer io_uring than its number.
func TestReleases(t *testing.T) {
	needRing(t)
	release, kernel, err := host.This().Release()
	if err != nil {
		t.Fatal(err)
	}
	n := map[Answer]int{}
	for _, r := range All().Results {
		since, err := host.ParseVersion(r.Since)
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		n[r.Answer]++
		old := kernel.Before(since)
		switch {
		case r.Answer == Unknown:
			t.Errorf("%s: it could not be told: %s", r.Name, r.Reason)
		case r.Answer == No && !old && r.Reason == builtWithout:
			t.Logf("%s: %s was built without it", r.Name, release)
		case r.Answer == No && !old:
			t.Errorf("%s: %s does not have it, and the table says since %s", r.Name, release, r.Since)
		case r.Answer == Yes && old:
			t.Logf("%s: %s has it, and the table says since %s", r.Name, release, r.Since)
		}
	}
	t.Logf("%s: %v", release, n)
}

// TestTrials holds what trials find against what the kernel says of itself, on a
// kernel that does (6.18).
func TestTrials(t *testing.T) {
	needRing(t)
	q, err := askQuery()
	if err == errNoQuery {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	agree := func(f Feature, says bool, tried error) {
		t.Helper()
		n++
		if (tried == nil) != says || tried != nil && !errors.As(tried, new(*missing)) {
			t.Errorf("%s: the kernel says %v, the trial %v", f.Name, says, tried)
		}
	}
	for _, f := range Known() {
		bit := uint64(f.number)
		switch f.Kind {
		case Setup:
			agree(f, q.RingSetupFlags&bit != 0, trySetup(sys.SetupFlags(f.number)))
		case FeatureBit:
			agree(f, q.FeatureFlags&bit != 0, tryFeature(sys.FeatFlags(f.number)))
		case EnterFlag:
			agree(f, q.EnterFlags&bit != 0, tryEnter(sys.EnterFlags(f.number)))
		case SQEFlag:
			agree(f, q.SQEFlags&bit != 0, trySQEFlag(sys.SQEFlags(f.number)))
		case RegisterOp:
			op := sys.RegisterOp(f.number)
			says := f.number < q.NrRegisterOpcodes
			if tried := tryRegisterOp(op); says && optional[op] && tried != nil {
				t.Logf("%s: the kernel knows the number, and was built without", f.Name)
			} else {
				agree(f, says, tried)
			}
		}
	}
	if n < 21+18+33+8+7 {
		t.Errorf("only %d trials were compared", n)
	}
	if p, err := askProbe(); err != nil || uint32(p.OpsLen) != q.NrRequestOpcodes {
		t.Errorf("IORING_REGISTER_PROBE has %d operations (%v), IORING_REGISTER_QUERY %d", p.OpsLen, err, q.NrRequestOpcodes)
	}
}

// TestNumbersWithoutName: numbers that nobody has given out are a no, not an
// error.
func TestNumbersWithoutName(t *testing.T) {
	needRing(t)
	for name, err := range map[string]error{
		"operation 255":          HaveOp(255),
		"register operation 999": HaveRegisterOp(999),
	} {
		if AnswerOf(err) != No {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := askQuery(); err == nil {
		for name, err := range map[string]error{
			"setup flag 31":   HaveSetup(1 << 31),
			"feature 31":      HaveFeature(1 << 31),
			"enter flag 31":   HaveEnter(1 << 31),
			"SQE flag 7":      HaveSQEFlag(1 << 7),
			"one bad of some": HaveSetup(1<<31 | sys.IORING_SETUP_CLAMP),
		} {
			if AnswerOf(err) != No {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	want := worst(HaveFeature(sys.IORING_FEAT_REG_REG_RING), HaveRegisterOp(sys.IORING_REGISTER_PROBE))
	if got := HaveRegisterOp(sys.IORING_REGISTER_PROBE | sys.IORING_REGISTER_USE_REGISTERED_RING); AnswerOf(got) != AnswerOf(want) {
		t.Errorf("an operation by registered ring: %v, its parts: %v", got, want)
	}
}

// TestInconclusive: with no descriptor to be had nothing can be told, and that is
// not remembered.
func TestInconclusive(t *testing.T) {
	needRing(t)
	remembered.forget()
	defer remembered.forget()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	opErr, behaviourErr := HaveOp(sys.IORING_OP_NOP), HavePollMultishot()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{opErr, behaviourErr} {
		if AnswerOf(err) != Unknown || !errors.Is(err, syscall.EMFILE) {
			t.Errorf("without descriptors the answer is %v", err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "uring: whether the kernel has ") {
			t.Errorf("the error reads %q", err)
		}
	}
	if err := HaveOp(sys.IORING_OP_NOP); err != nil {
		t.Errorf("with descriptors again: %v", err)
	}
	if err := HavePollMultishot(); AnswerOf(err) == Unknown {
		t.Errorf("with descriptors again: %v", err)
	}
}

// TestRemembered: a conclusive answer needs no kernel any more.
func TestRemembered(t *testing.T) {
	needRing(t)
	remembered.forget()
	defer remembered.forget()
	before := All()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	after := All()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	for i, r := range before.Results {
		if r.Answer != Unknown && after.Results[i] != r {
			t.Errorf("%+v became %+v", r, after.Results[i])
		}
	}
}

// TestNothingLeft: asking leaves no descriptor, no thread and no mapping of a
// ring behind, and the standard streams alone.
func TestNothingLeft(t *testing.T) {
	needRing(t)
	count := func(dir string) int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	rings := func() int {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(maps), "io_uring")
	}
	remembered.forget()
	All() // what the runtime opens once is open now
	fds, threads, maps := count("/proc/self/fd"), count("/proc/self/task"), rings()
	for range 3 {
		remembered.forget()
		All()
	}
	if n := count("/proc/self/fd"); n != fds {
		t.Errorf("%d descriptors became %d", fds, n)
	}
	if n := rings(); n != maps {
		t.Errorf("%d mappings of rings became %d", maps, n)
	}
	// Threads end a little after their goroutine.
	deadline := time.Now().Add(10 * time.Second)
	for count("/proc/self/task") > threads+4 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := count("/proc/self/task"); n > threads+4 {
		t.Errorf("%d threads became %d", threads, n)
	}
	abandoned.mu.Lock()
	defer abandoned.mu.Unlock()
	if len(abandoned.keep) != 0 {
		t.Errorf("%d pieces of memory were left to requests that would not end", len(abandoned.keep))
	}
}

// TestConcurrent: questions may be asked from anywhere at once.
func TestConcurrent(t *testing.T) {
	remembered.forget()
	want := All()
	remembered.forget()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, r := range All().Results {
				if r.Answer != want.Results[i].Answer {
					t.Errorf("%s: %s, then %s (%s)", r.Name, want.Results[i].Answer, r.Answer, r.Reason)
				}
			}
		})
	}
	wg.Wait()
}

// TestTables: every behaviour has a trial, or a bit; every register operation
// that is tried by a call has one.
func TestTables(t *testing.T) {
	for i, b := range behaviours {
		bit := i == bundle || i == minTimeout
		if (behaviourTrials[i] != nil) == bit {
			t.Errorf("%s: trial %v, bit %v", b.name, behaviourTrials[i] != nil, bit)
		}
	}
	special := map[sys.RegisterOp]bool{
		sys.IORING_REGISTER_PERSONALITY: true, sys.IORING_UNREGISTER_PERSONALITY: true,
		sys.IORING_REGISTER_SEND_MSG_RING: true, sys.IORING_REGISTER_QUERY: true,
	}
	for op := range sys.IORING_REGISTER_LAST {
		if _, ok := registerTrials[op]; ok == special[op] {
			t.Errorf("%v: in the table %v, special %v", op, ok, special[op])
		}
	}
}
