package ringfs

// What programs do to files at the worst moment. With -soak each of these runs for that
// long; scripts do so under -race.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// until returns a function that says whether a hostile test goes on.
func until() func() bool {
	d := 300 * time.Millisecond
	if testing.Short() {
		d = 100 * time.Millisecond
	}
	end := time.Now().Add(max(*soak, d))
	return func() bool { return time.Now().Before(end) }
}

// collect makes the collector run without a pause.
func collect(t *testing.T) {
	old := debug.SetGCPercent(1)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
				time.Sleep(time.Millisecond)
			}
		}
	})
	t.Cleanup(func() { close(stop); wg.Wait(); debug.SetGCPercent(old) })
}

// deep calls f with a stack that has to grow.
func deep(n int, f func()) byte {
	var frame [512]byte
	if n == 0 {
		f()
		return frame[0]
	}
	frame[n%512] = deep(n-1, f)
	return frame[n%512]
}

// expected reports whether an error is one that a call may end with here.
func expected(err error) bool {
	return err == nil || errors.Is(err, os.ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Reads and writes of all kinds, with buffers on stacks that grow, contexts that end at
// any moment, and a collector that never rests: every byte that arrives is in its place.
func TestHostileReads(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		const size = 256 << 10
		// Two files: a kernel that is made to write one both through the page cache and
		// past it, by descriptors that know nothing of each other, answers EIO.
		var files [2]*File
		for i := range files {
			files[i] = must(t, o, temp(t, size), os.O_RDWR|i*past(t))
		}
		collect(t)
		more := until()
		var wg sync.WaitGroup
		for g := range 32 {
			f := files[g%2]
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 2))
				for more() {
					ctx, cancel := context.WithCancel(t.Context())
					if rnd.IntN(2) == 0 {
						timer := time.AfterFunc(time.Duration(rnd.IntN(100))*time.Microsecond, cancel)
						defer timer.Stop()
					}
					deep(rnd.IntN(30), func() {
						var b [3000]byte
						off, n := rnd.Int64N(size-3000), 1+rnd.IntN(3000)
						var err error
						switch rnd.IntN(4) {
						case 0:
							n, err = f.ReadAtContext(ctx, b[:n], off)
							if e := checkPlace(b[:n], off); e != nil {
								t.Error(e)
							}
						case 1:
							reqs := []ReadReq{{P: b[:n/2], Off: off}, {P: b[n/2 : n], Off: size - off - int64(n)}}
							err = f.ReadAtv(ctx, reqs)
							for _, r := range reqs {
								if e := checkPlace(r.P[:r.N], r.Off); e != nil {
									t.Error(e)
								}
							}
						case 2: // what is there already
							place(b[:n], off)
							_, err = f.WriteAtContext(ctx, b[:n], off)
						case 3:
							place(b[:n], off)
							_, err = f.WriteSyncAt(ctx, b[:n], off)
						}
						if !expected(err) {
							t.Error(err)
						}
					})
					cancel()
				}
			})
		}
		wg.Wait()
		for _, f := range files {
			got, err := os.ReadFile(f.Name())
			if err == nil {
				err = checkPlace(got, 0)
			}
			if err != nil || len(got) != size {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
	})
}

// Files are closed under calls on them, and others opened at once, which get the same
// descriptors: no call meets another file than its own.
func TestHostileClose(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		dir := t.TempDir()
		const files = 16
		mark := func(i int) []byte { return bytes.Repeat([]byte{byte('A' + i)}, 5000) }
		for i := range files {
			if err := os.WriteFile(fmt.Sprint(dir, "/", i), mark(i), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var slots [files]atomic.Pointer[File]
		reopen := func(i int) {
			f, err := o.OpenFile(context.Background(), fmt.Sprint(dir, "/", i), os.O_RDWR, 0)
			if err != nil {
				t.Error(err)
				return
			}
			if old := slots[i].Swap(f); old != nil {
				if err := old.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		for i := range files {
			reopen(i)
		}
		more := until()
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 3))
				for more() {
					reopen(rnd.IntN(files))
				}
			})
		}
		for g := range 16 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 4))
				b := make([]byte, 5000)
				for more() {
					i := rnd.IntN(files)
					f := slots[i].Load()
					n, err := 0, error(nil)
					switch rnd.IntN(5) {
					case 0:
						n, err = f.ReadAt(b[:1000], rnd.Int64N(4000))
					case 1:
						_, err = f.WriteAt(mark(i)[:1000], rnd.Int64N(4000))
					case 2:
						reqs := []ReadReq{{P: b[:100]}, {P: b[100:200], Off: 100}}
						err = f.ReadAtv(t.Context(), reqs)
						n = reqs[0].N
					case 3:
						err = f.DataSync()
					case 4:
						var info fs.FileInfo
						if info, err = f.Stat(); err == nil && info.Size() != 5000 {
							t.Errorf("%d bytes", info.Size())
						}
					}
					if !expected(err) {
						t.Error(err)
					}
					if !bytes.Equal(b[:n], mark(i)[:n]) {
						t.Errorf("file %d holds %q", i, b[:min(n, 20)])
					}
				}
			})
		}
		wg.Wait()
		for i := range files {
			slots[i].Load().Close()
			if b, _ := os.ReadFile(fmt.Sprint(dir, "/", i)); !bytes.Equal(b, mark(i)) {
				t.Errorf("file %d was written to by another's call", i)
			}
		}
	})
}

