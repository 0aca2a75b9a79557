//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/ringfs"
)

var kills = flag.Int("kills", 0, "how often TestKill kills the process; 0 is 30 times, with -short 8 times")

const victimVariable = "KVLOG_TEST_VICTIM"

func TestMain(m *testing.M) {
	if name := os.Getenv(victimVariable); name != "" {
		if err := victim(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func files(t testing.TB, fallback proactor.Fallback) *ringfs.OS {
	t.Helper()
	p, err := proactor.New(&proactor.Config{Fallback: fallback})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return ringfs.New(p)
}

func open(t testing.TB, o *ringfs.OS, name string) *Store {
	t.Helper()
	s, err := Open(context.Background(), o, name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	for name, fallback := range map[string]proactor.Fallback{"ring": proactor.FallbackAuto, "fallback": proactor.FallbackAlways} {
		t.Run(name, func(t *testing.T) {
			o := files(t, fallback)
			name := t.TempDir() + "/log"
			s := open(t, o, name)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := Open(ctx, o, name); !errBusy(err) {
				t.Errorf("opened twice: %v", err)
			}
			var wg sync.WaitGroup
			for g := range 50 {
				wg.Go(func() {
					for i := range 20 {
						key := fmt.Sprintf("%d-%d", g, i)
						if err := s.Put(key, []byte("value of "+key)); err != nil {
							t.Error(err)
						}
						if i%5 == 0 {
							if err := s.Delete(key); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			wg.Wait()
			s.Put("", nil)
			if err := s.Put(strings.Repeat("x", maxKey+1), nil); !errors.Is(err, errTooLarge) {
				t.Errorf("a long key: %v", err)
			}
			check := func() {
				t.Helper()
				if n := len(slices.Collect(s.Keys())); n != 50*16+1 {
					t.Errorf("%d keys", n)
				}
				for g := range 50 {
					for i := range 20 {
						key := fmt.Sprintf("%d-%d", g, i)
						v, ok, err := s.Get(key)
						if err != nil || ok != (i%5 != 0) || ok && string(v) != "value of "+key {
							t.Errorf("%s: %q, %t, %v", key, v, ok, err)
						}
					}
				}
				if v, ok, err := s.Get(""); len(v) != 0 || !ok || err != nil {
					t.Errorf("an empty value: %q, %t, %v", v, ok, err)
				}
			}
			check()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := s.Put("x", nil); err == nil {
				t.Error("a closed store takes a value")
			}
			s = open(t, o, name)
			check()
			s.Close()
		})
	}
}

// Whatever is missing at the end, or wrong there, the records before are found, and the
// store goes on from there.
func TestTornTail(t *testing.T) {
	o := files(t, proactor.FallbackAuto)
	var whole []byte
	ends := []int{0}
	for i := range 4 {
		whole = appendRecord(whole, fmt.Sprint("key", i), bytes.Repeat([]byte{byte(i)}, 10*i))
		ends = append(ends, len(whole))
	}
	name := t.TempDir() + "/log"
	try := func(data []byte, records int) {
		t.Helper()
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, o, name)
		if n := len(slices.Collect(s.Keys())); n != records {
			t.Errorf("%d bytes: %d keys, not %d", len(data), n, records)
		}
		if err := s.Put("more", []byte("x")); err != nil {
			t.Error(err)
		}
		s.Close()
		s = open(t, o, name)
		if n := len(slices.Collect(s.Keys())); n != records+1 {
			t.Errorf("%d bytes: %d keys after one more, not %d", len(data), n, records+1)
		}
		s.Close()
	}
	for cut := range len(whole) + 1 {
		records := 0
		for _, e := range ends[1:] {
			if e <= cut {
				records++
			}
		}
		try(whole[:cut], records)
	}
	for i := ends[3]; i < len(whole); i++ {
		bad := bytes.Clone(whole)
		bad[i] ^= 0x10
		try(bad, 3)
	}
	// A value that was damaged later is not handed out.
	os.WriteFile(name, whole, 0o600)
	s := open(t, o, name)
	defer s.Close()
	f, _ := os.OpenFile(name, os.O_WRONLY, 0)
	f.WriteAt([]byte{0xff}, int64(ends[2]-1))
	f.Close()
	if v, _, err := s.Get("key1"); !errors.Is(err, errCorrupt) {
		t.Errorf("a damaged value: %v, %v", v, err)
	}
}

// A disk that is full: the change is refused, what was acknowledged stays.
func TestFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	o := files(t, proactor.FallbackAuto)
	name := t.TempDir() + "/log"
	s := open(t, o, name)
	if err := s.Put("good", []byte("value")); err != nil {
		t.Fatal(err)
	}
	real := s.file
	s.file, _ = o.OpenFile(t.Context(), "/dev/full", os.O_RDWR, 0)
	for range 2 {
		if err := s.Put("bad", []byte("value")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	s.file.Close()
	unix.Flock(int(real.Fd()), unix.LOCK_UN)
	real.Close()
	s = open(t, o, name)
	defer s.Close()
	if keys := slices.Collect(s.Keys()); len(keys) != 1 || keys[0] != "good" {
		t.Errorf("%q", keys)
	}
}

// value is what the n-th put of a goroutine of the victim writes; it is long enough for
// groups to span many blocks.
func value(g, n int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d/%d ", g, n), 1+(g*7+n)%100)
}

const victims = 16

// victim puts values, and says so after each that was acknowledged, until it is killed.
// Each of its goroutines has one key and counts on from what it finds there.
func victim(name string) error {
	p, err := proactor.New(nil)
	if err != nil {
		return err
	}
	s, err := Open(context.Background(), ringfs.New(p), name)
	if err != nil {
		return err
	}
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for g := range victims {
		wg.Go(func() {
			n := 0
			if b, ok, err := s.Get(fmt.Sprint(g)); ok && err == nil {
				fmt.Sscanf(string(b), fmt.Sprintf("%d/%%d", g), &n)
			}
			for {
				n++
				if err := s.Put(fmt.Sprint(g), value(g, n)); err != nil {
					failed.Store(&err)
					return
				}
				// One write to a pipe is one line, whole.
				fmt.Printf("%d %d\n", g, n)
			}
		})
	}
	wg.Wait()
	return *failed.Load()
}

// The process is killed in the middle of what it does, again and again; each time all
// that it had acknowledged is there, and nothing that is not whole.
func TestKill(t *testing.T) {
	times := *kills
	if times == 0 {
		times = 30
		if testing.Short() {
			times = 8
		}
	}
	o := files(t, proactor.FallbackAuto)
	name := t.TempDir() + "/log"
	total := 0
	for round := range times {
		acknowledged := kill(t, name, time.Duration(20+rand.IntN(150))*time.Millisecond)
		s := open(t, o, name)
		for g := range victims {
			want := acknowledged[g]
			if want == 0 {
				continue
			}
			total++
			b, ok, err := s.Get(fmt.Sprint(g))
			if err != nil || !ok {
				t.Fatalf("round %d: %d was acknowledged for %d, and there is nothing: %v", round, want, g, err)
			}
			n := 0
			fmt.Sscanf(string(b), fmt.Sprintf("%d/%%d", g), &n)
			if n < want || !bytes.Equal(b, value(g, n)) {
				t.Fatalf("round %d: %d was acknowledged for %d, and there is %.30q", round, want, g, b)
			}
			// More than one in flight is not possible.
			if n > want+1 {
				t.Fatalf("round %d: %d was acknowledged for %d, and there is %d", round, want, g, n)
			}
		}
		s.Close()
	}
	if total == 0 {
		t.Error("nothing was ever acknowledged")
	}
	info, _ := os.Stat(name)
	t.Logf("%d kills, %d keys looked at, %d bytes in the file", times, total, info.Size())
}

// kill starts a victim, kills it after a while, and returns the last number that it said
// each goroutine had acknowledged.
func kill(t *testing.T, name string, after time.Duration) map[int]int {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victimVariable+"="+name)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(map[int]int)
	lines := bufio.NewScanner(out)
	var timer *time.Timer
	for lines.Scan() {
		if timer == nil { // from the first acknowledgement on
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		var g, n int
		if k, _ := fmt.Sscanf(lines.Text(), "%d %d", &g, &n); k == 2 {
			said[g] = max(said[g], n)
		}
	}
	err = cmd.Wait()
	if timer == nil || complaint.Len() > 0 {
		t.Fatalf("the victim ended by itself: %v %s", err, complaint.Bytes())
	}
	return said
}

func TestRun(t *testing.T) {
	name := t.TempDir() + "/log"
	var out bytes.Buffer
	for _, args := range [][]string{{name, "put", "b", "2"}, {name, "put", "a", "1"}, {name, "put", "c", "3"}, {name, "del", "c"}, {name, "get", "a"}, {name, "list"}} {
		if err := run(&out, args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	if out.String() != "1\na\nb\n" {
		t.Errorf("%q", out.String())
	}
	for _, args := range [][]string{nil, {name}, {name, "put", "x"}, {name, "what"}, {name, "get", "none"}, {name + "/x", "list"}} {
		if err := run(io.Discard, args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
