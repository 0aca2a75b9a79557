package proactor

// Close, during everything.

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestClosed(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		p := open(t, config)
		do(t, p, Nop())
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(ErrClosed, os.ErrClosed) {
			t.Error("ErrClosed is not os.ErrClosed")
		}
		if err := p.Close(); err != ErrClosed {
			t.Errorf("a second Close: %v", err)
		}
		if _, err := p.Do(t.Context(), Nop()); err != ErrClosed {
			t.Errorf("Do: %v", err)
		}
		results := make([]Result, 1)
		if err := p.Batch(t.Context(), []Op{Nop()}, results); err != ErrClosed || results[0].Err != ErrClosed {
			t.Errorf("Batch: %v, %v", err, results[0].Err)
		}
		if err := p.Link(t.Context(), []Op{Nop()}, results); err != ErrClosed {
			t.Errorf("Link: %v", err)
		}
		for _, err := range p.Multishot(t.Context(), MultishotPoll(0, unix.POLLIN)) {
			if err != ErrClosed {
				t.Errorf("Multishot: %v", err)
			}
		}
		if _, err := p.NewBuffers(1, 1); err != ErrClosed {
			t.Errorf("NewBuffers: %v", err)
		}
		p.Stats()
	})
}

// Close ends every call that waits, with ErrClosed.
func TestHostileCloseWhileWaiting(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		p := open(t, config)
		var wg sync.WaitGroup
		var g Gate
		calls := 0
		call := func(name string, f func() error) {
			calls++
			wg.Go(func() {
				if err := f(); err != ErrClosed {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		list := waiting(t)
		for name, op := range list {
			call(name, func() error { _, err := p.Do(t.Context(), op()); return err })
			call(name+" through a gate", func() error { _, err := p.Do(context.Background(), op().Through(&g)); return err })
			call(name+" in a batch", func() error {
				return p.Batch(t.Context(), []Op{op(), op()}, make([]Result, 2))
			})
			call(name+" in a chain", func() error {
				r := make([]Result, 3)
				p.Link(t.Context(), []Op{Nop(), op(), op()}, r)
				return r[1].Err
			})
		}
		a, _ := pair(t)
		call("multishot", func() error {
			for _, err := range p.Multishot(t.Context(), MultishotPoll(a, unix.POLLIN)) {
				return err
			}
			return nil
		})
		// Most of them are in flight, or would be: splice blocks a kernel thread each.
		time.Sleep(50 * time.Millisecond)
		within(t, 10*time.Second, "Close", func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			wg.Wait()
		})
	})
}

// Close at a moment of its own, while many goroutines make calls of all kinds. Every
// call ends, and none is answered with something else than its result or ErrClosed.
func TestHostileCloseDuringCalls(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		rounds := 30
		for end := time.Now().Add(*soak); rounds > 0 || time.Now().Before(end); rounds-- {
			closeDuringCalls(t, config, time.Duration(rounds%10)*300*time.Microsecond)
		}
	})
}

func closeDuringCalls(t *testing.T, config Config, after time.Duration) {
	leaks := lookForLeaks(t)
	p, err := New(&config)
	if err != nil {
		t.Fatal(err)
	}
	stop := watch(t, p)
	defer stop()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := tempFile(t, 1<<16)
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			buf := make([]byte, 512)
			ops, results := make([]Op, 5), make([]Result, 5)
			for {
				var err error
				switch g % 6 {
				case 0:
					_, err = p.Do(context.Background(), Read(int(f.Fd()), buf, 1000))
					if err == nil {
						err = checkPlace(buf, 1000)
					}
				case 1:
					_, err = p.Do(context.Background(), Recv(fds[0], buf, 0))
				case 2:
					_, err = p.Do(context.Background(), Send(fds[1], buf[:1], 0))
				case 3:
					for i := range ops {
						ops[i] = Read(int(f.Fd()), buf[i*100:(i+1)*100], int64(i*100))
					}
					if err = p.Batch(context.Background(), ops, results); err == nil {
						err = checkPlace(buf[:500], 0)
					}
				case 4:
					_, err = p.Do(context.Background(), Timeout(time.Millisecond))
				case 5:
					for _, e := range p.Multishot(context.Background(), MultishotTimeout(100*time.Microsecond, 3)) {
						err = e
					}
				}
				if err == ErrClosed {
					return
				}
				if err != nil {
					t.Errorf("kind %d: %v", g%6, err)
					return
				}
			}
		})
	}
	time.Sleep(after)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	unix.Close(fds[0])
	unix.Close(fds[1])
	f.Close()
	if s := p.Stats(); s.InFlight != 0 || s.Strays != 0 {
		t.Errorf("in the end: %+v", s)
	}
	leaks()
}

// Nothing writes to memory after Close: reads that the disk is carrying out when
// Close is called have ended when it returns.
func TestCloseWaitsForTheDisk(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		const block = 1 << 16
		f := tempFile(t, 64*block)
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(f.Name(), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Skip("no O_DIRECT here: ", err)
		}
		defer unix.Close(fd)
		mem, err := unix.Mmap(-1, 0, 64*block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(mem)
		inTime := 0
		for range 30 {
			p, err := New(&config)
			if err != nil {
				t.Fatal(err)
			}
			clear(mem)
			var wg sync.WaitGroup
			for i := range 64 {
				wg.Go(func() {
					b := mem[i*block : (i+1)*block]
					if n, err := p.Do(context.Background(), Read(fd, b, int64(i*block))); err == nil && n != block || err != nil && err != ErrClosed {
						t.Errorf("%d bytes, %v", n, err)
					}
				})
			}
			for s := p.Stats(); s.Operations+s.Fallback < 20; s = p.Stats() {
				time.Sleep(10 * time.Microsecond)
			}
			inTime += p.Stats().InFlight
			p.Close()
			wg.Wait()
			// From now on this is ours.
			for i := range mem {
				mem[i] = 0xee
			}
			time.Sleep(3 * time.Millisecond)
			for i := range mem {
				if mem[i] != 0xee {
					t.Fatalf("byte %d was written after Close", i)
				}
			}
		}
		t.Logf("%d reads were in flight at 30 calls of Close", inTime)
	})
}