// Deadlines and Close on pipes, from outside, at any moment.
func TestHostilePipes(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		more := until()
		for more() {
			r, w, err := Pipe(o.p)
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			var sent, got atomic.Int64
			for range 3 {
				wg.Go(func() {
					b := make([]byte, 3000)
					for {
						n, err := w.Write(b)
						sent.Add(int64(n))
						if errors.Is(err, os.ErrDeadlineExceeded) {
							continue
						}
						if err != nil {
							if !expected(err) {
								t.Error(err)
							}
							return
						}
					}
				})
				wg.Go(func() {
					b := make([]byte, 2000)
					for {
						n, err := r.Read(b)
						got.Add(int64(n))
						if errors.Is(err, os.ErrDeadlineExceeded) {
							continue
						}
						if err != nil {
							if err != io.EOF {
								t.Error(err)
							}
							return
						}
					}
				})
			}
			for range 20 {
				r.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(300)) * time.Microsecond))
				w.SetWriteDeadline(time.Now().Add(time.Duration(rand.IntN(300)) * time.Microsecond))
				time.Sleep(200 * time.Microsecond)
				r.SetDeadline(time.Time{})
				w.SetDeadline(time.Time{})
			}
			w.Close()
			wg.Wait()
			r.Close()
			if sent.Load() != got.Load() {
				t.Errorf("%d bytes were sent, %d came", sent.Load(), got.Load())
			}
		}
	})
}

// Many files at once, left at any moment, while the collector runs and processes are
// started.
func TestHostileMany(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		_, names := manyFiles(t, 300)
		collect(t)
		more := until()
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 5))
				for more() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(10))*time.Millisecond)
					stop, i := rnd.IntN(600), 0
					for f, err := range o.ReadFiles(ctx, slices.Values(names)) {
						if i++; i == stop {
							break
						}
						if err == nil && !bytes.Equal(f.Data, content(i-1)) {
							t.Errorf("%s is wrong", f.Name)
						}
						if !expected(err) {
							t.Error(err)
						}
					}
					cancel()
				}
			})
		}
		program, err := exec.LookPath("true")
		if err != nil {
			t.Log("no processes are started: ", err)
		}
		for err == nil && more() {
			if err := exec.Command(program).Run(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	})
}

// A thousand goroutines append to one file with O_APPEND: nothing is torn.
func TestHostileAppend(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		name := t.TempDir() + "/log"
		f := must(t, o, name, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
		g := must(t, o, name, os.O_WRONLY|os.O_APPEND)
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				file := f
				if i%2 == 0 {
					file = g
				}
				line := bytes.Repeat([]byte{byte('a' + i%26)}, 1+i%200)
				if _, err := file.Write(append(line, '\n')); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		b, err := os.ReadFile(name)
		lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
		if err != nil || len(lines) != 1000 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for _, l := range lines {
			if len(bytes.Trim(l, string(l[:1]))) != 0 {
				t.Errorf("a line is torn: %q", l)
			}
		}
	})
}

// With no descriptors to be had, everything fails with an error, and nothing hangs.
func TestHostileDescriptors(t *testing.T) {
	each(t, func(t *testing.T, o *OS) {
		_, names := manyFiles(t, 100)
		if _, err := o.ReadFile(t.Context(), names[0]); err != nil {
			t.Fatal(err)
		}
		restore := noDescriptors(t)
		defer restore()
		for range 3 {
			_, err := o.Create(t.Context(), names[0])
			want(t, "Create", err, syscall.EMFILE)
			_, _, err = Pipe(o.p)
			want(t, "Pipe", err, syscall.EMFILE)
			_, err = o.ReadDir(t.Context(), ".")
			want(t, "ReadDir", err, syscall.EMFILE)
		}
	})
}
